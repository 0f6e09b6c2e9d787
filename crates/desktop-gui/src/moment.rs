//! Points in time as people write them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use obnova_text::Lang;

/// A moment in the computer's time zone.
pub(crate) fn readable(moment: Timestamp, lang: Lang) -> String {
    in_zone(moment, lang, TimeZone::system())
}

fn in_zone(moment: Timestamp, lang: Lang, zone: TimeZone) -> String {
    let format = match lang {
        Lang::Cs => "%-d.\u{a0}%-m.\u{a0}%Y %-H:%M",
        Lang::En => "%-d\u{a0}%b\u{a0}%Y, %H:%M",
    };
    moment.to_zoned(zone).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_each_language_does() {
        let moment: Timestamp = "2026-11-24T08:05:00Z".parse().unwrap();
        let of = |lang| in_zone(moment, lang, TimeZone::UTC);
        assert_eq!(of(Lang::Cs), "24.\u{a0}11.\u{a0}2026 8:05");
        assert_eq!(of(Lang::En), "24\u{a0}Nov\u{a0}2026, 08:05");
    }
}
