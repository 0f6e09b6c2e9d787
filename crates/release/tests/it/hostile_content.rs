//! Mirrors that serve other bytes, other lengths, other places, or take for ever, although the metadata is the vendor's.

use std::fs;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use obnova_release::{Channel, Error, ErrorKind};

use crate::server::{Server, Trouble};
use crate::workshop::{Workshop, files_of, newest, noise, version};

fn swap(one: &std::path::Path, other: &std::path::Path) {
    let (first, second) = (fs::read(one).unwrap(), fs::read(other).unwrap());
    fs::write(one, second).unwrap();
    fs::write(other, first).unwrap();
}

fn refused(shop: &Workshop, address: &str) -> Error {
    let error = shop.install_newest(&shop.client_of(address)).unwrap_err();
    assert!(!shop.path("versions/1.1.0").exists());
    error
}

#[test]
fn two_files_of_the_same_length_are_not_taken_for_each_other() {
    let shop = Workshop::new();
    let files: [(&str, &[u8]); 3] = [
        ("bin/crm", b"1"),
        ("one", &noise(1, 5000)),
        ("other", &noise(2, 5000)),
    ];
    shop.publish("1.1.0", "", &files);
    let content: Vec<_> = files_of(&shop.repository().join("content"))
        .into_iter()
        .filter(|path| fs::metadata(path).unwrap().len() > 1000)
        .collect();
    swap(&content[0], &content[1]);
    let address = shop.repository().display().to_string();
    let error = refused(&shop, &address);
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    let error = refused(&shop, &Server::start(&shop.repository()).address);
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
}

#[test]
fn the_description_of_one_version_is_not_taken_for_another() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    shop.publish("1.1.0", "", &[("bin/crm", b"2")]);
    for name in ["release.json", "tree.json.zst"] {
        let files: Vec<_> = files_of(&shop.repository().join("targets"))
            .into_iter()
            .filter(|path| path.to_string_lossy().ends_with(name))
            .collect();
        swap(&files[0], &files[1]);
        let error = refused(&shop, &shop.repository().display().to_string());
        assert_eq!(error.kind(), ErrorKind::Damaged, "{name}: {error}");
        swap(&files[0], &files[1]);
    }
}

#[test]
fn files_that_are_a_byte_too_short_or_too_long_are_refused() {
    for name in [
        "timestamp.json",
        "targets.json",
        "release.json",
        "tree.json.zst",
        ".zst",
    ] {
        for longer in [false, true] {
            let shop = Workshop::new();
            shop.publish("1.1.0", "", &[("bin/crm", b"1")]);
            for file in files_of(&shop.repository()) {
                if !file.to_string_lossy().ends_with(name) {
                    continue;
                }
                let mut bytes = fs::read(&file).unwrap();
                if longer {
                    bytes.push(b'\n');
                } else {
                    // The newline at the end of metadata does not count, so one byte more.
                    bytes.truncate(bytes.len() - 2);
                }
                fs::write(file, bytes).unwrap();
            }
            // A newline more does not change what a timestamp says, and nothing names its length.
            if longer && name == "timestamp.json" {
                shop.install_newest(&shop.client()).unwrap();
                continue;
            }
            let error = refused(&shop, &shop.repository().display().to_string());
            assert!(
                matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Untrusted),
                "{name}: {error}"
            );
        }
    }
}

#[test]
fn content_that_drips_is_given_up_after_the_time_that_its_length_needs() {
    let shop = Workshop::new();
    let large = noise(7, 2 << 20);
    shop.publish("1.1.0", "", &[("bin/crm", b"1"), ("large", &large)]);
    let server = Server::start(&shop.repository());
    server.always("/content/", Trouble::Drip);
    let begun = Instant::now();
    let error = refused(&shop, &server.address);
    assert!(matches!(error, Error::TooSlow { .. }), "{error}");
    // Three seconds, and two for two MiB at one MiB a second; more on a busy machine, but not for ever.
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn redirections_in_a_circle_are_given_up() {
    let shop = Workshop::new();
    shop.publish("1.1.0", "", &[("bin/crm", b"1")]);
    let server = Server::start(&shop.repository());
    let here = format!("{}metadata/timestamp.json", server.address);
    server.always("timestamp.json", Trouble::Redirect(here));
    let error = refused(&shop, &server.address);
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    let asked = server.requests().len();
    assert!(asked < 100, "{asked} requests");
}

#[test]
fn a_redirection_leads_to_nothing_that_is_not_signed() {
    let shop = Workshop::new();
    shop.publish("1.1.0", "", &[("bin/crm", b"1")]);
    let secret = tempfile::tempdir().unwrap();
    fs::write(secret.path().join("status"), b"internal: kept-inside").unwrap();
    let inside = Server::start(secret.path());
    let server = Server::start(&shop.repository());
    for to in [
        format!("{}status", inside.address),
        "file:///etc/passwd".into(),
    ] {
        server.behave();
        server.always("timestamp.json", Trouble::Redirect(to));
        let error = refused(&shop, &server.address);
        assert!(!error.chain().contains("kept-inside"), "{}", error.chain());
        assert!(!error.chain().contains("root:"), "{}", error.chain());
    }
}

#[test]
fn compression_on_the_way_is_neither_asked_for_nor_undone() {
    let shop = Workshop::new();
    shop.publish("1.1.0", "", &[("bin/crm", b"1")]);
    let server = Server::start(&shop.repository());
    shop.install_newest(&shop.client_of(&server.address))
        .unwrap();
    for request in server.requests() {
        assert_eq!(
            request.headers["accept-encoding"], "identity",
            "{}",
            request.path
        );
    }
}

#[test]
fn nothing_older_than_what_is_installed_is_ever_a_way_forward() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    shop.publish("1.1.0", "", &[("bin/crm", b"2")]);
    let catalog = shop.client().refresh(Timestamp::now()).unwrap();
    let installed = version("1.2.0");
    for channel in [Channel::Stable, Channel::Beta] {
        assert!(catalog.route(&installed, channel).unwrap().is_none());
        for older in ["1.0.0", "1.1.0"] {
            let way = catalog.route_to(&installed, channel, &version(older));
            assert!(way.unwrap().is_none(), "{older}");
        }
    }
}

#[test]
fn a_version_revoked_during_a_download_is_not_offered_afterwards() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    shop.publish("1.1.0", "", &[("bin/crm", b"2")]);
    let client = shop.client();
    let release = newest(&client.refresh(Timestamp::now()).unwrap());
    obnova_release::publish::revoke(&shop.vendor(), &version("1.1.0")).unwrap();
    shop.download(&client, &release).unwrap();
    let catalog = client.refresh(Timestamp::now()).unwrap();
    assert!(catalog.release(&version("1.1.0")).is_none());
    let way = catalog.route(&version("1.0.0"), Channel::Stable).unwrap();
    assert!(way.is_none());
}
