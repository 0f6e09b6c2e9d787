//! How templates show numbers and dates in each language.

use jiff::civil::Date;
use minijinja::{Environment, Value};

/// Adds the filters `number`, `money`, `date` and `sentence_case` for a language.
pub fn add_filters(environment: &mut Environment<'static>, language: &str) {
    let czech = language == "cs";
    environment.add_filter("number", move |value: Value| grouped(&value, czech));
    environment.add_filter("money", move |value: Value| money(&value, czech));
    environment.add_filter("date", move |value: Value| date(&value, czech));
    environment.add_filter("initials", |value: Value| initials(&value.to_string()));
}

fn grouped(value: &Value, czech: bool) -> String {
    let Some(number) = value.as_i64() else {
        return String::new();
    };
    let digits = number.unsigned_abs().to_string();
    let separator = if czech { '\u{a0}' } else { ',' };
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(separator);
        }
        text.push(digit);
    }
    if number < 0 {
        format!("\u{2212}{text}")
    } else {
        text
    }
}

fn money(value: &Value, czech: bool) -> String {
    match (grouped(value, czech), czech) {
        (text, _) if text.is_empty() => text,
        (text, true) => format!("{text}\u{a0}Kč"),
        (text, false) => format!("CZK\u{a0}{text}"),
    }
}

/// `5. 3. 2026` or `5 Mar 2026`; takes a date or the beginning of a time stamp.
fn date(value: &Value, czech: bool) -> String {
    let text = value.as_str().unwrap_or_default();
    let Some(Ok(date)) = text.get(..10).map(str::parse::<Date>) else {
        return text.to_owned();
    };
    if czech {
        format!(
            "{}.\u{a0}{}.\u{a0}{}",
            date.day(),
            date.month(),
            date.year()
        )
    } else {
        date.strftime("%-d\u{a0}%b\u{a0}%Y").to_string()
    }
}

/// First letters of the first and the last word that begin with a letter: `Ing. Jan Novák` gives `JN`.
fn initials(name: &str) -> String {
    let words: Vec<&str> = name
        .split_whitespace()
        .filter(|word| !word.ends_with('.'))
        .collect();
    let letter = |word: &&str| word.chars().find(|c| c.is_alphabetic());
    let first = words.first().and_then(letter);
    let last = if words.len() > 1 {
        words.last().and_then(letter)
    } else {
        None
    };
    first
        .into_iter()
        .chain(last)
        .flat_map(char::to_uppercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_as_the_language_does() {
        assert_eq!(
            money(&Value::from(1_250_000), true),
            "1\u{a0}250\u{a0}000\u{a0}Kč"
        );
        assert_eq!(money(&Value::from(999), false), "CZK\u{a0}999");
    }

    #[test]
    fn dates_are_written_as_the_language_does() {
        let value = Value::from("2026-03-05T10:00:00Z");
        assert_eq!(date(&value, true), "5.\u{a0}3.\u{a0}2026");
        assert_eq!(date(&value, false), "5\u{a0}Mar\u{a0}2026");
    }

    #[test]
    fn initials_leave_titles_out() {
        assert_eq!(initials("Ing. Jan Novák"), "JN");
        assert_eq!(initials("Řeřicha"), "Ř");
    }
}
