//! An open-loop load client: requests go out on a fixed schedule, whatever became of the earlier ones.
//!
//! A closed loop (send, wait, send) asks less of a server that is slow, and so hides exactly what an update does to its
//! users. Here a request that waits does not delay the next one, and times are measured from the moment a request was
//! *due*, not from when it got away.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use std::time::Duration;
//! use obnova_testkit::load::{Asked, Load};
//!
//! let load = Load::new("http://127.0.0.1:8080", 200, |shot| match shot.write {
//!     false => Asked::get("/contacts"),
//!     true => Asked::post("/api/notes", "application/json", format!(r#"{{"id":{}}}"#, shot.number)).write(shot.number.to_string()),
//! });
//! let outcome = load.run_for(Duration::from_secs(10)).await?;
//! assert_eq!(outcome.failed, 0, "{outcome}");
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Client, Method, redirect, retry};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Reasons of failures that are kept; the rest is only counted.
const REASONS: usize = 10;

/// One place in the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shot {
    /// Counted from 0.
    pub number: u64,
    /// Whether a write is due here. Writes are spread evenly.
    pub write: bool,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Asked {
    method: Method,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
    write: Option<String>,
    unless: Option<String>,
}

impl Asked {
    /// A request without a body.
    pub fn get(path: impl Into<String>) -> Asked {
        Asked::new(Method::GET, path, Vec::new())
    }

    /// A request with a body of this type.
    pub fn post(path: impl Into<String>, kind: &'static str, body: impl Into<Vec<u8>>) -> Asked {
        Asked::new(Method::POST, path, body.into())
            .header(CONTENT_TYPE, HeaderValue::from_static(kind))
    }

    /// Any request. The path may have a query.
    pub fn new(method: Method, path: impl Into<String>, body: Vec<u8>) -> Asked {
        Asked {
            method,
            path: path.into(),
            headers: Vec::new(),
            body,
            write: None,
            unless: None,
        }
    }

    /// With this header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Asked {
        self.headers.push((name, value));
        self
    }

    /// An answer with this text in it is a failure, whatever its status.
    pub fn unless(mut self, text: impl Into<String>) -> Asked {
        self.unless = Some(text.into());
        self
    }

    /// It writes something that can be found again by this identifier once it has been acknowledged.
    pub fn write(mut self, id: impl Into<String>) -> Asked {
        self.write = Some(id.into());
        self
    }
}

/// Builds the request of one place in the schedule.
type Make = Arc<dyn Fn(Shot) -> Asked + Send + Sync>;

/// A schedule of requests.
#[derive(Clone)]
pub struct Load {
    base: String,
    rate: u32,
    write_share: f64,
    timeout: Duration,
    make: Make,
}

/// What became of the requests.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Outcome {
    /// Requests sent.
    pub sent: u64,
    /// Answered with a status below 400, completely.
    pub ok: u64,
    /// All others.
    pub failed: u64,
    /// Why the first few failed.
    pub reasons: Vec<String>,
    /// Identifiers of the writes that were answered as done. Each of them must be found afterwards.
    pub acknowledged: Vec<String>,
    /// From the moment a request was due to its complete answer, of those that were answered as done.
    pub latency: Latency,
    /// The longest time between two complete good answers, the start and the end included, in milliseconds: the blackout
    /// as the clients saw it.
    pub longest_gap_ms: f64,
}

/// Times from due to done, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Latency {
    /// Half of the requests took at most this long.
    pub p50_ms: f64,
    /// Nine of ten.
    pub p90_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// 999 of 1000.
    pub p999_ms: f64,
    /// All.
    pub max_ms: f64,
}

impl Load {
    /// `rate` requests a second to `base` (`http://127.0.0.1:8080`), half of them writes, each given up after 60 seconds.
    pub fn new(
        base: impl Into<String>,
        rate: u32,
        make: impl Fn(Shot) -> Asked + Send + Sync + 'static,
    ) -> Load {
        Load {
            base: base.into(),
            rate: rate.max(1),
            write_share: 0.5,
            timeout: Duration::from_secs(60),
            make: Arc::new(make),
        }
    }

    /// With this share of writes, 0 to 1.
    pub fn write_share(mut self, share: f64) -> Load {
        self.write_share = share.clamp(0.0, 1.0);
        self
    }

    /// With this time for each request.
    pub fn timeout(mut self, timeout: Duration) -> Load {
        self.timeout = timeout;
        self
    }

    /// Sends for this long, and waits for the last answers.
    ///
    /// # Errors
    /// The client cannot be built. What happens to requests is in the outcome.
    pub async fn run_for(&self, duration: Duration) -> anyhow::Result<Outcome> {
        self.run_until(tokio::time::sleep(duration)).await
    }

    /// Sends until `stop` is done, and waits for the last answers.
    ///
    /// # Errors
    /// The client cannot be built. What happens to requests is in the outcome.
    pub async fn run_until(&self, stop: impl Future<Output = ()>) -> anyhow::Result<Outcome> {
        let client = Client::builder()
            .timeout(self.timeout)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            // Below the time after which servers close: a connection that is closed under a request would count as a failure.
            .pool_idle_timeout(Duration::from_secs(2))
            .pool_max_idle_per_host(usize::MAX)
            .build()?;
        let mut stop = std::pin::pin!(stop);
        let mut tally = Tally::new(Instant::now());
        let mut under_way = JoinSet::new();
        let mut number = 0;
        loop {
            let due = tally.start + Duration::from_secs_f64(number as f64 / f64::from(self.rate));
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = sleep_until(due) => {
                    let asked = (self.make)(self.shot(number));
                    let url = format!("{}{}", self.base, asked.path);
                    under_way.spawn(send(client.clone(), url, asked, due));
                    number += 1;
                }
            }
            while let Some(Ok(shot)) = under_way.try_join_next() {
                tally.add(shot);
            }
        }
        while let Some(Ok(shot)) = under_way.join_next().await {
            tally.add(shot);
        }
        Ok(tally.outcome(number))
    }

    fn shot(&self, number: u64) -> Shot {
        let due = |number: u64| (number as f64 * self.write_share).floor();
        Shot {
            number,
            write: due(number + 1) > due(number),
        }
    }
}

/// One request, done.
struct Done {
    due: Instant,
    at: Instant,
    result: Result<Option<String>, String>,
}

async fn send(client: Client, url: String, asked: Asked, due: Instant) -> Done {
    let mut request = client.request(asked.method.clone(), url);
    for (name, value) in asked.headers {
        request = request.header(name, value);
    }
    if !asked.body.is_empty() {
        request = request.body(asked.body);
    }
    let answered = async {
        let response = request.send().await?;
        let status = response.status();
        let body = response.bytes().await?;
        Ok::<_, reqwest::Error>((status, body))
    };
    let is_refused = |body: &[u8]| {
        let text = asked.unless.as_deref();
        text.is_some_and(|text| String::from_utf8_lossy(body).contains(text))
    };
    let result = match answered.await {
        Ok((status, body)) if status.as_u16() < 400 && is_refused(&body) => {
            let body: String = String::from_utf8_lossy(&body).chars().take(200).collect();
            Err(format!("{} {}: {body}", asked.method, asked.path))
        }
        Ok((status, _)) if status.as_u16() < 400 => Ok(asked.write),
        Ok((status, _)) => Err(format!("{} {}: {status}", asked.method, asked.path)),
        Err(error) => {
            // The reason itself is at the end of the chain of causes.
            let error = anyhow::Error::from(error.without_url());
            Err(format!("{} {}: {error:#}", asked.method, asked.path))
        }
    };
    Done {
        due,
        at: Instant::now(),
        result,
    }
}

/// Counts what comes back.
struct Tally {
    start: Instant,
    outcome: Outcome,
    completions: Vec<Instant>,
    latencies: Vec<Duration>,
}

impl Tally {
    fn new(start: Instant) -> Tally {
        Tally {
            start,
            outcome: Outcome::default(),
            completions: Vec::new(),
            latencies: Vec::new(),
        }
    }

    fn add(&mut self, done: Done) {
        match done.result {
            Ok(write) => {
                self.outcome.ok += 1;
                self.outcome.acknowledged.extend(write);
                self.completions.push(done.at);
                self.latencies.push(done.at - done.due);
            }
            Err(reason) => {
                self.outcome.failed += 1;
                if self.outcome.reasons.len() < REASONS {
                    let at = (done.at - self.start).as_secs_f64();
                    self.outcome.reasons.push(format!("{at:.3} s: {reason}"));
                }
            }
        }
    }

    fn outcome(mut self, sent: u64) -> Outcome {
        self.outcome.sent = sent;
        // A request that was sent and never came back (its task panicked) is a failure too.
        self.outcome.failed = sent - self.outcome.ok;
        self.outcome.latency = latency(self.latencies);
        self.outcome.longest_gap_ms = longest_gap(self.start, self.completions);
        self.outcome
    }
}

fn latency(mut latencies: Vec<Duration>) -> Latency {
    latencies.sort_unstable();
    let at = |share: f64| {
        let rank = (latencies.len() as f64 * share).ceil() as usize;
        latencies
            .get(rank.saturating_sub(1))
            .map_or(0.0, |latency| milliseconds(*latency))
    };
    Latency {
        p50_ms: at(0.5),
        p90_ms: at(0.9),
        p99_ms: at(0.99),
        p999_ms: at(0.999),
        max_ms: at(1.0),
    }
}

fn longest_gap(start: Instant, mut completions: Vec<Instant>) -> f64 {
    completions.push(start);
    completions.sort_unstable();
    completions
        .windows(2)
        .map(|pair| milliseconds(pair[1] - pair[0]))
        .fold(0.0, f64::max)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let latency = &self.latency;
        write!(
            f,
            "{} sent, {} ok, {} failed; from due to done p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms; longest gap {:.1} ms",
            self.sent,
            self.ok,
            self.failed,
            latency.p50_ms,
            latency.p99_ms,
            latency.max_ms,
            self.longest_gap_ms
        )?;
        for reason in &self.reasons {
            write!(f, "\n  {reason}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers one request a connection, after it was asked to wait.
    async fn server(pause: Duration, status: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    let _ = stream.read(&mut buffer).await;
                    tokio::time::sleep(pause).await;
                    let answer = format!(
                        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"
                    );
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        base
    }

    fn make(shot: Shot) -> Asked {
        match shot.write {
            true => Asked::post("/w", "text/plain", "x").write(shot.number.to_string()),
            false => Asked::get("/r?x=1"),
        }
    }

    #[tokio::test]
    async fn a_slow_server_is_asked_as_often_as_a_fast_one() {
        let base = server(Duration::from_millis(400), "200 OK").await;
        let load = Load::new(base, 100, make);
        let outcome = load.run_for(Duration::from_secs(1)).await.unwrap();
        // One after the other it would be three. A busy machine may be late with some.
        assert!((30..=101).contains(&outcome.sent), "{outcome}");
        assert_eq!((outcome.ok, outcome.failed), (outcome.sent, 0), "{outcome}");
        assert!(outcome.latency.p50_ms >= 400.0, "{outcome}");
        assert!(outcome.longest_gap_ms >= 400.0, "{outcome}");
    }

    #[tokio::test]
    async fn half_of_the_requests_write_and_each_acknowledged_write_is_named() {
        let base = server(Duration::ZERO, "201 Created").await;
        let load = Load::new(base, 200, make);
        let outcome = load.run_for(Duration::from_millis(250)).await.unwrap();
        let writes = outcome.acknowledged.len() as u64;
        assert!(writes.abs_diff(outcome.sent / 2) <= 1, "{outcome}");
    }

    #[tokio::test]
    async fn failures_are_counted_and_the_first_ones_explained() {
        let base = server(Duration::ZERO, "503 Service Unavailable").await;
        let outcome = Load::new(base, 100, make)
            .run_for(Duration::from_secs(1))
            .await
            .unwrap();
        assert_eq!(outcome.failed, outcome.sent);
        assert!(outcome.acknowledged.is_empty());
        assert_eq!(outcome.reasons.len(), REASONS);
        assert!(outcome.reasons[0].contains("503"), "{outcome}");

        let nobody = Load::new("http://127.0.0.1:1", 100, make);
        let outcome = nobody.run_for(Duration::from_millis(500)).await.unwrap();
        assert!(outcome.reasons[0].contains("refused"), "{outcome}");
    }

    #[tokio::test]
    async fn an_answer_with_the_wrong_text_is_a_failure() {
        let base = server(Duration::ZERO, "200 OK").await;
        let load = |text: &'static str| {
            Load::new(base.clone(), 100, move |_| Asked::get("/").unless(text))
        };
        let outcome = load("ok")
            .run_for(Duration::from_millis(200))
            .await
            .unwrap();
        assert_eq!(outcome.failed, outcome.sent, "{outcome}");
        let outcome = load("error")
            .run_for(Duration::from_millis(200))
            .await
            .unwrap();
        assert_eq!(outcome.ok, outcome.sent, "{outcome}");
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_times() {
        let latency = latency((1..=100).rev().map(Duration::from_millis).collect());
        assert_eq!(
            (latency.p50_ms, latency.p99_ms, latency.max_ms),
            (50.0, 99.0, 100.0)
        );
    }
}
