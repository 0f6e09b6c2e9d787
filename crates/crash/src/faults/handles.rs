//! A process can open no file and no connection more.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use rand::Rng as _;
use rand::rngs::StdRng;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::fault::Fault;
use crate::world::{Who, World};

/// Of one process.
struct NoHandles {
    name: &'static str,
    who: Who,
    /// The process.
    limited: Mutex<Option<Pid>>,
}

/// One for each process of ours, and the application.
pub fn all() -> impl Iterator<Item = Box<dyn Fault>> {
    const ALL: [(&str, Who); 4] = [
        ("no-handles-engine", Who::Engine),
        ("no-handles-centre", Who::Centre),
        ("no-handles-front", Who::Front),
        ("no-handles-application", Who::Application),
    ];
    ALL.into_iter().map(|(name, who)| {
        Box::new(NoHandles {
            name,
            who,
            limited: Mutex::default(),
        }) as Box<dyn Fault>
    })
}

impl Fault for NoHandles {
    fn name(&self) -> &'static str {
        self.name
    }

    fn repeats_mails(&self) -> bool {
        true
    }

    fn strike(&self, world: &mut World, random: &mut StdRng) -> Result<()> {
        let Some(pid) = world.pid(self.who).and_then(Pid::from_raw) else {
            return Ok(());
        };
        let open = open(pid);
        // The next one at once, or after a few more.
        let left = random.random_range(0..3);
        let most = (0..)
            .filter(|number| !open.contains(number))
            .nth(left)
            .unwrap_or_default();
        let limit = Rlimit {
            current: Some(most),
            maximum: getrlimit(Resource::Nofile).maximum,
        };
        // It may have died just now.
        if prlimit(Some(pid), Resource::Nofile, limit).is_ok() {
            *self.limited.lock().unwrap_or_else(PoisonError::into_inner) = Some(pid);
        }
        Ok(())
    }

    fn lasts(&self, random: &mut StdRng) -> Duration {
        Duration::from_millis(random.random_range(200..4000))
    }

    fn heal(&self, _world: &mut World) -> Result<()> {
        let limited = &self.limited;
        let limited = limited
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(pid) = limited {
            // What it inherited from the harness, which may not be what it had a moment ago: another fault may be the same. If it
            // has died, its successor has the usual limit.
            let _ = prlimit(Some(pid), Resource::Nofile, getrlimit(Resource::Nofile));
        }
        Ok(())
    }

    fn excuses_silence(&self) -> bool {
        true
    }
}

/// Numbers of the files that a process has open.
fn open(pid: Pid) -> Vec<u64> {
    let entries = std::fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero()));
    let names = entries.into_iter().flatten().flatten();
    names
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}
