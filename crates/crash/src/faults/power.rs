//! The power goes: every process dies, and whatever had not been synced never reached the disk.

use anyhow::{Context, Result};
use obnova_testkit::volume::{Kind, Volume};
use rand::rngs::StdRng;

use crate::fault::{Fault, Needs};
use crate::world::World;

/// Of the volume; it takes only what is written to it.
const BYTES: u64 = 3 << 30;

/// On one kind of file system.
struct PowerLoss {
    name: &'static str,
    kind: Kind,
}

/// One for each kind of file system.
pub fn all() -> impl Iterator<Item = Box<dyn Fault>> {
    let all = [
        PowerLoss {
            name: "power-loss",
            kind: Kind::Ext4,
        },
        PowerLoss {
            name: "power-loss-xfs",
            kind: Kind::Xfs,
        },
    ];
    all.into_iter().map(|it| Box::new(it) as Box<dyn Fault>)
}

impl Fault for PowerLoss {
    fn name(&self) -> &'static str {
        self.name
    }

    fn needs(&self) -> Needs {
        Needs {
            volume: Some((self.kind, BYTES)),
            ..Needs::default()
        }
    }

    fn repeats_mails(&self) -> bool {
        true
    }

    fn strike(&self, world: &mut World, _random: &mut StdRng) -> Result<()> {
        // First the disk: nobody may see that others have died, and still write.
        volume(world)?.cut_power()?;
        restart(world)
    }
}

/// Kills everything, mounts the volume again, with its file system's own recovery, and starts everything: what a machine does
/// that comes up.
pub(super) fn restart(world: &mut World) -> Result<()> {
    world.power_off()?;
    volume(world)?.restore_power()?;
    world.power_on();
    Ok(())
}

/// The installation's own.
///
/// # Errors
/// It has none.
pub(super) fn volume(world: &World) -> Result<&Volume> {
    world.volume.as_ref().context("no volume of its own")
}
