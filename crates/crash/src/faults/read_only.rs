//! The file system has become read-only, as Linux makes it when a disk answers with errors; a restart of the machine ends that.

use std::time::Duration;

use anyhow::Result;
use obnova_testkit::volume::Kind;
use rand::Rng as _;
use rand::rngs::StdRng;

use crate::fault::{Fault, Needs};
use crate::world::World;

const BYTES: u64 = 3 << 30;

/// See the module.
struct ReadOnly;

/// The only one.
pub fn all() -> impl Iterator<Item = Box<dyn Fault>> {
    std::iter::once(Box::new(ReadOnly) as Box<dyn Fault>)
}

impl Fault for ReadOnly {
    fn name(&self) -> &'static str {
        "read-only"
    }

    fn needs(&self) -> Needs {
        Needs {
            volume: Some((Kind::Ext4, BYTES)),
            ..Needs::default()
        }
    }

    fn repeats_mails(&self) -> bool {
        true
    }

    fn strike(&self, world: &mut World, _random: &mut StdRng) -> Result<()> {
        super::power::volume(world)?.read_only()
    }

    fn lasts(&self, random: &mut StdRng) -> Duration {
        Duration::from_millis(random.random_range(500..4000))
    }

    fn heal(&self, world: &mut World) -> Result<()> {
        super::power::restart(world)
    }

    fn syncs_in_vain(&self) -> bool {
        true
    }

    fn excuses_silence(&self) -> bool {
        true
    }
}
