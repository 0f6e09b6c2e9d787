//! `GET /desktop/v1/repository/…`: files of the copy that the engine has made, wholly or in part. Most are named by their own
//! digest and never change, so that proxies and Desktops may keep them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use axum::Extension;
use axum::extract::{self, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use obnova_engine::api::DESKTOPS_NAME;

use super::file;
use super::turns::Turn;
use crate::app::Centre;
use crate::connections::Cut;

/// Sends a file, the part of it that was asked for, or that it has not changed.
pub async fn serve(
    State(centre): State<Centre>,
    Extension(cut): Extension<Cut>,
    extract::Path(path): extract::Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(place) = place(&centre.options().state_dir, &path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Some(turn) = centre.turns().take(cut).await else {
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
    turn: Turn,
) -> std::io::Result<Response> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let digest = name.split('.').next().filter(|digest| digest.len() == 64);
    let keep = match digest {
        Some(_) => "public, max-age=31536000, immutable",
        None => "no-cache",
    };
    let kind = match name.ends_with(".json") {
        true => "application/json",
        false => "application/zstd",
    };
    let own = [
        (header::CACHE_CONTROL, HeaderValue::from_static(keep)),
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
    ];
    file::send(place, digest, headers, own, turn).await
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
