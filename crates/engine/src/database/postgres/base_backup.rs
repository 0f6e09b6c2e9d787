//! Copies a running server's data with `pg_basebackup`, no faster than allowed.
//!
//! The server itself keeps to the rate, by the time of day: when the clock is set back meanwhile, it sleeps until it is as late
//! again as it was. So a copy during which that happened is begun anew.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use url::Url;

use super::cluster::Cluster;
use super::failure::Failure;
use super::place::Place;
use super::{clone, postmaster, programs, tools};

const TOOL: &str = "pg_basebackup";
/// Pause between two looks at how much was copied.
const LOOK: Duration = Duration::from_millis(500);
/// A clock that was set back by less makes the server sleep no longer than that.
const HARMLESS: Duration = Duration::from_secs(2);

/// Copies all data into the place. What was copied before is replaced.
pub(super) fn make(
    cluster: &Cluster,
    place: &Place,
    url: &Url,
    total: u64,
    progress: &mut dyn FnMut(u64, u64),
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    let program = place.launch.program.with_file_name(TOOL);
    let program = match program.is_file() {
        true => program,
        false => tools::find(TOOL, 0)?,
    };
    let progress = RefCell::new(progress);
    loop {
        let (clock, looked) = (Clock::now(), Cell::new(Instant::now()));
        let was_set_back = Cell::new(false);
        let watch = || {
            if looked.get().elapsed() > LOOK {
                looked.set(Instant::now());
                (progress.borrow_mut())(place.size().min(total), total);
                was_set_back.set(clock.was_set_back());
            }
            go_on() && !was_set_back.get()
        };
        let mut command = command(cluster, place, &program)?;
        command.arg("--dbname").arg(url.as_str());
        match tools::run(TOOL, command, &place.directory, &watch) {
            Err(Failure::Interrupted) if was_set_back.get() && go_on() => {
                tracing::warn!("the clock was set back while a standby was made; making it anew");
                postmaster::end_making(&place.copy())?;
                end_sender(cluster, place);
                clone::remove(&place.copy())?;
            }
            other => return other,
        }
    }
}

fn command(cluster: &Cluster, place: &Place, program: &Path) -> Result<Command, Failure> {
    let gentle = programs::gentle(program);
    let mut command = place
        .launch
        .command(Path::new(gentle.get_program()), cluster.owner()?);
    command
        .args(gentle.get_args())
        .args([
            "--wal-method=stream",
            "--checkpoint=fast",
            "--no-manifest",
            "--no-password",
        ])
        .args(["--label", &label(place)])
        .args(["--max-rate", &cluster.config().base_backup_rate, "--pgdata"])
        .arg(place.copy())
        .stderr(tools::log(&place.directory)?);
    Ok(command)
}

/// Names the backup; the server shows it in the title of the process that sends it.
fn label(place: &Place) -> String {
    let name = place.directory.file_name().unwrap_or_default();
    format!("obnova {}", name.display())
}

/// Ends the server's process that sleeps: it would not see before it wakes that nobody listens any more. A server that is set to
/// show no titles keeps it; it takes one of the server's places for replication until then.
fn end_sender(cluster: &Cluster, place: &Place) {
    let Some(server) = cluster.running() else {
        return;
    };
    let title = format!("sending backup \"{}\"", label(place));
    for pid in postmaster::children(server.pid) {
        let shown = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&shown).contains(&title) {
            // It may have ended by itself.
            let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::TERM));
        }
    }
}

/// What the time of day was at some instant.
struct Clock {
    instant: Instant,
    time: SystemTime,
}

impl Clock {
    fn now() -> Clock {
        Clock {
            instant: Instant::now(),
            time: SystemTime::now(),
        }
    }

    /// Whether it is earlier now than it would be if nobody had set the clock.
    fn was_set_back(&self) -> bool {
        SystemTime::now() + HARMLESS < self.time + self.instant.elapsed()
    }
}
