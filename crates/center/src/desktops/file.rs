//! A file as an answer: the whole of it, the part that was asked for, or that it has not changed.

use std::fs::{File, Metadata};
use std::io::{Error, ErrorKind, IoSliceMut, Result};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::{Errno, ReadWriteFlags, preadv2};

use super::range::Part;
use super::turns::Turn;

/// What is sent at most before others get to theirs, bytes.
const BURST: u64 = 256 << 10;

/// Sends it with these headers besides its own. Its tag is the digest if one is given, otherwise made of its length and the time of
/// its last change.
pub(super) async fn send<const N: usize>(
    place: &Path,
    digest: Option<&str>,
    headers: &HeaderMap,
    own: [(HeaderName, HeaderValue); N],
    turn: Turn,
) -> Result<Response> {
    let file = open(place.to_owned()).await?;
    // What is open is known without the disk.
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(ErrorKind::NotFound.into());
    }
    let length = found.len();
    let tag = match digest {
        Some(digest) => format!("\"{digest}\""),
        None => changed(&found)?,
    };
    let common = [
        (header::ETAG, value(&tag)?),
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
    ];
    if is_same(headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, common, own).into_response());
    }
    let (status, first, count) = match Part::of(headers, length, &tag) {
        Part::Whole => (StatusCode::OK, 0, length),
        Part::Some { first, last } => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Part::Unsatisfiable => {
            let range = [(header::CONTENT_RANGE, value(&format!("bytes */{length}"))?)];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, range, common, own).into_response());
        }
    };
    let body = body(file, first, count, turn);
    let mut response = (status, common, own, body).into_response();
    let set = response.headers_mut();
    set.insert(header::CONTENT_LENGTH, count.into());
    if status == StatusCode::PARTIAL_CONTENT {
        let last = first + count - 1;
        set.insert(
            header::CONTENT_RANGE,
            value(&format!("bytes {first}-{last}/{length}"))?,
        );
    }
    Ok(response)
}

/// A tag of a file that keeps its name when it changes.
fn changed(found: &Metadata) -> Result<String> {
    let changed = found.modified()?.duration_since(UNIX_EPOCH);
    let changed = changed.unwrap_or_default().as_nanos();
    Ok(format!("\"{:x}-{changed:x}\"", found.len()))
}

/// Whether who asks has it already.
fn is_same(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok());
    known.is_some_and(|tags| {
        tags == "*"
            || tags
                .split(',')
                .any(|one| one.trim().trim_start_matches("W/") == tag)
    })
}

/// The next `count` bytes of a file. The turn ends with them, or when nobody listens any more.
fn body(file: File, first: u64, count: u64, turn: Turn) -> Body {
    let state = (Arc::new(file), first, count, turn);
    let pieces = stream::try_unfold(state, |(file, at, left, turn)| async move {
        if left == 0 {
            return Ok::<_, Error>(None);
        }
        let most = turn.piece();
        let most = most.min(usize::try_from(left).unwrap_or(most));
        let piece = match read_known(&file, at, most) {
            Some(piece) => {
                // Nothing here has waited: whoever takes all that comes would keep others from their turn.
                if at / BURST != (at + piece.len() as u64) / BURST {
                    tokio::task::yield_now().await;
                }
                piece
            }
            None => {
                let from = file.clone();
                blocking(move || read(&from, at, most)).await?
            }
        };
        turn.sent(piece.len());
        let got = piece.len() as u64;
        Ok(Some((piece, (file, at + got, left - got, turn))))
    });
    Body::from_stream(pieces)
}

/// Opens a file: at once if the kernel knows where it is, which is nearly always, otherwise where waiting for a disk keeps nobody
/// else waiting.
async fn open(place: PathBuf) -> Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    match openat2(CWD, &place, flags, Mode::empty(), ResolveFlags::CACHED) {
        Ok(file) => Ok(file.into()),
        Err(Errno::NOENT) => Err(ErrorKind::NotFound.into()),
        // It is not known, or this kernel cannot be asked so.
        Err(_) => blocking(move || File::open(place)).await,
    }
}

/// What is there from this byte on, if it is in the kernel's memory. Handing every piece to another thread and back costs more than
/// copying it.
fn read_known(file: &File, at: u64, most: usize) -> Option<Bytes> {
    let mut piece = vec![0; most];
    let read = preadv2(
        file,
        &mut [IoSliceMut::new(&mut piece)],
        at,
        ReadWriteFlags::NOWAIT,
    );
    // Whatever else it says, the usual way says it better.
    let got = read.ok().filter(|got| *got > 0)?;
    piece.truncate(got);
    Some(piece.into())
}

/// What is there from this byte on; never nothing.
fn read(file: &File, at: u64, most: usize) -> Result<Bytes> {
    let mut piece = vec![0; most];
    loop {
        match file.read_at(&mut piece, at) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(got) => {
                piece.truncate(got);
                return Ok(piece.into());
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::other(error)))
}

fn value(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(Error::other)
}
