//! The three roles, each in a process of its own.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use obnova_engine::{Engine, Installation, Observer, Options};

use crate::output::Failed;
use crate::signals::asked_to_end;

/// The engine: threads, no async run time; the application outlives it.
pub fn engine(state: &Path) -> anyhow::Result<ExitCode> {
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
