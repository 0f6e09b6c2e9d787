//! The part of the form with the settings that the engine owns.

use jiff::civil::Time;
use obnova_engine::api::{self, HoldLimits, KeepRule, RehearsalSettings};

use crate::form::Fields;

/// Held bodies are set in mebibytes.
pub(super) const MIB: u64 = 1 << 20;
/// The disk for a rehearsal's clone is set in gigabytes, as disks are sold.
const GB: u64 = 1_000_000_000;

/// The engine's settings as the form has them.
pub(super) fn read_engine(fields: &Fields, faults: &mut Vec<&'static str>) -> api::Settings {
    let mut number = |name: &str, least: u64, most: u64| match fields.text(name).parse::<u64>() {
        Ok(value) if (least..=most).contains(&value) => value,
        _ => {
            if !faults.contains(&"fault-limits") {
                faults.push("fault-limits");
            }
            fields.text(name).parse().unwrap_or(least)
        }
    };
    let hold = HoldLimits {
        requests: number("hold_requests", 0, 1_000_000),
        bytes: number("hold_mib", 0, 65_536).saturating_mul(MIB),
        seconds: number("hold_seconds", 1, 3_600),
        drain_seconds: number("drain_seconds", 0, 3_600),
    };
    api::Settings {
        hold,
        blackout_deadline_s: match fields.text("blackout_deadline") {
            "" => None,
            _ => Some(number("blackout_deadline", 5, 86_400)),
        },
        channel: match fields.text("channel") {
            "beta" => "beta".to_owned(),
            _ => "stable".to_owned(),
        },
        keep: KeepRule {
            copies: small(number("keep_copies", 1, 1_000)),
            days: small(number("keep_days", 0, 36_500)),
        },
        rehearsal: RehearsalSettings {
            automatic: fields.ticked("rehearsal_automatic"),
            valid_days: small(number("rehearsal_valid_days", 1, 3_650)),
            growth_percent: small(number("rehearsal_growth", 0, 10_000)),
            unisolated: fields.ticked("rehearsal_unisolated"),
            limit_seconds: small(number("rehearsal_limit", 1, 1_440) * 60),
            neutralise_seconds: small(number("rehearsal_neutralise", 1, 86_400)),
            daily_at: optional(fields, "rehearsal_daily_at", "fault-time", faults, |text| {
                Time::strptime("%H:%M", text).ok()
            }),
            disk_bytes: optional(fields, "rehearsal_disk", "fault-disk", faults, bytes),
        },
    }
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A field that may be left empty; what is in it and cannot be understood is a fault.
fn optional<T>(
    fields: &Fields,
    name: &str,
    fault: &'static str,
    faults: &mut Vec<&'static str>,
    read: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let value = read(fields.optional(name)?);
    if value.is_none() {
        faults.push(fault);
    }
    value
}

/// Bytes as gigabytes, exactly: what is shown is what is read again.
pub(super) fn gigabytes(bytes: u64) -> String {
    let text = format!("{}.{:09}", bytes / GB, bytes % GB);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Gigabytes, with up to nine digits after the point (or the comma), as bytes; nothing for none at all.
fn bytes(text: &str) -> Option<u64> {
    let text = text.replace(',', ".");
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    if part.len() > 9 || !part.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let part: u64 = format!("{part:0<9}").parse().ok()?;
    let whole: u64 = match whole {
        "" => 0,
        whole => whole.parse().ok()?,
    };
    let bytes = whole.checked_mul(GB)?.checked_add(part)?;
    (bytes > 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_as_it_was_shown() {
        for size in [1, 500_000_000, 2_000_000_000, 1_234_567_891, u64::MAX] {
            assert_eq!(bytes(&gigabytes(size)), Some(size));
        }
        assert_eq!(gigabytes(1_500_000_000), "1.5");
        assert_eq!(bytes("0,5"), Some(500_000_000));
        for wrong in ["0", "-1", "x", "1.0000000001", "99999999999999"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
