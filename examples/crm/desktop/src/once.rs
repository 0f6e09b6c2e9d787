//! `crm-desktop --once`: without a window, for terminals, scripts and tests. It confirms as the window does, asks the server and
//! loads once, and says what the window would show.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::json;

use crate::worker::{self, Place, Standing};

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// Prints it as a line of JSON.
///
/// # Errors
/// This version does not work here, or there is no way to the network.
pub fn run(place: Place) -> Result<()> {
    let version = place.tree.version.clone();
    let began = jiff::Timestamp::now();
    let link = worker::start(place, || ())?;
    let until = Instant::now() + PATIENCE;
    loop {
        std::thread::sleep(POLL);
        let shared = link.look();
        if shared.leave {
            bail!("this version does not work here");
        }
        let loaded = shared.data.at.is_some_and(|at| at >= began);
        let (standing, server) = match &shared.standing {
            Standing::Connecting => ("connecting", None),
            Standing::Online(server) => ("online", Some(server.clone())),
            Standing::Offline(_) => ("offline", None),
            Standing::Refused(refusal) => ("refused", Some(refusal.server.clone())),
        };
        let finished = match shared.standing {
            Standing::Connecting => false,
            Standing::Online(_) => loaded,
            Standing::Offline(_) | Standing::Refused(_) => true,
        };
        if !finished && Instant::now() < until {
            continue;
        }
        let records = shared.data.records.iter();
        let counts: serde_json::Map<String, serde_json::Value> = records
            .map(|(plural, records)| (plural.clone(), records.len().into()))
            .collect();
        println!(
            "{}",
            json!({
                "version": version, "standing": standing, "server": server,
                "data": shared.data.at, "records": counts,
            })
        );
        return Ok(());
    }
}
