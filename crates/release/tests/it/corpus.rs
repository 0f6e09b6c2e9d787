//! The input that the fuzz targets in `fuzz/` have kept: each found a new way through a parser, or once broke one.

use std::fs;
use std::path::Path;

use crate::outside;

fn each(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut count = 0;
    for entry in fs::read_dir(&corpus).unwrap() {
        let path = entry.unwrap().path();
        eprintln!("{}", path.display());
        check(&fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count > 0, "{} is empty", corpus.display());
}

#[test]
fn descriptions_of_any_bytes_are_refused_or_read() {
    each("description", outside::description);
}

#[test]
fn file_lists_of_any_bytes_are_refused_or_stay_inside() {
    each("tree", outside::tree);
}

#[test]
fn metadata_of_any_bytes_never_leads_back() {
    each("metadata", outside::metadata);
}

#[test]
fn content_of_any_bytes_is_refused_or_unpacked_exactly() {
    each("content", outside::content);
}

#[test]
fn parts_and_answers_of_any_bytes_never_become_a_version() {
    each("partial", outside::partial);
}

#[test]
fn installers_listed_under_any_name_are_refused_or_lead_nowhere_else() {
    each("installers", outside::installers);
}
