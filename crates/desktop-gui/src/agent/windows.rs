//! The agent on Windows: looks regularly whether another version belongs here, and opens the dialog once for each. It has no icon
//! beside the clock yet.
//!
//! It decides nothing and keeps nothing: killed, it knows all of it again after its next look. Whoever removes the installation asks
//! it to end, as Windows removes no program that runs.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use obnova_desktop::{Desktop, Error, Followed, Schedule};
use semver::Version;

use crate::window::Setting;

/// How often it is looked whether the agent has to end.
const LOOK: Duration = Duration::from_secs(1);

/// How the agent is started.
#[derive(Debug)]
pub struct Options {
    /// The installation.
    pub desktop: Arc<Desktop>,
    /// Language and looks, also of the windows that it opens.
    pub setting: Setting,
    /// The time between two looks; nothing: as the policy says.
    pub every: Option<Duration>,
}

/// Runs the agent until the session ends, or the installation is removed. A second one of the same installation ends at once.
///
/// # Errors
/// A text for the user: the disk refuses.
pub fn run(options: Options) -> Result<(), String> {
    let desktop = &options.desktop;
    let text = options.setting.text();
    let alone = desktop.only_agent();
    let alone = alone.map_err(|error: Error| error.texts(text).join("\n"))?;
    let Some(_alone) = alone else { return Ok(()) };
    let mut schedule = match options.every {
        Some(every) => Schedule::every(every),
        None => desktop.schedule(),
    };
    let mut told: Option<Version> = None;
    loop {
        let worked = match desktop.follow(&mut |_, _| ()) {
            Ok(Followed::Offered(found)) => {
                let wanted = found.wanted.map(|wanted| wanted.version);
                if wanted != told {
                    open(&options);
                    told = wanted;
                }
                true
            }
            Ok(Followed::Right | Followed::Applied(_)) => {
                told = None;
                true
            }
            Err(error) => {
                tracing::info!(%error, "the look at the server failed");
                false
            }
        };
        let until = Instant::now() + schedule.after(worked);
        while Instant::now() < until {
            if desktop.is_agent_asked_to_end() {
                return Ok(());
            }
            std::thread::sleep(LOOK.min(until.saturating_duration_since(Instant::now())));
        }
    }
}

/// Opens the dialog, as a program of its own: its end is none of the agent's. Two of them are never open.
fn open(options: &Options) {
    let setting = options.setting;
    let opened = std::env::current_exe().and_then(|program| {
        let mut command = Command::new(program);
        command
            .arg("--root")
            .arg(options.desktop.layout().root())
            .args(["--lang", setting.lang.tag()])
            .args(["--scale", &setting.scale.to_string()])
            .stdin(Stdio::null());
        if let Some(dark) = setting.dark {
            command.args(["--theme", if dark { "dark" } else { "light" }]);
        }
        if setting.contrast == Some(true) {
            command.arg("--contrast");
        }
        command.arg("update").spawn()
    });
    if let Err(error) = opened {
        tracing::warn!(%error, "the window could not be opened");
    }
}
