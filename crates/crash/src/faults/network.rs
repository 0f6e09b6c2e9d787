//! The line to the vendor's repository is bad.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use obnova_testkit::proxy::{Proxy, Trouble};
use rand::Rng as _;
use rand::rngs::StdRng;

use crate::fault::Fault;
use crate::world::World;

/// The line as it is before and after: so slow that the download is a good part of the update, where instants fall into it.
const LINE: Trouble = Trouble::Trickle(3 << 20);

/// What is wrong, which is partly a matter of chance.
type Make = fn(&mut StdRng) -> Trouble;

/// In one way.
struct BadLine {
    name: &'static str,
    make: Make,
    line: Mutex<Option<Proxy>>,
}

/// One for each way.
pub fn all() -> impl Iterator<Item = Box<dyn Fault>> {
    const ALL: [(&str, Make); 6] = [
        ("network-dead", |_| Trouble::Dead),
        ("network-cut", |random| Trouble::Cut(some(random))),
        ("network-reset", |random| Trouble::Reset(some(random))),
        ("network-trickle", |random| {
            Trouble::Trickle(random.random_range(100..20_000))
        }),
        ("network-silent", |_| Trouble::Silent),
        ("network-wrong-bytes", |random| {
            Trouble::Wrong(1 + some(random))
        }),
    ];
    ALL.into_iter().map(|(name, make)| {
        Box::new(BadLine {
            name,
            make,
            line: Mutex::default(),
        }) as Box<dyn Fault>
    })
}

/// So many bytes: any order of magnitude is as likely.
fn some(random: &mut StdRng) -> u64 {
    1 << random.random_range(0..20)
}

impl BadLine {
    fn set(&self, trouble: Trouble) -> Result<()> {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.as_ref()
            .context("there is no line yet")?
            .trouble(trouble);
        Ok(())
    }
}

impl Fault for BadLine {
    fn name(&self) -> &'static str {
        self.name
    }

    fn prepare(&self, world: &mut World) -> Result<()> {
        let line = before(&mut world.ports.repository.1)?;
        line.trouble(LINE);
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
        Ok(())
    }

    fn strike(&self, _world: &mut World, random: &mut StdRng) -> Result<()> {
        self.set((self.make)(random))
    }

    fn lasts(&self, random: &mut StdRng) -> Duration {
        Duration::from_millis(random.random_range(100..6000))
    }

    fn heal(&self, _world: &mut World) -> Result<()> {
        self.set(LINE)
    }
}

/// Puts a line before the server that listens on this port, which is told to listen on another one. Lines can stand one behind
/// the other.
///
/// # Errors
/// The port is in use already.
pub(super) fn before(server: &mut u16) -> Result<Proxy> {
    let local = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let seen = *server;
    *server += 10_000;
    Proxy::between(local(seen), local(*server))
}
