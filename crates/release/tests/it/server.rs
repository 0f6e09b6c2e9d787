//! A web server for a directory that does ranges, and does to a request what a test asks for.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is done to the next request of a path.
#[derive(Debug, Clone, PartialEq)]
pub enum Trouble {
    /// The connection ends after so many bytes of the body.
    CutOff(usize),
    /// The body goes on for ever, without a length.
    Endless,
    /// One byte now and then.
    Drip,
    /// The head never comes.
    Silent,
    /// Another status.
    Status(u16),
    /// Other bytes of the same length.
    Wrong,
    /// The whole file, although a range was asked for.
    IgnoresRanges,
    /// A part, but not the one that was asked for.
    OtherRange,
    /// Another entity tag from now on: the file was replaced.
    NewTag,
    /// To this address instead.
    Redirect(String),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub path: String,
    pub headers: HashMap<String, String>,
}

#[derive(Default)]
struct State {
    /// By a part of the path; each is used once, or for ever.
    troubles: Vec<(String, Trouble, bool)>,
    requests: Vec<Request>,
    tag: u64,
}

/// Serves until the test ends.
pub struct Server {
    pub address: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub fn start(directory: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let (directory, shared) = (directory.to_owned(), state.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (directory, state) = (directory.clone(), shared.clone());
                std::thread::spawn(move || serve(stream, &directory, &state));
            }
        });
        Self { address, state }
    }

    /// Does it to the next request whose path holds `path`.
    pub fn once(&self, path: &str, trouble: Trouble) {
        self.state
            .lock()
            .unwrap()
            .troubles
            .push((path.into(), trouble, false));
    }

    /// Does it to every request whose path holds `path`.
    pub fn always(&self, path: &str, trouble: Trouble) {
        self.state
            .lock()
            .unwrap()
            .troubles
            .push((path.into(), trouble, true));
    }

    pub fn behave(&self) {
        self.state.lock().unwrap().troubles.clear();
    }

    pub fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    pub fn forget(&self) {
        self.state.lock().unwrap().requests.clear();
    }
}

fn serve(stream: TcpStream, directory: &Path, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    stream.set_nodelay(true).unwrap();
    let mut stream = stream;
    while let Some(request) = read_request(&mut reader) {
        let (trouble, tag) = {
            let mut state = state.lock().unwrap();
            state.requests.push(request.clone());
            let found = state
                .troubles
                .iter()
                .position(|(path, _, _)| request.path.contains(path.as_str()));
            let trouble = found.map(|index| match state.troubles[index].2 {
                true => state.troubles[index].1.clone(),
                false => state.troubles.remove(index).1,
            });
            if trouble == Some(Trouble::NewTag) {
                state.tag += 1;
            }
            (trouble, state.tag)
        };
        if answer(&mut stream, directory, &request, trouble, tag).is_none() {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.to_owned()),
            None => return Some(Request { path, headers }),
        };
    }
}

/// `None` when the connection is to end.
fn answer(
    stream: &mut TcpStream,
    directory: &Path,
    request: &Request,
    trouble: Option<Trouble>,
    tag: u64,
) -> Option<()> {
    let file: PathBuf = directory.join(request.path.trim_start_matches('/'));
    let Ok(content) = fs::read(file) else {
        return send(stream, "404 Not Found", "", b"");
    };
    let tag = format!("\"{tag}\"");
    let from = request
        .headers
        .get("range")
        .filter(|_| {
            request
                .headers
                .get("if-range")
                .is_none_or(|wanted| *wanted == tag)
        })
        .and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse::<usize>()
                .ok()
        })
        .filter(|_| trouble != Some(Trouble::IgnoresRanges));
    let (status, mut head, body) = match from {
        Some(from) if from >= content.len() => {
            return send(stream, "416 Range Not Satisfiable", "", b"");
        }
        Some(from) => {
            let shown = if trouble == Some(Trouble::OtherRange) {
                from / 2
            } else {
                from
            };
            let range = format!(
                "Content-Range: bytes {shown}-{}/{}\r\n",
                content.len() - 1,
                content.len()
            );
            ("206 Partial Content", range, &content[from..])
        }
        None => ("200 OK", String::new(), &content[..]),
    };
    head += &format!("ETag: {tag}\r\n");
    match trouble {
        Some(Trouble::Redirect(to)) => {
            send(stream, "302 Found", &format!("Location: {to}\r\n"), b"")
        }
        Some(Trouble::CutOff(after)) => {
            head += &format!("Content-Length: {}\r\n", body.len());
            write!(stream, "HTTP/1.1 {status}\r\n{head}\r\n").ok()?;
            stream.write_all(&body[..after.min(body.len())]).ok()?;
            None
        }
        Some(Trouble::Endless) => {
            write!(stream, "HTTP/1.1 {status}\r\n{head}\r\n").ok()?;
            loop {
                stream.write_all(&[b' '; 4096]).ok()?;
            }
        }
        Some(Trouble::Drip) => {
            head += &format!("Content-Length: {}\r\n", body.len());
            write!(stream, "HTTP/1.1 {status}\r\n{head}\r\n").ok()?;
            for byte in body {
                stream.write_all(&[*byte]).ok()?;
                std::thread::sleep(Duration::from_millis(100));
            }
            Some(())
        }
        Some(Trouble::Silent) => {
            std::thread::sleep(Duration::from_secs(10));
            None
        }
        Some(Trouble::Status(status)) => send(stream, &format!("{status} Trouble"), "", b""),
        Some(Trouble::Wrong) => send(stream, status, &head, &vec![b'x'; body.len()]),
        _ => send(stream, status, &head, body),
    }
}

fn send(stream: &mut TcpStream, status: &str, head: &str, body: &[u8]) -> Option<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{head}Content-Length: {}\r\n\r\n",
        body.len()
    )
    .ok()?;
    stream.write_all(body).ok()
}
