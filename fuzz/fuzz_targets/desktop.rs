#![no_main]

thread_local! {
    static ROOT: tempfile::TempDir = tempfile::tempdir().unwrap();
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| ROOT.with(|root| obnova_desktop::outside::state(root.path(), data)));
