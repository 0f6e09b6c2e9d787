use super::*;

fn file() -> Entry {
    Entry::File(FileEntry {
        mode: 0o644,
        sha256: Digest::of(b"x"),
        size: 1,
        packed_sha256: Digest::of(b"y"),
        packed_size: 10,
    })
}

fn directory() -> Entry {
    Entry::Directory { mode: 0o755 }
}

fn link(target: &str) -> Entry {
    Entry::Link {
        target: target.into(),
    }
}

fn tree(entries: &[(&str, Entry)]) -> Result<Tree, Error> {
    let entries = entries
        .iter()
        .map(|(path, entry)| ((*path).to_owned(), entry.clone()))
        .collect();
    Tree::new(entries, "tree")
}

fn refused(entries: &[(&str, Entry)]) -> String {
    tree(entries).unwrap_err().to_string()
}

#[test]
fn an_ordinary_tree_is_packed_and_read_again() {
    let tree = tree(&[
        ("bin", directory()),
        ("bin/crm", file()),
        ("bin/crm-current", link("crm")),
        ("data", link("bin/../bin")),
        ("žluťoučký kůň.txt", file()),
    ])
    .unwrap();
    let packed = tree.to_packed().unwrap();
    assert_eq!(Tree::from_packed(&packed, "tree").unwrap(), tree);
    assert_eq!(tree.bytes(), 2);
    assert_eq!(tree.packed_bytes(), 10);
}

#[test]
fn paths_that_are_no_plain_relative_ones_are_refused() {
    for path in [
        "/etc/passwd",
        "../x",
        "a/../b",
        "a//b",
        "./a",
        "",
        "a/",
        "a\\b",
        "a\0b",
        "a\nb",
        "CON",
        "nul.txt",
        "Com1",
        "lpt9.log",
        "dot.",
        "space ",
    ] {
        refused(&[(path, file())]);
    }
    refused(&[(&"x".repeat(256), file())]);
    tree(&[("console", file()), ("com10", file()), ("comb", file())]).unwrap();
}

#[test]
fn a_file_below_a_link_or_a_file_is_refused() {
    refused(&[("a", link(".")), ("a/b", file())]);
    refused(&[("a", file()), ("a/b", file())]);
    refused(&[("a/b", file())]);
}

#[test]
fn names_that_differ_in_case_or_composition_only_are_refused() {
    refused(&[("Readme", file()), ("README", file())]);
    refused(&[("é", file()), ("e\u{301}", file())]);
    refused(&[("A", directory()), ("a", file())]);
    refused(&[("Ž", file()), ("z\u{30c}", file())]);
    refused(&[("ΟΔΟΣ", file()), ("οδοσ", file())]);
    refused(&[("straſſe", file()), ("STRASSE", file())]);
}

#[test]
fn a_link_out_of_the_tree_is_refused_also_by_way_of_other_links() {
    refused(&[("a", link("/etc"))]);
    refused(&[("a", link(".."))]);
    refused(&[("d", directory()), ("d/a", link("../.."))]);
    // By names alone `deep/up/../../x` stays inside; the kernel follows `up` to the root first.
    refused(&[
        ("deep", directory()),
        ("deep/er", directory()),
        ("deep/er/up", link("../..")),
        ("out", link("deep/er/up/../x")),
    ]);
    refused(&[("a", link("b")), ("b", link("a"))]);
    tree(&[("d", directory()), ("d/a", link("../d/not-yet-there"))]).unwrap();
}

#[test]
fn special_modes_are_refused() {
    refused(&[("a", Entry::Directory { mode: 0o1777 })]);
    refused(&[(
        "a",
        Entry::File(FileEntry {
            mode: 0o4755,
            sha256: Digest::of(b""),
            size: 0,
            packed_sha256: Digest::of(b""),
            packed_size: 0,
        }),
    )]);
}

#[test]
fn absurd_sizes_are_refused() {
    let sized = |size, packed_size| {
        Entry::File(FileEntry {
            mode: 0o644,
            sha256: Digest::of(b""),
            size,
            packed_sha256: Digest::of(b""),
            packed_size,
        })
    };
    refused(&[("a", sized(40 << 30, 1)), ("b", sized(40 << 30, 1))]);
    refused(&[("a", sized(u64::MAX, 1))]);
    refused(&[("a", sized(1, 1 << 20))]);
}

#[test]
fn a_manifest_that_unpacks_endlessly_is_refused() {
    let json = format!(r#"{{"format":1,{}"entries":{{}}}}"#, " ".repeat(1 << 20));
    let bomb = packed(&json);
    assert!(bomb.len() < 1000);
    Tree::from_packed_within(&bomb, "bomb", 2 << 20).unwrap();
    Tree::from_packed_within(&bomb, "bomb", 1 << 20).unwrap_err();
}

fn packed(json: &str) -> Vec<u8> {
    zstd::encode_all(json.as_bytes(), 1).unwrap()
}

#[test]
fn a_path_that_is_listed_twice_is_refused() {
    let entry = r#""a":{"kind":"directory","mode":493}"#;
    let json = format!(r#"{{"format":1,"entries":{{{entry},{entry}}}}}"#);
    let error = Tree::from_packed(&packed(&json), "tree").unwrap_err();
    assert!(error.to_string().contains("twice"), "{error}");
}

#[test]
fn a_manifest_with_something_behind_it_or_cut_off_is_refused() {
    let json = r#"{"format":1,"entries":{}}"#;
    Tree::from_packed(&packed(json), "tree").unwrap();
    Tree::from_packed(&packed(&format!("{json} {{}}")), "tree").unwrap_err();
    Tree::from_packed(&packed(&json[..json.len() - 1]), "tree").unwrap_err();
    let whole = packed(json);
    Tree::from_packed(&whole[..whole.len() - 1], "tree").unwrap_err();
    Tree::from_packed(b"", "tree").unwrap_err();
}

#[test]
fn what_windows_cannot_hold_is_refused_for_windows_only() {
    for (path, entry) in [
        ("readme.txt:hidden", file()),
        ("what?.txt", file()),
        ("a*", directory()),
        ("\"quoted\"", file()),
        ("less<more", file()),
        ("pipe|line", file()),
        ("current", link("bin")),
    ] {
        let tree = tree(&[("bin", directory()), (path, entry)]).unwrap();
        tree.check_for_platform("linux-x86_64").unwrap();
        let reason = tree.check_for_platform("windows-x86_64").unwrap_err();
        assert!(reason.contains("Windows"), "{reason}");
    }
    let ordinary = tree(&[("bin", directory()), ("bin/žluť (1)+.exe", file())]).unwrap();
    ordinary.check_for_platform("windows-x86_64").unwrap();
}
