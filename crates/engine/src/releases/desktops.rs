//! The copy of the repository that Desktops read: made by the engine, which may ask the vendor, and shown by the centre.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;
use obnova_release::{Catalog, Error, Installer, Mirrored, NoDesktop, VerifiedRelease, durable};
use semver::Version;

use super::{Releases, channel};
use crate::api::{CopiedInstaller, INSTALLERS_NAME};

/// What a copy is made of.
pub(crate) struct Copying {
    /// When the repository was asked.
    pub(crate) at: Timestamp,
    catalog: Catalog,
    desktops: Vec<VerifiedRelease>,
    /// Of the installed server's Desktops.
    installers: Vec<Installer>,
}

impl Copying {
    /// Bytes that the Desktops have, compressed, at most.
    pub(crate) fn bytes(&self) -> u64 {
        let desktops = self.desktops.iter().map(VerifiedRelease::tree_bytes);
        let installers = self.installers.iter().map(|installer| installer.bytes);
        desktops.chain(installers).sum()
    }
}

impl Releases {
    /// What Desktops will ask for: the Desktops that belong to these versions of the server and to the newest that can be
    /// installed, for every platform. `None` before the first look, or when no release brings a Desktop along.
    pub(crate) fn desktops_of(&self, servers: &[Version], channel_name: &str) -> Option<Copying> {
        let found = self.found();
        let (at, catalog) = (found.at?, found.catalog.clone()?);
        drop(found);
        let platforms = catalog.desktop_platforms();
        if platforms.is_empty() {
            return None;
        }
        let mut servers = servers.to_vec();
        if let Some(installed) = servers.first()
            && let Ok(Some(route)) = catalog.route(installed, channel(channel_name))
        {
            servers.extend(
                route
                    .target()
                    .map(|release| release.description().version.clone()),
            );
        }
        let mut desktops: Vec<VerifiedRelease> = Vec::new();
        for (server, platform) in servers
            .iter()
            .flat_map(|server| platforms.iter().map(move |platform| (server, platform)))
        {
            match catalog.desktop_for(server, None, platform) {
                Ok(desktop) => desktops.push(desktop),
                Err(NoDesktop::NoneFits { .. }) => {}
                Err(error) => tracing::warn!(%error, "Desktops will not be offered a version"),
            }
        }
        let installed = servers.first();
        Some(Copying {
            at,
            installers: installed.map_or(vec![], |server| catalog.installers_for(server)),
            catalog,
            desktops,
        })
    }

    /// Makes the copy, or brings it up to date: first what Desktops need, then the installers.
    pub(crate) fn copy_for_desktops(
        &self,
        copying: &Copying,
        to: &Path,
        cancelled: &AtomicBool,
    ) -> Result<Mirrored, Error> {
        let desktops = self
            .client
            .mirror(&copying.catalog, &copying.desktops, to, cancelled)?;
        let installers = self
            .client
            .mirror_installers(&copying.installers, to, cancelled)?;
        list(&copying.installers, to)?;
        Ok(Mirrored {
            new_files: desktops.new_files + installers.new_files,
            new_bytes: desktops.new_bytes + installers.new_bytes,
        })
    }
}

/// Tells the centre which installers are there, now that their files are. Killed before this, the older list names files that are
/// still kept.
fn list(installers: &[Installer], to: &Path) -> Result<(), Error> {
    let list: Vec<CopiedInstaller> = installers
        .iter()
        .map(|installer| CopiedInstaller {
            version: installer.version.clone(),
            platform: installer.platform.clone(),
            file_name: installer.file_name.clone(),
            bytes: installer.bytes,
            sha256: installer.sha256.to_string(),
            requires: installer.requires.clone(),
            place: installer.place(),
        })
        .collect();
    let path = to.join(INSTALLERS_NAME);
    let failed = |cause: std::io::Error| Error::Local {
        what: "the list of installers for the welcome page cannot be written".to_owned(),
        cause,
    };
    let bytes = serde_json::to_vec_pretty(&list).map_err(|error| failed(error.into()))?;
    if std::fs::read(&path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    durable::write(&path, &bytes, 0o644).map_err(failed)
}
