//! `state/machine.json`: what all users of a computer get who share an installation. Only the service, and an installer that root
//! runs, write it; it is replaced in one instant. Each user's launcher tries what is new in it as any other version.

use std::collections::BTreeSet;

use obnova_release::durable;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error};
use crate::layout::Layout;
use crate::pointer::Installed;
use crate::sweep;

#[cfg(unix)]
mod ask;

const FORMAT: u64 = 1;
/// The longest file that is read, bytes.
const MAX_LENGTH: u64 = 1 << 20;
/// Versions from before that are kept: the one to go back to, and another for whoever left that one.
const KEPT: usize = 2;

/// The file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    format: u64,
    /// One more with every change.
    pub(crate) serial: u64,
    /// What everybody's next start is one of.
    pub(crate) current: Installed,
    /// What is kept from before, newest first.
    pub(crate) kept: Vec<Installed>,
    /// The service's socket.
    pub(crate) socket: std::path::PathBuf,
}

impl Machine {
    /// Reads it; nothing where an installation is not shared.
    pub(crate) fn read(layout: &Layout) -> Result<Option<Self>, Error> {
        let path = layout.machine();
        let bytes = match durable::read_limited(&path, MAX_LENGTH) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let damaged = |reason: String| {
            Error::new(Code::StateDamaged)
                .arg("path", path.display())
                .detail(reason)
        };
        let machine: Self =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        match machine.format {
            FORMAT => Ok(Some(machine)),
            other => Err(damaged(format!(
                "is in format {other}, which a newer Obnova writes"
            ))),
        }
    }

    /// All versions that are here for everybody, the current one first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Installed> + Clone {
        std::iter::once(&self.current).chain(&self.kept)
    }

    /// Gives all users this version, whose files are here and whole, and removes what is not kept any more and nobody has open.
    ///
    /// Killed before the file is replaced, everything is as before; after it, only old versions may be left, for the next time.
    pub(crate) fn give(
        layout: &Layout,
        to: Installed,
        socket: &std::path::Path,
    ) -> Result<Self, Error> {
        let before = Self::read(layout)?;
        let serial = before.as_ref().map_or(1, |before| before.serial + 1);
        let older = before.iter().flat_map(|before| before.all());
        let older = older.filter(|it| it.version != to.version);
        let kept: Vec<Installed> = older
            .filter(|it| layout.version(&it.version).is_dir())
            .take(KEPT)
            .cloned()
            .collect();
        let machine = Self {
            format: FORMAT,
            serial,
            current: to,
            kept,
            socket: socket.to_owned(),
        };
        durable::create_dir_all(&layout.root().join("state/running"))?;
        // What a kill has left: whoever gives is alone here.
        for directory in ["state", "state/running"] {
            durable::remove_temporaries(&layout.root().join(directory))?;
        }
        for installed in machine.all() {
            // Users may not make it, and have a lock on it while they run the version.
            let running = layout.running(&installed.version);
            if !running.exists() {
                durable::write(&running, b"", 0o644)?;
            }
        }
        let bytes = serde_json::to_vec_pretty(&machine)
            .map_err(|error| Error::new(Code::Disk).detail(error))?;
        durable::write(&layout.machine(), &bytes, 0o644)?;
        let kept: BTreeSet<&Version> = machine.all().map(|it| &it.version).collect();
        sweep::all_but(layout, &kept);
        Ok(machine)
    }
}

/// What an installer does last for all users: its version's files are there and whole. Gives the version from before.
#[cfg(unix)]
pub(crate) fn give_installed(
    layout: &Layout,
    description: &obnova_release::Description,
) -> Result<Option<Version>, Error> {
    use crate::service::{Units, apply};
    let version = &description.version;
    let here = obnova_release::InstalledRelease::load(&layout.versions(), version)?;
    here.verify(&layout.versions())?;
    apply::for_all(&here)?;
    apply::only_ours(layout)?;
    let installed = apply::installed(description)?;
    let before = Machine::read(layout)?;
    let socket = Units::of(&description.product, layout.root()).socket();
    if before
        .as_ref()
        .is_none_or(|it| it.current != installed || it.socket != socket)
    {
        Machine::give(layout, installed, &socket)?;
    }
    Ok(before.map(|before| before.current.version))
}

/// Only where there is such a service.
#[cfg(not(unix))]
pub(crate) fn give_installed(
    _layout: &Layout,
    _description: &obnova_release::Description,
) -> Result<Option<Version>, Error> {
    Err(Error::new(Code::NoService))
}

#[cfg(not(unix))]
impl crate::Desktop {
    /// There are no installations that are shared.
    pub(crate) fn have_applied(
        &self,
        _version: &Version,
        _progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Error> {
        Err(Error::new(Code::NoService))
    }
}
