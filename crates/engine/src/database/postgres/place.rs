//! A copy of a whole cluster in a directory beside its data, and how it takes the place of the data: by renaming, so that at any
//! instant it is known which of the two is there.
//!
//! In the place lie `copy`, the data as they were; while going back `next`, which becomes the data; afterwards `replaced`, what the
//! update left. `replaced` with data there means: done.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::clone::{self, Means};
use super::cluster::{self, Cluster, Launch, Stop};
use super::failure::Failure;
use super::note;
use super::postmaster::{self, Postmaster};
use crate::durable;
use crate::installation::Rung;

const NOTE: &str = "cluster.json";

/// What lies in a protected directory about a copy beside the data: written before anything is made there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Place {
    /// How it is protected.
    pub(super) rung: Rung,
    /// The directory.
    pub(super) directory: PathBuf,
    /// How the server was started.
    pub(super) launch: Launch,
}

impl Place {
    /// The one that this protected directory tells of, if it does.
    pub(super) fn read(protected: &Path) -> Result<Option<Place>, Failure> {
        note::read(protected, NOTE)
    }

    /// A new one for the update of this protected directory, which is made.
    pub(super) fn make(cluster: &Cluster, protected: &Path, rung: Rung) -> Result<Place, Failure> {
        let update = cluster::update_of(protected).ok_or_else(|| {
            Failure::Unsuitable(format!("{} is no update's own", protected.display()))
        })?;
        let beside = cluster.beside();
        let free = (1..).map(|number| match number {
            1 => beside.join(&update),
            number => beside.join(format!("{update}-{number}")),
        });
        // An earlier journal's update may have had the number.
        let directory = free
            .into_iter()
            .find(|directory| !directory.exists())
            .unwrap_or(beside.join(&update));
        let launch = cluster.launch()?.ok_or_else(|| {
            Failure::Unsuitable(format!("no server runs on {}", cluster.data().display()))
        })?;
        let place = Place {
            rung,
            directory,
            launch,
        };
        durable::create_dir_all(protected).map_err(|error| Failure::disk(protected, error))?;
        note::put(protected, NOTE, &place)?;
        cluster.make_directory(&beside)?;
        cluster.make_directory(&place.directory)?;
        Ok(place)
    }

    /// Says in the protected directory that it is not there any more.
    pub(super) fn unwrite(protected: &Path) -> Result<(), Failure> {
        let note = protected.join(NOTE);
        durable::remove_file(&note).map_err(|error| Failure::disk(&note, error))
    }

    /// Whether it is a standby that runs.
    pub(super) fn is_prepared(&self) -> bool {
        self.rung == Rung::Standby && Postmaster::of(&self.copy()).is_some()
    }

    /// The data as they were.
    pub(super) fn copy(&self) -> PathBuf {
        self.directory.join("copy")
    }

    fn next(&self) -> PathBuf {
        self.directory.join("next")
    }

    fn replaced(&self) -> PathBuf {
        self.directory.join("replaced")
    }

    /// The rung *file system*: stops the server, clones its data, and starts it again, whatever happens.
    pub(super) fn protect(
        &self,
        cluster: &Cluster,
        protected: &Path,
        means: Means,
        go_on: &dyn Fn() -> bool,
    ) -> Result<(), Failure> {
        if !go_on() {
            return Err(Failure::Interrupted);
        }
        let cloned = cluster
            .stop(Stop::Clean)
            .and_then(|()| clone::clone(cluster.data(), &self.copy(), means, go_on))
            .and_then(|()| note::set_complete(protected));
        let started = cluster.start(Some(&self.launch));
        cloned.and(started)
    }

    /// Puts the copy in the place of the data and starts the server. Repeatable: what is in its place already stays there.
    /// `means` is how the copy is cloned, so that it stays; it is used up where it cannot be.
    pub(super) fn restore(&self, cluster: &Cluster, means: Option<Means>) -> Result<(), Failure> {
        let (data, next, replaced) = (cluster.data(), self.next(), self.replaced());
        let disk = |error| Failure::disk(data, error);
        if !replaced.exists() {
            match means {
                Some(means) => {
                    clone::remove(&next)?;
                    clone::clone(&self.copy(), &next, means, &|| true)?;
                }
                None if self.copy().exists() => {
                    clone::remove(&next)?;
                    durable::rename(&self.copy(), &next).map_err(disk)?;
                }
                None => {}
            }
            if !next.exists() {
                return Err(Failure::Unsuitable(format!(
                    "the copy in {} is not there any more",
                    self.directory.display()
                )));
            }
            cluster.stop(Stop::Immediate)?;
            durable::rename(data, &replaced).map_err(disk)?;
        }
        if !data.exists() {
            durable::rename(&next, data).map_err(disk)?;
        }
        cluster.start(Some(&self.launch))
    }

    /// Removes it.
    pub(super) fn forget(&self, cluster: &Cluster) -> Result<(), Failure> {
        if !cluster.data().exists() {
            return Err(Failure::Unsuitable(format!(
                "{} is just being returned from {}",
                cluster.data().display(),
                self.directory.display()
            )));
        }
        // Of an engine that was killed meanwhile.
        postmaster::end_making(&self.copy())?;
        cluster::stop_at_once(&self.copy())?;
        clone::remove(&self.directory)
    }

    /// Bytes of the copy.
    pub(super) fn size(&self) -> u64 {
        crate::files::size(&self.copy())
    }

    /// A second copy, for the update of another protected directory.
    pub(super) fn spare(
        &self,
        cluster: &Cluster,
        to: &Path,
        means: Means,
        go_on: &dyn Fn() -> bool,
    ) -> Result<(), Failure> {
        let other = Place::make(cluster, to, self.rung)?;
        clone::clone(&self.copy(), &other.copy(), means, go_on)?;
        note::set_complete(to)
    }

    /// Where a server on the copy says something; its account makes that file.
    pub(super) fn log(&self) -> PathBuf {
        self.directory.join("server.log")
    }
}
