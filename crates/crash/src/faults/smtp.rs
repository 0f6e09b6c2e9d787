//! The mail server does not take mail, or takes its time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use obnova_testkit::proxy::{Proxy, Trouble};
use rand::Rng as _;
use rand::rngs::StdRng;

use super::network::before;
use crate::fault::Fault;
use crate::world::World;

/// What it does.
#[derive(Clone, Copy)]
enum Manner {
    /// The line to it is like this.
    Line(Trouble),
    /// It refuses every recipient with this code.
    Refuses(u16),
    /// It keeps a few mails and never says so.
    Drops,
}

/// See the module.
struct BadMailServer {
    name: &'static str,
    manner: Manner,
    line: Mutex<Option<Proxy>>,
}

/// One for each manner.
pub fn all() -> impl Iterator<Item = Box<dyn Fault>> {
    const ALL: [(&str, Manner); 7] = [
        ("smtp-dead", Manner::Line(Trouble::Dead)),
        ("smtp-silent", Manner::Line(Trouble::Silent)),
        ("smtp-slow", Manner::Line(Trouble::Trickle(20))),
        ("smtp-reset", Manner::Line(Trouble::Reset(60))),
        ("smtp-later", Manner::Refuses(451)),
        ("smtp-never", Manner::Refuses(550)),
        ("smtp-drops", Manner::Drops),
    ];
    ALL.into_iter().map(|(name, manner)| {
        Box::new(BadMailServer {
            name,
            manner,
            line: Mutex::default(),
        }) as Box<dyn Fault>
    })
}

impl BadMailServer {
    fn set(&self, trouble: Trouble) -> Result<()> {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.as_ref()
            .context("there is no line yet")?
            .trouble(trouble);
        Ok(())
    }
}

impl Fault for BadMailServer {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self, world: &mut World) -> Result<()> {
        let line = before(&mut world.ports.smtp.1)?;
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
        Ok(())
    }

    fn repeats_mails(&self) -> bool {
        true
    }

    fn refuses_mails(&self) -> bool {
        matches!(self.manner, Manner::Refuses(550))
    }

    fn strike(&self, world: &mut World, random: &mut StdRng) -> Result<()> {
        let sink = world.sink.as_ref().context("no mail server")?;
        match self.manner {
            Manner::Line(trouble) => self.set(trouble)?,
            Manner::Refuses(code) => sink.refuse_next(usize::MAX, code),
            Manner::Drops => sink.drop_reply_of_next(random.random_range(1..4)),
        }
        Ok(())
    }

    fn lasts(&self, random: &mut StdRng) -> Duration {
        Duration::from_millis(random.random_range(500..8000))
    }

    fn heal(&self, world: &mut World) -> Result<()> {
        if let Some(sink) = &world.sink {
            sink.refuse_next(0, 0);
            sink.drop_reply_of_next(0);
        }
        self.set(Trouble::None)
    }
}
