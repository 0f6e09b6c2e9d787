//! The settings that an administrator may change and the engine owns, in `settings.json`.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::api::{Forecast, HoldLimits, Problem, Settings};
use crate::durable;
use crate::installation::Installation;
use crate::problem;

/// Seconds of blackout after which everything is undone, unless set.
const DEFAULT_DEADLINE_S: u64 = 600;

/// The shortest deadline that a forecast leads to, seconds.
const SHORTEST_DEADLINE_S: u64 = 60;

/// Nothing may take longer, seconds.
const LONGEST_LIMIT_S: u64 = 86_400;

/// The settings in force.
pub struct Store {
    path: PathBuf,
    current: Mutex<Settings>,
}

impl Store {
    /// Reads them; those of the installation file and the defaults where none were set.
    ///
    /// # Errors
    /// `configuration`: the file is there and not usable.
    pub fn open(installation: &Installation) -> Result<Store, Problem> {
        let path = installation.state_dir.join("settings.json");
        let wrong = |detail: String| {
            Problem::new(problem::CONFIGURATION)
                .arg("path", path.display())
                .detail(detail)
        };
        let current = match std::fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Settings {
                channel: installation.releases.channel.clone(),
                hold: HoldLimits::default(),
                blackout_deadline_s: None,
                rehearsal: Default::default(),
                keep: Default::default(),
            },
            Err(error) => return Err(wrong(error.to_string())),
        };
        Ok(Store {
            path,
            current: Mutex::new(current),
        })
    }

    /// The settings in force.
    pub fn current(&self) -> Settings {
        self.current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Changes them.
    ///
    /// # Errors
    /// `bad-request`: a value makes no sense; `system`: they could not be written. The old ones stay in force.
    pub fn change(&self, settings: Settings) -> Result<Settings, Problem> {
        check(&settings)?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let system = |error: std::io::Error| {
            Problem::new(problem::SYSTEM)
                .arg("path", self.path.display())
                .detail(error)
        };
        let bytes = serde_json::to_vec_pretty(&settings).map_err(|error| system(error.into()))?;
        durable::write(&self.path, &bytes, 0o644).map_err(system)?;
        *current = settings.clone();
        Ok(settings)
    }
}

/// After how long of holding everything is undone: as set, or three times what a rehearsal foretold and never less than a minute,
/// since a busy machine is slower than a forecast.
pub(crate) fn deadline(settings: &Settings, forecast: Option<&Forecast>) -> Duration {
    let by_forecast = |forecast: &Forecast| forecast.blackout_ms.saturating_mul(3).div_ceil(1000);
    let seconds = settings.blackout_deadline_s.unwrap_or_else(|| {
        forecast
            .map_or(DEFAULT_DEADLINE_S, by_forecast)
            .clamp(SHORTEST_DEADLINE_S, LONGEST_LIMIT_S)
    });
    Duration::from_secs(seconds)
}

fn check(settings: &Settings) -> Result<(), Problem> {
    let wrong = |detail: &str| Err(Problem::new(problem::BAD_REQUEST).detail(detail));
    if !["stable", "beta"].contains(&settings.channel.as_str()) {
        return wrong("the channel is stable or beta");
    }
    if settings.blackout_deadline_s == Some(0)
        || settings.hold.seconds == 0
        || settings.hold.requests == 0
    {
        return wrong("limits are at least 1");
    }
    let rehearsal = &settings.rehearsal;
    if rehearsal.valid_days == 0
        || rehearsal.disk_bytes == Some(0)
        || rehearsal.limit_seconds == 0
        || rehearsal.neutralise_seconds == 0
    {
        return wrong("limits are at least 1");
    }
    let seconds = [
        settings.blackout_deadline_s.unwrap_or(1),
        settings.hold.seconds,
        settings.hold.drain_seconds,
        rehearsal.limit_seconds.into(),
        rehearsal.neutralise_seconds.into(),
    ];
    if seconds.into_iter().any(|limit| limit > LONGEST_LIMIT_S) {
        return wrong("no limit is longer than a day");
    }
    Ok(())
}
