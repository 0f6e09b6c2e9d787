//! Repositories signed with the wrong keys, too few of them, or by a root that nobody may make.

use std::fs;

use jiff::Timestamp;
use obnova_release::ErrorKind;
use obnova_release::publish::{self, InitOptions, Role};
use serde_json::json;

use crate::clients::copy;
use crate::forger::Forger;
use crate::hostile_metadata::{ROLES, nothing, refused_by_all, seen};
use crate::workshop::{Workshop, versions};

#[test]
fn metadata_without_signatures_is_refused() {
    for role in ROLES {
        refused_by_all(role, |forger| {
            forger.change_signed(role, &[role], &mut nothing, &mut |file| {
                file["signatures"] = json!([])
            });
        });
    }
}

#[test]
fn metadata_signed_with_the_keys_of_another_role_is_refused() {
    for role in ROLES {
        for other in ROLES.into_iter().filter(|other| *other != role) {
            refused_by_all(&format!("{role} by {other}"), |forger| {
                forger.change_signed(role, &[other], &mut nothing, &mut nothing);
            });
        }
    }
}

#[test]
fn a_signature_of_another_content_is_refused() {
    for role in ROLES {
        refused_by_all(role, |forger| {
            forger.change_signed(role, &[role], &mut nothing, &mut |file| {
                file["signed"]["x-added"] = "later".into();
            });
        });
    }
}

#[test]
fn an_invalid_signature_beside_enough_valid_ones_does_no_harm() {
    let (shop, forger) = seen();
    forger.change_signed("timestamp", &["timestamp"], &mut nothing, &mut |file| {
        let signatures = file["signatures"].as_array_mut().unwrap();
        signatures.push(json!({ "keyid": "f".repeat(64), "sig": "00" }));
        signatures.push(json!({ "keyid": "e".repeat(64), "sig": "" }));
    });
    shop.client().refresh(Timestamp::now()).unwrap();
}

#[test]
fn one_key_does_not_count_twice() {
    let shop = Workshop::new();
    fs::remove_dir_all(shop.repository()).unwrap();
    for directory in ["keys", "offline"] {
        fs::remove_dir_all(shop.path(directory)).unwrap();
    }
    publish::init(
        &shop.vendor(),
        &InitOptions {
            online_keys: shop.path("keys"),
            offline_keys: shop.path("offline"),
            root: (1, 1),
            targets: (2, 2),
        },
    )
    .unwrap();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    let forger = Forger::new(&shop);
    shop.client().refresh(Timestamp::now()).unwrap();
    forger.change_signed("targets", &["targets"], &mut nothing, &mut |file| {
        let signatures = file["signatures"].as_array_mut().unwrap();
        assert_eq!(signatures.len(), 2);
        signatures[1] = signatures[0].clone();
    });
    let error = shop.client().refresh(Timestamp::now()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Untrusted, "{}", error.chain());
}

#[test]
fn a_root_that_names_one_key_twice_for_a_threshold_of_two_is_of_no_use() {
    refused_by_all("one key twice", |forger| {
        forger.change("root", |root| {
            let key = root["roles"]["targets"]["keyids"][0].clone();
            root["roles"]["targets"] = json!({ "keyids": [key, key], "threshold": 2 });
        });
        forger.change("targets", nothing);
    });
}

#[test]
fn a_root_that_demands_no_signatures_is_refused() {
    for threshold in [json!(0), json!(-1), json!("1"), json!(null)] {
        refused_by_all("threshold", |forger| {
            forger.change("root", |root| {
                root["roles"]["targets"]["threshold"] = threshold.clone();
            });
        });
    }
}

#[test]
fn a_root_that_skips_a_number_or_has_another_is_refused() {
    for version in [1, 3, 99] {
        refused_by_all("root number", |forger| {
            forger.change("root", nothing);
            let mut root = forger.newest("root");
            root["version"] = version.into();
            let file = forger.sign(&root, &["root"]);
            forger.put("2.root.json", file.to_string().as_bytes());
        });
    }
}

#[test]
fn a_root_of_foreign_keys_is_refused_whoever_else_they_sign_for() {
    let other = Workshop::new();
    let foreign = Forger::new(&other);
    refused_by_all("foreign root", |forger| {
        let mut root = foreign.newest("root");
        root["version"] = 2.into();
        let file = foreign.sign(&root, &["root"]);
        forger.put("2.root.json", file.to_string().as_bytes());
    });
    // The old keys sign a root of which the new keys know nothing: nobody could ever leave it again.
    refused_by_all("root without its own keys", |forger| {
        forger.change("root", |root| {
            let theirs = foreign.newest("root");
            root["keys"] = theirs["keys"].clone();
            root["roles"]["root"] = theirs["roles"]["root"].clone();
        });
    });
}

#[test]
fn new_keys_bring_clients_back_that_were_led_to_the_end_of_all_numbers() {
    let (shop, _) = seen();
    copy(&shop.repository(), &shop.path("mirror"));
    let mirror = Forger::of(&shop, shop.path("mirror"));
    mirror.change("snapshot", |signed| {
        signed["version"] = (1_u64 << 53).into()
    });
    mirror.change("timestamp", |signed| {
        signed["version"] = (1_u64 << 53).into()
    });
    let misled = shop.client_of(shop.path("mirror").to_str().unwrap());
    misled.refresh(Timestamp::now()).unwrap();
    shop.publish("1.2.0", "", &[("bin/crm", b"3")]);
    let error = shop.client().refresh(Timestamp::now()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Untrusted, "{error}");
    for role in [Role::Snapshot, Role::Timestamp] {
        crate::keys::rotate(&shop, role, None);
    }
    let catalog = shop.client().refresh(Timestamp::now()).unwrap();
    assert_eq!(versions(&catalog), ["1.0.0", "1.1.0", "1.2.0"]);
}

/// Obnova's own date of signing keeps a clock from being set back; it must not keep time from going on.
#[test]
fn new_keys_bring_clients_back_that_were_led_to_the_end_of_all_time() {
    let (shop, _) = seen();
    copy(&shop.repository(), &shop.path("mirror"));
    let mirror = Forger::of(&shop, shop.path("mirror"));
    mirror.change("timestamp", |signed| {
        signed["x-obnova-signed-at"] = "2999-01-01T00:00:00Z".into();
        signed["expires"] = "3000-01-01T00:00:00Z".into();
    });
    let misled = shop.client_of(shop.path("mirror").to_str().unwrap());
    misled.refresh(Timestamp::now()).unwrap();
    let error = shop.client().refresh(Timestamp::now()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Untrusted, "{error}");
    shop.publish("1.2.0", "", &[("bin/crm", b"3")]);
    crate::keys::rotate(&shop, Role::Timestamp, None);
    let catalog = shop.client().refresh(Timestamp::now()).unwrap();
    assert_eq!(versions(&catalog), ["1.0.0", "1.1.0", "1.2.0"]);
    // From here on the new key's date counts.
    shop.client()
        .refresh(crate::workshop::in_days(-400))
        .unwrap();
}
