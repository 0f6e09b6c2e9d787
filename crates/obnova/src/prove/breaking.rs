//! An engine that ends itself at a moment, as a crash or a power cut would.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use obnova_engine::Moment;

use crate::commands::engine_with;

/// What happens at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// The engine is killed.
    Engine,
    /// The application is killed, and a migration that is running; the engine goes on.
    Application,
    /// All of them are killed.
    Everything,
}

impl Deed {
    /// All of them.
    pub(super) const ALL: [Deed; 3] = [Deed::Engine, Deed::Application, Deed::Everything];

    pub(super) fn name(self) -> &'static str {
        match self {
            Deed::Engine => "engine",
            Deed::Application => "application",
            Deed::Everything => "everything",
        }
    }

    /// Whether the engine survives it.
    pub(super) fn spares_engine(self) -> bool {
        self == Deed::Application
    }

    fn act(self, state: &Path) {
        if self != Deed::Engine {
            kill_recorded(&state.join("service.json"));
            kill_recorded(&state.join("migration.json"));
        }
        if self != Deed::Application {
            let own = rustix::process::getpid();
            let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
        }
    }
}

/// Runs the role: state directory, `before` or `after`, the number of a record, and the name of a deed.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match parse(arguments).map(|(state, moment, deed)| serve(&state, moment, deed)) {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
        None => ExitCode::FAILURE,
    }
}

fn parse(mut arguments: impl Iterator<Item = OsString>) -> Option<(PathBuf, Moment, Deed)> {
    let state = PathBuf::from(arguments.next()?);
    let when = arguments.next()?;
    let number = arguments.next()?.to_str()?.parse().ok()?;
    let moment = match when.to_str()? {
        "before" => Moment::Before(number),
        "after" => Moment::After(number),
        _ => return None,
    };
    let name = arguments.next()?;
    let deed = Deed::ALL
        .into_iter()
        .find(|deed| name.to_str() == Some(deed.name()))?;
    Some((state, moment, deed))
}

fn serve(state: &Path, at: Moment, deed: Deed) -> anyhow::Result<()> {
    let place = state.to_owned();
    engine_with(
        state,
        Some(Box::new(move |moment| {
            if moment == at {
                deed.act(&place);
            }
        })),
    )
}

/// Kills the process group that a record of the engine's names. Its processes lead groups of their own.
fn kill_recorded(record: &Path) {
    let read = || -> Option<rustix::process::Pid> {
        let bytes = std::fs::read(record).ok()?;
        let record: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
        rustix::process::Pid::from_raw(i32::try_from(record["pid"].as_i64()?).ok()?)
    };
    if let Some(pid) = read() {
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
}
