//! The three roles, each in a process of its own.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use obnova_engine::{Engine, Installation, Observer, Options};

use crate::output::Failed;
use crate::signals::asked_to_end;

/// How the engine's memory is managed (mallopt(3)). Otherwise each of its threads keeps what its largest release took, and
/// months of updates add up.
const MEMORY: [(&str, &str); 2] = [
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_TRIM_THRESHOLD_", "131072"),
];

/// Begins the same program anew with [`MEMORY`] in its environment, where that is read when a program begins; returns at once
/// where it is there, in this program or whoever started it.
fn manage_memory() -> anyhow::Result<()> {
    if MEMORY
        .iter()
        .all(|(name, _)| std::env::var_os(name).is_some())
    {
        return Ok(());
    }
    let error = std::process::Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .envs(MEMORY)
        .exec();
    // It works without, too.
    tracing::warn!(%error, "memory is managed as usual");
    Ok(())
}

/// The engine: threads, no async run time; the application outlives it.
pub fn engine(state: &Path) -> anyhow::Result<ExitCode> {
    manage_memory()?;
    engine_with(state, None).map(|()| ExitCode::SUCCESS)
}

/// An engine that tells somebody about every record of its journal.
pub fn engine_with(state: &Path, observer: Option<Observer>) -> anyhow::Result<()> {
    let installation = Installation::load(state).map_err(Failed)?;
    let program = std::env::current_exe()?.display().to_string();
    let options = Options {
        launcher: vec![program.clone(), super::LAUNCH.to_owned()],
        worker: vec![program, super::REHEARSE_WORKER.to_owned()],
        observer,
    };
    let engine = Engine::open(installation, options).map_err(Failed)?;
    let ending = Arc::clone(&engine);
    std::thread::spawn(move || {
        let waited = super::block_on(async {
            asked_to_end().await;
            Ok(())
        });
        if waited.is_ok() {
            ending.shut_down(false);
        }
    });
    obnova_engine::server::run(&engine).map_err(Failed)?;
    Ok(())
}

/// The Administration Centre.
pub fn center(state: &Path) -> anyhow::Result<ExitCode> {
    let installation = Installation::load(state).map_err(Failed)?;
    let options = obnova_center::Options {
        listen: installation.center.listen,
        state_dir: state.to_owned(),
        data_dir: installation.state_dir.join("center"),
        secure_cookies: installation
            .center
            .public_url
            .as_ref()
            .is_some_and(|url| url.starts_with("https:")),
        trusted_proxies: installation.center.trusted_proxies,
        public_url: installation.center.public_url,
    };
    multi_thread()?.block_on(obnova_center::run(options, asked_to_end()))?;
    Ok(ExitCode::SUCCESS)
}

/// The front.
pub fn front(state: &Path) -> anyhow::Result<ExitCode> {
    let installation = Installation::load(state).map_err(Failed)?;
    let options = obnova_front::Options {
        listen: installation.front.listen,
        state_dir: state.to_owned(),
        name: None,
    };
    multi_thread()?.block_on(obnova_front::run(options, asked_to_end()))?;
    Ok(ExitCode::SUCCESS)
}

fn multi_thread() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}
