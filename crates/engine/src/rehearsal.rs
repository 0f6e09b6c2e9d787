//! Rehearsals: the steps of an update and the way back, on a clone of database and data files, cut off from the world.
//!
//! ```text
//!  engine/rehearse.rs   the engine's side: one thread that waits for a wish, downloads, starts the worker, listens to its words,
//!                       and in the end, whatever it is, kills all of it, writes the result and deletes the clone
//!    worker             a process of its own, of the lowest priority: copies while the application works; then becomes itself
//!                       again in a network of its own (isolation)
//!      course           the very steps of an update, the way back, and whether all is as before (compare)
//!  judge, forecast      pure: what a result means for the offer
//!  store                results, on disk
//! ```
//!
//! Everything of a rehearsal lies in [`Place::root`] and has the path of a record there in its environment. The worker ends with
//! its engine, and everything in its process namespace with it; what a kill leaves behind all the same, the next engine's start
//! ends and deletes before anything else.

use std::io;
use std::path::{Path, PathBuf};

use crate::api::RungFacts;
use crate::durable;
use crate::installation::Installation;

pub(crate) mod compare;
mod course;
mod forecast;
pub(crate) mod isolation;
mod judge;
mod neutralise;
mod processes;
mod schedule;
mod store;
mod words;
mod worker;

pub(crate) use course::data_bytes;
pub(crate) use forecast::{Between, Drain, Measured, foretell, together};
pub(crate) use judge::{Judge, blocking, is_insistable};
pub(crate) use schedule::{Schedule, is_wanting};
pub(crate) use store::Store;
pub(crate) use words::{Reader, Task, Word};
pub use worker::main as work;
pub(crate) use worker::{KEPT_VARIABLES, arguments, in_idle_class, probe};

/// The steps of a rehearsal that no update has, and the download, which is kept for the update.
pub(crate) const DOWNLOAD: &str = "download";
/// Copying, until the installed version serves on the clone.
pub(crate) const CLONE: &str = "clone";
/// The way back, until the installed version serves again.
pub(crate) const WAY_BACK: &str = "way_back";
/// Whether all is as before.
pub(crate) const COMPARE: &str = "compare";
/// Deleting the clone. Shown while it lasts, and in no result, which stands before it begins.
pub(crate) const DISCARD: &str = "discard";

/// Steps of an update that are not rehearsed: they look at or change the world, or were done before.
const NOT_REHEARSED: [&str; 7] = [
    "check",
    DOWNLOAD,
    "announce",
    "hold",
    "release_traffic",
    "commit",
    "clean",
];

/// The steps of an update that are rehearsed, in order.
pub(crate) fn update_steps() -> Vec<&'static dyn crate::step::Step> {
    crate::steps::SERVER
        .iter()
        .filter(|step| !NOT_REHEARSED.contains(&step.name()))
        .copied()
        .collect()
}

/// The names of all steps of a rehearsal, in order.
pub(crate) fn step_names() -> Vec<&'static str> {
    let update = update_steps().into_iter().map(|step| step.name());
    [DOWNLOAD, CLONE]
        .into_iter()
        .chain(update)
        .chain([WAY_BACK, COMPARE])
        .collect()
}

/// The way in which a database is protected.
pub(crate) fn chosen(rungs: Vec<RungFacts>) -> Option<RungFacts> {
    rungs.into_iter().find(|rung| rung.chosen)
}

/// Where a rehearsal lies.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    root: PathBuf,
}

impl Place {
    /// That of an installation.
    pub(crate) fn of(installation: &Installation) -> Place {
        Place {
            root: installation.state_dir.join("rehearsal"),
        }
    }

    /// Everything of a rehearsal; nothing when there is none.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What the worker is to do.
    pub(crate) fn task(&self) -> PathBuf {
        self.root.join("task.json")
    }

    /// What the worker says.
    pub(crate) fn words(&self) -> PathBuf {
        self.root.join("words.jsonl")
    }

    /// What it and its tools complain of.
    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("worker.log")
    }

    /// The worker's record.
    pub(crate) fn record(&self) -> PathBuf {
        self.root.join("worker.json")
    }

    /// The copy of the database, as its driver has made it.
    fn snapshot(&self) -> PathBuf {
        self.root.join("database")
    }

    /// The copies of the data directories.
    fn data(&self, number: usize) -> PathBuf {
        self.root.join("data").join(number.to_string())
    }

    /// The home directory of all that runs there.
    fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// The temporary files of all that runs there.
    fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// The state directory of the clone.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.root.join("state")
    }

    /// Makes it, empty. Others may pass through, since the application may run as another user, but not look.
    pub(crate) fn make(&self) -> io::Result<()> {
        durable::create_dir_all(&self.root)?;
        durable::set_mode(&self.root, 0o711)
    }

    /// Kills whatever runs of a rehearsal.
    pub(crate) fn end(&self) -> io::Result<()> {
        processes::end_all_under(&self.root)
    }

    /// Kills whatever runs of a rehearsal and deletes all of it.
    pub(crate) fn clear(&self) -> io::Result<()> {
        self.end()?;
        durable::remove_dir_all(&self.root)
    }
}
