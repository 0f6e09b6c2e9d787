//! A customer's server for tests: says what the test wants, serves a directory, and breaks off where it is told to.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

/// Bytes from which on a file is large.
const LARGE: usize = 2 << 20;

/// What the server does.
#[derive(Debug, Default)]
pub struct Facts {
    /// The body of `hello`; nothing: 503.
    pub hello: Option<String>,
    /// The repository's directory.
    pub repository: PathBuf,
    /// Bytes of each answer with a large file after which the connection is cut; once for each entry.
    pub cuts: Vec<usize>,
    /// What is sent instead of files that end so.
    pub instead: HashMap<String, Vec<u8>>,
    /// Answers to nothing, but keeps the connection.
    pub silent: bool,
    /// Path and range of every request.
    pub requests: Vec<(String, Option<String>)>,
    /// Bodies of reports.
    pub reports: Vec<String>,
}

/// A running server. It ends with the test's process.
#[derive(Clone)]
pub struct Server {
    pub address: SocketAddr,
    facts: Arc<Mutex<Facts>>,
}

impl Server {
    pub fn start(repository: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            facts: Arc::default(),
        };
        server.facts().repository = repository;
        let accepting = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = accepting.clone();
                std::thread::spawn(move || server.answer(stream));
            }
        });
        server
    }

    pub fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap()
    }

    /// Says that it is this version.
    pub fn is(&self, version: &str) {
        let hello = format!("{{\"api\":1,\"product\":\"crm\",\"server\":\"{version}\"}}");
        self.facts().hello = Some(hello);
    }

    fn answer(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut first = String::new();
        reader.read_line(&mut first).ok()?;
        let mut words = first.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let (mut range, mut length) = (None, 0_usize);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let line = line.trim();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':')?;
            match name.to_ascii_lowercase().as_str() {
                "range" => range = Some(value.trim().to_owned()),
                "content-length" => length = value.trim().parse().ok()?,
                _ => {}
            }
        }
        // As a proxy it is asked for whole addresses.
        let path = match path.strip_prefix("http://") {
            Some(rest) => format!("/{}", rest.split_once('/')?.1),
            None => path,
        };
        self.facts().requests.push((path.clone(), range.clone()));
        if self.facts().silent {
            std::thread::sleep(std::time::Duration::from_secs(60));
            return None;
        }
        if method == "POST" {
            let mut body = vec![0; length];
            std::io::Read::read_exact(&mut reader, &mut body).ok()?;
            self.facts().reports.push(String::from_utf8(body).ok()?);
            return send(stream, "204 No Content", "", b"", None);
        }
        if path == "/desktop/v1/hello" {
            let hello = self.facts().hello.clone();
            return match hello {
                Some(hello) => send(stream, "200 OK", "", hello.as_bytes(), None),
                None => send(stream, "503 Service Unavailable", "", b"", None),
            };
        }
        let path = path.strip_prefix("/desktop/v1/repository/")?.to_owned();
        let (body, cut) = {
            let mut facts = self.facts();
            let instead = facts
                .instead
                .iter()
                .find(|(ending, _)| path.ends_with(*ending));
            let body = match instead {
                Some((_, instead)) => Ok(instead.clone()),
                None => std::fs::read(facts.repository.join(&path)),
            };
            let is_large = body.as_ref().is_ok_and(|body| body.len() > LARGE);
            let cut = match is_large && !facts.cuts.is_empty() {
                true => Some(facts.cuts.remove(0)),
                false => None,
            };
            (body, cut)
        };
        let Ok(body) = body else {
            return send(stream, "404 Not Found", "", b"", None);
        };
        let from = range.and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse::<usize>()
                .ok()
        });
        match from {
            Some(from) if from < body.len() => {
                let more = format!(
                    "ETag: \"same\"\r\nContent-Range: bytes {from}-{}/{}\r\n",
                    body.len() - 1,
                    body.len()
                );
                send(stream, "206 Partial Content", &more, &body[from..], cut)
            }
            _ => send(stream, "200 OK", "ETag: \"same\"\r\n", &body, cut),
        }
    }
}

fn send(
    mut stream: TcpStream,
    status: &str,
    more: &str,
    body: &[u8],
    cut: Option<usize>,
) -> Option<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{more}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    let count = cut.unwrap_or(body.len()).min(body.len());
    stream.write_all(&body[..count]).ok()
}
