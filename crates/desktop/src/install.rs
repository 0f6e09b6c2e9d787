//! Installing from what an installer brings along, for the user who runs it: the first time, again, and over another version.
//!
//! The order is one in which a kill leaves what was there before, or something that the next run of the installer finishes: the
//! version's files, the programs, the configuration, and last the pointer.

use std::fs::File;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use obnova_release::{Bundle, Digest, InstalledRelease, durable};
use rand::Rng;
use semver::Version;
use serde::Serialize;
use url::Url;

use crate::configuration::Configuration;
use crate::desktop::Desktop;
use crate::error::{Code, Error};
use crate::layout::Layout;
use crate::machine::{self, Machine};
use crate::platform;
use crate::pointer::Pointer;
use crate::sweep;

/// What is to be installed, and where.
///
/// ```text
/// <package>/release.json, tree.json.zst, content/   the Desktop: see `obnova_release::Bundle`
///           root.json                               whom to trust
///           bin/obnova-launcher, bin/obnova-desktop
///           icon.svg                                optional; icon.ico on Windows, whose programs are four
/// ```
#[derive(Debug, Clone)]
pub struct Installing {
    /// The directory of what the installer has brought.
    pub package: PathBuf,
    /// The Desktop's root directory.
    pub root: PathBuf,
    /// The address of the customer's Administration Centre; that of an earlier installation unless given.
    pub server: Option<Url>,
    /// See [`Configuration::authorities`]; that of an earlier installation unless given.
    pub authorities: Option<PathBuf>,
    /// For all users of the computer, by whoever it is to belong to: root. What was so stays so.
    pub all_users: bool,
}

/// What was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Installation {
    /// The product's name for people.
    pub name: String,
    /// The version that is started from now on.
    pub version: Version,
    /// The version before; nothing at the first time.
    pub previous: Option<Version>,
    /// What to start.
    pub program: PathBuf,
    /// The address of the server that it follows.
    pub server: String,
    /// All users of the computer share it.
    pub all_users: bool,
}

impl Installing {
    /// Installs. May be repeated: what is there and right stays, what is damaged is replaced.
    ///
    /// # Errors
    /// Another program is installed there, the version must not be used any more, what was brought is damaged, or the disk
    /// refuses. A version that was installed before runs on as before.
    pub fn install(&self) -> Result<Installation, Error> {
        let bundle = Bundle::open(&self.package)?;
        let description = bundle.description();
        let version = &description.version;
        let layout = Layout::of(&self.root);
        let all_users = self.all_users || layout.machine().exists();
        let before = earlier(&layout, &description.product)?;
        let configuration = self.configuration(before.as_ref(), &description.product)?;
        let trust = durable::read_limited(&self.package.join("root.json"), 1 << 20)?;
        if before.is_some() {
            refuse_below_minimum(&self.root, version)?;
        }
        // What shows whose directory this is comes first: killed after it, the next run goes on.
        durable::create_dir_all(&layout.versions())?;
        durable::create_dir_all(&layout.state().join("running"))?;
        room_for(&layout, &bundle)?;
        match sweep::is_in_use(&layout, version) {
            // It stays as it is while somebody works with it, if it is whole.
            true => is_whole(&layout, version)?,
            false => bundle.unpack(&layout.destination())?,
        }
        durable::create_dir_all(&layout.programs())?;
        remove_replaced(&layout);
        for tool in platform::TOOLS.map(platform::program) {
            let from = self.package.join("bin").join(&tool);
            put(&from, &layout.programs().join(tool), 0o755)?;
        }
        // For people, who know the program by its own name.
        let program = platform::give_name(&layout.programs(), &description.product)?;
        let icon = self.package.join(platform::ICON);
        if icon.is_file() {
            put(&icon, &layout.icon(), 0o644)?;
        }
        // What a kill has left of the files that come now.
        durable::remove_temporaries(&self.root)?;
        forget_other_trust(&layout, &trust)?;
        configuration.install(&self.root, &trust)?;
        let previous = match all_users {
            true => {
                set_damaged_machine_aside(&layout)?;
                machine::give_installed(&layout, description)?
            }
            false => {
                set_damaged_aside(&layout)?;
                let desktop = Desktop::of_machine(&self.root)?;
                let previous = desktop.current()?.map(|installed| installed.version);
                let staged = desktop.stage_described(description)?;
                desktop.insist(staged)?;
                previous
            }
        };
        Ok(Installation {
            name: description.name.clone(),
            version: version.clone(),
            previous,
            program,
            server: configuration.server.into(),
            all_users,
        })
    }

    /// The product that is to be installed.
    ///
    /// # Errors
    /// What was brought is damaged.
    pub fn product(&self) -> Result<String, Error> {
        let bundle = Bundle::open(&self.package)?;
        Ok(bundle.description().product.clone())
    }

    fn configuration(
        &self,
        before: Option<&Configuration>,
        product: &str,
    ) -> Result<Configuration, Error> {
        let server = self.server.as_ref();
        let server = server.or(before.map(|before| &before.server));
        Ok(Configuration {
            product: product.to_owned(),
            server: server.ok_or_else(|| Error::new(Code::NoServer))?.clone(),
            authorities: match (&self.authorities, before) {
                (Some(path), _) => Some(std::path::absolute(path)?),
                (None, before) => before.and_then(|before| before.authorities.clone()),
            },
        })
    }
}

/// What an earlier installation has set. A damaged configuration is as good as none: installing again is what repairs it.
fn earlier(layout: &Layout, product: &str) -> Result<Option<Configuration>, Error> {
    match Configuration::read(layout) {
        Ok(before) if before.product == product => Ok(Some(before)),
        Ok(_) => Err(Error::new(Code::OtherProgram).arg("path", layout.root().display())),
        Err(error) if matches!(error.code, Code::NotInstalled | Code::StateDamaged) => {
            refuse_foreign(layout).map(|()| None)
        }
        Err(error) => Err(error),
    }
}

/// A directory with other things in it is nobody's to install into, and later to remove.
fn refuse_foreign(layout: &Layout) -> Result<(), Error> {
    let Ok(entries) = std::fs::read_dir(layout.root()) else {
        return Ok(());
    };
    let ours = |name: &str| {
        let known = ["bin", "content", "state", "tuf", "versions"];
        known.contains(&name) || name.starts_with('.') || Path::new(name).extension().is_some()
    };
    let is_ours = layout.versions().is_dir() || layout.configuration().exists();
    let foreign = entries
        .flatten()
        .any(|entry| !is_ours || !ours(&entry.file_name().to_string_lossy()));
    match foreign {
        true => Err(Error::new(Code::OtherProgram).arg("path", layout.root().display())),
        false => Ok(()),
    }
}

/// As far as is known here: nothing below the vendor's minimum comes back, not by an old installer either.
fn refuse_below_minimum(root: &Path, version: &Version) -> Result<(), Error> {
    let desktop = Desktop::of_machine(root)?;
    let network = desktop.network()?;
    let known = network.get()?.client.known(Timestamp::now());
    // What is damaged there says nothing.
    let Ok(Some(catalog)) = known else {
        return Ok(());
    };
    match catalog.desktop_minimum() {
        Some(minimum) if version < minimum => Err(Error::new(Code::BelowMinimum)
            .arg("version", version)
            .arg("minimum", minimum)),
        _ => Ok(()),
    }
}

/// A tenth more than is needed has to be free: others write to the disk as well.
fn room_for(layout: &Layout, bundle: &Bundle) -> Result<(), Error> {
    let needed = bundle.bytes() * 11 / 10;
    let version = &bundle.description().version;
    match platform::free_bytes(layout.root()) {
        Some(free) if free < needed && !layout.version(version).exists() => {
            let full = Error::new(Code::DiskFull).arg("path", layout.root().display());
            Err(full.detail(format!("{needed} bytes are needed, {free} are free")))
        }
        _ => Ok(()),
    }
}

fn is_whole(layout: &Layout, version: &Version) -> Result<(), Error> {
    let versions = layout.versions();
    let whole = InstalledRelease::load(&versions, version)
        .and_then(|installed| installed.verify(&versions));
    whole.map_err(|error| {
        let busy = Error::new(Code::Busy).arg("version", version);
        busy.detail(error.chain())
    })
}

/// Puts a file in its place in one instant, unless it is there already: a launcher that stays the same is one that no scanner
/// has to get to know again.
pub(crate) fn put(from: &Path, to: &Path, mode: u32) -> Result<(), Error> {
    let digest = |path: &Path| File::open(path).and_then(Digest::of_reader);
    let wanted = digest(from)?;
    if digest(to).is_ok_and(|there| there == wanted) {
        return Ok(durable::set_mode(to, mode)?);
    }
    let temporary = to.with_file_name(format!(
        "{}{:08x}",
        durable::TEMPORARY_PREFIX,
        rand::rng().random::<u32>()
    ));
    let copied = durable::copy_unsynced(from, &temporary, mode)
        .and_then(|_| durable::sync_file(&temporary))
        .and_then(|()| platform::put_in_place(&temporary, to));
    if copied.is_err() {
        let _ = durable::remove_file_unsynced(&temporary);
    }
    Ok(copied?)
}

/// Programs that ran when they were replaced may have ended meanwhile. Only ever tidy.
fn remove_replaced(layout: &Layout) {
    if let Err(error) = durable::remove_temporaries(&layout.programs()) {
        tracing::debug!(%error, "a program that was replaced still runs");
    }
}

/// What was learnt under another root says nothing under this one.
fn forget_other_trust(layout: &Layout, trust: &[u8]) -> Result<(), Error> {
    let same = std::fs::read(layout.trust()).is_ok_and(|there| there == trust);
    match same || !layout.store().exists() {
        true => Ok(()),
        false => Ok(durable::remove_dir_all(&layout.store())?),
    }
}

/// The same of what all users get: written anew, it is like a first installation.
fn set_damaged_machine_aside(layout: &Layout) -> Result<(), Error> {
    match Machine::read(layout) {
        Err(error) if error.code == Code::StateDamaged => {
            let path = layout.machine();
            Ok(durable::rename(&path, &path.with_extension("damaged"))?)
        }
        other => other.map(drop),
    }
}

/// A pointer that cannot be read keeps the program from starting: it is kept under another name, and a new one begun.
fn set_damaged_aside(layout: &Layout) -> Result<(), Error> {
    let Err(error) = Pointer::read(layout) else {
        return Ok(());
    };
    if error.code != Code::StateDamaged {
        return Err(error);
    }
    for path in [layout.pointer(), layout.journal()] {
        if path.exists() {
            durable::rename(&path, &path.with_extension("damaged"))?;
        }
    }
    Ok(())
}
