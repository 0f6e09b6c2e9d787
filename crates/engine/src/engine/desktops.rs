//! Desktops, the engine's side: one thread that keeps their copy of the repository up to date, so that each user's computer
//! finds the version that belongs to this server, also when the vendor cannot be reached.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use obnova_release::Error;
use semver::Version;

use super::Engine;
use crate::files;

/// How often the thread looks whether something has changed.
const LOOK: Duration = Duration::from_millis(500);
/// How soon it notices that the engine ends.
const NOTICE: Duration = Duration::from_millis(100);
/// How old what is known of the vendor's repository may become: signatures on the copy have an end.
const AGE: Duration = Duration::from_secs(6 * 3600);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(60);
/// Bytes that have to stay free: the next update needs the disk more.
const RESERVE: u64 = 512 << 20;

impl Engine {
    /// Keeps the copy until the engine ends.
    pub(crate) fn keep_desktops(&self) {
        let to = self.installation.desktops();
        let mut copied: Option<(Timestamp, Vec<Version>)> = None;
        let mut not_before = Instant::now();
        while self.goes_on_after(LOOK) {
            // An update has the disk and the line for itself.
            if Instant::now() < not_before
                || self.hub.with_history(|history| history.open().is_some())
            {
                continue;
            }
            let Some(servers) = self.desktop_servers() else {
                continue;
            };
            let channel = self.settings.current().channel;
            let Some(copying) = self.releases.desktops_of(&servers, &channel) else {
                continue;
            };
            let age = Timestamp::now().duration_since(copying.at).unsigned_abs();
            if age > AGE {
                self.releases.refresh();
                not_before = Instant::now() + PAUSE;
                continue;
            }
            let facts = (copying.at, servers);
            if copied.as_ref() == Some(&facts) {
                continue;
            }
            if files::free(&self.installation.state_dir)
                .is_ok_and(|free| free < copying.bytes() + RESERVE)
            {
                tracing::warn!("too little room on the disk for what Desktops download from here");
                not_before = Instant::now() + PAUSE;
                continue;
            }
            match self
                .releases
                .copy_for_desktops(&copying, &to, &self.cancelled)
            {
                Ok(mirrored) => {
                    if mirrored.new_files > 0 {
                        tracing::info!(
                            files = mirrored.new_files,
                            bytes = mirrored.new_bytes,
                            "copied what Desktops download from here"
                        );
                    }
                    copied = Some(facts);
                }
                Err(Error::Interrupted) => {}
                Err(error) => {
                    tracing::warn!(
                        error = error.chain(),
                        "Desktops will find what was copied before"
                    );
                    not_before = Instant::now() + PAUSE;
                }
            }
        }
    }

    /// Waits; false when the engine ends meanwhile.
    fn goes_on_after(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while Instant::now() < until {
            if self.cancelled.load(Ordering::Relaxed) {
                return false;
            }
            std::thread::sleep(NOTICE);
        }
        true
    }

    /// The versions of the server that Desktops may have to follow soon: the installed one first, and the one before it.
    fn desktop_servers(&self) -> Option<Vec<Version>> {
        let installed = self.installed().ok()?;
        let before = self
            .hub
            .with_history(|history| Some(history.last_completed()?.from.clone()));
        let mut servers = vec![installed];
        servers.extend(before.filter(|before| !servers.contains(before)));
        Some(servers)
    }
}
