//! Which time it is for the dates in signed metadata.
//!
//! A machine's clock may stand still in the past (an empty battery) or be set back by somebody who wants expired metadata
//! to look fresh. So no time before one that is known for certain is believed: the time is the latest of the clock, of a
//! day on which this program already existed, and of the moment at which the newest verified timestamp was signed. Nothing
//! about the clock is remembered besides, so a clock that once stood in the future does no lasting harm.

use jiff::Timestamp;

/// A moment at which this program already existed: 2026-11-01T00:00:00Z.
const EARLIEST: i64 = 1_793_491_200;

/// The name of the moment of signing in `timestamp.json`; signed with it, and unknown to other clients.
pub(crate) const SIGNED_AT: &str = "x-obnova-signed-at";

pub(crate) fn latest(now: Timestamp, signed_at: Option<Timestamp>) -> Timestamp {
    let earliest = Timestamp::from_second(EARLIEST).unwrap_or(Timestamp::UNIX_EPOCH);
    now.max(earliest).max(signed_at.unwrap_or(earliest))
}

pub(crate) fn signed_at(timestamp: &sigstore_tuf::Timestamp) -> Option<Timestamp> {
    timestamp.extra.get(SIGNED_AT)?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_in_the_past_is_not_believed() {
        let signed: Timestamp = "2027-03-01T00:00:00Z".parse().unwrap();
        assert_eq!(latest(Timestamp::UNIX_EPOCH, Some(signed)), signed);
        assert_eq!(
            latest(Timestamp::UNIX_EPOCH, None).to_string(),
            "2026-11-01T00:00:00Z"
        );
        let later: Timestamp = "2027-03-02T00:00:00Z".parse().unwrap();
        assert_eq!(latest(later, Some(signed)), later);
    }
}
