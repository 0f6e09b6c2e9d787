//! Disks that are full, or may not be written. Needs root, for a small file system of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use obnova_desktop::Code;

use crate::world::{CONFIRMS, World, noise};

/// A file system in memory, gone at the end.
struct Disk(PathBuf);

impl Disk {
    fn new(world: &World, size: &str) -> Self {
        let place = world.path("disk");
        std::fs::create_dir(&place).unwrap();
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&place));
        Self(place)
    }

    fn remount(&self, option: &str) {
        run(Command::new("mount")
            .args(["-o", &format!("remount,{option}")])
            .arg(&self.0));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?} needs root: {output:?}"
    );
}

fn fill(directory: &Path) -> PathBuf {
    let path = directory.join("filler");
    let _ = std::fs::write(&path, vec![1; 64 << 20]);
    path
}

fn on_a_disk(size: &str, large: usize) -> (World, Disk) {
    let mut world = World::new();
    world.publish("1.0.0", "", CONFIRMS);
    world.publish_with("1.1.0", "", CONFIRMS, &[("large", &noise(3, large))]);
    let disk = Disk::new(&world, size);
    world.root = disk.0.join("desktop");
    world.install_at(&world.root);
    world.server.is("1.0.0");
    world.update().unwrap();
    assert_eq!(world.launch(), "1.0.0");
    world.server.is("1.1.0");
    (world, disk)
}

#[test]
fn a_full_disk_is_told_before_and_nothing_is_lost() {
    let (world, disk) = on_a_disk("6m", 4 << 20);
    assert_eq!(world.update().unwrap_err().code, Code::DiskFull);
    assert_eq!(world.launch(), "1.0.0");
    disk.remount("size=32m");
    world.update().unwrap();
    assert_eq!(world.launch(), "1.1.0");
}

#[test]
fn a_disk_that_fills_up_in_the_middle_lets_the_old_version_run_and_the_update_go_on_later() {
    let (world, disk) = on_a_disk("32m", 1 << 20);
    let desktop = world.desktop();
    let wanted = desktop.check().unwrap().wanted.unwrap();
    let mut filled = false;
    let error = desktop
        .download(&wanted, &mut |_, _| {
            if !filled {
                filled = true;
                fill(&disk.0);
            }
        })
        .unwrap_err();
    assert_eq!(error.code, Code::DiskFull, "{error}");
    assert_eq!(world.launch(), "1.0.0");
    std::fs::remove_file(disk.0.join("filler")).unwrap();
    world.update().unwrap();
    // What cannot be written down is not tried: the version before is started, and the new one when there is room again.
    fill(&disk.0);
    assert_eq!(world.launch(), "1.0.0");
    std::fs::remove_file(disk.0.join("filler")).unwrap();
    assert_eq!(world.launch(), "1.1.0");
    assert_eq!(world.desktop().status().unwrap().trial_starts, None);
}

#[test]
fn in_a_directory_that_may_only_be_read_what_is_there_runs() {
    let (world, disk) = on_a_disk("32m", 1000);
    disk.remount("ro");
    assert_eq!(world.launch(), "1.0.0");
    assert_eq!(world.update().unwrap_err().code, Code::NotAllowed);
    disk.remount("rw");
    world.update().unwrap();
    disk.remount("ro");
    assert_eq!(world.launch(), "1.0.0", "a trial cannot be written down");
    disk.remount("rw");
    assert_eq!(world.launch(), "1.1.0");
}

#[test]
fn who_may_not_write_to_an_installation_runs_it_and_is_told_so_when_updating() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let world = World::with_three();
    world.server.is("1.1.0");
    world.update().unwrap();
    // Where `nobody` can read them.
    std::fs::set_permissions(world.path(""), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = |name: &str, from: &str| {
        let program = world.path(name);
        std::fs::copy(from, &program).unwrap();
        program
    };
    let cli = program("cli", crate::world::CLI);
    let launcher = program("launcher", crate::world::LAUNCHER);
    let as_nobody = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        world.environment(&mut command);
        let command = command.args(arguments).uid(65534).gid(65534);
        let command = command.env("OBNOVA_TEST_CLI", &cli).current_dir("/");
        crate::world::output(command.env("OBNOVA_LAUNCHER_ROOT", &world.root))
    };
    let started = as_nobody(&launcher, &[]);
    assert_eq!(
        crate::world::said(&started),
        "1.0.0",
        "a trial cannot be written down"
    );
    let root = world.root.to_str().unwrap();
    let output = as_nobody(&cli, &["--root", root, "--json", "update"]);
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("\"not-allowed\""),
        "{output:?}"
    );
    assert_eq!(world.launch(), "1.1.0");
}
