//! What people and programs send becomes a record, or a list of what is wrong with it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::Value;

use crate::database::Record;
use crate::entity::{Entity, Field, Kind};
use crate::report::today;

/// Longest text where a field says nothing else, characters.
const LONGEST_LINE: i64 = 200;
/// Longest text of several lines, characters.
const LONGEST_NOTE: i64 = 20_000;
/// Greatest number where a field says nothing else.
const GREATEST_NUMBER: i64 = 1_000_000_000_000;

/// What is wrong, by field.
pub type Complaints = BTreeMap<String, Complaint>;

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The text's key.
    pub key: &'static str,
    /// The limit that was passed, where there is one.
    pub limit: Option<i64>,
}

/// How much of a record is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// A new record: what is missing gets its default.
    New,
    /// All of an existing record: what is missing becomes empty.
    Whole,
    /// Some fields of an existing record: what is missing stays.
    Part,
}

/// Checks and converts what was sent for an entity.
pub fn validate(entity: &Entity, sent: &Record, extent: Extent) -> Result<Record, Complaints> {
    let mut record = Record::new();
    let mut complaints = Complaints::new();
    let own = entity.fields.iter().filter(|field| field.compute.is_none());
    for field in own {
        let absent = !sent.contains_key(&field.name);
        if absent && (extent == Extent::Part || field.hidden && extent == Extent::Whole) {
            continue;
        }
        let value = sent.get(&field.name).cloned();
        let value = value.unwrap_or_else(|| default(field, extent));
        match convert(field, &value) {
            Ok(value) => {
                record.insert(field.name.clone(), value);
            }
            Err(complaint) => {
                complaints.insert(field.name.clone(), complaint);
            }
        }
    }
    if complaints.is_empty() {
        Ok(record)
    } else {
        Err(complaints)
    }
}

/// The value that a new record starts with.
pub fn default(field: &Field, extent: Extent) -> Value {
    match field.default.as_deref() {
        Some("today") if extent == Extent::New => today().to_string().into(),
        Some(value) if extent == Extent::New => value.into(),
        _ => Value::Null,
    }
}

fn convert(field: &Field, value: &Value) -> Result<Value, Complaint> {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return Err(plain("error-type")),
    };
    if text.is_empty() {
        return if field.required {
            Err(plain("error-required"))
        } else {
            Ok(Value::Null)
        };
    }
    match field.kind {
        Kind::Number | Kind::Money => number(field, &text),
        Kind::Reference => reference(&text),
        kind => checked_text(field, kind, text),
    }
}

fn checked_text(field: &Field, kind: Kind, text: String) -> Result<Value, Complaint> {
    let usual = if kind == Kind::Note {
        LONGEST_NOTE
    } else {
        LONGEST_LINE
    };
    let limit = field.max.unwrap_or(usual);
    if text.chars().count() as i64 > limit {
        return Err(Complaint {
            key: "error-too-long",
            limit: Some(limit),
        });
    }
    let control =
        |c: char| c.is_control() && !(kind == Kind::Note && matches!(c, '\n' | '\r' | '\t'));
    if text.chars().any(control) {
        return Err(plain("error-characters"));
    }
    match kind {
        Kind::Email if !is_email(&text) => Err(plain("error-email")),
        Kind::Phone if !is_phone(&text) => Err(plain("error-phone")),
        Kind::Web if !is_web_address(&text) => Err(plain("error-web")),
        Kind::Date if text.parse::<Date>().is_err() => Err(plain("error-date")),
        Kind::Choice if !field.choices.contains(&text) => Err(plain("error-choice")),
        _ => Ok(text.into()),
    }
}

fn number(field: &Field, text: &str) -> Result<Value, Complaint> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let Ok(number) = digits.parse::<i64>() else {
        return Err(plain("error-number"));
    };
    let limit = field.max.unwrap_or(GREATEST_NUMBER);
    if number < 0 {
        return Err(plain("error-negative"));
    }
    if number > limit {
        return Err(Complaint {
            key: "error-too-great",
            limit: Some(limit),
        });
    }
    Ok(number.into())
}

/// A record's id: `12`, or a name with it as forms suggest them: `Jan Novák #12`.
fn reference(text: &str) -> Result<Value, Complaint> {
    let id = text.rsplit_once('#').map_or(text, |(_, id)| id);
    match id.trim().parse::<i64>() {
        Ok(id) if id > 0 => Ok(id.into()),
        _ => Err(plain("error-reference")),
    }
}

/// Not more than what tells a typing mistake from an address; the proof of an address is a letter that arrives.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let labels_fine = domain
        .split('.')
        .all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-'));
    let local_fine = !local.is_empty()
        && !local.contains(|c: char| c.is_whitespace() || matches!(c, '@' | '<' | '>' | ','));
    local_fine && labels_fine && domain.contains('.')
}

fn is_phone(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let allowed = |c: char| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')' | '/');
    (3..=20).contains(&digits) && text.chars().all(allowed)
}

fn is_web_address(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| rest.contains('.') && !rest.contains(char::is_whitespace))
}

fn plain(key: &'static str) -> Complaint {
    Complaint { key, limit: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: Kind) -> Field {
        Field {
            name: "x".to_owned(),
            kind,
            required: false,
            max: None,
            choices: vec!["won".to_owned()],
            to: None,
            default: None,
            compute: None,
            hidden: false,
        }
    }

    fn complaint(kind: Kind, text: &str) -> Option<&'static str> {
        convert(&field(kind), &Value::from(text))
            .err()
            .map(|complaint| complaint.key)
    }

    #[test]
    fn an_address_without_a_domain_is_refused() {
        assert_eq!(complaint(Kind::Email, "jan@novak"), Some("error-email"));
        assert_eq!(
            complaint(Kind::Email, "@firma.example"),
            Some("error-email")
        );
        assert_eq!(
            complaint(Kind::Email, "jan novak@firma.example"),
            Some("error-email")
        );
        assert_eq!(complaint(Kind::Email, "Jan.Novak+crm@Firma.example"), None);
    }

    #[test]
    fn a_day_that_there_is_not_is_refused() {
        assert_eq!(complaint(Kind::Date, "2026-02-30"), Some("error-date"));
        assert_eq!(complaint(Kind::Date, "2028-02-29"), None);
    }

    #[test]
    fn numbers_may_be_grouped_and_not_negative() {
        assert_eq!(
            convert(&field(Kind::Money), &Value::from("1 250 000")),
            Ok(1_250_000.into())
        );
        assert_eq!(complaint(Kind::Money, "-1"), Some("error-negative"));
        assert_eq!(complaint(Kind::Money, "12,50"), Some("error-number"));
    }

    #[test]
    fn a_reference_is_an_id_or_a_suggestion_with_it() {
        let reference = field(Kind::Reference);
        assert_eq!(
            convert(&reference, &Value::from("Alfa #3 s.r.o. #12")),
            Ok(12.into())
        );
        assert_eq!(convert(&reference, &Value::from(7)), Ok(7.into()));
        assert_eq!(complaint(Kind::Reference, "Alfa"), Some("error-reference"));
    }

    #[test]
    fn too_long_a_text_says_how_long_it_may_be() {
        let result = convert(&field(Kind::Text), &Value::from("x".repeat(201)));
        assert_eq!(
            result,
            Err(Complaint {
                key: "error-too-long",
                limit: Some(200)
            })
        );
    }
}
