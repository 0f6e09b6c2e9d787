//! Repositories named by their defect: what a mirror serves, or what is signed by somebody who holds some of the keys.
//! Whatever it is, a client that knows an honest state stays with it.

use std::fs;

use jiff::Timestamp;
use obnova_release::publish;
use obnova_release::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::clients::copy;
use crate::forger::Forger;
use crate::workshop::{Workshop, versions};

/// A repository with 1.0.0 and 1.1.0 that a client has seen.
pub fn seen() -> (Workshop, Forger) {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    shop.publish("1.1.0", "", &[("bin/crm", b"2")]);
    shop.client().refresh(Timestamp::now()).unwrap();
    let forger = Forger::new(&shop);
    (shop, forger)
}

/// A new client that only has the first root refuses the forged state, and one that has seen the honest state as well; the
/// latter still shows that state. Gives back the second refusal with its causes.
fn refused(defect: &str, forge: impl Fn(&Forger)) -> String {
    let (shop, forger) = seen();
    forge(&forger);
    let client = shop.client();
    let error = client.refresh(Timestamp::now()).expect_err(defect);
    assert!(
        matches!(error.kind(), ErrorKind::Untrusted | ErrorKind::Damaged),
        "{defect}: {}",
        error.chain()
    );
    let known = client.known(Timestamp::now()).unwrap().unwrap();
    assert_eq!(versions(&known), ["1.0.0", "1.1.0"], "{defect}");
    error.chain()
}

/// As [`refused`], also for a client that has seen nothing yet.
pub fn refused_by_all(defect: &str, forge: impl Fn(&Forger)) {
    refused(defect, &forge);
    let (shop, forger) = seen();
    forge(&forger);
    fs::remove_dir_all(shop.path("store")).unwrap();
    let error = shop.client().refresh(Timestamp::now()).expect_err(defect);
    assert!(
        matches!(error.kind(), ErrorKind::Untrusted | ErrorKind::Damaged),
        "{defect}: {}",
        error.chain()
    );
}

pub const ROLES: [&str; 4] = ["root", "targets", "snapshot", "timestamp"];

pub fn nothing(_: &mut Value) {}

#[test]
fn a_forger_who_changes_nothing_is_believed() {
    let (shop, forger) = seen();
    for role in ROLES {
        forger.change(role, nothing);
        let catalog = shop.client().refresh(Timestamp::now()).unwrap();
        assert_eq!(versions(&catalog), ["1.0.0", "1.1.0"], "{role}");
    }
}

#[test]
fn each_role_is_refused_in_an_older_version() {
    for role in ["targets", "snapshot", "timestamp"] {
        let text = refused(role, |forger| {
            forger.change(role, |signed| signed["version"] = 1.into())
        });
        assert!(text.contains("rollback"), "{role}: {text}");
    }
}

#[test]
fn a_list_that_is_not_named_any_more_is_refused() {
    refused("removal", |forger| {
        forger.change("snapshot", |signed| {
            signed["meta"] = json!({ "other.json": { "version": 1 } });
        });
    });
}

#[test]
fn a_file_under_a_number_that_it_does_not_have_is_refused() {
    for role in ["targets", "snapshot"] {
        refused_by_all(role, |forger| {
            let number = forger.newest(role)["version"].as_u64().unwrap();
            forger.change(role, nothing);
            let old = fs::read(forger.path(&format!("{number}.{role}.json"))).unwrap();
            forger.put(&format!("{}.{role}.json", number + 1), &old);
        });
    }
}

#[test]
fn a_file_that_is_not_the_one_that_was_named_is_refused_although_it_is_signed() {
    for role in ["targets", "snapshot"] {
        refused_by_all(role, |forger| {
            forger.change(role, nothing);
            let mut signed = forger.newest(role);
            signed["x-other"] = true.into();
            let file = forger.sign(&signed, &[role]).to_string();
            forger.put(
                &format!("{}.{role}.json", signed["version"]),
                file.as_bytes(),
            );
        });
    }
}

#[test]
fn one_role_served_as_another_is_refused() {
    refused_by_all("snapshot as timestamp", |forger| {
        let mut snapshot = forger.newest("snapshot");
        snapshot["version"] = 99.into();
        snapshot["meta"] = forger.newest("timestamp")["meta"].clone();
        let file = forger.sign(&snapshot, &["snapshot", "timestamp"]);
        forger.put("timestamp.json", file.to_string().as_bytes());
    });
    refused_by_all("type", |forger| {
        forger.change("targets", |signed| signed["_type"] = "root".into());
    });
}

#[test]
fn a_timestamp_of_the_same_number_with_other_content_changes_nothing() {
    let (shop, forger) = seen();
    let before = fs::read(shop.path("store/metadata/timestamp.json")).unwrap();
    let honest = forger.newest("timestamp");
    forger.change("targets", |signed| signed["targets"] = json!({}));
    forger.change("timestamp", |signed| {
        signed["version"] = honest["version"].clone()
    });
    let catalog = shop.client().refresh(Timestamp::now()).unwrap();
    assert_eq!(versions(&catalog), ["1.0.0", "1.1.0"]);
    assert_eq!(
        fs::read(shop.path("store/metadata/timestamp.json")).unwrap(),
        before
    );
}

#[test]
fn each_role_is_refused_once_it_has_expired() {
    for role in ROLES {
        let (shop, forger) = seen();
        forger.change(role, |signed| {
            signed["expires"] = "2026-11-02T00:00:00Z".into()
        });
        let error = shop.client().refresh(Timestamp::now()).unwrap_err();
        assert!(
            matches!(error, Error::Expired { .. }),
            "{role}: {}",
            error.chain()
        );
    }
}

#[test]
fn dates_and_numbers_that_are_none_are_refused() {
    let dates = [
        json!("never"),
        json!("2027-13-01T00:00:00Z"),
        json!(4102444800_u64),
        json!(null),
    ];
    for date in dates {
        refused_by_all("date", |forger| {
            forger.change("targets", |signed| signed["expires"] = date.clone());
        });
    }
    for number in [json!(-1), json!(1.5), json!("3"), json!(1e300), json!(null)] {
        refused_by_all("number", |forger| {
            let mut signed = forger.newest("timestamp");
            signed["version"] = number.clone();
            // What cannot be signed canonically is served with a signature over something else.
            let mut file = forger.sign(&forger.newest("timestamp"), &["timestamp"]);
            file["signed"] = signed;
            forger.put("timestamp.json", file.to_string().as_bytes());
        });
    }
}

#[test]
fn another_specification_is_refused() {
    for text in ["2.0.0", "0.9", "one", ""] {
        refused_by_all(text, |forger| {
            forger.change("targets", |signed| signed["spec_version"] = text.into());
        });
    }
}

/// Numbers driven to the end with a stolen key would lock out the vendor, but for new keys.
#[test]
fn a_mirror_from_before_a_revocation_is_refused() {
    let (shop, _) = seen();
    copy(&shop.repository(), &shop.path("mirror"));
    publish::revoke(&shop.vendor(), &"1.1.0".parse().unwrap()).unwrap();
    let catalog = shop.client().refresh(Timestamp::now()).unwrap();
    assert_eq!(versions(&catalog), ["1.0.0"]);
    let mirror = shop.client_of(shop.path("mirror").to_str().unwrap());
    let error = mirror.refresh(Timestamp::now()).unwrap_err();
    assert!(error.chain().contains("rollback"), "{}", error.chain());
    assert_eq!(
        versions(&mirror.known(Timestamp::now()).unwrap().unwrap()),
        ["1.0.0"]
    );
}

/// Whoever is trusted for part of a list by TUF's rules is not thereby trusted to release.
#[test]
fn delegates_release_nothing() {
    let (shop, forger) = seen();
    let delegate = json!({
        "_type": "targets", "spec_version": "1.0.31", "version": 1,
        "expires": "2099-01-01T00:00:00Z",
        "targets": { "releases/9.9.9/release.json": { "length": 1, "hashes": { "sha256": "00".repeat(32) } } },
    });
    let file = forger.sign(&delegate, &["timestamp"]).to_string();
    forger.put("1.partner.json", file.as_bytes());
    let root = forger.newest("root");
    let id = root["roles"]["timestamp"]["keyids"][0].clone();
    forger.change("targets", |signed| {
        let mut keys = serde_json::Map::new();
        let id = id.as_str().unwrap();
        keys.insert(id.to_owned(), root["keys"][id].clone());
        signed["delegations"] = json!({
            "keys": keys,
            "roles": [{ "name": "partner", "keyids": [id], "threshold": 1, "terminating": true,
                        "paths": ["releases/*/*"] }],
        });
    });
    forger.change("snapshot", |signed| {
        signed["meta"]["partner.json"] = json!({ "version": 1 })
    });
    let catalog = shop.client().refresh(Timestamp::now()).unwrap();
    assert_eq!(versions(&catalog), ["1.0.0", "1.1.0"]);
}

#[test]
fn metadata_that_is_no_object_or_nested_without_end_is_refused() {
    for bytes in [
        b"".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b"\xff\xfe{".to_vec(),
        "[".repeat(10_000).into_bytes(),
        format!("{{\"signed\":{}", "{\"a\":".repeat(3_000)).into_bytes(),
    ] {
        refused_by_all("garbage", |forger| forger.put("timestamp.json", &bytes));
        refused_by_all("garbage", |forger| forger.put("2.root.json", &bytes));
    }
}
