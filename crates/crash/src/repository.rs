//! A web server of static files: the vendor's repository. Answers ranges, so that downloads go on where they were cut.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Serves the files below `root` on a port of 127.0.0.1 for the life of this process.
///
/// # Errors
/// The port is taken.
pub fn serve(root: PathBuf, port: u16) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port))
        .with_context(|| format!("cannot listen on port {port}"))?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let root = root.clone();
            std::thread::spawn(move || {
                // Whoever asked has gone.
                let _ = answer(stream, &root);
            });
        }
    });
    Ok(())
}

fn answer(mut stream: TcpStream, root: &Path) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    loop {
        let Some(first) = lines.next() else {
            return Ok(());
        };
        let first = first?;
        let mut from = None;
        for line in lines.by_ref() {
            let line = line?.to_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(range) = line.strip_prefix("range: bytes=") {
                from = range.trim_end_matches('-').parse::<usize>().ok();
            }
        }
        let path = first.split_whitespace().nth(1).unwrap_or_default();
        let wanted = root.join(path.trim_start_matches('/'));
        let body = match path.contains("..") {
            true => None,
            false => std::fs::read(wanted).ok(),
        };
        send(&mut stream, body.as_deref(), from)?;
    }
}

fn send(stream: &mut TcpStream, body: Option<&[u8]>, from: Option<usize>) -> Result<()> {
    let (status, body, range) = match (body, from) {
        (None, _) => ("404 Not Found", &b""[..], String::new()),
        (Some(body), Some(from)) if from < body.len() => {
            let range = format!(
                "content-range: bytes {from}-{}/{}\r\n",
                body.len() - 1,
                body.len()
            );
            ("206 Partial Content", &body[from..], range)
        }
        (Some(body), _) => ("200 OK", body, String::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n{range}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    Ok(stream.flush()?)
}
