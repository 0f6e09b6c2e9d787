//! The engine's socket: a thread a connection, lines of JSON. Who may ask for what is in `peer.rs`.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::api::{Answer, Problem, Request, SOCKET_NAME, TrafficReport};
use crate::durable;
use crate::engine::Engine;
use crate::hub::Position;
use crate::peer::{Peer, Role};
use crate::problem;

/// Longest request.
const MAX_REQUEST: u64 = 1 << 20;
/// Longest report of a front.
const MAX_REPORT: u64 = 4096;
/// Connections at once; more than any centre, front and command line need.
pub(crate) const MAX_CONNECTIONS: usize = 256;
/// How often a follower's connection is looked at when there is nothing to tell it.
const LOOK: Duration = Duration::from_secs(2);
/// How long a peer may take to send its request or to take an answer.
const PEER_PATIENCE: Duration = Duration::from_secs(30);
/// How long whoever is refused waits for the answer: nobody fills the log by asking again and again.
const REFUSAL_DELAY: Duration = Duration::from_millis(200);

/// How long the thread that copies for Desktops is waited for at the end.
const LETTING_GO: Duration = Duration::from_secs(1);

/// Runs an engine on its socket until it is told to end.
///
/// # Errors
/// `system`: the socket cannot be made.
pub fn run(engine: &Arc<Engine>) -> Result<(), Problem> {
    engine.sweep();
    let path = engine.installation.state_dir.join(SOCKET_NAME);
    let listener = bind(&path).map_err(|error| {
        Problem::new(problem::SYSTEM)
            .arg("path", path.display())
            .detail(error)
    })?;
    let acceptor = Arc::clone(engine);
    thread::spawn(move || accept(&listener, &acceptor));
    let rehearser = Arc::clone(engine);
    thread::spawn(move || rehearser.rehearse());
    let keeper = Arc::clone(engine);
    let keeping = thread::spawn(move || keeper.keep_desktops());
    let sweeper = Arc::clone(engine);
    thread::spawn(move || sweeper.empty_trash());
    engine.work();
    engine.rehearsals.close();
    engine.leave_trash();
    // It lets go of the engine, and so of its lock, soon after it was told to end; a file that it is copying ends with the process.
    let until = Instant::now() + LETTING_GO;
    while !keeping.is_finished() && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
    // Followers have been let go; give their last lines a moment to leave.
    thread::sleep(Duration::from_millis(50));
    if let Err(error) = durable::remove_file(&path) {
        tracing::warn!(%error, "the socket could not be removed");
    }
    Ok(())
}

/// The lock is ours, so a socket that is there is a dead engine's.
fn bind(path: &PathBuf) -> std::io::Result<UnixListener> {
    durable::remove_file(path)?;
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

fn accept(listener: &UnixListener, engine: &Arc<Engine>) {
    let connections = Connections::default();
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            // Out of file handles, most likely: that passes.
            thread::sleep(Duration::from_millis(100));
            continue;
        };
        let peer = match Peer::of(&stream, &engine.installation.access) {
            Ok(peer) => peer,
            Err(error) => {
                tracing::warn!(%error, "a connection of nobody knows whom is refused");
                continue;
            }
        };
        let Some(place) = connections.take(peer.role) else {
            tracing::warn!(uid = peer.uid, pid = peer.pid, role = ?peer.role, "too many connections; one is refused");
            continue;
        };
        let engine = Arc::clone(engine);
        let serve = move || {
            let _place = place;
            if let Err(error) = serve(stream, &peer, &engine) {
                tracing::debug!(%error, "a connection ended");
            }
        };
        // No thread to be had: the connection is closed, and its place free again.
        let _ = thread::Builder::new()
            .name("connection".to_owned())
            .spawn(serve);
    }
}

/// The roles of all that are connected.
#[derive(Clone, Default)]
struct Connections(Arc<Mutex<Vec<Role>>>);

impl Connections {
    /// A place for one more, unless there are too many, of this role or together.
    fn take(&self, role: Role) -> Option<Place> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = all.iter().filter(|other| **other == role).count();
        if all.len() >= MAX_CONNECTIONS || same >= role.connections() {
            return None;
        }
        all.push(role);
        Some(Place {
            connections: self.clone(),
            role,
        })
    }
}

/// One connection's place; given back when dropped.
struct Place {
    connections: Connections,
    role: Role,
}

impl Drop for Place {
    fn drop(&mut self) {
        let all = self.connections.0.lock();
        let mut all = all.unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = all.iter().position(|role| *role == self.role) {
            all.swap_remove(at);
        }
    }
}

fn serve(mut stream: UnixStream, peer: &Peer, engine: &Engine) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PEER_PATIENCE))?;
    stream.set_write_timeout(Some(PEER_PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.by_ref().take(MAX_REQUEST).read_line(&mut line)?;
    let request = match serde_json::from_str(&line) {
        Ok(request) => request,
        Err(error) => {
            let problem = Problem::new(problem::BAD_REQUEST).detail(error);
            return send(&mut stream, &Answer::Problem(problem));
        }
    };
    if let Err(problem) = peer.allow(&request, &engine.installation) {
        thread::sleep(REFUSAL_DELAY);
        return send(&mut stream, &Answer::Problem(problem));
    }
    match request {
        Request::Events { after, follow } => events(&mut stream, engine, after, follow),
        Request::Traffic => traffic(&stream, reader, engine),
        request => send(&mut stream, &peer.answer(engine.answer(request))),
    }
}

fn send(stream: &mut UnixStream, message: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stream.write_all(&line)
}

fn events(
    stream: &mut UnixStream,
    engine: &Engine,
    after: u64,
    follow: bool,
) -> std::io::Result<()> {
    let mut position = Position::after(after);
    let patience = if follow { LOOK } else { Duration::ZERO };
    while let Some(lines) = engine.hub.after(&mut position, patience) {
        for line in &lines {
            send(stream, line)?;
        }
        if !follow || (lines.is_empty() && is_gone(stream)?) {
            break;
        }
    }
    Ok(())
}

/// Whether the peer has closed: it sends nothing more after its request, so whatever can be read is the end.
fn is_gone(stream: &mut UnixStream) -> std::io::Result<bool> {
    stream.set_nonblocking(true)?;
    let read = stream.read(&mut [0; 16]);
    stream.set_nonblocking(false)?;
    match read {
        Ok(read) => Ok(read == 0),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// A front: orders go out on this thread, reports come in on another. Either's end is the end of both.
fn traffic(
    stream: &UnixStream,
    reader: BufReader<UnixStream>,
    engine: &Engine,
) -> std::io::Result<()> {
    stream.set_read_timeout(None)?;
    let front = engine.traffic.connect();
    tracing::info!(front, "a front has connected");
    let result = thread::scope(|scope| {
        scope.spawn(|| {
            let mut reader = reader;
            while let Some(report) = next_report(&mut reader) {
                engine.traffic.report(front, report);
            }
            engine.traffic.disconnect(front);
        });
        let result = orders(stream, engine, front);
        engine.traffic.disconnect(front);
        // Ends the reader, if it is not what ended us.
        let _ = stream.shutdown(std::net::Shutdown::Both);
        result
    });
    tracing::info!(front, "a front has gone");
    result
}

/// The front's next report; `None` when it has gone, or says anything else. An endless line is never read to its end.
fn next_report(reader: &mut BufReader<UnixStream>) -> Option<TrafficReport> {
    let mut line = Vec::new();
    reader.take(MAX_REPORT).read_until(b'\n', &mut line).ok()?;
    serde_json::from_slice(&line).ok()
}

fn orders(stream: &UnixStream, engine: &Engine, front: u64) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut sequence = 0;
    while engine.traffic.is_connected(front) && !engine.is_ending() {
        if let Some(order) = engine.traffic.next_order(front, sequence, LOOK) {
            sequence = order.sequence;
            send(&mut writer, &order)?;
        }
    }
    Ok(())
}
