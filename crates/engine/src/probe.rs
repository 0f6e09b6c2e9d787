//! Asks an application whether it is well: the probes that its release describes, over HTTP on loopback, and its check.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use obnova_release::{Description, Probe};

use crate::step::chain;

mod check;

pub use check::run_check;

/// How long one request may take.
const REQUEST_PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(10);
/// Of an answer's body no more is looked at.
const BODY_LIMIT: usize = 1 << 20;

/// Tries until every probe passes in a row, `patience` is over, or `alive` says that there is nobody to ask any more.
///
/// # Errors
/// What the last try found wrong, in technical English.
pub fn wait_healthy(
    description: &Description,
    address: SocketAddr,
    patience: Duration,
    alive: &dyn Fn() -> bool,
) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| chain(&error))?;
    let client = reqwest::Client::builder()
        .no_proxy()
        // Never asked over TLS; reading the system's certificates takes longer than all probes do, and people wait.
        .tls_certs_only([])
        .timeout(REQUEST_PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| chain(&error))?;
    let until = Instant::now() + patience;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let tried = runtime.block_on(async {
            match tokio::time::timeout(left, all(&client, description, address)).await {
                Ok(result) => result,
                Err(_) => Err("no answer in time".to_owned()),
            }
        });
        match tried {
            Ok(()) => return Ok(()),
            Err(_) if !alive() => return Err("the process has ended".to_owned()),
            Err(wrong) if Instant::now() >= until => return Err(wrong),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

async fn all(
    client: &reqwest::Client,
    description: &Description,
    address: SocketAddr,
) -> Result<(), String> {
    for probe in &description.server.health {
        one(client, probe, address)
            .await
            .map_err(|wrong| format!("{} {}: {wrong}", probe.method, probe.path))?;
    }
    Ok(())
}

async fn one(client: &reqwest::Client, probe: &Probe, address: SocketAddr) -> Result<(), String> {
    let method = probe
        .method
        .parse::<reqwest::Method>()
        .map_err(|error| error.to_string())?;
    let mut request = client.request(method, format!("http://{address}{}", probe.path));
    for (name, value) in &probe.headers {
        request = request.header(name, value);
    }
    if let Some(body) = &probe.body {
        request = request.body(body.clone());
    }
    let mut answer = request.send().await.map_err(|error| chain(&error))?;
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(|error| chain(&error))? {
        body.extend_from_slice(&part);
        if body.len() >= BODY_LIMIT {
            break;
        }
    }
    let body = String::from_utf8_lossy(&body);
    if status != probe.status {
        return Err(format!(
            "answered {status} instead of {}: {}",
            probe.status,
            excerpt(&body)
        ));
    }
    match &probe.contains {
        Some(wanted) if !body.contains(wanted) => {
            Err(format!("the answer lacks {wanted:?}: {}", excerpt(&body)))
        }
        _ => Ok(()),
    }
}

fn excerpt(body: &str) -> String {
    body.chars().take(500).collect()
}
