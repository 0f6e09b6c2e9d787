//! Moments, durations and sizes as people of each language write them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
pub use obnova_text::bytes;
use obnova_text::{Lang, decimal};

/// A moment in the server's own time zone, to the minute.
pub fn moment(at: Timestamp, lang: Lang) -> String {
    let format = match lang {
        Lang::Cs => "%-d. %-m. %Y %-H:%M",
        Lang::En => "%-d %b %Y, %H:%M",
    };
    at.to_zoned(TimeZone::system()).strftime(format).to_string()
}

/// A calendar date of a release (`YYYY-MM-DD`); what is no date is shown as it is.
pub fn date(text: &str, lang: Lang) -> String {
    let format = match lang {
        Lang::Cs => "%-d. %-m. %Y",
        Lang::En => "%-d %b %Y",
    };
    match text.parse::<jiff::civil::Date>() {
        Ok(date) => date.strftime(format).to_string(),
        Err(_) => text.to_owned(),
    }
}

/// A duration in milliseconds, as exact as is of use: `85 ms`, `4.2 s`, `3 min 20 s`, `3 min`.
pub fn took(ms: u64, lang: Lang) -> String {
    match ms {
        0..1_000 => format!("{ms}\u{a0}ms"),
        1_000..60_000 => format!("{}\u{a0}s", decimal(ms as f64 / 1000.0, 1, lang)),
        60_000..3_600_000 => two((ms / 60_000, "min"), (ms % 60_000 / 1000, "s")),
        _ => two((ms / 3_600_000, "h"), (ms % 3_600_000 / 60_000, "min")),
    }
}

fn two((many, large): (u64, &str), (few, small): (u64, &str)) -> String {
    match few {
        0 => format!("{many}\u{a0}{large}"),
        _ => format!("{many}\u{a0}{large} {few}\u{a0}{small}"),
    }
}

/// A duration that goes on, in whole seconds: tenths would only flicker.
pub fn running(ms: u64, lang: Lang) -> String {
    match ms {
        0..60_000 => format!("{}\u{a0}s", ms / 1000),
        _ => took(ms, lang),
    }
}

/// A whole number with its thousands apart.
pub fn number(count: u64, lang: Lang) -> String {
    let digits = count.to_string();
    let separator = match lang {
        Lang::Cs => '\u{a0}',
        Lang::En => ',',
    };
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(separator);
        }
        out.push(digit);
    }
    out
}

/// How long from one moment to another, in milliseconds; 0 when the clock went backwards.
pub fn between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_exact_as_is_of_use() {
        assert_eq!(took(85, Lang::En), "85\u{a0}ms");
        assert_eq!(took(4_200, Lang::Cs), "4,2\u{a0}s");
        assert_eq!(took(200_000, Lang::En), "3\u{a0}min 20\u{a0}s");
        assert_eq!(took(60_900, Lang::En), "1\u{a0}min");
    }

    #[test]
    fn numbers_follow_the_language() {
        assert_eq!(number(1_234_567, Lang::En), "1,234,567");
        assert_eq!(number(12, Lang::Cs), "12");
    }
}
