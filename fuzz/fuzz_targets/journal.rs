#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| obnova_engine::outside::journal(data));
