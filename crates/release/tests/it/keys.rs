//! Keys: thresholds, rotation, expiry, renewal.

use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;
use obnova_release::publish::{self, InitOptions, Role, RotateOptions, Vendor};
use obnova_release::{Client, ErrorKind, Options};

use crate::workshop::{Workshop, in_days, versions};

pub fn rotate(shop: &Workshop, role: Role, quorum: Option<(usize, usize)>) -> publish::Rotated {
    let directory = if matches!(role, Role::Root | Role::Targets) {
        "offline"
    } else {
        "keys"
    };
    publish::rotate(
        &shop.vendor(),
        &RotateOptions {
            role,
            new_keys: shop.path(directory),
            quorum,
            existing: vec![],
        },
    )
    .unwrap()
}

fn remove_key(shop: &Workshop, role: &str) -> PathBuf {
    for directory in ["keys", "offline"] {
        for entry in fs::read_dir(shop.path(directory)).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with(role) {
                let away = shop.path(&format!("lost-{}", entry.file_name().to_string_lossy()));
                fs::rename(entry.path(), &away).unwrap();
                return away;
            }
        }
    }
    panic!("no key of {role}");
}

#[test]
fn clients_follow_the_rotation_of_every_role() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    let client = shop.client();
    client.refresh(Timestamp::now()).unwrap();
    for (number, role) in Role::ALL.into_iter().enumerate() {
        let rotated = rotate(&shop, role, None);
        assert_eq!(rotated.root_version, number as u64 + 2);
        assert_eq!(
            versions(&client.refresh(Timestamp::now()).unwrap()),
            ["1.0.0"]
        );
        let known = client.known(Timestamp::now()).unwrap().unwrap();
        assert_eq!(versions(&known), ["1.0.0"]);
        // The old key is of no use any more, the new one is.
        for id in rotated.retired {
            fs::remove_file(shop.path(&format!(
                "{}/{role}-{}.pem",
                if matches!(role, Role::Root | Role::Targets) {
                    "offline"
                } else {
                    "keys"
                },
                &id[..12]
            )))
            .unwrap();
        }
    }
    shop.publish("1.1.0", "", &[("bin/crm", b"2")]);
    assert_eq!(
        versions(&client.refresh(Timestamp::now()).unwrap()),
        ["1.0.0", "1.1.0"]
    );
    // So does a client that was away all the time.
    let away = Client::open(Options {
        store: shop.path("store-of-another"),
        ..shop.options(shop.repository().to_str().unwrap())
    })
    .unwrap();
    assert_eq!(
        versions(&away.refresh(Timestamp::now()).unwrap()),
        ["1.0.0", "1.1.0"]
    );
}

#[test]
fn a_lost_online_key_is_replaced() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    let client = shop.client();
    client.refresh(Timestamp::now()).unwrap();
    remove_key(&shop, "timestamp");
    let error = publish::resign(&shop.vendor(), &[]).unwrap_err();
    assert!(error.to_string().contains("timestamp"), "{error}");
    rotate(&shop, Role::Timestamp, None);
    assert_eq!(
        versions(&client.refresh(Timestamp::now()).unwrap()),
        ["1.0.0"]
    );
}

#[test]
fn a_stolen_and_retired_key_signs_nothing_that_is_believed() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    let client = shop.client();
    client.refresh(Timestamp::now()).unwrap();
    let before = fs::read(shop.repository().join("metadata/timestamp.json")).unwrap();
    let stolen = remove_key(&shop, "timestamp");
    rotate(&shop, Role::Timestamp, None);
    fs::rename(&stolen, shop.path("keys/timestamp-stolen.pem")).unwrap();
    client.refresh(Timestamp::now()).unwrap();
    fs::write(shop.repository().join("metadata/timestamp.json"), before).unwrap();
    assert_eq!(
        client.refresh(Timestamp::now()).unwrap_err().kind(),
        ErrorKind::Untrusted
    );
}

#[test]
fn under_the_threshold_nothing_is_signed() {
    let shop = Workshop::new();
    let vendor = Vendor::new(shop.path("second"), vec![shop.path("k2"), shop.path("o2")]);
    publish::init(
        &vendor,
        &InitOptions {
            online_keys: shop.path("k2"),
            offline_keys: shop.path("o2"),
            root: (2, 3),
            targets: (2, 2),
        },
    )
    .unwrap();
    shop.write_tree(&[("bin/crm", b"1")]);
    let built = shop.build("1.0.0", "").unwrap();
    let key = fs::read_dir(shop.path("o2"))
        .unwrap()
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with("targets"))
        .unwrap()
        .path();
    let away = shop.path("stick.pem");
    fs::rename(&key, &away).unwrap();
    let error = publish::publish(&vendor, &built).unwrap_err().to_string();
    assert!(
        error.contains("needs 2 of 2 keys") && error.contains("--keys"),
        "{error}"
    );
    assert!(publish::list(&vendor).unwrap().releases.is_empty());
    let status = publish::keys(&vendor).unwrap();
    assert!(
        !status
            .iter()
            .find(|role| role.role == Role::Targets)
            .unwrap()
            .can_sign
    );
    assert!(
        status
            .iter()
            .find(|role| role.role == Role::Root)
            .unwrap()
            .can_sign
    );
    fs::rename(&away, &key).unwrap();
    publish::publish(&vendor, &built).unwrap();
    assert!(
        publish::init(
            &vendor,
            &InitOptions {
                online_keys: shop.path("k2"),
                offline_keys: shop.path("o2"),
                root: (1, 1),
                targets: (1, 1),
            }
        )
        .is_err()
    );
}

#[test]
fn thresholds_that_cannot_be_are_refused() {
    let shop = Workshop::new();
    for quorum in [(0, 1), (2, 1), (1, 0), (1, 1000)] {
        let options = RotateOptions {
            role: Role::Root,
            new_keys: shop.path("offline"),
            quorum: Some(quorum),
            existing: vec![],
        };
        assert!(
            publish::rotate(&shop.vendor(), &options).is_err(),
            "{quorum:?}"
        );
    }
}

#[test]
fn the_threshold_can_be_raised_with_a_colleagues_key() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    let client = shop.client();
    client.refresh(Timestamp::now()).unwrap();
    let colleague = publish::new_key(Role::Root, &shop.path("colleague")).unwrap();
    let rotated = publish::rotate(
        &shop.vendor(),
        &RotateOptions {
            role: Role::Root,
            new_keys: shop.path("offline"),
            quorum: Some((2, 2)),
            existing: vec![colleague.file],
        },
    )
    .unwrap();
    assert_eq!((rotated.keys.len(), rotated.threshold), (2, 2));
    assert_eq!(
        versions(&client.refresh(Timestamp::now()).unwrap()),
        ["1.0.0"]
    );
    // The colleague's key is not in the vendor's own directories: root cannot be changed alone.
    assert!(publish::resign(&shop.vendor(), &[Role::Root]).is_err());
    publish::resign(&shop.vendor(), &[Role::Targets]).unwrap();
}

#[test]
fn a_frozen_repository_is_noticed_and_renewing_it_helps() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    let client = shop.client();
    client.refresh(Timestamp::now()).unwrap();
    let error = client.refresh(in_days(15)).unwrap_err();
    assert!(
        matches!(error, obnova_release::Error::Expired { .. }),
        "{error}"
    );
    assert_eq!(error.kind(), ErrorKind::Untrusted);
    let known = client.known(in_days(15)).unwrap().unwrap();
    assert!(known.expires() < in_days(15));
    let stale = known.releases()[0].clone();
    assert_eq!(
        shop.download(&client, &stale).unwrap_err().kind(),
        ErrorKind::Untrusted
    );

    let mut later = shop.vendor();
    later.now = in_days(10);
    later.keys = vec![shop.path("keys")];
    let resigned = publish::resign(&later, &[]).unwrap();
    assert_eq!(resigned.renewed.len(), 2);
    client.refresh(in_days(15)).unwrap();
    // From now on no clock before the day of that signature is believed: setting it back does not revive the old.
    assert_eq!(
        client.refresh(in_days(-400)).unwrap().expires(),
        client.refresh(in_days(15)).unwrap().expires()
    );
}

#[test]
fn root_and_targets_are_renewed_when_their_keys_are_here() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    let client = shop.client();
    let mut later = shop.vendor();
    later.now = in_days(300);
    let error = publish::resign(&later, &[]).unwrap_err().to_string();
    assert!(error.contains("--also targets"), "{error}");
    publish::resign(&later, &[Role::Root, Role::Targets]).unwrap();
    assert_eq!(versions(&client.refresh(in_days(305)).unwrap()), ["1.0.0"]);
}

#[test]
fn what_a_retired_key_has_signed_may_be_shown_but_not_installed() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    let client = shop.client();
    client.refresh(Timestamp::now()).unwrap();
    rotate(&shop, Role::Targets, None);
    // The look learns of the new root and fails at the next file.
    fs::remove_file(shop.repository().join("metadata/timestamp.json")).unwrap();
    client.refresh(Timestamp::now()).unwrap_err();
    let known = client.known(Timestamp::now()).unwrap().unwrap();
    assert_eq!(versions(&known), ["1.0.0"]);
    let release = known.releases()[0].clone();
    assert_eq!(
        shop.download(&client, &release).unwrap_err().kind(),
        ErrorKind::Untrusted
    );
}
