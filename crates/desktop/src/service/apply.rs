//! What the service does: bringing a version and giving it to all users.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;
use obnova_release::{Description, InstalledRelease, VerifiedRelease};
use semver::Version;

use super::{Service, Shared};
use crate::desktop::Desktop;
use crate::error::{Code, Error};
use crate::layout::Layout;
use crate::machine::Machine;
use crate::platform;
use crate::pointer::Installed;
use crate::policy::Mode;
use crate::sweep;

impl Service {
    /// What is here, without the network.
    pub(super) fn status(&self) -> Result<Shared, Error> {
        let desktop = Desktop::of_machine(&self.root)?;
        let machine = machine(&desktop.layout)?;
        Ok(Shared {
            product: desktop.configuration.product.clone(),
            server: desktop.configuration.server.to_string(),
            kept: machine.kept.into_iter().map(|it| it.version).collect(),
            current: machine.current.version,
            root: self.root.clone(),
        })
    }

    /// Gives all users this version, if it is the one that belongs to the server. Killed anywhere, everybody has the version from
    /// before, and what was downloaded is kept; see [`Machine::give`].
    pub(super) fn apply(
        &self,
        version: &Version,
        progress: &mut dyn FnMut(u64, u64),
        given_up: &AtomicBool,
    ) -> Result<(), Error> {
        let alone = self.applying.lock();
        let _alone = alone.unwrap_or_else(PoisonError::into_inner);
        // Configuration, policy and owners as they are now.
        let desktop = Desktop::of_machine(&self.root)?;
        let layout = &desktop.layout;
        only_ours(layout)?;
        if desktop.policy.mode == Mode::Off {
            return Err(Error::new(Code::Policy));
        }
        if machine(layout)?.current.version == *version {
            return Ok(());
        }
        let release = desktop.belongs(version)?;
        desktop.bring(&release, progress, given_up)?;
        let versions = layout.versions();
        let here = InstalledRelease::load(&versions, version)?;
        here.verify(&versions)?;
        for_all(&here)?;
        Machine::give(layout, installed(&here.description)?, &self.socket)?;
        eprintln!("all users have version {version} from their next start on");
        Ok(())
    }
}

impl Desktop {
    /// The release of this version, if it is the one that belongs to the server as it is now, by what the vendor has signed.
    fn belongs(&self, version: &Version) -> Result<VerifiedRelease, Error> {
        let network = self.network()?;
        let network = network.get()?;
        let hello = network.server.hello()?;
        if hello.product != self.configuration.product {
            let address = &self.configuration.server;
            return Err(Error::new(Code::WrongServer).arg("address", address));
        }
        let catalog = network.client.refresh_desktops(Timestamp::now());
        let catalog = catalog.map_err(|error| self.place(error))?;
        if let Some(minimum) = catalog.desktop_minimum().filter(|least| version < *least) {
            let below = Error::new(Code::BelowMinimum).arg("version", version);
            return Err(below.arg("minimum", minimum));
        }
        let wish = hello.desktop.as_ref();
        let release = catalog.desktop_for(&hello.server, wish, &platform::name())?;
        if release.description().version != *version {
            let wrong = Error::new(Code::NotWithServer).arg("version", version);
            return Err(wrong.arg("server", &hello.server));
        }
        let listed = network.client.fetch_list(&release);
        listed.map_err(|error| self.place(error))?;
        Ok(release)
    }

    /// Downloads it, unless somebody has it open: then it is here, and stays as it is.
    fn bring(
        &self,
        release: &VerifiedRelease,
        progress: &mut dyn FnMut(u64, u64),
        given_up: &AtomicBool,
    ) -> Result<(), Error> {
        let version = &release.description().version;
        let destination = self.layout.destination();
        let bytes = release.tree_bytes() + release.download_bytes(&destination);
        self.room(version, bytes)?;
        if sweep::is_in_use(&self.layout, version) {
            return self.is_whole(version);
        }
        let network = self.network()?;
        let client = &network.get()?.client;
        let brought = client.download(release, &destination, progress, given_up);
        brought.map_err(|error| self.place(error).arg("version", version))
    }
}

/// What a launcher needs to know of a version.
pub(crate) fn installed(description: &Description) -> Result<Installed, Error> {
    let version = &description.version;
    let program = description.desktop.as_ref();
    let program = program.and_then(|it| it.platforms.get(&platform::name()));
    let program = program.ok_or_else(|| Error::new(Code::NoDesktop).arg("server", version))?;
    Ok(Installed {
        version: version.clone(),
        start: program.start.clone(),
        confirm_seconds: program.confirm_seconds,
    })
}

fn machine(layout: &Layout) -> Result<Machine, Error> {
    let none = || Error::new(Code::NotInstalled).arg("path", layout.root().display());
    Machine::read(layout)?.ok_or_else(none)
}

/// Nobody but the one whose process this is may write to what everybody runs; no link leads to where others may.
pub(crate) fn only_ours(layout: &Layout) -> Result<(), Error> {
    let owner = rustix::process::geteuid().as_raw();
    let root = layout.root();
    let parts = [
        "",
        "bin",
        "state",
        "state/running",
        "versions",
        "content",
        "tuf",
    ];
    let files = ["desktop.toml", "root.json", "state/machine.json"];
    for part in parts.iter().chain(&files) {
        let path = if part.is_empty() {
            root.to_owned()
        } else {
            root.join(part)
        };
        let found = match std::fs::symlink_metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            other => other?,
        };
        let mode = found.mode() & 0o7777;
        if found.is_symlink() || found.uid() != owner || mode & 0o022 != 0 {
            return Err(unprotected(&path, found.uid(), mode));
        }
    }
    // Whoever may rename a directory above has the rest, too. A sticky one, like /tmp, lets only owners rename.
    for above in root.ancestors().skip(1) {
        let found = std::fs::metadata(above)?;
        let (mode, uid) = (found.mode() & 0o7777, found.uid());
        let by_others = mode & 0o022 != 0 && mode & 0o1000 == 0;
        if by_others || (uid != owner && uid != 0) {
            return Err(unprotected(above, uid, mode));
        }
    }
    Ok(())
}

fn unprotected(path: &Path, owner: u32, mode: u32) -> Error {
    let error = Error::new(Code::Unprotected).arg("path", path.display());
    error.detail(format!("it belongs to user {owner} and has mode {mode:o}"))
}

/// Everybody can read all of it, and nobody change it: modes are the vendor's.
pub(crate) fn for_all(release: &InstalledRelease) -> Result<(), Error> {
    let tree = release.tree.entries();
    let wrong = tree.iter().find(|(_, entry)| match entry {
        obnova_release::Entry::Directory { mode } => mode & 0o002 != 0 || mode & 0o005 != 0o005,
        obnova_release::Entry::File(file) => file.mode & 0o002 != 0 || file.mode & 0o004 == 0,
        obnova_release::Entry::Link { .. } => false,
    });
    match wrong {
        None => Ok(()),
        Some((path, _)) => {
            let unfit = Error::new(Code::UnfitHere).arg("version", &release.description.version);
            Err(unfit.detail(format!(
                "{path} is not for all users to read, or not only to read"
            )))
        }
    }
}
