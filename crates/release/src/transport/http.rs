//! A repository on a web server, which may be slow, cut off, endless, wrong or hostile.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, IF_RANGE, RANGE};
use reqwest::{Certificate, Client, Response, StatusCode};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::limits::Limits;
use super::pace::Pace;
use super::partial::{Part, Resumed, Wanted};
use crate::error::Error;

/// The web server. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client,
    base: Arc<Url>,
    limits: Limits,
    pace: Pace,
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
    pub(super) fn new(base: Url, authorities: &[u8], limits: Limits) -> Result<Self, Error> {
        let client = Client::builder()
            .user_agent(concat!("obnova/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limits.connect)
            .read_timeout(limits.idle)
            .tls_certs_merge(certificates(authorities)?)
            .build()
            .map_err(|error| Error::invalid("HTTP client", error.to_string()))?;
        Ok(Self {
            client,
            base: Arc::new(base),
            pace: Pace::of(limits.most_bytes_per_second),
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
        wanted: &Wanted,
        progress: &dyn Fn(u64),
    ) -> Result<(), Error> {
        let mut part = Part::open(wanted).await?;
        let mut failures = 0;
        let mut spoilt_once = false;
        let patience = Patience::new(self.limits.time_for(wanted.length));
        loop {
            let before = part.length();
            progress(before);
            let attempt = self.attempt_rest(wanted, &mut part, progress);
            let outcome = self.within(&wanted.path, &patience, attempt).await;
            if part.length() > before {
                failures = 0;
            }
            let error = match outcome {
                Ok(()) if part.is_complete() => return Ok(()),
                // A crash may have spoilt the part that was here; the server gets one more chance.
                Ok(()) if !spoilt_once => {
                    spoilt_once = true;
                    part.restart()?;
                    continue;
                }
                Ok(()) => {
                    part.restart()?;
                    return Err(self.wrong(&wanted.path, "is not what was signed"));
                }
                Err(Failure::FromTheStart) => {
                    part.restart()?;
                    self.wrong(&wanted.path, "does not go on with what is here already")
                }
                Err(Failure::Missing) => {
                    return Err(self.wrong(&wanted.path, "is not in the repository"));
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
        wanted: &Wanted,
        part: &mut Part,
        progress: &dyn Fn(u64),
    ) -> Result<(), Failure> {
        let path = &wanted.path;
        if part.length() == wanted.length {
            return Ok(());
        }
        let mut response = self.ask(path, part.resumed().as_ref()).await?;
        if response.status() == StatusCode::OK {
            // Nothing was here; or the server does not do ranges, or its file has changed: it sends all.
            part.restart().map_err(Failure::Final)?;
            part.keep_tag(&response).map_err(Failure::Final)?;
        }
        let expected = response.content_length().map(|rest| rest + part.length());
        self.refuse_longer(path, expected, wanted.length)?;
        while let Some(piece) = self.piece(path, &mut response).await? {
            let length = part.length() + piece.len() as u64;
            self.refuse_longer(path, Some(length), wanted.length)?;
            part.push(&piece).map_err(Failure::Final)?;
            progress(length);
        }
        if part.length() < wanted.length {
            return Err(Failure::Again(Error::unreachable(
                self.address(path),
                format!(
                    "the answer ended after {} of {} bytes",
                    part.length(),
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
        let piece = response
            .chunk()
            .await
            .map_err(|error| Failure::Again(self.failed(path, error)))?;
        self.pace
            .wait(piece.as_ref().map_or(0, |piece| piece.len()))
            .await;
        Ok(piece)
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

/// The certificates of a PEM file.
fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, Error> {
    let invalid = |reason: &str| Error::invalid("the certificate authorities", reason);
    if pem.is_empty() {
        return Ok(Vec::new());
    }
    match Certificate::from_pem_bundle(pem) {
        Ok(certificates) if certificates.is_empty() => Err(invalid(
            "hold no certificate; a file in PEM format with -----BEGIN CERTIFICATE----- is expected",
        )),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(invalid(&error.to_string())),
    }
}

fn begins_at(response: &Response, from: u64) -> bool {
    response
        .headers()
        .get(CONTENT_RANGE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with(&format!("bytes {from}-")))
}
