//! A repository or mirror in the hands of somebody else.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use obnova_release::{ErrorKind, publish};

use crate::workshop::{Workshop, files_of, newest, versions};

pub fn copy(from: &Path, to: &Path) {
    for file in files_of(from) {
        let place = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(file, place).unwrap();
    }
}

fn metadata(shop: &Workshop, name: &str) -> PathBuf {
    shop.repository().join("metadata").join(name)
}

#[test]
fn an_older_state_of_the_repository_is_refused() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    copy(&shop.repository(), &shop.path("old"));
    shop.publish("1.1.0", "", &[("bin/crm", b"2")]);
    shop.client().refresh(Timestamp::now()).unwrap();

    // Also for a client that starts anew: the floor is on the disk.
    let misled = shop.client_of(shop.path("old").to_str().unwrap());
    let error = misled.refresh(Timestamp::now()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Untrusted, "{error}");
    assert!(error.chain().contains("rollback"), "{}", error.chain());
    let known = misled.known(Timestamp::now()).unwrap().unwrap();
    assert_eq!(versions(&known), ["1.0.0", "1.1.0"]);
}

#[test]
fn a_mix_of_old_and_new_metadata_is_refused() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    shop.publish("1.1.0", "", &[("bin/crm", b"2")]);
    fs::copy(
        metadata(&shop, "2.snapshot.json"),
        metadata(&shop, "3.snapshot.json"),
    )
    .unwrap();
    let error = shop.client().refresh(Timestamp::now()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Untrusted, "{error}");
}

#[test]
fn changed_metadata_is_refused_wherever_it_was_changed() {
    for name in [
        "timestamp.json",
        "2.snapshot.json",
        "2.targets.json",
        "2.root.json",
    ] {
        let shop = Workshop::new();
        shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
        if name == "2.root.json" {
            publish::resign(&shop.vendor(), &[publish::Role::Root]).unwrap();
        }
        let text = fs::read_to_string(metadata(&shop, name)).unwrap();
        fs::write(
            metadata(&shop, name),
            text.replacen("\"version\": ", "\"version\": 1", 1),
        )
        .unwrap();
        let error = shop.client().refresh(Timestamp::now()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Untrusted, "{name}: {error}");
    }
}

#[test]
fn metadata_that_is_not_json_or_is_missing_is_refused() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    fs::remove_file(metadata(&shop, "2.targets.json")).unwrap();
    assert_eq!(
        shop.client().refresh(Timestamp::now()).unwrap_err().kind(),
        ErrorKind::Damaged
    );
    fs::write(
        metadata(&shop, "timestamp.json"),
        b"<html>Please log in</html>",
    )
    .unwrap();
    assert_eq!(
        shop.client().refresh(Timestamp::now()).unwrap_err().kind(),
        ErrorKind::Untrusted
    );
}

#[test]
fn somebody_elses_repository_is_refused() {
    let shop = Workshop::new();
    let other = Workshop::new();
    other.publish("9.0.0", "", &[("bin/crm", b"evil")]);
    let misled = shop.client_of(other.repository().to_str().unwrap());
    assert_eq!(
        misled.refresh(Timestamp::now()).unwrap_err().kind(),
        ErrorKind::Untrusted
    );
}

#[test]
fn a_changed_description_or_file_list_is_refused() {
    for name in ["release.json", "tree.json.zst"] {
        let shop = Workshop::new();
        shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
        let file = files_of(&shop.repository().join("targets"))
            .into_iter()
            .find(|path| path.to_string_lossy().ends_with(name))
            .unwrap();
        let mut bytes = fs::read(&file).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(&file, bytes).unwrap();
        let error = shop.install_newest(&shop.client()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{name}: {error}");
    }
}

#[test]
fn changed_content_is_refused_and_leaves_no_version() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1"), ("data", b"some data")]);
    let file = files_of(&shop.repository().join("content")).remove(0);
    for spoil in [&b"not zstd"[..], &zstd_of(&vec![0; 1 << 20]), b""] {
        let original = fs::read(&file).unwrap();
        fs::write(&file, spoil).unwrap();
        let error = shop.install_newest(&shop.client()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
        assert!(!shop.path("versions/1.0.0").exists());
        fs::write(&file, original).unwrap();
    }
    fs::remove_file(&file).unwrap();
    let error = shop.install_newest(&shop.client()).unwrap_err();
    assert!(
        error.to_string().contains("not in the repository"),
        "{error}"
    );
}

#[test]
fn a_pipe_in_the_repository_does_not_hang_the_client() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    let file = files_of(&shop.repository().join("content")).remove(0);
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
    assert_eq!(
        shop.install_newest(&shop.client()).unwrap_err().kind(),
        ErrorKind::Damaged
    );
}

#[test]
fn a_store_that_was_tampered_with_is_not_believed() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    let client = shop.client();
    client.refresh(Timestamp::now()).unwrap();
    let known = shop.path("store/known.json");
    let text = fs::read_to_string(&known).unwrap();
    fs::write(&known, text.replace("1.0.0", "6.6.6")).unwrap();
    assert!(client.known(Timestamp::now()).unwrap().is_none());
    for blob in files_of(&shop.path("store/targets")) {
        fs::write(blob, b"{}").unwrap();
    }
    assert_eq!(
        versions(&client.refresh(Timestamp::now()).unwrap()),
        ["1.0.0"]
    );
    shop.download(&client, &newest(&client.refresh(Timestamp::now()).unwrap()))
        .unwrap();
}

#[test]
fn a_missing_repository_is_unreachable_not_untrusted() {
    let shop = Workshop::new();
    let lost = shop.client_of(shop.path("nothing-here").to_str().unwrap());
    let error = lost.refresh(Timestamp::now()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
}

#[test]
fn a_root_that_is_none_is_refused_at_once() {
    let shop = Workshop::new();
    let mut options = shop.options("/nowhere");
    options.root = b"{}".to_vec();
    assert_eq!(
        obnova_release::Client::open(options).unwrap_err().kind(),
        ErrorKind::Invalid
    );
}

fn zstd_of(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}
