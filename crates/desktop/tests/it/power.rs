//! The power fails in an update, a first start, a confirmation and a return, really: the file system is shut down, and what was
//! not synced is gone. After it the old or the new version starts, and nothing is torn. Needs root.

use obnova_release::InstalledRelease;
use obnova_testkit::volume::{Kind, Volume};

use crate::acts::{Blow, Role, changes, sample, strike};
use crate::kills::ends_well;
use crate::world::{CONFIRMS, World, copy, remove, said};

/// Changes to the versions' own files at which the power fails; at all others it always does.
const OTHERS: usize = 8;

struct Computer {
    world: World,
    volume: Volume,
}

impl Computer {
    /// 1.0.0 runs, and the server wants 1.1.0, which does what it is told. Everything is on a disk of its own.
    fn new(does: &str) -> Self {
        let mut world = World::new();
        world.publish("1.0.0", "range = \">=1.0.0\"", CONFIRMS);
        world.publish("1.1.0", "range = \">=1.0.0\"", does);
        let volume = Volume::new(Kind::Ext4, 128 << 20).unwrap();
        world.root = volume.path().join("desktop");
        world.install_at(&world.root);
        world.server.is("1.0.0");
        world.update().unwrap();
        assert_eq!(world.launch(), "1.0.0");
        world.server.is("1.1.0");
        Self { world, volume }
    }

    /// The power fails before each change, and when all was done.
    fn fails(&self, role: &Role, check: impl Fn(&World, &str)) {
        let clean = self.world.path("clean");
        copy(&self.world.root, &clean);
        let again = || {
            remove(&self.world.root);
            copy(&clean, &self.world.root);
            rustix::fs::syncfs(std::fs::File::open(self.volume.path()).unwrap()).unwrap();
        };
        let changes = changes(&self.world, role);
        let chosen = sample(&changes, OTHERS);
        println!(
            "{role:?}: the power fails at {} of {} changes",
            chosen.len(),
            changes.len()
        );
        let all = chosen.iter().copied().chain([usize::MAX]);
        for at in all {
            let name = changes.get(at).map_or("the end", |change| change);
            let name = format!("the power failed before {at}, {name}");
            again();
            let path = self.volume.path();
            if !strike(&self.world, role, &Blow::Power(&path), at) {
                self.volume.cut_power().unwrap();
            }
            self.volume.restore_power().unwrap();
            check(&self.world, &name);
        }
    }
}

/// What decides is readable, and every version that it names is whole.
fn is_whole(world: &World, name: &str) {
    let status = world.desktop().status();
    let status = status.unwrap_or_else(|error| panic!("{name}: {error}"));
    let versions = world.root.join("versions");
    for version in [status.current, status.previous].iter().flatten() {
        InstalledRelease::load(&versions, version)
            .and_then(|installed| installed.verify(&versions))
            .unwrap_or_else(|error| panic!("{name}: {version}: {error}"));
    }
}

#[test]
fn an_update_whose_power_fails_anywhere_ends_with_the_old_or_the_new_version() {
    let computer = Computer::new(CONFIRMS);
    computer.fails(&Role::Update, |world, name| {
        is_whole(world, name);
        ends_well(world, name);
    });
}

#[test]
fn a_first_start_whose_power_fails_anywhere_is_tried_again() {
    let computer = Computer::new(CONFIRMS);
    computer.world.update().unwrap();
    computer.fails(&Role::Launch, |world, name| {
        is_whole(world, name);
        assert_eq!(world.launch(), "1.1.0", "{name}");
        ends_well(world, name);
    });
}

#[test]
fn a_confirmation_whose_power_fails_anywhere_is_made_or_made_again() {
    let computer = Computer::new(CONFIRMS);
    computer.world.update().unwrap();
    computer.fails(&Role::Confirm, |world, name| {
        is_whole(world, name);
        ends_well(world, name);
    });
}

#[test]
fn a_return_whose_power_fails_anywhere_ends_with_the_version_before() {
    let computer = Computer::new("exit 3");
    computer.world.update().unwrap();
    computer.fails(&Role::Launch, |world, name| {
        is_whole(world, name);
        assert_eq!(said(&world.launcher().output().unwrap()), "1.0.0", "{name}");
        let status = world.desktop().status().unwrap();
        assert_eq!(status.current.unwrap().to_string(), "1.0.0", "{name}");
        assert_eq!(status.quarantine.len(), 1, "{name}");
        is_whole(world, name);
    });
}

/// Or else nothing above would say anything.
#[test]
fn an_update_that_syncs_nothing_does_not_outlive_the_power() {
    let computer = Computer::new(CONFIRMS);
    let file = std::fs::File::open(computer.volume.path()).unwrap();
    rustix::fs::syncfs(file).unwrap();
    assert!(!strike(
        &computer.world,
        &Role::Update,
        &Blow::Lazy,
        usize::MAX
    ));
    assert_eq!(computer.world.current().as_deref(), Some("1.1.0"));
    computer.volume.cut_power().unwrap();
    computer.volume.restore_power().unwrap();
    let current = computer
        .world
        .desktop()
        .status()
        .map(|status| status.current);
    let outlived = current.is_ok_and(|it| it.is_some_and(|it| it.to_string() == "1.1.0"));
    assert!(!outlived);
}
