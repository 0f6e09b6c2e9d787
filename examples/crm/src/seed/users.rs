//! Invented users of the CRM: people, some of them administrators, and service accounts.

use rand::Rng as _;

use super::names::{MEN, SURNAMES, WOMEN};
use super::{Source, row};
use crate::database::Record;
use crate::spelling::fold;

/// People.
const PEOPLE: usize = 23;
/// How many of them are administrators.
const ADMINISTRATORS: usize = 3;
/// Accounts that programs use.
const SERVICES: [(&str, &str); 2] = [
    ("Synchronizace účetnictví", "sync"),
    ("Zálohování", "backup"),
];
/// The groups of people who are no administrators.
const GROUPS: [&str; 3] = ["Everyone,Sales", "Everyone,Support", "Everyone"];

/// All users, with ids from 1; two people have left.
pub fn users(source: &mut Source) -> Vec<Record> {
    let mut users: Vec<Record> = (1..=PEOPLE).map(|id| person(source, id)).collect();
    for (index, (name, account)) in SERVICES.iter().enumerate() {
        let email = format!("{account}@firma.example");
        users.push(user(PEOPLE + 1 + index, name, &email, "cs", "System", true));
    }
    users
}

fn person(source: &mut Source, id: usize) -> Record {
    let woman = source.random.random_bool(0.5);
    let surnames = SURNAMES[source.random.random_range(0..SURNAMES.len())];
    let first = source.pick(if woman { WOMEN } else { MEN });
    let last = if woman { surnames.1 } else { surnames.0 };
    let email = format!("{}.{}{id}@firma.example", fold(first), fold(last));
    let language = if id.is_multiple_of(5) { "en" } else { "cs" };
    let groups = if id <= ADMINISTRATORS {
        "Everyone,Administrator"
    } else {
        GROUPS[id % GROUPS.len()]
    };
    user(
        id,
        &format!("{first} {last}"),
        &email,
        language,
        groups,
        id % 10 != 9,
    )
}

fn user(id: usize, name: &str, email: &str, language: &str, groups: &str, active: bool) -> Record {
    row([
        ("id", (id as i64).into()),
        ("name", name.into()),
        ("email", email.into()),
        ("language", language.into()),
        ("groups", groups.into()),
        ("active", i64::from(active).into()),
    ])
}
