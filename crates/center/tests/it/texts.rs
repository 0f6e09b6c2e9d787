//! Every text that a page names exists, and every text of the pages is named.

use std::collections::BTreeSet;
use std::path::Path;

use obnova_text::{Lang, Text};

/// Keys made of a fixed beginning and a value, with where they are made.
const COMPOSED: &[&str] = &[
    "state-",
    "status-",
    "outcome-",
    "error-",
    "done-",
    "audit-",
    "mail-state-",
    "problem-",
    "step-",
    "progress-",
    "fault-",
    "mail-kind-",
    "import-row-",
    "import-failed-",
    "desktops-standing-",
    "desktops-why-",
    "desktops-kept-",
];

fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push((
                    path.display().to_string(),
                    std::fs::read_to_string(&path).unwrap(),
                ));
            }
        }
    }
    found
}

/// The keys written out in `t.get("…")` and `t.with("…", …)`.
fn named(source: &str) -> impl Iterator<Item = &str> {
    ["t.get(\"", "t.with(\"", "t().get(\""]
        .into_iter()
        .flat_map(move |call| source.split(call).skip(1))
        .filter_map(|rest| rest.split('"').next())
}

#[test]
fn every_text_that_a_page_names_exists_in_both_languages() {
    let mut count = 0;
    for (path, source) in sources("templates").into_iter().chain(sources("src/pages")) {
        for key in named(&source) {
            for lang in Lang::ALL {
                assert!(
                    Text::of(lang).has(key),
                    "{key} in {path} has no text in {lang}"
                );
            }
            count += 1;
        }
    }
    assert!(
        count > 200,
        "only {count} texts found: the search is broken"
    );
}

#[test]
fn every_text_of_the_pages_is_used() {
    let all: String = sources("templates")
        .into_iter()
        .chain(sources("src"))
        .map(|(_, source)| source)
        .collect();
    let locales = Path::new(env!("CARGO_MANIFEST_DIR")).join("../text/locales/en");
    let ftl: String = ["center.ftl", "desktops.ftl"]
        .iter()
        .map(|area| std::fs::read_to_string(locales.join(area)).unwrap())
        .collect();
    let keys: BTreeSet<&str> = ftl
        .lines()
        .filter(|line| !line.starts_with([' ', '#']))
        .filter_map(|line| line.split_once(" ="))
        .map(|(key, _)| key)
        .collect();
    let unused: Vec<_> = keys
        .into_iter()
        .filter(|key| {
            !all.contains(&format!("\"{key}\""))
                && !COMPOSED.iter().any(|start| key.starts_with(start))
        })
        .collect();
    assert!(unused.is_empty(), "nobody shows {unused:?}");
}
