//! Publish, refresh, download; revoke; what readers see meanwhile.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use obnova_release::{Channel, ErrorKind, InstalledRelease};

use crate::workshop::{Workshop, files_of, newest, noise, version, versions};

#[test]
fn a_published_release_arrives_as_it_was_built() {
    let shop = Workshop::new();
    let tree = shop.write_tree(&[
        ("bin/crm", b"#!/bin/sh\n"),
        ("lib/deep/er/data.bin", &noise(1, 700_000)),
        ("lib/same-1", b"same"),
        ("lib/same-2", b"same"),
        ("empty", b""),
    ]);
    fs::create_dir(tree.join("spool")).unwrap();
    fs::set_permissions(tree.join("spool"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(tree.join("lib/same-2"), fs::Permissions::from_mode(0o444)).unwrap();
    std::os::unix::fs::symlink("crm", tree.join("bin/crm-link")).unwrap();
    let built = shop.build("1.0.0", "").unwrap();
    obnova_release::publish::publish(&shop.vendor(), &built).unwrap();

    let client = shop.client();
    let place = shop.install_newest(&client).unwrap();
    for file in files_of(&tree) {
        let copy = place.join(file.strip_prefix(&tree).unwrap());
        assert_eq!(fs::read(&copy).unwrap(), fs::read(&file).unwrap());
        assert_eq!(
            fs::metadata(&copy).unwrap().permissions(),
            fs::metadata(&file).unwrap().permissions()
        );
    }
    assert_eq!(
        fs::read_link(place.join("bin/crm-link")).unwrap().to_str(),
        Some("crm")
    );
    let spool = fs::metadata(place.join("spool")).unwrap();
    assert_eq!(spool.permissions().mode() & 0o7777, 0o700);
    assert_eq!(fs::read_dir(shop.destination().content).unwrap().count(), 0);
}

#[test]
fn what_is_known_needs_no_repository() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    let client = shop.client();
    let now = Timestamp::now();
    assert!(client.known(now).unwrap().is_none());
    client.refresh(now).unwrap();
    fs::rename(shop.repository(), shop.path("away")).unwrap();
    assert_eq!(
        client.refresh(now).unwrap_err().kind(),
        ErrorKind::Unreachable
    );
    let known = client.known(now).unwrap().unwrap();
    assert_eq!(versions(&known), ["1.0.0"]);
    assert!(known.releases()[0].download_bytes(&shop.destination()) > 0);
}

#[test]
fn a_repository_without_releases_is_an_empty_catalogue() {
    let shop = Workshop::new();
    let catalog = shop.client().refresh(Timestamp::now()).unwrap();
    assert!(catalog.releases().is_empty());
    assert!(
        catalog
            .route(&version("1.0.0"), Channel::Beta)
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_revoked_version_is_not_offered_and_its_number_not_used_again() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    shop.publish("1.1.0", "", &[("bin/crm", b"2")]);
    let client = shop.client();
    assert_eq!(
        versions(&client.refresh(Timestamp::now()).unwrap()),
        ["1.0.0", "1.1.0"]
    );
    let revoked = obnova_release::publish::revoke(&shop.vendor(), &version("1.1.0")).unwrap();
    assert_eq!(revoked.remaining, [version("1.0.0")]);
    assert_eq!(
        versions(&client.refresh(Timestamp::now()).unwrap()),
        ["1.0.0"]
    );
    assert!(obnova_release::publish::revoke(&shop.vendor(), &version("1.1.0")).is_err());

    shop.write_tree(&[("bin/crm", b"3")]);
    let built = shop.build("1.1.0", "").unwrap();
    let error = obnova_release::publish::publish(&shop.vendor(), &built).unwrap_err();
    assert!(error.to_string().contains("new version"), "{error}");
}

#[test]
fn publishing_the_same_again_changes_nothing_for_readers() {
    let shop = Workshop::new();
    let first = shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    assert!(first.new_bytes > 0);
    let again = shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    assert_eq!(again.new_bytes, 0);
    assert_eq!(
        versions(&shop.client().refresh(Timestamp::now()).unwrap()),
        ["1.0.0"]
    );
}

#[test]
fn channels_and_stops_make_the_route() {
    let shop = Workshop::new();
    let files: &[(&str, &[u8])] = &[("bin/crm", b"1")];
    shop.publish("1.1.0", "required_stop = true", files);
    shop.publish("1.2.0", "from = \">=1.1\"", files);
    shop.publish("1.3.0-beta.1", "channel = \"beta\"", files);
    let catalog = shop.client().refresh(Timestamp::now()).unwrap();
    let hops = |installed: &str, channel| -> Vec<String> {
        let route = catalog.route(&version(installed), channel).unwrap();
        route.map_or(vec![], |route| {
            let hops = route.hops.iter();
            hops.map(|hop| hop.description().version.to_string())
                .collect()
        })
    };
    assert_eq!(hops("1.0.0", Channel::Stable), ["1.1.0", "1.2.0"]);
    assert_eq!(hops("1.0.0", Channel::Beta), ["1.1.0", "1.3.0-beta.1"]);
    assert_eq!(hops("1.2.0", Channel::Stable), Vec::<String>::new());
    let notes = catalog.notes_between(&version("1.0.0"), &version("1.2.0"), Channel::Stable);
    assert_eq!(notes.len(), 2);
    assert_eq!(notes[0].description().notes["en"], "What is new in 1.2.0.");
}

#[test]
fn no_route_says_why() {
    let shop = Workshop::new();
    shop.publish("2.0.0", "from = \">=1.5\"", &[("bin/crm", b"1")]);
    let catalog = shop.client().refresh(Timestamp::now()).unwrap();
    let why = catalog
        .route(&version("1.0.0"), Channel::Stable)
        .unwrap_err();
    assert_eq!(why.newest, version("2.0.0"));
    assert_eq!(why.range.to_string(), ">=1.5");
    assert_eq!(why.installed, version("1.0.0"));
}

#[test]
fn readers_never_see_half_a_publication() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"0")]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let client = shop.client();
            let mut looks = 0;
            while !done.load(Ordering::Relaxed) {
                client.refresh(Timestamp::now()).unwrap();
                looks += 1;
            }
            looks
        });
        for minor in 1..8 {
            shop.publish(&format!("1.{minor}.0"), "", &[("bin/crm", &[minor])]);
        }
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
}

#[test]
fn a_release_of_another_product_is_refused_on_both_sides() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    let mut options = shop.options(shop.repository().to_str().unwrap());
    options.product = "erp".into();
    let client = obnova_release::Client::open(options).unwrap();
    assert_eq!(
        client.refresh(Timestamp::now()).unwrap_err().kind(),
        ErrorKind::Invalid
    );

    shop.write_tree(&[("bin/crm", b"2")]);
    let built = shop.build("1.1.0", "").unwrap();
    let json = fs::read_to_string(built.join("release.json")).unwrap();
    fs::write(
        built.join("release.json"),
        json.replace("\"crm\"", "\"erp\""),
    )
    .unwrap();
    assert!(obnova_release::publish::publish(&shop.vendor(), &built).is_err());
}

#[test]
fn a_damaged_version_is_found_and_repaired() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1"), ("data", b"2")]);
    let client = shop.client();
    let place = shop.install_newest(&client).unwrap();
    let record = InstalledRelease::load(&shop.destination().versions, &version("1.0.0")).unwrap();
    let is_damaged = || {
        record
            .verify(&shop.destination().versions)
            .unwrap_err()
            .kind()
            == ErrorKind::Damaged
    };

    fs::write(place.join("extra"), b"x").unwrap();
    assert!(is_damaged());
    fs::remove_file(place.join("extra")).unwrap();
    record.verify(&shop.destination().versions).unwrap();
    fs::set_permissions(place.join("data"), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(is_damaged());
    fs::write(place.join("bin/crm"), b"X").unwrap();
    assert!(is_damaged());
    fs::remove_file(place.join("data")).unwrap();
    assert!(is_damaged());
    shop.install_newest(&client).unwrap();
    assert_eq!(fs::read(place.join("bin/crm")).unwrap(), b"1");
}

#[test]
fn the_list_tells_releases_and_expiries() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "channel = \"beta\"", &[("bin/crm", b"1")]);
    let listing = obnova_release::publish::list(&shop.vendor()).unwrap();
    assert_eq!(listing.releases.len(), 1);
    assert_eq!(listing.releases[0].channel, Channel::Beta);
    let days: Vec<i64> = listing.expiries.iter().map(|role| role.days_left).collect();
    assert!(
        days.iter()
            .zip([364, 179, 13, 13])
            .all(|(left, least)| *left >= least),
        "{days:?}"
    );
    assert!(newest(&shop.client().refresh(Timestamp::now()).unwrap()).tree_bytes() == 1);
}
