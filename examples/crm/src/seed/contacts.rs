//! Invented people, with the untidiness of real data.

use rand::Rng as _;
use serde_json::Value;

use super::companies::phone;
use super::names::{DEGREES, MEN, POSITIONS, SURNAMES, WOMEN};
use super::{Source, row, text};
use crate::database::Record;
use crate::spelling::fold;

/// One contact in so many is a person entered a second time.
const TWICE: usize = 700;
/// One contact in so many has the company's shared address.
const SHARED: usize = 500;

/// So many contacts, with ids from 1.
pub fn contacts(source: &mut Source, count: usize, companies: &[Record]) -> Vec<Record> {
    let mut contacts: Vec<Record> = Vec::with_capacity(count);
    for id in 1..=count {
        let company = &companies[source.random.random_range(0..companies.len())];
        let mut contact = person(source, id, company);
        if id % SHARED == SHARED / 2 {
            share_address(&mut contact, &mut contacts, companies);
        } else if id % TWICE == TWICE / 2 {
            enter_again(&mut contact, &contacts);
        }
        contacts.push(contact);
    }
    contacts
}

fn person(source: &mut Source, id: usize, company: &Record) -> Record {
    let woman = source.random.random_bool(0.5);
    let surnames = SURNAMES[source.random.random_range(0..SURNAMES.len())];
    let positions = POSITIONS[source.random.random_range(0..POSITIONS.len())];
    let first = source.pick(if woman { WOMEN } else { MEN });
    let last = if woman { surnames.1 } else { surnames.0 };
    let degree = if source.random.random_bool(0.25) {
        source.pick(DEGREES).into()
    } else {
        Value::Null
    };
    let created = source.days_ago(3 + (id as i64 * 7) % 1200);
    row([
        ("id", (id as i64).into()),
        ("title", degree),
        ("first_name", first.into()),
        ("last_name", last.into()),
        ("company_id", company["id"].clone()),
        (
            "position",
            if woman { positions.1 } else { positions.0 }.into(),
        ),
        ("email", address(source, id, first, last, company)),
        ("phone", phone(source).into()),
        ("note", Value::Null),
        ("client_id", Value::Null),
        ("created_at", format!("{created}T09:30:00Z").into()),
        ("updated_at", format!("{created}T09:30:00Z").into()),
    ])
}

/// `jan.novak.17@firma.example`; some write it with capitals, some have none.
fn address(source: &mut Source, id: usize, first: &str, last: &str, company: &Record) -> Value {
    let domain = text(company, "email").trim_start_matches("info@");
    let plain = format!("{}.{}.{id}@{domain}", fold(first), fold(last));
    match source.random.random_range(0..40) {
        0 => Value::Null,
        1 => format!(
            "{}.{}.{id}@{domain}",
            capital(&fold(first)),
            capital(&fold(last))
        )
        .into(),
        _ => plain.into(),
    }
}

/// Two colleagues who both read `info@` of their company.
fn share_address(contact: &mut Record, earlier: &mut [Record], companies: &[Record]) {
    let Some(colleague) = earlier.last_mut() else {
        return;
    };
    let id = colleague["company_id"].clone();
    let Some(company) = companies.iter().find(|company| company["id"] == id) else {
        return;
    };
    for reader in [contact, colleague] {
        reader.insert("company_id".to_owned(), id.clone());
        reader.insert("email".to_owned(), company["email"].clone());
    }
}

/// The same person again, the address in another case.
fn enter_again(contact: &mut Record, earlier: &[Record]) {
    let known = earlier.iter().rev().skip(earlier.len() / 3);
    let Some(person) = known
        .into_iter()
        .find(|other| text(other, "email").contains('@'))
    else {
        return;
    };
    for name in ["first_name", "last_name", "company_id", "position"] {
        contact.insert(name.to_owned(), person[name].clone());
    }
    let (local, domain) = text(person, "email").split_once('@').unwrap_or_default();
    let address = format!("{}@{domain}", local.to_uppercase());
    contact.insert("email".to_owned(), address.into());
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}
