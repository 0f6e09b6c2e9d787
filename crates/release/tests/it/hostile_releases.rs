//! Releases that are signed well and are hostile, or the work of a broken tool: a signature is no reason to write outside
//! of a version's directory or to use up the machine.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use obnova_release::{Channel, Error, ErrorKind};
use serde_json::{Value, json};

use crate::forger::Forger;
use crate::workshop::{Workshop, files_of, newest, version, versions};

const TREE: &str = "releases/2.0.0/tree.json.zst";
const DESCRIPTION: &str = "releases/2.0.0/release.json";

/// The bytes of the signed description of 1.0.0, changed.
fn description(shop: &Workshop, edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    let file = files_of(&shop.repository().join("targets"))
        .into_iter()
        .find(|path| path.to_string_lossy().ends_with("release.json"))
        .unwrap();
    let mut description = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    edit(&mut description);
    description.to_string().into_bytes()
}

fn custom(bytes: u64, packed_bytes: u64) -> Value {
    json!({
        "product": "crm", "version": "2.0.0", "channel": "stable",
        "bytes": bytes, "packed_bytes": packed_bytes,
    })
}

/// A repository with an honest 1.0.0 and a 2.0.0 that has this `tree.json.zst`.
fn released(tree: &[u8], custom: Value) -> Workshop {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    let forger = Forger::new(&shop);
    forger.list(TREE, tree, custom.clone());
    let description = description(&shop, |release| release["version"] = "2.0.0".into());
    forger.list(DESCRIPTION, &description, custom);
    shop
}

fn packed(entries: &Value) -> Vec<u8> {
    let manifest = json!({ "format": 1, "entries": entries }).to_string();
    zstd::encode_all(manifest.as_bytes(), 3).unwrap()
}

/// Downloading it fails, and nothing appears anywhere.
fn refused(name: &str, shop: &Workshop) -> Error {
    let client = shop.client();
    let release = newest(&client.refresh(Timestamp::now()).unwrap());
    assert_eq!(release.description().version, version("2.0.0"));
    let before = files_of(&shop.path(""));
    let error = shop.download(&client, &release).expect_err(name);
    assert!(
        matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Damaged),
        "{name}: {}",
        error.chain()
    );
    let new: Vec<_> = files_of(&shop.path(""))
        .into_iter()
        .filter(|path| !before.contains(path) && !path.ends_with("versions/.lock"))
        .collect();
    assert!(new.is_empty(), "{name}: {new:?}");
    error
}

fn file() -> Value {
    let digest = "ab".repeat(32);
    json!({ "kind": "file", "mode": 420, "sha256": digest, "size": 1,
            "packed_sha256": digest, "packed_size": 10 })
}

fn directory() -> Value {
    json!({ "kind": "directory", "mode": 493 })
}

fn link(target: &str) -> Value {
    json!({ "kind": "link", "target": target })
}

#[test]
fn trees_that_lead_out_of_their_directory_are_refused() {
    let trees = [
        ("climbs", json!({ "../evil": file() })),
        (
            "climbs later",
            json!({ "a": directory(), "a/../../evil": file() }),
        ),
        ("absolute", json!({ "/tmp/obnova-evil": file() })),
        ("backslash", json!({ "..\\evil": file() })),
        ("nul", json!({ "a\u{0}": file() })),
        ("drive", json!({ "con": file() })),
        ("absolute link", json!({ "a": link("/etc"), })),
        ("link out", json!({ "a": link("../..") })),
        ("below a link", json!({ "a": link("."), "a/evil": file() })),
        ("below a file", json!({ "a": file(), "a/evil": file() })),
        (
            "link through link",
            json!({
                "d": directory(), "d/e": directory(), "d/e/up": link("../.."), "out": link("d/e/up/../x"),
            }),
        ),
        ("circle", json!({ "a": link("b"), "b": link("a") })),
        ("case", json!({ "Readme": file(), "README": file() })),
        (
            "case of directories",
            json!({ "A": directory(), "a": link(".") }),
        ),
        (
            "composition",
            json!({ "\u{e9}": file(), "e\u{301}": file() }),
        ),
        (
            "setuid",
            json!({ "a": { "kind": "directory", "mode": 0o4755 } }),
        ),
        ("device", json!({ "a": { "kind": "device", "mode": 0 } })),
        (
            "unknown field",
            json!({ "a": { "kind": "directory", "mode": 493, "owner": "root" } }),
        ),
        ("no object", json!(["a"])),
    ];
    for (name, entries) in trees {
        refused(name, &released(&packed(&entries), custom(1, 10)));
    }
}

#[test]
fn trees_that_are_not_as_long_as_was_signed_or_absurdly_long_are_refused() {
    let tree = packed(&json!({ "a": file() }));
    for (bytes, packed_bytes) in [(2, 10), (1, 9), (0, 0), (u64::MAX, u64::MAX)] {
        refused("length", &released(&tree, custom(bytes, packed_bytes)));
    }
    let mut huge = file();
    huge["size"] = (1_u64 << 62).into();
    let several = json!({ "a": huge, "b": huge, "c": huge, "d": huge });
    refused("overflow", &released(&packed(&several), custom(0, 0)));
    let mut inflated = file();
    inflated["packed_size"] = (1 << 30).into();
    refused(
        "inflated",
        &released(&packed(&json!({ "a": inflated })), custom(1, 1 << 30)),
    );
}

#[test]
fn a_tree_whose_content_is_nowhere_is_refused() {
    let error = refused(
        "missing",
        &released(&packed(&json!({ "a": file() })), custom(1, 10)),
    );
    assert!(
        error.to_string().contains("not in the repository"),
        "{error}"
    );
}

#[test]
fn a_tree_that_wants_two_gigabytes_to_be_unpacked_is_refused() {
    // A frame with a window of 2 GiB and one empty block.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00];
    let error = refused("window", &released(&frame, custom(0, 0)));
    assert!(
        error.chain().contains("too much memory"),
        "{}",
        error.chain()
    );
}

/// What is listed beside honest releases, and must not be believed.
#[test]
fn lists_that_contradict_themselves_are_refused() {
    let cases = [
        ("/custom", json!(null)),
        ("/custom", json!("crm")),
        ("/custom/version", json!("3.0.0")),
        ("/custom/version", json!("../1.0.0")),
        ("/custom/bytes", json!(-1)),
        ("/length", json!(1_u64 << 60)),
        ("/hashes", json!({})),
        ("/hashes", json!({ "md5": "00" })),
        ("/hashes", json!({ "sha256": "abcd" })),
    ];
    for (name, value) in cases {
        let shop = released(&packed(&json!({ "a": file() })), custom(1, 10));
        Forger::new(&shop).change("targets", |signed| {
            let target = &mut signed["targets"][DESCRIPTION];
            *target.pointer_mut(name).unwrap() = value;
        });
        let error = shop.client().refresh(Timestamp::now()).expect_err(name);
        assert!(
            matches!(
                error.kind(),
                ErrorKind::Invalid | ErrorKind::Damaged | ErrorKind::Untrusted
            ),
            "{name}: {}",
            error.chain()
        );
    }
}

#[test]
fn a_release_that_is_listed_for_another_channel_is_named_there_and_offered_nowhere() {
    let shop = released(&packed(&json!({ "a": file() })), custom(1, 10));
    Forger::new(&shop).change("targets", |signed| {
        signed["targets"][DESCRIPTION]["custom"]["channel"] = "beta".into();
    });
    let catalog = shop.client().refresh(Timestamp::now()).unwrap();
    assert_eq!(versions(&catalog), ["1.0.0"]);
    let unreadable = catalog.unreadable(&version("1.0.0"), Channel::Beta);
    assert_eq!(unreadable[0].version, version("2.0.0"));
}

#[test]
fn a_release_listed_without_its_files_is_refused() {
    let shop = released(&packed(&json!({ "a": file() })), custom(1, 10));
    Forger::new(&shop).change("targets", |signed| {
        signed["targets"].as_object_mut().unwrap().remove(TREE);
    });
    let error = shop.client().refresh(Timestamp::now()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}

#[test]
fn descriptions_that_are_not_what_they_are_listed_as_are_named_and_the_others_shown() {
    let edits = [
        ("version", json!("2.0.1")),
        ("product", json!("other")),
        ("channel", json!("beta")),
        ("format", json!(999)),
        ("run_as", json!("root")),
        ("server", json!({ "start": [] })),
        ("server", json!(null)),
    ];
    for (name, value) in edits {
        let shop = released(&packed(&json!({ "a": file() })), custom(1, 10));
        let bytes = description(&shop, |release| {
            release["version"] = "2.0.0".into();
            release[name] = value;
        });
        Forger::new(&shop).list(DESCRIPTION, &bytes, custom(1, 10));
        let catalog = shop.client().refresh(Timestamp::now()).expect(name);
        assert_eq!(versions(&catalog), ["1.0.0"], "{name}");
        let unreadable = catalog.unreadable(&version("1.0.0"), Channel::Stable);
        let found: Vec<_> = unreadable.iter().map(|it| &it.version).collect();
        assert_eq!(found, [&version("2.0.0")], "{name}");
        assert!(!unreadable[0].why.is_empty(), "{name}");
        // Known without the network, too.
        let known = shop.client().known(Timestamp::now()).unwrap().unwrap();
        assert_eq!(
            known.unreadable(&version("1.0.0"), Channel::Stable).len(),
            1
        );
        assert!(
            known
                .unreadable(&version("2.0.0"), Channel::Stable)
                .is_empty()
        );
    }
}

#[test]
fn no_way_leads_past_a_release_that_cannot_be_read() {
    let shop = released(&packed(&json!({ "a": file() })), custom(1, 10));
    // Who could tell that it is no required stop?
    let bytes = description(&shop, |release| {
        release["version"] = "2.0.0".into();
        release["stops_here"] = true.into();
    });
    Forger::new(&shop).list(DESCRIPTION, &bytes, custom(1, 10));
    shop.publish("1.5.0", "", &[("bin/crm", b"1.5")]);
    shop.publish("3.0.0", "", &[("bin/crm", b"3")]);
    let catalog = shop.client().refresh(Timestamp::now()).unwrap();
    assert_eq!(versions(&catalog), ["1.0.0", "1.5.0", "3.0.0"]);
    let target = |from: &str| {
        let route = catalog.route(&version(from), Channel::Stable).unwrap();
        route.map(|route| route.target().unwrap().description().version.to_string())
    };
    assert_eq!(target("1.0.0").as_deref(), Some("1.5.0"));
    assert_eq!(target("1.5.0"), None);
    let wanted = version("3.0.0");
    let way = catalog.route_to(&version("1.5.0"), Channel::Stable, &wanted);
    assert!(way.unwrap().is_none());
    // Whoever has it already goes on.
    assert_eq!(target("2.0.0").as_deref(), Some("3.0.0"));
}

#[test]
fn signed_files_that_are_no_releases_are_passed_over() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    let forger = Forger::new(&shop);
    for path in [
        "desktop/setup.exe",
        "releases/readme.txt",
        "notes/../releases/9.0.0/x",
    ] {
        forger.change("targets", |signed| {
            signed["targets"][path] =
                json!({ "length": 1, "hashes": { "sha256": "00".repeat(32) } });
        });
    }
    let catalog = shop.client().refresh(Timestamp::now()).unwrap();
    assert_eq!(versions(&catalog), ["1.0.0"]);
}

/// Names the directory in which the child works; see below.
const WORKSHOP: &str = "OBNOVA_TEST_MANY_FILES";

/// The most memory that reading a hostile tree may take, KiB. A tree of as many entries as are allowed takes about half.
const ENOUGH: u64 = 512 << 10;

#[test]
fn child_that_reads_ten_million_files() {
    let Some(directory) = std::env::var_os(WORKSHOP) else {
        return;
    };
    let shop = Workshop::existing(Path::new(&directory));
    let client = shop.client();
    let release = newest(&client.refresh(Timestamp::now()).unwrap());
    let error = shop.download(&client, &release).unwrap_err();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    fs::write(shop.path("result"), format!("{peak}\n{error}")).unwrap();
}

#[test]
fn ten_million_tiny_files_are_refused_in_bounded_memory() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(br#"{"format":1,"entries":{"#).unwrap();
    let thousand: String = (0..1000)
        .map(|number| format!(r#""NNNNNN{number:03}":{{"kind":"directory","mode":493}},"#))
        .collect();
    // What comes after the first million and one is never looked at, so there the names may repeat.
    let mut block = String::new();
    for high in 0..10_000 {
        if high <= 1001 {
            block = thousand.replace("NNNNNN", &format!("{high:06}"));
        }
        encoder.write_all(block.as_bytes()).unwrap();
    }
    encoder
        .write_all(br#""x":{"kind":"directory","mode":493}}}"#)
        .unwrap();
    let tree = encoder.finish().unwrap();
    let shop = released(&tree, custom(0, 0));

    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "hostile_releases::child_that_reads_ten_million_files",
        ])
        .env(WORKSHOP, shop.path(""))
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stdout)
    );
    let result = fs::read_to_string(shop.path("result")).unwrap();
    eprintln!("{} bytes of manifest: {result}", tree.len());
    assert!(result.contains("more than 1000000 entries"), "{result}");
    let peak: u64 = result.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(peak < ENOUGH, "{peak} KiB");
}
