//! The service of an installation that all users of a computer share: the one process that may change it.
//!
//! Whoever can open its socket may ask for two things: what is here (`status`), and that the version that belongs to the server
//! be given to all users (`apply`). A caller hands over a version's number and nothing else: no file, no path, no address. The
//! service asks the server itself, verifies what the vendor has signed from its own `root.json`, downloads into directories that
//! nobody else can write to, looks at the whole tree once more, and only then replaces `state/machine.json`. A version that does
//! not belong to the server, or is below the vendor's minimum, is refused, whoever asks.
//!
//! ```text
//! {"ask":"apply","version":"1.1.0"}      {"progress":{"done":4096,"total":70000}} ... {"applied":{"version":"1.1.0"}}
//! {"ask":"status"}                       {"status":{"product":"crm","current":"1.1.0",...}}
//!                                        {"error":{"code":"below-minimum","args":{...},"detail":null}}
//! ```
//!
//! One line each way, and progress between; then the connection is closed.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use obnova_release::durable::{self, Lock};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::desktop::Desktop;
use crate::error::{Code, Error};
use crate::layout::Layout;

pub(crate) mod apply;
mod limits;
mod protocol;
mod units;

pub use protocol::{Answer, Request, Said, Shared};
pub use units::Units;

use limits::Limits;

/// The longest request, bytes.
const LONGEST: u64 = 1024;
/// How long a caller may take for its request, and to hear an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// By the listening socket that is its standard input: how systemd starts it, and only while somebody asks.
    Input,
    /// By a socket that it makes.
    At(PathBuf),
}

#[derive(Debug)]
struct Service {
    root: PathBuf,
    socket: PathBuf,
    limits: Mutex<Limits>,
    /// One change at a time.
    applying: Mutex<()>,
}

/// Serves until it is ended or, where systemd would start it again, until nobody has asked for `idle`.
///
/// # Errors
/// The installation is none that users share, others could write to it, or there is no socket.
pub fn serve(root: &Path, reached: &Reached, idle: Option<Duration>) -> Result<(), Error> {
    // What it makes is for all to read, whatever it was started with.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let desktop = Desktop::of_machine(root)?;
    apply::only_ours(desktop.layout())?;
    let (listener, _lock) = match reached {
        Reached::Input => (given()?, None),
        Reached::At(path) => {
            let (listener, lock) = made(desktop.layout(), path)?;
            (listener, Some(lock))
        }
    };
    let address = listener.local_addr()?;
    let socket = address.as_pathname().unwrap_or(Path::new("")).to_owned();
    let service = Arc::new(Service {
        root: root.to_owned(),
        socket,
        limits: Mutex::default(),
        applying: Mutex::default(),
    });
    while wait(&listener, idle, &service)? {
        let Ok((stream, _)) = listener.accept() else {
            continue;
        };
        let service = Arc::clone(&service);
        // Where no thread can be had, the caller hears nothing, and asks again.
        let _ = std::thread::Builder::new().spawn(move || service.answer(&stream));
    }
    Ok(())
}

/// The socket that systemd made.
fn given() -> Result<UnixListener, Error> {
    let input = std::io::stdin().as_fd().try_clone_to_owned()?;
    let listens = rustix::net::sockopt::socket_acceptconn(&input).unwrap_or(false);
    match listens {
        true => Ok(UnixListener::from(input)),
        false => {
            Err(Error::new(Code::NoService).detail("standard input is no socket that listens"))
        }
    }
}

/// A socket of its own, for everybody on this computer. What a killed one has left is replaced; one that lives is not.
fn made(layout: &Layout, path: &Path) -> Result<(UnixListener, Lock), Error> {
    let lock = Lock::try_take(&layout.root().join("state/service.lock"))?;
    if let Some(directory) = path.parent() {
        durable::create_dir_all(directory)?;
    }
    durable::remove_file(path)?;
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
    Ok((listener, lock))
}

/// Waits for a caller; `false` when there was none for long and nothing is under way.
fn wait(listener: &UnixListener, idle: Option<Duration>, service: &Service) -> Result<bool, Error> {
    let timeout = idle.map(|idle| Timespec {
        tv_sec: idle.as_secs().cast_signed(),
        tv_nsec: i64::from(idle.subsec_nanos()),
    });
    loop {
        let mut watched = [PollFd::new(listener, PollFlags::IN)];
        match poll(&mut watched, timeout.as_ref()) {
            Ok(0) if service.is_idle() => return Ok(false),
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(std::io::Error::from(error).into()),
        }
    }
}

impl Service {
    fn is_idle(&self) -> bool {
        let limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.is_idle()
    }

    /// Hears one caller out. Who it is the kernel says; it matters only for how often it may ask.
    fn answer(&self, stream: &UnixStream) {
        let Ok(user) = rustix::net::sockopt::socket_peercred(stream).map(|it| it.uid.as_raw())
        else {
            return;
        };
        let answer = |answer: &Answer| {
            let mut stream = stream;
            stream.write_all(&answer.line()).is_ok()
        };
        let admitted = {
            let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
            limits.admit(user, Instant::now())
        };
        let _ = stream.set_write_timeout(Some(PATIENCE));
        if !admitted {
            answer(&Answer::error(&Error::new(Code::TooOften)));
            return;
        }
        let said = match heard(stream) {
            Ok(Request::Status {}) => self.status().map(Answer::Status),
            Ok(Request::Apply { version }) => {
                eprintln!("user {user} asks for version {version}");
                let given_up = AtomicBool::new(false);
                let mut progress = |done, total| {
                    if !answer(&Answer::Progress { done, total }) {
                        given_up.store(true, Ordering::Relaxed);
                    }
                };
                self.apply(&version, &mut progress, &given_up)
                    .map(|()| Answer::Applied { version })
            }
            Err(error) => Err(error),
        };
        if let Err(error) = &said {
            eprintln!("user {user} is refused: {error}");
        }
        answer(&said.unwrap_or_else(|error| Answer::error(&error)));
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.leave(user);
    }
}

/// One line, of a caller who may be slow, or never come to its end.
fn heard(stream: &UnixStream) -> Result<Request, Error> {
    let until = Instant::now() + PATIENCE;
    let wrong = |detail: String| Error::new(Code::NoService).detail(detail);
    let mut input = BufReader::new(stream.take(LONGEST));
    let mut line = Vec::new();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(wrong("the request does not come to its end".into()));
        }
        stream.set_read_timeout(Some(left))?;
        let (found, count) = match input.fill_buf() {
            Ok([]) => break,
            Ok(read) => {
                let end = read.iter().position(|byte| *byte == b'\n');
                line.extend_from_slice(&read[..end.unwrap_or(read.len())]);
                (end.is_some(), end.map_or(read.len(), |end| end + 1))
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut
                ) =>
            {
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        input.consume(count);
        if found {
            return serde_json::from_slice(&line).map_err(|error| wrong(error.to_string()));
        }
    }
    Err(wrong("the request is cut off, or too long".into()))
}
