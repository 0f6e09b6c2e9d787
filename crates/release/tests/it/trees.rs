//! What cannot be built.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::workshop::Workshop;

fn refused(prepare: impl Fn(&std::path::Path)) -> String {
    let shop = Workshop::new();
    let tree = shop.write_tree(&[("bin/crm", b"1")]);
    prepare(&tree);
    let error = shop.build("1.0.0", "").unwrap_err();
    assert!(!shop.path("build-1.0.0").exists());
    let left = fs::read_dir(shop.path("")).unwrap().flatten();
    assert!(
        left.into_iter()
            .all(|entry| !entry.file_name().to_string_lossy().starts_with(".building"))
    );
    error.to_string()
}

#[test]
fn names_that_are_one_elsewhere_are_not_built() {
    let text = refused(|tree| {
        fs::write(tree.join("Readme"), b"").unwrap();
        fs::write(tree.join("README"), b"").unwrap();
    });
    assert!(text.contains("README") && text.contains("Readme"), "{text}");
}

#[test]
fn links_that_leave_the_tree_are_not_built() {
    refused(|tree| symlink("/etc/passwd", tree.join("link")).unwrap());
    refused(|tree| symlink("../../secret", tree.join("bin/link")).unwrap());
}

#[test]
fn pipes_and_sockets_are_not_built() {
    let text = refused(|tree| {
        let path = tree.join("socket");
        std::mem::forget(std::os::unix::net::UnixListener::bind(path).unwrap());
    });
    assert!(text.contains("socket"), "{text}");
}

#[test]
fn windows_device_names_are_not_built() {
    refused(|tree| fs::write(tree.join("aux.txt"), b"").unwrap());
}

#[test]
fn a_start_program_that_is_not_there_or_not_executable_is_not_built() {
    let text = refused(|tree| fs::remove_file(tree.join("bin/crm")).unwrap());
    assert!(
        text.contains("server.start") && text.contains("bin/crm"),
        "{text}"
    );
    let text = refused(|tree| {
        fs::set_permissions(tree.join("bin/crm"), fs::Permissions::from_mode(0o644)).unwrap();
    });
    assert!(text.contains("not executable"), "{text}");
}

#[test]
fn setuid_bits_are_taken_off() {
    let shop = Workshop::new();
    let tree = shop.write_tree(&[("bin/crm", b"1")]);
    fs::set_permissions(tree.join("bin/crm"), fs::Permissions::from_mode(0o6755)).unwrap();
    let built = shop.build("1.0.0", "").unwrap();
    obnova_release::publish::publish(&shop.vendor(), &built).unwrap();
    let place = shop.install_newest(&shop.client()).unwrap();
    let mode = fs::metadata(place.join("bin/crm"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o755);
}

#[test]
fn a_directory_that_is_not_a_build_is_not_replaced() {
    let shop = Workshop::new();
    shop.write_tree(&[("bin/crm", b"1")]);
    fs::create_dir(shop.path("build-1.0.0")).unwrap();
    fs::write(shop.path("build-1.0.0/thesis.txt"), b"years of work").unwrap();
    assert!(shop.build("1.0.0", "").is_err());
    assert!(shop.path("build-1.0.0/thesis.txt").exists());
    fs::remove_file(shop.path("build-1.0.0/thesis.txt")).unwrap();
    shop.build("1.0.0", "").unwrap();
    shop.build("1.0.0", "").unwrap();
}
