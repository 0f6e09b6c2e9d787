//! The engine of an installation on trial, as a process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use obnova_engine::api::{Answer, Phase, Request, State};
use obnova_engine::client::Client;
use obnova_engine::{Moment, problem};
use semver::Version;

use super::breaking::Deed;
use super::place::failed;

/// How long a running engine may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// An engine that is idle for so long has nothing more to do.
const SETTLED: Duration = Duration::from_millis(600);

/// A running engine. Killed, with its application, when dropped.
pub(super) struct Subject {
    state: PathBuf,
    engine: Option<Child>,
    client: Client,
    runtime: tokio::runtime::Runtime,
    /// The longest that an update and its undoing may take.
    patience: Duration,
}

impl Subject {
    pub(super) fn of(state: &Path, patience: Duration) -> Result<Subject> {
        Ok(Subject {
            state: state.to_owned(),
            engine: None,
            client: Client::new(state),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            patience,
        })
    }

    /// Starts the engine as every customer's is started.
    pub(super) fn start(&mut self) -> Result<()> {
        self.spawn(|command, state| {
            command.arg("engine").arg("--state").arg(state);
        })
    }

    /// Starts one that breaks itself off.
    pub(super) fn start_to_break(&mut self, moment: Moment, deed: Deed) -> Result<()> {
        let (when, number) = match moment {
            Moment::Before(number) => ("before", number),
            Moment::After(number) => ("after", number),
        };
        self.spawn(|command, state| {
            command.arg(super::ROLE).arg(state);
            command.args([when, &number.to_string(), deed.name()]);
        })
    }

    fn spawn(&mut self, arguments: impl FnOnce(&mut Command, &Path)) -> Result<()> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.state.with_file_name("engine.log"))?;
        let mut command = Command::new(std::env::current_exe()?);
        arguments(&mut command, &self.state);
        let engine = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.engine = Some(engine);
        Ok(())
    }

    fn ask(&self, request: &Request) -> Result<Answer> {
        let until = Instant::now() + ANSWERS_WITHIN;
        loop {
            match self.runtime.block_on(self.client.call(request)) {
                Err(problem)
                    if problem.code == problem::ENGINE_UNREACHABLE && Instant::now() < until =>
                {
                    sleep(LOOK);
                }
                other => return other.map_err(|problem| failed(&problem)),
            }
        }
    }

    pub(super) fn state(&self) -> Result<State> {
        match self.ask(&Request::State)? {
            Answer::State(state) => Ok(*state),
            other => bail!("unexpected answer {other:?}"),
        }
    }

    /// Has the engine look for the release.
    pub(super) fn look(&self) -> Result<()> {
        self.ask(&Request::Check).map(drop)
    }

    /// Asks for the update; an engine that dies of it is what is wanted.
    pub(super) fn install(&self, version: &Version) -> Result<()> {
        self.ask_for(&Request::Install {
            version: Some(version.clone()),
            actor: "prove".to_owned(),
            // It has failed here before, many times.
            insist: true,
        })
    }

    /// Asks for the way back from this update.
    pub(super) fn revert(&self, update: u64) -> Result<()> {
        self.ask_for(&Request::Revert {
            update,
            actor: "prove".to_owned(),
        })
    }

    fn ask_for(&self, request: &Request) -> Result<()> {
        match self.runtime.block_on(self.client.call(request)) {
            Err(problem) if problem.code != problem::ENGINE_UNREACHABLE => Err(failed(&problem)),
            _ => Ok(()),
        }
    }

    /// Waits until nothing runs and the application serves.
    pub(super) fn settled(&self) -> Result<State> {
        let until = Instant::now() + self.patience;
        loop {
            let state = self.state()?;
            if is_settled(&state) {
                return Ok(state);
            }
            ensure!(
                Instant::now() < until,
                "it does not come to rest within {} s: {state:?}",
                self.patience.as_secs()
            );
            sleep(LOOK);
        }
    }

    /// Waits until the engine is dead (`true`), or has come to rest without having died.
    pub(super) fn ends_or_settles(&mut self) -> Result<bool> {
        let until = Instant::now() + self.patience;
        let mut rests_since = None::<Instant>;
        loop {
            let engine = self.engine.as_mut().context("no engine")?;
            if engine.try_wait()?.is_some() {
                self.engine = None;
                return Ok(true);
            }
            let answer = self.runtime.block_on(self.client.call(&Request::State));
            let rests = matches!(answer, Ok(Answer::State(state)) if is_settled(&state));
            match (rests, rests_since) {
                (true, Some(since)) if since.elapsed() > SETTLED => return Ok(false),
                (true, None) => rests_since = Some(Instant::now()),
                (true, Some(_)) => {}
                (false, _) => rests_since = None,
            }
            ensure!(
                Instant::now() < until,
                "it neither ends nor comes to rest within {} s",
                self.patience.as_secs()
            );
            sleep(LOOK);
        }
    }

    /// The address of the application itself.
    pub(super) fn address(&self) -> Result<SocketAddr> {
        self.settled()?.serving.context("it does not serve")
    }

    /// Ends engine and application in peace.
    pub(super) fn stop(&mut self) -> Result<()> {
        self.ask(&Request::Shutdown {
            stop_application: true,
        })?;
        let mut engine = self.engine.take().context("no engine")?;
        let status = engine.wait()?;
        ensure!(status.success(), "the engine ended with {status}");
        Ok(())
    }
}

fn is_settled(state: &State) -> bool {
    state.phase == Phase::Idle && state.serving.is_some()
}

impl Drop for Subject {
    fn drop(&mut self) {
        // After an error only: what is left is looked at, and nothing of it should go on running.
        if self.engine.is_some()
            && self.stop().is_err()
            && let Some(mut engine) = self.engine.take()
        {
            let _ = engine.kill();
            let _ = engine.wait();
        }
    }
}
