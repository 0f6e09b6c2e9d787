//! Which part of a file a request is for.

use axum::http::{HeaderMap, header};

/// What to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// From the first byte to the last, both counted from 0.
    Some { first: u64, last: u64 },
    /// There is no such part.
    Unsatisfiable,
}

impl Part {
    /// Of a file with this length and tag. Several ranges at once are answered with the whole, which is always right.
    pub(super) fn of(headers: &HeaderMap, length: u64, tag: &str) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(range) = text(header::RANGE) else {
            return Self::Whole;
        };
        // What a Desktop has begun with must be the same file; dates are not exact enough to say so.
        if text(header::IF_RANGE).is_some_and(|condition| condition != tag) {
            return Self::Whole;
        }
        match range
            .strip_prefix("bytes=")
            .and_then(|range| range.split_once('-'))
        {
            Some(("", last)) => match last.parse::<u64>() {
                Ok(0) => Self::Unsatisfiable,
                Ok(count) if length > 0 => Self::Some {
                    first: length.saturating_sub(count),
                    last: length - 1,
                },
                Ok(_) => Self::Unsatisfiable,
                Err(_) => Self::Whole,
            },
            Some((first, last)) => {
                let last = match last {
                    "" => Ok(u64::MAX),
                    last => last.parse(),
                };
                match (first.parse::<u64>(), last) {
                    (Ok(first), Ok(last)) if first > last => Self::Whole,
                    (Ok(first), Ok(_)) if first >= length => Self::Unsatisfiable,
                    (Ok(first), Ok(last)) => Self::Some {
                        first,
                        last: last.min(length - 1),
                    },
                    _ => Self::Whole,
                }
            }
            None => Self::Whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn part(range: &str, condition: Option<&str>, length: u64) -> Part {
        let mut headers = HeaderMap::new();
        let mut put = |name: HeaderName, value: &str| {
            headers.insert(name, HeaderValue::from_str(value).unwrap())
        };
        put(header::RANGE, range);
        if let Some(condition) = condition {
            put(header::IF_RANGE, condition);
        }
        Part::of(&headers, length, "\"a\"")
    }

    #[test]
    fn a_part_of_a_file_is_what_was_asked_for() {
        let some = |first, last| Part::Some { first, last };
        assert_eq!(part("bytes=3-", None, 10), some(3, 9));
        assert_eq!(part("bytes=3-5", None, 10), some(3, 5));
        assert_eq!(part("bytes=3-99", None, 10), some(3, 9));
        assert_eq!(part("bytes=-4", None, 10), some(6, 9));
        assert_eq!(part("bytes=-40", None, 10), some(0, 9));
        assert_eq!(part("bytes=3-", Some("\"a\""), 10), some(3, 9));
    }

    #[test]
    fn another_file_and_what_is_not_understood_are_sent_whole() {
        assert_eq!(part("bytes=3-", Some("\"b\""), 10), Part::Whole);
        assert_eq!(part("bytes=3-", Some("W/\"a\""), 10), Part::Whole);
        for wrong in [
            "bytes=5-3",
            "bytes=1-2,4-5",
            "lines=1-",
            "bytes=",
            "bytes=x-",
            "bytes=--1",
        ] {
            assert_eq!(part(wrong, None, 10), Part::Whole, "{wrong}");
        }
    }

    #[test]
    fn a_part_behind_the_end_is_refused() {
        assert_eq!(part("bytes=10-", None, 10), Part::Unsatisfiable);
        assert_eq!(part("bytes=-0", None, 10), Part::Unsatisfiable);
        assert_eq!(part("bytes=0-", None, 0), Part::Unsatisfiable);
        assert_eq!(part("bytes=-1", None, 0), Part::Unsatisfiable);
    }
}
