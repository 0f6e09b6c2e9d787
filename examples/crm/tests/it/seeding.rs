//! Generated data.

use std::collections::BTreeMap;

use crate::harness::{Installation, told};

#[test]
fn the_same_seed_gives_the_same_rows_and_files() {
    let (one, other) = (Installation::filled(), Installation::filled());
    assert!(one.dump() == other.dump());
    let contents = |installation: &Installation| {
        let files = installation.files();
        files
            .into_iter()
            .map(|(path, text)| (path.file_name().map(ToOwned::to_owned), text))
            .collect::<Vec<_>>()
    };
    assert_eq!(contents(&one), contents(&other));
}

#[test]
fn another_seed_gives_other_rows() {
    let (one, other) = (Installation::empty("1.0.0"), Installation::empty("1.0.0"));
    one.must("1.0.0", &["seed", "--contacts", "100", "--seed", "1"]);
    other.must("1.0.0", &["seed", "--contacts", "100", "--seed", "2"]);
    assert!(one.dump() != other.dump());
}

#[test]
fn the_data_is_as_untidy_as_real_data_and_reaches_nobody() {
    let dump = Installation::filled().dump();
    let mut addresses: BTreeMap<String, usize> = BTreeMap::new();
    for line in dump
        .lines()
        .filter_map(|line| line.strip_prefix("contact "))
    {
        let row: serde_json::Value = serde_json::from_str(line).expect("JSON");
        if let Some(address) = row["email"].as_str() {
            assert!(address.ends_with(".example"), "{address}");
            *addresses.entry(address.to_lowercase()).or_default() += 1;
        }
    }
    let shared = addresses.values().filter(|count| **count > 1).count();
    assert!(shared >= 6, "{shared} shared addresses");
    assert!(dump.contains("\"groups\":\"Everyone,Administrator\""));
    assert!(dump.contains("\"groups\":\"System\""));
}

#[test]
fn a_database_in_use_is_not_filled() {
    let installation = Installation::filled();
    let output = installation.run("1.0.0", &["seed"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("only an empty one is filled"));
}

#[test]
fn a_newer_version_can_be_filled_too() {
    let installation = Installation::empty("1.3.0");
    installation.must("1.3.0", &["seed", "--contacts", "300"]);
    assert!(installation.dump().contains("\"full_name\":\"Ing. "));
}
