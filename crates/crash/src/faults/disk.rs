//! The disk is full, to the last block, and nobody makes room before the update has ended by itself.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use obnova_testkit::volume::{Ballast, Kind};
use rand::rngs::StdRng;

use crate::fault::{Fault, Needs};
use crate::world::World;

const BYTES: u64 = 3 << 30;

/// See the module.
#[derive(Default)]
struct DiskFull(Mutex<Option<Ballast>>);

/// The only one.
pub fn all() -> impl Iterator<Item = Box<dyn Fault>> {
    std::iter::once(Box::new(DiskFull::default()) as Box<dyn Fault>)
}

impl Fault for DiskFull {
    fn name(&self) -> &'static str {
        "disk-full"
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
        let filled = super::power::volume(world)?.fill();
        let is_read_only = |error: &anyhow::Error| {
            let error = error.downcast_ref::<std::io::Error>();
            error.is_some_and(|error| error.kind() == std::io::ErrorKind::ReadOnlyFilesystem)
        };
        let mut ballast = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *ballast = match filled {
            // By another fault of this life: there is no room for anybody already.
            Err(error) if is_read_only(&error) => None,
            filled => Some(filled?),
        };
        Ok(())
    }

    fn lasts(&self, _random: &mut StdRng) -> Duration {
        // Until the update has ended, however it ends.
        Duration::MAX
    }

    fn heal(&self, _world: &mut World) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(())
    }
}
