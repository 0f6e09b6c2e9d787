//! The wire between the processes of an installation and the harness: each of their changes to the disk is told before and after
//! it is made, and waits for the answer.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use obnova_release::durable::{self, Act, Observer, Verdict};
use serde::{Deserialize, Serialize};

use crate::moment::When;

/// A change to the disk, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The process that makes it.
    pub pid: u32,
    /// Before or after.
    pub when: When,
    /// What it does, such as `rename`.
    pub kind: String,
    /// To which path.
    pub path: PathBuf,
}

impl Change {
    /// Whether it writes a record of the journal.
    pub fn is_record(&self) -> bool {
        self.kind == "append" && self.path.ends_with("journal.jsonl")
    }
}

/// What becomes of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is made.
    Go,
    /// It is not made, and nobody notices.
    Skip,
    /// A record of the journal is written with the next one only.
    Late,
    /// It fails with this error number.
    Fail(i32),
}

/// Observes this process for the harness that listens on `socket`.
pub fn observe(socket: &Path) {
    durable::observe(Box::new(Teller {
        socket: socket.to_owned(),
    }));
}

struct Teller {
    socket: PathBuf,
}

thread_local! {
    /// One for each thread: those that are not at the moment of a fault go on meanwhile.
    static WIRE: RefCell<Option<BufReader<UnixStream>>> = const { RefCell::new(None) };
}

impl Teller {
    /// Without a harness, or without file handles for asking it, all goes on.
    fn tell(&self, act: Act<'_>, when: When) -> Answer {
        let change = Change {
            pid: std::process::id(),
            when,
            kind: format!("{:?}", act.kind).to_lowercase(),
            path: act.path.to_owned(),
        };
        let asked = WIRE.try_with(|wire| {
            let mut wire = wire.borrow_mut();
            if wire.is_none() {
                *wire = Some(BufReader::new(UnixStream::connect(&self.socket).ok()?));
            }
            let answer = wire.as_mut().and_then(|wire| ask(wire, &change).ok());
            if answer.is_none() {
                *wire = None;
            }
            answer
        });
        asked.ok().flatten().unwrap_or(Answer::Go)
    }
}

fn ask(wire: &mut BufReader<UnixStream>, change: &Change) -> Result<Answer> {
    let mut line = serde_json::to_vec(change)?;
    line.push(b'\n');
    wire.get_mut().write_all(&line)?;
    let mut answer = String::new();
    wire.read_line(&mut answer)?;
    Ok(serde_json::from_str(&answer)?)
}

impl Observer for Teller {
    fn before(&self, act: Act<'_>) -> Verdict {
        match self.tell(act, When::Before) {
            Answer::Go => Verdict::Do,
            Answer::Skip => Verdict::Skip,
            Answer::Late => Verdict::Late,
            Answer::Fail(number) => Verdict::Fail(number),
        }
    }

    fn after(&self, act: Act<'_>) {
        self.tell(act, When::After);
    }
}

/// Who is told of changes.
pub trait Listener: Send + Sync {
    /// A change is about to be made; its number is told again after it.
    fn before(&self, change: &Change) -> (u64, Answer);

    /// It has been made.
    fn after(&self, number: u64, change: &Change);
}

/// Listens on `socket` for the life of this process.
///
/// # Errors
/// The socket cannot be made.
pub fn listen(socket: &Path, listener: Arc<dyn Listener>) -> Result<()> {
    let server = UnixListener::bind(socket).with_context(|| socket.display().to_string())?;
    std::thread::spawn(move || {
        for stream in server.incoming().flatten() {
            let listener = Arc::clone(&listener);
            std::thread::spawn(move || {
                // Its process has ended, however that came about.
                let _ = serve(stream, listener.as_ref());
            });
        }
    });
    Ok(())
}

fn serve(stream: UnixStream, listener: &dyn Listener) -> Result<()> {
    let mut answers = stream.try_clone()?;
    // Changes that are made within another one.
    let mut open = Vec::new();
    for line in BufReader::new(stream).lines() {
        let change: Change = serde_json::from_str(&line?)?;
        let answer = match change.when {
            When::Before => {
                let (number, answer) = listener.before(&change);
                open.push(number);
                answer
            }
            When::After => {
                let number = open.pop().unwrap_or_default();
                listener.after(number, &change);
                Answer::Go
            }
        };
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        answers.write_all(&line)?;
    }
    Ok(())
}
