//! One connection of a Desktop, with as little work of its own as possible, so that the servers are what is measured: heads are read,
//! bodies are counted and forgotten.

use std::cell::RefCell;
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::{TcpSocket, TcpStream};

/// Bytes read at once.
const READ: usize = 64 << 10;
/// The longest head of an answer, bytes.
const MAX_HEAD: usize = 8 << 10;

thread_local! {
    /// One for all connections of a thread: what is read is looked at at once.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// See the module.
pub(crate) struct Wire {
    stream: TcpStream,
    /// What came behind an answer's head.
    rest: Vec<u8>,
    /// Bytes of the body that have not come yet.
    left: u64,
    is_closing: bool,
}

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) tag: Option<String>,
    /// Of its body.
    pub(crate) length: u64,
}

impl Wire {
    /// Connects. With a `window` only so many bytes can be on their way.
    pub(crate) async fn connect(to: SocketAddr, window: Option<u32>) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if let Some(window) = window {
            socket.set_recv_buffer_size(window)?;
        }
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            rest: Vec::new(),
            left: 0,
            is_closing: false,
        })
    }

    /// Whether another request can be sent.
    pub(crate) fn is_free(&self) -> bool {
        self.left == 0 && !self.is_closing
    }

    /// Sends a request and reads the head of its answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Head> {
        self.write(request).await?;
        let mut head = Vec::new();
        let end = loop {
            let got = self
                .read(READ, |bytes| head.extend_from_slice(bytes))
                .await?;
            if got == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if head.len() > MAX_HEAD {
                return Err(ErrorKind::InvalidData.into());
            }
        };
        self.rest = head.split_off(end);
        let head = String::from_utf8(head).map_err(Error::other)?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status = status.and_then(|status| status.parse().ok());
        let status = status.ok_or(ErrorKind::InvalidData)?;
        let (mut tag, mut length) = (None, None);
        self.is_closing = false;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "etag" => tag = Some(value.to_owned()),
                "content-length" => length = value.parse().ok(),
                "connection" => self.is_closing = value.eq_ignore_ascii_case("close"),
                _ => {}
            }
        }
        let length = match (status, length) {
            (204 | 304, _) => 0,
            (_, Some(length)) => length,
            _ => return Err(Error::other("an answer does not say how long it is")),
        };
        self.left = length;
        Ok(Head {
            status,
            tag,
            length,
        })
    }

    /// The next bytes of the body, at most so many; 0 at its end.
    pub(crate) async fn body(&mut self, most: usize, mut look: impl FnMut(&[u8])) -> Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let most = most.min(usize::try_from(self.left).unwrap_or(READ));
        let got = if self.rest.is_empty() {
            self.read(most, &mut look).await?
        } else {
            let first: Vec<u8> = self.rest.drain(..most.min(self.rest.len())).collect();
            look(&first);
            first.len()
        };
        if got == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.left -= got as u64;
        Ok(got)
    }

    /// Reads the body to its end and forgets it.
    pub(crate) async fn skip(&mut self) -> Result<()> {
        while self.body(READ, |_| ()).await? > 0 {}
        Ok(())
    }

    async fn read(&self, most: usize, mut look: impl FnMut(&[u8])) -> Result<usize> {
        loop {
            self.stream.readable().await?;
            let got = BUFFER.with_borrow_mut(|buffer| {
                let most = most.min(buffer.len());
                let got = self.stream.try_read(&mut buffer[..most])?;
                look(&buffer[..got]);
                Ok::<_, Error>(got)
            });
            match got {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }

    async fn write(&self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            self.stream.writable().await?;
            match self.stream.try_write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A request without a body.
pub(crate) fn get(path: &str, more: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: centre\r\naccept-encoding: identity\r\n{more}\r\n")
        .into_bytes()
}

/// A request with a body in JSON.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: centre\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The time in which something counts: behind it nothing is begun, before it everybody warms up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) begin: Instant,
    pub(crate) end: Instant,
}

impl Window {
    /// From now on, this long, after this long.
    pub(crate) fn after(warm_up: Duration, length: Duration) -> Self {
        let begin = Instant::now() + warm_up;
        Self {
            begin,
            end: begin + length,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        Instant::now() >= self.begin
    }

    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }
}
