//! What every case does: begin a rehearsal, wait for its end, and look that nothing is left of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use obnova_engine::api::{
    Answer, Offer, Rehearsal, RehearsalOutcome, RehearsalSettings, Rehearsing, Request, StepStatus,
};

use crate::fixture::{Release, Try, release};

/// How long anything may take before it is a failure.
const PATIENCE: Duration = Duration::from_secs(90);

/// A good release newer than all others, so that it is the one that is offered.
pub const NEWEST: Release = release("2.0.0", 2, &[], &[]);

/// An installation that serves and holds a little, with this release besides.
pub fn started(more: &Release) -> Result<Try> {
    let mut it = Try::new()?;
    it.publish(more)?;
    it.start(None)?;
    it.write("one")?;
    it.write("two")?;
    it.check()?;
    Ok(it)
}

/// Where everything of a rehearsal lies.
pub fn place(it: &Try) -> PathBuf {
    it.state_dir().join("rehearsal")
}

/// Asks for a rehearsal.
pub fn begin(it: &Try, version: &str) -> Result<()> {
    let request = Request::Rehearse {
        version: Some(version.parse()?),
        actor: "test".to_owned(),
    };
    match it.ask(&request)? {
        Answer::State(state) => {
            ensure!(state.rehearsing.is_some(), "it has not begun");
            Ok(())
        }
        other => bail!("unexpected answer {other:?}"),
    }
}

/// The rehearsal that runs.
pub fn running(it: &Try) -> Result<Option<Rehearsing>> {
    Ok(it.state()?.rehearsing)
}

/// Waits until this step runs, or has done, if it is quick.
pub fn reached(it: &Try, step: &str) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let rehearsing = running(it)?.with_context(|| format!("it ended before {step}"))?;
        let is_there = |it: &obnova_engine::api::StepState| {
            it.step == step && it.status != StepStatus::Waiting
        };
        if rehearsing.steps.iter().any(is_there) {
            return Ok(());
        }
        ensure!(
            Instant::now() < until,
            "{step} was not reached: {rehearsing:?}"
        );
    }
}

/// Waits until none runs and nothing is left of its clone.
pub fn gone(it: &Try) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while running(it)?.is_some() || place(it).exists() {
        ensure!(
            Instant::now() < until,
            "it does not end: {:?}\n{}",
            running(it)?,
            it.engine_log()
        );
        sleep(Duration::from_millis(20));
    }
    ensure!(processes(it)?.is_empty(), "{:?} still run", processes(it)?);
    Ok(())
}

/// Processes that have the clone's path in their command line, with that.
pub fn processes(it: &Try) -> Result<BTreeMap<i32, String>> {
    let path = place(it).display().to_string();
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&path) {
            found.insert(pid, line);
        }
    }
    Ok(found)
}

/// The result of this version's newest rehearsal.
pub fn result(it: &Try, version: &str) -> Result<Rehearsal> {
    let path = it.state_dir().join(format!("rehearsals/{version}.json"));
    let bytes = std::fs::read(&path).with_context(|| format!("{}", path.display()))?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// Rehearses to the end.
pub fn rehearse(it: &Try, version: &str) -> Result<Rehearsal> {
    begin(it, version)?;
    gone(it)?;
    result(it, version)
}

/// Rehearses to the end, which must be this one.
pub fn rehearse_to(it: &Try, version: &str, outcome: RehearsalOutcome) -> Result<Rehearsal> {
    let rehearsal = rehearse(it, version)?;
    ensure!(
        rehearsal.outcome == outcome,
        "{rehearsal:#?}\n{}\n{}",
        log(it, version)?.join("\n"),
        it.engine_log()
    );
    Ok(rehearsal)
}

/// The code of a rehearsal's problem.
pub fn code(rehearsal: &Rehearsal) -> &str {
    rehearsal
        .problem
        .as_ref()
        .map_or("none", |problem| &problem.code)
}

/// What was said in this version's newest rehearsal.
pub fn log(it: &Try, version: &str) -> Result<Vec<String>> {
    let version = version.parse()?;
    match it.ask(&Request::RehearsalLog { version })? {
        Answer::Log { lines } => Ok(lines),
        other => bail!("unexpected answer {other:?}"),
    }
}

/// What is offered.
pub fn offer(it: &Try) -> Result<Offer> {
    let check = it.state()?.check.context("nobody has looked")?;
    check.offer.context("nothing is offered")
}

/// Changes the settings for rehearsals.
pub fn set(it: &Try, rehearsal: RehearsalSettings) -> Result<()> {
    let Answer::Settings(mut settings) = it.ask(&Request::Settings)? else {
        bail!("no settings");
    };
    settings.rehearsal = rehearsal;
    it.ask(&Request::Configure(settings))?;
    Ok(())
}

/// Somebody who uses the application all the time.
pub struct User {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(u64, u64, Duration)>,
}

impl User {
    /// Begins to.
    pub fn of(it: &Try) -> Result<User> {
        let address = it.settled()?.serving.context("it does not serve")?;
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut good, mut bad, mut longest) = (0, 0, Duration::ZERO);
            while !told.load(Ordering::Relaxed) {
                let began = Instant::now();
                match get(address) {
                    Ok(()) => good += 1,
                    Err(_) => bad += 1,
                }
                longest = longest.max(began.elapsed());
                sleep(Duration::from_millis(5));
            }
            (good, bad, longest)
        });
        Ok(User { stop, thread })
    }

    /// How many answers there were, and the longest wait; none may have failed.
    pub fn served(self) -> Result<String> {
        self.stop.store(true, Ordering::Relaxed);
        let (good, bad, longest) = self.thread.join().map_err(|_| anyhow::anyhow!("a panic"))?;
        ensure!(
            bad == 0 && good > 0,
            "{bad} of {} requests failed",
            good + bad
        );
        Ok(format!(
            "{good} requests served, the slowest in {longest:.0?}"
        ))
    }
}

fn get(address: std::net::SocketAddr) -> Result<()> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(())
}
