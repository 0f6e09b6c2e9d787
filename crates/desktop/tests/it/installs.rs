//! An installer that is killed at any change it makes to the disk, or whose disk refuses one: it is run again, and all is whole.

use std::fs;
use std::path::{Path, PathBuf};

use obnova_desktop::{Desktop, Installing};
use obnova_release::{Bundle, InstalledRelease};

use crate::acts::{Blow, Role, changes, strike};
use crate::world::{CLI, CONFIRMS, LAUNCHER, World, copy, remove, said};

/// `ENOSPC`.
const FULL: i32 = 28;

/// What an installer has brought along, unpacked. The programs are small ones here: what they are does not matter.
fn package(world: &World, version: &str) -> PathBuf {
    let package = world.path(&format!("package-{version}"));
    let built = world.path(&format!("work-{version}/built"));
    let mut files = Bundle::of_built(&built, &obnova_desktop::platform()).unwrap();
    let trust = world.path("repository/metadata/1.root.json");
    files.push(("root.json".into(), trust));
    for (name, program) in [("obnova-launcher", LAUNCHER), ("obnova-desktop", CLI)] {
        let script = world.path(&format!("{name}-{version}"));
        fs::write(
            &script,
            format!("#!/bin/sh\n# {version}\nexec {program} \"$@\"\n"),
        )
        .unwrap();
        files.push((format!("bin/{name}"), script));
    }
    for (name, from) in files {
        let to = package.join(name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
    package
}

fn install(world: &World, package: &Path, all_users: bool) {
    let installing = Installing {
        package: package.to_owned(),
        root: world.root.clone(),
        server: Some(world.address().parse().unwrap()),
        authorities: None,
        all_users,
    };
    installing.install().unwrap();
}

/// Everything is there and right, and the program starts.
fn is_whole(world: &World, version: &str, all_users: bool, name: &str) {
    let desktop = Desktop::of_machine(&world.root).unwrap();
    let versions = world.root.join("versions");
    let installed = InstalledRelease::load(&versions, &version.parse().unwrap()).unwrap();
    installed.verify(&versions).unwrap();
    if !all_users {
        assert_eq!(
            desktop.current().unwrap().unwrap().version.to_string(),
            version,
            "{name}"
        );
    }
    let script = fs::read_to_string(world.root.join("bin/crm")).unwrap();
    assert!(script.contains(&format!("# {version}")), "{name}");
    let mut launcher = world.launcher();
    launcher.env("HOME", world.path("home"));
    assert_eq!(said(&launcher.output().unwrap()), version, "{name}");
    for directory in ["", "bin", "state", "versions", "content"] {
        let entries = fs::read_dir(world.root.join(directory))
            .into_iter()
            .flatten();
        let left: Vec<_> = entries
            .flatten()
            .map(|entry| entry.file_name().into_string().unwrap())
            .filter(|entry| entry.starts_with(".obnova-tmp") || entry.starts_with(".staging"))
            .collect();
        assert!(left.is_empty(), "{name}: {left:?}");
    }
}

/// Blow after blow, each at the next change; then the installer is run again.
fn at_every_change(all_users: bool, blow: &Blow<'_>, every: usize) {
    let mut world = World::new();
    for version in ["1.0.0", "1.1.0"] {
        world.publish(version, "range = \">=1.0.0\"", CONFIRMS);
    }
    world.server.is("1.1.0");
    world.root = world.path("opt/crm");
    let packages = ["1.0.0", "1.1.0"].map(|version| package(&world, version));
    fs::create_dir(world.path("home")).unwrap();
    let nothing = world.path("nothing");
    fs::create_dir(&nothing).unwrap();
    let first = world.path("first");
    let _ = fs::create_dir_all(&world.root);
    install(&world, &packages[0], all_users);
    is_whole(&world, "1.0.0", all_users, "at first");
    copy_with_links(&world.root, &first);
    for (before, package, version) in [
        (&nothing, &packages[0], "1.0.0"),
        (&first, &packages[1], "1.1.0"),
    ] {
        let role = Role::Install(package.clone(), all_users);
        let again = || {
            remove(&world.root);
            let _ = fs::remove_dir_all(world.path("home/.local"));
            copy_with_links(before, &world.root);
        };
        again();
        let changes = changes(&world, &role);
        is_whole(&world, version, all_users, "untouched");
        println!(
            "{} changes to {version}, all users: {all_users}",
            changes.len()
        );
        assert!(changes.len() > 20, "{changes:?}");
        for at in (0..changes.len()).step_by(every) {
            again();
            let name = format!("{version} at {at}, {}", changes[at]);
            let came = strike(&world, &role, blow, at);
            assert_eq!(came, matches!(blow, Blow::Kill), "{name}");
            if before == &first {
                // Old or new, before anybody runs it again.
                let mut launcher = world.launcher();
                let started = said(&launcher.env("HOME", world.path("home")).output().unwrap());
                assert!(["1.0.0", "1.1.0"].contains(&&*started), "{name}: {started}");
            }
            install(&world, package, all_users);
            is_whole(&world, version, all_users, &name);
        }
    }
}

fn copy_with_links(from: &Path, to: &Path) {
    copy(from, to);
    // The launcher's other name is a link.
    if let Ok(target) = fs::read_link(from.join("bin/crm")) {
        let link = to.join("bin/crm");
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(target, link).unwrap();
    }
}

#[test]
fn an_installer_that_is_killed_at_any_change_is_run_again_and_all_is_whole() {
    at_every_change(false, &Blow::Kill, 1);
}

#[test]
fn an_installer_for_all_users_that_is_killed_at_every_other_change_is_run_again_and_all_is_whole() {
    at_every_change(true, &Blow::Kill, 2);
}

#[test]
fn an_installer_whose_disk_is_full_at_every_third_change_is_run_again_and_all_is_whole() {
    at_every_change(false, &Blow::Refuse(FULL), 3);
}
