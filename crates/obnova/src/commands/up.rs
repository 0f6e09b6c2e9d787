//! All three roles together: each a child process, started again when it dies, all ended together with the application.

use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use obnova_engine::Installation;
use obnova_engine::api::Request;
use obnova_engine::client::Client;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use tokio::process::{Child, Command};

use crate::output::Failed;
use crate::signals::asked_to_end;

/// The roles, in the order of starting.
const ROLES: [&str; 3] = ["engine", "center", "front"];
/// A role that lived this long is started again at once.
const STABLE: Duration = Duration::from_secs(10);
/// Longest pause before a role is started again; requests may be held for as long.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long roles may take to end when asked.
const END_PATIENCE: Duration = Duration::from_secs(30);

/// Tells a role which process has started it.
const STARTER: &str = "OBNOVA_UP";

/// Has a role end when the `up` that started it is gone, however that went: the next `up` needs the engine's lock and the ports.
///
/// # Errors
/// It is gone already.
pub fn end_with_up() -> anyhow::Result<()> {
    let Ok(starter) = std::env::var(STARTER) else {
        return Ok(());
    };
    set_parent_process_death_signal(Some(Signal::TERM))?;
    let parent = getppid().map(|parent| parent.as_raw_nonzero().to_string());
    anyhow::ensure!(parent == Some(starter), "obnova up has ended");
    Ok(())
}

/// Runs until asked to end.
pub fn run(state: &Path) -> anyhow::Result<ExitCode> {
    let installation = Installation::load(state).map_err(Failed)?;
    // A wrong configuration is told here once, rather than by three roles for ever.
    tracing::info!(front = %installation.front.listen, center = %installation.center.listen, "starting");
    super::block_on(supervise(state))
}

async fn supervise(state: &Path) -> anyhow::Result<ExitCode> {
    let (end, ended) = tokio::sync::watch::channel(false);
    let mut keepers = tokio::task::JoinSet::new();
    for role in ROLES {
        keepers.spawn(keep(role, state.to_owned(), ended.clone()));
    }
    asked_to_end().await;
    tracing::info!("ending");
    // The engine ends the application and then itself; the others just end.
    let client = Client::new(state);
    let answered = client
        .call(&Request::Shutdown {
            stop_application: true,
        })
        .await;
    if let Err(problem) = answered {
        tracing::warn!(
            code = problem.code,
            detail = problem.detail,
            "the engine could not be asked to end"
        );
    }
    end.send(true)?;
    while keepers.join_next().await.is_some() {}
    Ok(ExitCode::SUCCESS)
}

/// Keeps one role running until all are to end.
async fn keep(
    role: &'static str,
    state: std::path::PathBuf,
    mut ended: tokio::sync::watch::Receiver<bool>,
) {
    let mut pause = Duration::from_millis(200);
    while !*ended.borrow() {
        let began = Instant::now();
        match start(role, &state) {
            Ok(mut child) => {
                tokio::select! {
                    status = child.wait() => tracing::error!(role, ?status, "a role has ended and is started again"),
                    _ = ended.changed() => return finish(role, child).await,
                }
            }
            Err(error) => tracing::error!(role, %error, "a role could not be started"),
        }
        pause = if began.elapsed() > STABLE {
            Duration::from_millis(200)
        } else {
            (pause * 2).min(LONGEST_PAUSE)
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = ended.changed() => return,
        }
    }
}

fn start(role: &str, state: &Path) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    // A group of its own: Ctrl-C in a terminal is for this process, which then ends the roles in order.
    command
        .arg(role)
        .arg("--state")
        .arg(state)
        .env(STARTER, std::process::id().to_string())
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    command.spawn()
}

async fn finish(role: &str, mut child: Child) {
    if let Some(pid) = child
        .id()
        .and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()))
        && role != "engine"
    {
        // It may have ended meanwhile: that is what is wanted.
        let _ = rustix::process::kill_process(pid, Signal::TERM);
    }
    if tokio::time::timeout(END_PATIENCE, child.wait())
        .await
        .is_err()
    {
        tracing::warn!(role, "a role did not end and is killed");
        let _ = child.kill().await;
    }
}
