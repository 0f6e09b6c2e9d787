//! What is taken from other versions, and interrupted downloads.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use obnova_release::{ErrorKind, InstalledRelease};

use crate::workshop::{Workshop, newest, noise, version};

#[test]
fn what_is_in_another_version_is_not_downloaded_again() {
    let shop = Workshop::new();
    let large = noise(1, 1 << 20);
    shop.publish("1.0.0", "", &[("bin/crm", b"1"), ("large", &large)]);
    let client = shop.client();
    shop.install_newest(&client).unwrap();
    shop.publish("1.1.0", "", &[("bin/crm", b"2"), ("moved/large", &large)]);
    let catalog = client.refresh(Timestamp::now()).unwrap();
    let release = newest(&catalog);
    let missing = release.download_bytes(&shop.destination());
    assert!(missing > 0 && missing < 100, "{missing}");
    let seen = shop.download(&client, &release).unwrap();
    assert_eq!(seen.last(), Some(&missing));
    assert_eq!(release.download_bytes(&shop.destination()), 0);
    // Repeating it downloads nothing.
    assert!(shop.download(&client, &release).unwrap().is_empty());
}

#[test]
fn a_file_that_is_not_what_its_record_says_is_not_used_again() {
    let shop = Workshop::new();
    let large = noise(2, 300_000);
    shop.publish("1.0.0", "", &[("bin/crm", b"1"), ("large", &large)]);
    let client = shop.client();
    let place = shop.install_newest(&client).unwrap();
    let mut changed = large.clone();
    changed[1000] ^= 1;
    fs::write(place.join("large"), &changed).unwrap();
    shop.publish("1.1.0", "", &[("bin/crm", b"2"), ("large", &large)]);
    let place = shop.install_newest(&client).unwrap();
    assert_eq!(fs::read(place.join("large")).unwrap(), large);
}

#[test]
fn a_cancelled_download_leaves_no_version_and_can_be_repeated() {
    let shop = Workshop::new();
    let files: Vec<(String, Vec<u8>)> = (0..30)
        .map(|number| (format!("file-{number}"), noise(number, 100_000)))
        .chain([("bin/crm".to_owned(), b"1".to_vec())])
        .collect();
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(path, content)| (path.as_str(), content.as_slice()))
        .collect();
    shop.publish("1.0.0", "", &files);
    let client = shop.client();
    let release = newest(&client.refresh(Timestamp::now()).unwrap());
    let cancelled = AtomicBool::new(false);
    let error = client
        .download(
            &release,
            &shop.destination(),
            &mut |done, _| {
                if done > 0 {
                    cancelled.store(true, Ordering::Relaxed);
                }
            },
            &cancelled,
        )
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(!shop.path("versions/1.0.0").exists());
    shop.install_newest(&client).unwrap();
    let left = fs::read_dir(shop.path("versions")).unwrap().flatten();
    let mut names: Vec<_> = left
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, [".lock", "1.0.0", "1.0.0.json"]);
}

#[test]
fn what_a_crash_has_left_is_thrown_away() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    let versions = shop.path("versions");
    fs::create_dir_all(versions.join(".staging-1.0.0-00000000/half")).unwrap();
    fs::write(versions.join(".obnova-tmp-1"), b"half a record").unwrap();
    // The record is written before the directory appears: alone it means nothing.
    let client = shop.client();
    shop.install_newest(&client).unwrap();
    fs::remove_dir_all(versions.join("1.0.0")).unwrap();
    let release = newest(&client.refresh(Timestamp::now()).unwrap());
    assert!(release.download_bytes(&shop.destination()) > 0);
    shop.install_newest(&client).unwrap();
    assert!(!versions.join(".staging-1.0.0-00000000").exists());
    assert!(!versions.join(".obnova-tmp-1").exists());
    let record = InstalledRelease::load(&versions, &version("1.0.0")).unwrap();
    assert_eq!(record.description.name, "Example CRM");
}

#[test]
fn two_downloads_at_once_do_not_disturb_each_other() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    let client = shop.client();
    fs::create_dir_all(shop.path("versions")).unwrap();
    let lock = obnova_release::durable::Lock::try_take(&shop.path("versions/.lock")).unwrap();
    let error = shop.install_newest(&client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Local, "{error}");
    drop(lock);
    shop.install_newest(&client).unwrap();
}
