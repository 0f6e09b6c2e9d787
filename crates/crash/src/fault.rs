//! What can be done to an installation, and for how long.
//!
//! A fault is one file in `faults/` and one line in `faults.rs`. It is told to prepare before anything of the life runs, strikes
//! at a moment, and is healed some time later: at the latest before it is looked what has become of the installation.

use std::time::Duration;

use anyhow::{Result, bail};
use obnova_testkit::volume::Kind;
use rand::rngs::StdRng;

use crate::app::App;
use crate::world::World;

/// A way in which the world fails an installation.
pub trait Fault: Send + Sync {
    /// Its name on the command line and in tables, such as `kill-engine`.
    fn name(&self) -> &'static str;

    /// Whether an application can suffer it.
    fn suits(&self, _app: &App) -> bool {
        true
    }

    /// What must be so before the installation is laid down.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Before any process is started and after the installation lies in its place: moves ports behind proxies
    /// ([`World::ports`]), sets the environment of the roles ([`World::set_env`]), starts what stands between.
    ///
    /// # Errors
    /// Something that this machine lacks, with what to install.
    fn prepare(&self, _world: &mut World) -> Result<()> {
        Ok(())
    }

    /// Strikes. A process that has come to the moment of the strike waits until this returns, and goes on then if it still lives.
    ///
    /// # Errors
    /// It could not be done: the round means nothing then and counts as failed.
    fn strike(&self, world: &mut World, random: &mut StdRng) -> Result<()>;

    /// How long it lasts before it is healed; nothing for what is over at once, [`Duration::MAX`] for what is healed when the update
    /// has ended by itself.
    fn lasts(&self, _random: &mut StdRng) -> Duration {
        Duration::ZERO
    }

    /// Ends it, as an administrator or the weather would: makes room, brings the server back. Repeatable.
    ///
    /// # Errors
    /// It could not be done.
    fn heal(&self, _world: &mut World) -> Result<()> {
        Ok(())
    }

    /// Whether going without an answer may be the right thing while it lasts and until it is healed. Otherwise the time to serve
    /// again counts from the strike; for these from the healing.
    fn excuses_silence(&self) -> bool {
        false
    }

    /// Whether a mail may come twice under the same number because of it, as SMTP cannot tell better.
    fn repeats_mails(&self) -> bool {
        false
    }

    /// Whether mails may never come because of it: the mail server said so.
    fn refuses_mails(&self) -> bool {
        false
    }

    /// Whether the kernel may confirm a sync while it lasts that it never makes: what is acknowledged then is worth nothing, and nobody
    /// but the kernel could know.
    fn syncs_in_vain(&self) -> bool {
        false
    }

    /// Whether one instant is as good as another for it, so that it is not worth trying at every single act.
    fn is_slow(&self) -> bool {
        false
    }
}

/// What must be so before the installation is laid down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// A file system of its own, of this kind and size in bytes, that holds the state directory and the database.
    pub volume: Option<(Kind, u64)>,
    /// The harness itself works with the installation's files, so that no volume could be given its power back.
    pub holds_files: bool,
}

impl Needs {
    /// The needs of two faults of one life.
    ///
    /// # Errors
    /// They cannot be had together.
    pub fn and(self, other: Needs) -> Result<Needs> {
        let volume = match (self.volume, other.volume) {
            (Some((one, _)), Some((two, _))) if one != two => {
                bail!("one wants {one:?}, the other {two:?}")
            }
            (Some((kind, one)), Some((_, two))) => Some((kind, one.min(two))),
            (one, two) => one.or(two),
        };
        let holds_files = self.holds_files || other.holds_files;
        if holds_files && volume.is_some() {
            bail!("a volume cannot be unmounted whose files are held");
        }
        Ok(Needs {
            volume,
            holds_files,
        })
    }
}
