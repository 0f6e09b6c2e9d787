//! Killed with -9 at any instant: a version is whole or not there, a repository is readable and can be published to.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use obnova_release::{InstalledRelease, publish};

use crate::workshop::{Workshop, newest, noise, version, versions};

/// Names the directory in which a child process works; without it the two tests that are children do nothing.
const WORKSHOP: &str = "OBNOVA_TEST_WORKSHOP";

fn child(name: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("crashes::{name}")])
        .env(WORKSHOP, directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn kill_after(mut child: Child, milliseconds: u64) -> bool {
    std::thread::sleep(Duration::from_millis(milliseconds));
    let ended = child.try_wait().unwrap().is_some();
    let _ = child.kill();
    child.wait().unwrap();
    ended
}

fn files() -> Vec<(String, Vec<u8>)> {
    (0..60)
        .map(|number| (format!("lib/file-{number}"), noise(number, 60_000)))
        .chain([("bin/crm".to_owned(), b"1".to_vec())])
        .collect()
}

fn borrowed(files: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
    let files = files.iter();
    files
        .map(|(path, content)| (path.as_str(), content.as_slice()))
        .collect()
}

#[test]
fn child_that_downloads() {
    let Some(directory) = std::env::var_os(WORKSHOP) else {
        return;
    };
    let shop = Workshop::existing(Path::new(&directory));
    shop.install_newest(&shop.client()).unwrap();
}

#[test]
fn child_that_publishes() {
    let Some(directory) = std::env::var_os(WORKSHOP) else {
        return;
    };
    let shop = Workshop::existing(Path::new(&directory));
    publish::publish(&shop.vendor(), &shop.path("build-1.1.0")).unwrap();
}

#[test]
fn a_download_killed_at_any_instant_leaves_a_whole_version_or_none() {
    let shop = Workshop::new();
    let files = files();
    shop.publish("1.0.0", "", &borrowed(&files));
    let place = shop.destination().versions;
    let (mut absent, mut whole) = (0, 0);
    for milliseconds in (0..).step_by(7) {
        let ended = kill_after(child("child_that_downloads", &shop.path("")), milliseconds);
        if place.join("1.0.0").exists() {
            let record = InstalledRelease::load(&place, &version("1.0.0")).unwrap();
            record.verify(&place).unwrap();
            whole += 1;
            std::fs::remove_dir_all(place.join("1.0.0")).unwrap();
        } else {
            assert!(!ended, "the child failed");
            absent += 1;
        }
        if whole > 2 {
            break;
        }
    }
    assert!(absent > 2, "no kill was early enough to be worth something");
    shop.install_newest(&shop.client()).unwrap();
}

#[test]
fn a_publication_killed_at_any_instant_leaves_the_old_or_the_new_state() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    let files = files();
    shop.write_tree(&borrowed(&files));
    shop.build("1.1.0", "").unwrap();
    let client = shop.client();
    let mut complete = 0;
    for milliseconds in (0..).step_by(5) {
        let ended = kill_after(child("child_that_publishes", &shop.path("")), milliseconds);
        let catalog = client.refresh(Timestamp::now()).unwrap();
        match versions(&catalog).len() {
            1 => assert!(!ended, "the child failed"),
            _ => {
                shop.download(&client, &newest(&catalog)).unwrap();
                complete += 1;
            }
        }
        if complete > 2 {
            break;
        }
    }
    shop.publish("1.2.0", "", &[("bin/crm", b"3")]);
    assert_eq!(
        versions(&client.refresh(Timestamp::now()).unwrap()),
        ["1.0.0", "1.1.0", "1.2.0"]
    );
}
