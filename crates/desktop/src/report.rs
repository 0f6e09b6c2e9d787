//! Telling the server which version is here, and what went wrong. A random number is all it learns about the computer.

use obnova_release::durable;
use rand::Rng;
use serde::Serialize;

use crate::desktop::Desktop;
use crate::error::Error;
use crate::platform;
use crate::pointer::{Pointer, Report};
use crate::server::Server;

#[derive(Serialize)]
struct Told<'a> {
    installation: &'a str,
    platform: &'a str,
    /// What runs; nothing before the first installation.
    version: Option<String>,
    reports: &'a [Report],
}

impl Desktop {
    /// Tells what has not been told. A server that does not listen is told the next time.
    pub(crate) fn report(&self, server: &Server) {
        if self.policy.silent {
            return;
        }
        if let Err(error) = self.try_report(server) {
            tracing::debug!(%error, "the server was not told which version is here");
        }
    }

    fn try_report(&self, server: &Server) -> Result<(), Error> {
        let pointer = Pointer::read(&self.layout)?;
        let told = Told {
            installation: &self.id()?,
            platform: &platform::name(),
            version: pointer.version().map(ToString::to_string),
            reports: &pointer.reports,
        };
        server.tell("desktop/v1/report", &told)?;
        if pointer.reports.is_empty() {
            return Ok(());
        }
        let mut state = self.state()?;
        // Others may have come meanwhile, and stay. Killed before this, it is told twice; the server knows by the time.
        state
            .pointer
            .reports
            .retain(|report| !pointer.reports.contains(report));
        state.save()
    }

    /// The installation's random number, made when first needed.
    fn id(&self) -> Result<String, Error> {
        let path = self.layout.id();
        if let Ok(bytes) = durable::read_limited(&path, 64)
            && let Ok(text) = String::from_utf8(bytes)
            && text.len() == 32
        {
            return Ok(text);
        }
        let id = format!("{:032x}", rand::rng().random::<u128>());
        durable::write(&path, id.as_bytes(), 0o600)?;
        Ok(id)
    }
}
