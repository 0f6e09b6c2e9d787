//! The clock jumps by a year while everything runs, and is set right again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use obnova_testkit::clock::Clock;
use rand::Rng as _;
use rand::rngs::StdRng;

use crate::fault::Fault;
use crate::world::World;

const YEAR: i32 = 365;

/// In one direction.
struct Jump {
    name: &'static str,
    days: i32,
    clock: Mutex<Option<Clock>>,
}

/// One for each direction.
pub fn all() -> impl Iterator<Item = Box<dyn Fault>> {
    const ALL: [(&str, i32); 2] = [("clock-forwards", YEAR), ("clock-back", -YEAR)];
    ALL.into_iter().map(|(name, days)| {
        Box::new(Jump {
            name,
            days,
            clock: Mutex::default(),
        }) as Box<dyn Fault>
    })
}

impl Jump {
    fn set(&self, days: i32) -> Result<()> {
        let clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.as_ref().context("there is no clock yet")?.jump(days)
    }
}

impl Fault for Jump {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self, world: &mut World) -> Result<()> {
        // One clock for the whole life, whatever faults it has.
        let clock = Clock::new(&world.out.join("clock"))?;
        for (name, value) in clock.variables() {
            world.set_env(name, &value);
        }
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some(clock);
        Ok(())
    }

    fn strike(&self, _world: &mut World, _random: &mut StdRng) -> Result<()> {
        self.set(self.days)
    }

    fn lasts(&self, random: &mut StdRng) -> Duration {
        Duration::from_millis(random.random_range(100..6000))
    }

    fn heal(&self, _world: &mut World) -> Result<()> {
        self.set(0)
    }
}
