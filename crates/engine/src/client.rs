//! Talks to an engine over its socket: what the centre, the front and the command line use.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::api::{Answer, Line, Problem, Request, SOCKET_NAME};
use crate::problem;

/// Longest line accepted from the engine. Its answers hold at most a history and a report.
const MAX_LINE: u64 = 64 << 20;

/// Where an engine listens. Cheap to clone; every call is a connection of its own, so nothing needs reconnecting.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// The engine of this state directory.
    pub fn new(state_dir: &Path) -> Client {
        Client {
            socket: state_dir.join(SOCKET_NAME),
        }
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    /// [`Answer::Problem`]'s problem; `engine-unreachable` when nobody listens or the answer is no answer.
    pub async fn call(&self, request: &Request) -> Result<Answer, Problem> {
        let mut conversation = self.open(request).await?;
        match conversation.receive::<Answer>().await {
            Ok(Some(Answer::Problem(problem))) => Err(problem),
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(unreachable(
                "the engine closed the connection without an answer",
            )),
            Err(error) => Err(unreachable(error)),
        }
    }

    /// Follows the events after number `after`; see [`Request::Events`].
    ///
    /// # Errors
    /// `engine-unreachable` when nobody listens.
    pub async fn events(&self, after: u64, follow: bool) -> Result<Events, Problem> {
        Ok(Events(self.open(&Request::Events { after, follow }).await?))
    }

    /// Opens a connection, sends the request, and leaves the rest to the caller.
    ///
    /// # Errors
    /// `engine-unreachable` when nobody listens.
    pub async fn open(&self, request: &Request) -> Result<Conversation, Problem> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|error| unreachable(format!("{}: {error}", self.socket.display())))?;
        let (read, write) = stream.into_split();
        let mut conversation = Conversation {
            read: BufReader::new(read),
            write,
            line: Vec::new(),
        };
        conversation.send(request).await.map_err(unreachable)?;
        Ok(conversation)
    }
}

fn unreachable(detail: impl ToString) -> Problem {
    Problem::new(problem::ENGINE_UNREACHABLE).detail(detail)
}

/// An open connection: lines of JSON both ways.
pub struct Conversation {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    /// What has been read of the line under way, so that dropping `receive` in a `select!` loses nothing.
    line: Vec<u8>,
}

impl Conversation {
    /// Sends a line.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn send(&mut self, message: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.write.write_all(&line).await
    }

    /// The next line, or `None` when the engine has closed. Can be dropped and called again without losing anything.
    ///
    /// # Errors
    /// The connection broke, or the line is not what is expected.
    pub async fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        loop {
            let available = self.read.fill_buf().await?;
            if available.is_empty() {
                return Ok(None);
            }
            let (taken, complete) = match available.iter().position(|byte| *byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (available.len(), false),
            };
            self.line.extend_from_slice(&available[..taken]);
            self.read.consume(taken);
            if complete {
                let message = serde_json::from_slice(&self.line);
                self.line.clear();
                return Ok(Some(message?));
            }
            if self.line.len() as u64 > MAX_LINE {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the line is too long",
                ));
            }
        }
    }
}

/// Events as they come.
pub struct Events(Conversation);

impl Events {
    /// The next line; `None` when there are no more, or the engine has ended (connect again, from the last number).
    ///
    /// # Errors
    /// The connection broke.
    pub async fn next(&mut self) -> io::Result<Option<Line>> {
        self.0.receive().await
    }
}
