//! What vendors copy from the example is accepted as it stands there.

use std::path::PathBuf;

use obnova_engine::Installation;
use obnova_release::Description;

fn example() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/examples/tryton")
}

#[test]
fn every_release_of_the_example_is_described_rightly_and_its_series_is_pinned() {
    let mut found = 0;
    for folder in ["releases", "mistakes"] {
        for entry in std::fs::read_dir(example().join(folder)).unwrap() {
            let folder = entry.unwrap().path();
            let description = Description::read(&folder.join("release.toml")).unwrap();
            let version = &description.version;
            assert!(folder.ends_with(version.to_string()), "{folder:?}");
            assert!(description.server.check.is_some(), "{folder:?}");
            let series = format!("requirements-{}.{}.txt", version.major, version.minor);
            let pinned = std::fs::read_to_string(example().join(series)).unwrap();
            let probe = &description.server.health[0];
            let tryton = probe.contains.as_ref().unwrap().trim_matches('"');
            assert!(pinned.contains(&format!("trytond=={tryton} ")), "{tryton}");
            found += 1;
        }
    }
    assert_eq!(found, 4);
}

#[test]
fn the_installation_file_of_the_example_is_accepted() {
    let state = tempfile::tempdir().unwrap();
    let file = example().join("installation.toml");
    std::fs::copy(file, state.path().join("installation.toml")).unwrap();
    let installation = Installation::load(state.path()).unwrap();
    assert_eq!(installation.product, "crm-on-tryton");
}
