//! Texts that several pages say.

use std::time::Duration;

use obnova_desktop::Notes;
use obnova_text::{Lang, Text};

/// The product with a version.
pub(crate) fn named(name: &str, version: &impl ToString) -> String {
    format!("{name} {}", version.to_string())
}

/// How long something still takes: rough, as it is a guess.
pub(crate) fn left(text: &Text, left: Duration) -> String {
    let seconds = left.as_secs().max(1);
    let (key, count) = match seconds {
        0..=59 => ("gui-left-seconds", seconds),
        60..=3599 => ("gui-left-minutes", seconds.div_ceil(60)),
        _ => ("gui-left-hours", seconds.div_ceil(3600)),
    };
    text.with(key, &[("count", &count.to_string())])
}

/// Notes of several versions as one text. One version needs no heading of its own.
pub(crate) fn together(notes: &[Notes], lang: Lang) -> String {
    let texts = notes.iter().map(|notes| {
        let text = notes.text(lang.tag()).trim();
        format!("# {}\n\n{text}\n", notes.version)
    });
    texts.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_said_roughly() {
        let of = |seconds| left(Text::of(Lang::En), Duration::from_secs(seconds));
        assert_eq!(of(0), "about 1 s left");
        assert_eq!(of(59), "about 59 s left");
        assert_eq!(of(61), "about 2 min left");
        assert_eq!(of(7200), "about 2 h left");
    }
}
