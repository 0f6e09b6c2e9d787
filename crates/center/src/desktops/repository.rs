//! `GET /desktop/v1/repository/…`: files of the copy that the engine has made, wholly or in part. Most are named by their own
//! digest and never change, so that proxies and Desktops may keep them.

use std::io::{ErrorKind, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::body::{Body, Bytes};
use axum::extract::{self, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use obnova_engine::api::DESKTOPS_NAME;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::range::Part;
use crate::app::Centre;

/// What is read at once, bytes. With it and [`AT_ONCE`] the memory for downloads is bounded, however many Desktops come.
const PIECE: usize = 16 << 10;
/// Files that are sent at the same time; who comes then waits for a turn.
const AT_ONCE: usize = 512;
/// How long somebody waits for a turn. Longer, and a Desktop takes it for a server that does not answer.
const TURN: Duration = Duration::from_secs(20);

/// Reports that are written down at the same time.
const REPORTS: usize = 4;

/// Turns of Desktops, so that however many come, there is room for others.
#[derive(Debug)]
pub struct Turns {
    files: Arc<Semaphore>,
    pub(super) reports: Semaphore,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            files: Arc::new(Semaphore::new(AT_ONCE)),
            reports: Semaphore::new(REPORTS),
        }
    }
}

/// Sends a file, the part of it that was asked for, or that it has not changed.
pub async fn serve(
    State(centre): State<Centre>,
    extract::Path(path): extract::Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(place) = place(&centre.options().state_dir, &path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let turn = tokio::time::timeout(TURN, centre.turns().files.clone().acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        let later = [(header::RETRY_AFTER, "10")];
        return (StatusCode::SERVICE_UNAVAILABLE, later).into_response();
    };
    match send(&place, &path, &headers, turn).await {
        Ok(response) => response,
        // Names below files and names that are too long are there as little as others.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename
            ) =>
        {
            StatusCode::NOT_FOUND.into_response()
        }
        Err(error) => {
            tracing::warn!(%error, path, "a file for Desktops cannot be read: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Where a file is. Only plain names of the three directories are looked for: no `..`, nothing hidden, nothing half copied.
fn place(state_dir: &Path, path: &str) -> Option<PathBuf> {
    let mut components = path.split('/');
    let plain = |name: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte);
        !name.is_empty() && !name.starts_with('.') && name.bytes().all(allowed)
    };
    let inside = matches!(components.next(), Some("metadata" | "targets" | "content"));
    let named = path.ends_with(".json") || path.ends_with(".zst");
    (inside && named && components.all(plain)).then(|| state_dir.join(DESKTOPS_NAME).join(path))
}

async fn send(
    place: &Path,
    path: &str,
    headers: &HeaderMap,
    turn: OwnedSemaphorePermit,
) -> std::io::Result<Response> {
    let mut file = File::open(place).await?;
    let found = file.metadata().await?;
    if !found.is_file() {
        return Err(std::io::ErrorKind::NotFound.into());
    }
    let length = found.len();
    let name = path.rsplit('/').next().unwrap_or(path);
    let digest = name.split('.').next().filter(|digest| digest.len() == 64);
    let tag = match digest {
        Some(digest) => format!("\"{digest}\""),
        None => {
            let changed = found
                .modified()?
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            format!("\"{length:x}-{:x}\"", changed.as_nanos())
        }
    };
    let keep = match digest {
        Some(_) => "public, max-age=31536000, immutable",
        None => "no-cache",
    };
    let kind = match name.ends_with(".json") {
        true => "application/json",
        false => "application/zstd",
    };
    let common = [
        (header::ETAG, value(&tag)?),
        (header::CACHE_CONTROL, value(keep)?),
        (header::CONTENT_TYPE, value(kind)?),
        (header::ACCEPT_RANGES, value("bytes")?),
    ];
    let same = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok());
    if same.is_some_and(|tags| {
        tags == "*"
            || tags
                .split(',')
                .any(|one| one.trim().trim_start_matches("W/") == tag)
    }) {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    let (status, first, count) = match Part::of(headers, length, &tag) {
        Part::Whole => (StatusCode::OK, 0, length),
        Part::Some { first, last } => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Part::Unsatisfiable => {
            let range = [(header::CONTENT_RANGE, value(&format!("bytes */{length}"))?)];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, range, common).into_response());
        }
    };
    if first > 0 {
        file.seek(SeekFrom::Start(first)).await?;
    }
    file.set_max_buf_size(PIECE);
    let mut response = (status, common, body(file, count, turn)).into_response();
    let own = response.headers_mut();
    own.insert(header::CONTENT_LENGTH, count.into());
    if status == StatusCode::PARTIAL_CONTENT {
        let last = first + count - 1;
        own.insert(
            header::CONTENT_RANGE,
            value(&format!("bytes {first}-{last}/{length}"))?,
        );
    }
    Ok(response)
}

/// The next `count` bytes of a file. The turn ends with them, or when nobody listens any more.
fn body(file: File, count: u64, turn: OwnedSemaphorePermit) -> Body {
    let pieces = stream::try_unfold((file, count, turn), |(mut file, left, turn)| async move {
        if left == 0 {
            return Ok::<_, std::io::Error>(None);
        }
        let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
        let got = file.read(&mut piece).await?;
        if got == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        piece.truncate(got);
        Ok(Some((Bytes::from(piece), (file, left - got as u64, turn))))
    });
    Body::from_stream(pieces)
}

fn value(text: &str) -> std::io::Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn only_files_of_the_copy_have_a_place() {
        let found = |path| place("/s".as_ref(), path).is_some();
        assert!(found("metadata/timestamp.json"));
        assert!(found("content/ab/abcd.zst"));
        assert!(found("targets/releases/1.2.0-beta.1/0a.release.json"));
        for wrong in [
            "metadata/../../installation.toml",
            "metadata/.lock",
            ".lock",
            "content/ab/.obnova-tmp-1.zst",
            "content//x.zst",
            "center/center.db",
            "metadata/a\\b.json",
            "0a.part",
            "content/ab/x.part",
            "",
            "metadata",
        ] {
            assert!(!found(wrong), "{wrong}");
        }
    }
}
