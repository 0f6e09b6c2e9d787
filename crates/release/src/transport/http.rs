//! A repository on a web server, which may be slow, cut off, endless, wrong or hostile.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::limits::Limits;
use crate::digest::{Digest, Hasher};
use crate::durable::{self, Partial};
use crate::error::Error;

/// The web server. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client,
    base: Arc<Url>,
    limits: Limits,
}

/// A file of known length and digest to be downloaded to the disk.
pub(crate) struct Wanted<'a> {
    /// Its path in the repository.
    pub(crate) path: &'a str,
    /// Its exact length, bytes.
    pub(crate) length: u64,
    pub(crate) sha256: Digest,
    /// Where the part that is here already is, and the rest goes to.
    pub(crate) partial: &'a Path,
}

/// Why one attempt came to nothing.
enum Failure {
    /// There is no such file.
    Missing,
    /// Asking again may help.
    Again(Error),
    /// Asking again does not help.
    Final(Error),
    /// What is here of the file does not go on on the server: begin at its start.
    FromTheStart,
}

impl Http {
    pub(super) fn new(base: Url, limits: Limits) -> Result<Self, Error> {
        let client = Client::builder()
            .user_agent(concat!("obnova/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limits.connect)
            .read_timeout(limits.idle)
            .build()
            .map_err(|error| Error::invalid("HTTP client", error.to_string()))?;
        Ok(Self {
            client,
            base: Arc::new(base),
            limits,
        })
    }

    pub(crate) fn parallel(&self) -> usize {
        self.limits.parallel.max(1)
    }

    pub(crate) fn address(&self, path: &str) -> String {
        crate::source::Source::Http((*self.base).clone()).to_string() + path
    }

    /// A whole file of at most `limit` bytes; `None` when there is no such file.
    pub(crate) async fn fetch(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        let mut failures = 0;
        // A limit only guards against endless answers; it says little about how long an honest one takes.
        let patience = Patience::new(self.limits.time_for(limit.min(1 << 20)));
        loop {
            let attempt = self.attempt_whole(path, limit);
            let error = match self.within(path, &patience, attempt).await {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(Failure::Missing) => return Ok(None),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Again(error)) => error,
                Err(Failure::FromTheStart) => self.wrong(path, "answers with a part unasked"),
            };
            failures += 1;
            self.pause(failures, error).await?;
        }
    }

    /// Downloads a file to the disk, going on where an earlier run ended, and verifies it. `progress` gets the number of
    /// bytes that are here, each time it changes.
    pub(crate) async fn download(
        &self,
        wanted: &Wanted<'_>,
        progress: &dyn Fn(u64),
    ) -> Result<(), Error> {
        let cannot_write = || Error::local("downloaded content cannot be written");
        let mut partial = Partial::open(wanted.partial).map_err(cannot_write())?;
        let mut hasher = resume(wanted).map_err(cannot_write())?;
        let mut failures = 0;
        let mut spoilt_once = false;
        let patience = Patience::new(self.limits.time_for(wanted.length));
        loop {
            progress(hasher.length());
            let before = hasher.length();
            let attempt = self.attempt_rest(wanted, &mut partial, &mut hasher, progress);
            let outcome = self.within(wanted.path, &patience, attempt).await;
            if hasher.length() > before {
                failures = 0;
            }
            let error = match outcome {
                Ok(()) => {
                    let (digest, _) = std::mem::take(&mut hasher).finish();
                    if digest == wanted.sha256 {
                        return Ok(());
                    }
                    // A crash may have spoilt the part that was here; the server gets one more chance.
                    partial.clear().map_err(cannot_write())?;
                    if std::mem::replace(&mut spoilt_once, true) {
                        return Err(self.wrong(wanted.path, "is not what was signed"));
                    }
                    continue;
                }
                Err(Failure::FromTheStart) => {
                    partial.clear().map_err(cannot_write())?;
                    forget_tag(wanted.partial).map_err(cannot_write())?;
                    hasher = Hasher::default();
                    self.wrong(wanted.path, "does not go on with what is here already")
                }
                Err(Failure::Missing) => {
                    return Err(self.wrong(wanted.path, "is not in the repository"));
                }
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Again(error)) => error,
            };
            failures += 1;
            self.pause(failures, error).await?;
        }
    }

    async fn attempt_whole(&self, path: &str, limit: u64) -> Result<Vec<u8>, Failure> {
        let mut response = self.ask(path, None).await?;
        self.refuse_longer(path, response.content_length(), limit)?;
        let mut bytes = Vec::new();
        while let Some(piece) = self.piece(path, &mut response).await? {
            self.refuse_longer(path, Some((bytes.len() + piece.len()) as u64), limit)?;
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    async fn attempt_rest(
        &self,
        wanted: &Wanted<'_>,
        partial: &mut Partial,
        hasher: &mut Hasher,
        progress: &dyn Fn(u64),
    ) -> Result<(), Failure> {
        let local =
            |error| Failure::Final(Error::local("downloaded content cannot be written")(error));
        if hasher.length() == wanted.length {
            return Ok(());
        }
        let resumed = (hasher.length() > 0).then(|| Resumed {
            from: hasher.length(),
            tag: read_tag(wanted.partial),
        });
        let mut response = self.ask(wanted.path, resumed.as_ref()).await?;
        if response.status() == StatusCode::OK && hasher.length() > 0 {
            // The server does not do ranges, or its file has changed: it sends all.
            partial.clear().map_err(local)?;
            *hasher = Hasher::default();
        }
        if response.status() == StatusCode::OK {
            keep_tag(wanted.partial, &response).map_err(local)?;
        }
        let expected = response.content_length().map(|rest| rest + hasher.length());
        self.refuse_longer(wanted.path, expected, wanted.length)?;
        while let Some(piece) = self.piece(wanted.path, &mut response).await? {
            let length = hasher.length() + piece.len() as u64;
            self.refuse_longer(wanted.path, Some(length), wanted.length)?;
            partial.push(&piece).map_err(local)?;
            hasher.update(&piece);
            progress(hasher.length());
        }
        if hasher.length() < wanted.length {
            return Err(Failure::Again(Error::unreachable(
                self.address(wanted.path),
                format!(
                    "the answer ended after {} of {} bytes",
                    hasher.length(),
                    wanted.length
                ),
            )));
        }
        Ok(())
    }

    /// Sends the request and looks at the head of the answer.
    async fn ask(&self, path: &str, resumed: Option<&Resumed>) -> Result<Response, Failure> {
        let url = self
            .base
            .join(path)
            .map_err(|error| Failure::Final(Error::invalid(path, error.to_string())))?;
        let mut request = self.client.get(url).header(ACCEPT_ENCODING, "identity");
        if let Some(resumed) = resumed {
            request = request.header(RANGE, format!("bytes={}-", resumed.from));
            if let Some(tag) = &resumed.tag {
                request = request.header(IF_RANGE, tag);
            }
        }
        let response = request
            .send()
            .await
            .map_err(|error| Failure::Again(self.failed(path, error)))?;
        let status = response.status();
        match (status, resumed) {
            (StatusCode::OK, _) => Ok(response),
            (StatusCode::PARTIAL_CONTENT, Some(resumed)) if begins_at(&response, resumed.from) => {
                Ok(response)
            }
            (StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE, _) => {
                Err(Failure::FromTheStart)
            }
            (StatusCode::NOT_FOUND | StatusCode::FORBIDDEN | StatusCode::GONE, _) => {
                Err(Failure::Missing)
            }
            _ => {
                let error = Error::unreachable(
                    self.address(path),
                    format!("the server answers with status {status}"),
                );
                let may_pass = status.is_server_error()
                    || matches!(
                        status,
                        StatusCode::REQUEST_TIMEOUT
                            | StatusCode::TOO_EARLY
                            | StatusCode::TOO_MANY_REQUESTS
                    );
                Err(if may_pass {
                    Failure::Again(error)
                } else {
                    Failure::Final(error)
                })
            }
        }
    }

    async fn piece(
        &self,
        path: &str,
        response: &mut Response,
    ) -> Result<Option<impl AsRef<[u8]> + std::ops::Deref<Target = [u8]> + use<>>, Failure> {
        response
            .chunk()
            .await
            .map_err(|error| Failure::Again(self.failed(path, error)))
    }

    async fn within<T>(
        &self,
        path: &str,
        patience: &Patience,
        attempt: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        timeout_at(patience.until, attempt)
            .await
            .unwrap_or_else(|_| {
                Err(Failure::Final(Error::TooSlow {
                    address: self.address(path),
                    seconds: patience.time.as_secs(),
                }))
            })
    }

    /// Waits before the next attempt, or gives the error back when there were enough.
    async fn pause(&self, failures: u32, error: Error) -> Result<(), Error> {
        if failures >= self.limits.attempts.max(1) {
            return Err(error);
        }
        tracing::debug!(error = %error.chain(), failures, "asking the release repository again");
        tokio::time::sleep(self.limits.pause_after(failures)).await;
        Ok(())
    }

    fn refuse_longer(&self, path: &str, length: Option<u64>, limit: u64) -> Result<(), Failure> {
        match length {
            Some(length) if length > limit => Err(Failure::Final(
                self.wrong(path, &format!("is longer than {limit} bytes")),
            )),
            _ => Ok(()),
        }
    }

    fn wrong(&self, path: &str, reason: &str) -> Error {
        Error::damaged(self.address(path), reason)
    }

    fn failed(&self, path: &str, error: reqwest::Error) -> Error {
        if error.is_timeout() {
            return Error::TooSlow {
                address: self.address(path),
                seconds: if error.is_connect() {
                    self.limits.connect.as_secs()
                } else {
                    self.limits.idle.as_secs()
                },
            };
        }
        Error::unreachable(self.address(path), error.without_url())
    }
}

/// How long one file may take, all attempts together: a server that drips must not keep an update waiting for ever.
struct Patience {
    time: Duration,
    until: Instant,
}

impl Patience {
    fn new(time: Duration) -> Self {
        Self {
            time,
            until: Instant::now() + time,
        }
    }
}

struct Resumed {
    from: u64,
    tag: Option<String>,
}

/// The digest so far of what an earlier run has left; nothing, if that is longer than the file can be.
fn resume(wanted: &Wanted<'_>) -> std::io::Result<Hasher> {
    use std::io::Read;
    let mut file = std::fs::File::open(wanted.partial)?;
    let mut hasher = Hasher::default();
    if file.metadata()?.len() > wanted.length {
        Partial::open(wanted.partial)?.clear()?;
        return Ok(hasher);
    }
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher),
            count => hasher.update(&buffer[..count]),
        }
    }
}

fn begins_at(response: &Response, from: u64) -> bool {
    response
        .headers()
        .get(CONTENT_RANGE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with(&format!("bytes {from}-")))
}

fn tag_path(partial: &Path) -> std::path::PathBuf {
    partial.with_extension("etag")
}

/// Only a strong tag says that the bytes are the same.
fn keep_tag(partial: &Path, response: &Response) -> std::io::Result<()> {
    match response.headers().get(ETAG).map(|tag| tag.to_str()) {
        Some(Ok(tag)) if tag.starts_with('"') => {
            durable::write(&tag_path(partial), tag.as_bytes(), 0o600)
        }
        _ => forget_tag(partial),
    }
}

fn forget_tag(partial: &Path) -> std::io::Result<()> {
    durable::remove_file(&tag_path(partial))
}

fn read_tag(partial: &Path) -> Option<String> {
    let bytes = durable::read_limited(&tag_path(partial), 1024).ok()?;
    String::from_utf8(bytes).ok()
}
