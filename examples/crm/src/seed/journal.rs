//! Invented deals, activities and letters.

use jiff::civil::Date;
use rand::Rng as _;
use serde_json::Value;

use super::{Source, row, text};
use crate::database::Record;

const SUBJECTS: &[&str] = &[
    "Dodávka softwaru",
    "Servisní smlouva",
    "Rozšíření licencí",
    "Zaškolení obsluhy",
    "Migrace dat",
    "Roční podpora",
    "Nový e-shop",
    "Audit procesů",
    "Propojení s účetnictvím",
    "Pilotní provoz",
    "Obnova techniky",
    "Mobilní aplikace",
];

const STAGES: &[&str] = &[
    "lead",
    "lead",
    "lead",
    "qualified",
    "qualified",
    "proposal",
    "proposal",
    "negotiation",
    "won",
    "won",
    "won",
    "lost",
    "lost",
];

const CALLS: &[&str] = &[
    "Upřesnění poptávky",
    "Domluva termínu schůzky",
    "Dotaz na cenu",
    "Reklamace dodávky",
    "Potvrzení objednávky",
    "Nezastižen, volat znovu",
];
const MEETINGS: &[&str] = &[
    "Úvodní schůzka",
    "Představení nabídky",
    "Školení uživatelů",
    "Jednání o smlouvě",
    "Předání projektu",
];
const MAILS: &[&str] = &[
    "Zaslána nabídka",
    "Zaslán ceník",
    "Poslán návrh smlouvy",
    "Poděkování za schůzku",
    "Zápis z jednání",
];
const TASKS: &[&str] = &[
    "Připravit nabídku",
    "Zavolat zpět",
    "Poslat fakturu",
    "Domluvit další schůzku",
    "Zjistit spokojenost",
    "Obnovit smlouvu",
];

const SENTENCES: &[&str] = &[
    "Děkujeme za Váš zájem o naše služby.",
    "V příloze zasíláme slíbené podklady.",
    "Rádi bychom s Vámi domluvili termín schůzky v příštím týdnu.",
    "Cena zahrnuje zaškolení i první rok podpory.",
    "Dodací lhůta je čtyři týdny od podpisu smlouvy.",
    "V případě dotazů se na nás kdykoli obraťte.",
    "Těšíme se na další spolupráci.",
];

/// A letter: its row, and its file.
pub struct Letter {
    /// The row of the table `attachment`.
    pub record: Record,
    /// The file, relative to the data directory.
    pub path: String,
    /// What is in it.
    pub content: String,
}

/// So many deals.
pub fn deals(source: &mut Source, count: usize, contacts: &[Record]) -> Vec<Record> {
    (1..=count).map(|id| deal(source, id, contacts)).collect()
}

fn deal(source: &mut Source, id: usize, contacts: &[Record]) -> Record {
    let contact = &contacts[source.random.random_range(0..contacts.len())];
    let days = source.random.random_range(1..900);
    let created = source.days_ago(days);
    let amount: i64 = source.random.random_range(8..900) * 1_000;
    row([
        ("id", (id as i64).into()),
        ("name", source.pick(SUBJECTS).into()),
        ("company_id", contact["company_id"].clone()),
        ("contact_id", contact["id"].clone()),
        ("stage", source.pick(STAGES).into()),
        ("amount", amount.into()),
        ("note", Value::Null),
        ("created_at", stamp(created)),
        ("updated_at", stamp(created)),
    ])
}

/// So many entries of the journal; tasks are still to be done, the rest has happened.
pub fn activities(source: &mut Source, count: usize, contacts: &[Record]) -> Vec<Record> {
    (1..=count)
        .map(|id| activity(source, id, contacts))
        .collect()
}

fn activity(source: &mut Source, id: usize, contacts: &[Record]) -> Record {
    let contact = &contacts[source.random.random_range(0..contacts.len())];
    let (kind, subjects) = match source.random.random_range(0..200) {
        0..90 => ("call", CALLS),
        90..140 => ("email", MAILS),
        140..199 => ("meeting", MEETINGS),
        _ => ("task", TASKS),
    };
    let days = if kind == "task" {
        source.random.random_range(-40..8)
    } else {
        source.random.random_range(0..900)
    };
    let day = source.days_ago(days);
    row([
        ("id", (id as i64).into()),
        ("kind", kind.into()),
        ("subject", source.pick(subjects).into()),
        ("happened_on", day.to_string().into()),
        ("contact_id", contact["id"].clone()),
        ("company_id", contact["company_id"].clone()),
        ("deal_id", Value::Null),
        ("body", Value::Null),
        ("reference", Value::Null),
        ("created_at", stamp(day.min(source.today))),
        ("updated_at", stamp(day.min(source.today))),
    ])
}

/// So many letters.
pub fn letters(source: &mut Source, count: usize, contacts: &[Record]) -> Vec<Letter> {
    (1..=count).map(|id| letter(source, id, contacts)).collect()
}

fn letter(source: &mut Source, id: usize, contacts: &[Record]) -> Letter {
    let contact = &contacts[source.random.random_range(0..contacts.len())];
    let day = source.days_ago((id as i64 * 11) % 1000);
    let mut content = format!(
        "{day}\n\nDobrý den,\n\nadresát: {} {}\n\n",
        text(contact, "first_name"),
        text(contact, "last_name")
    );
    for _ in 0..source.random.random_range(2..6) {
        content.push_str(source.pick(SENTENCES));
        content.push('\n');
    }
    content.push_str("\nS pozdravem\nobchodní oddělení\n");
    let name = format!("dopis-{id:04}.txt");
    let path = format!("attachments/{name}");
    let record = row([
        ("id", (id as i64).into()),
        ("contact_id", contact["id"].clone()),
        ("file_name", name.into()),
        ("path", path.as_str().into()),
        ("size_bytes", (content.len() as i64).into()),
        ("created_at", stamp(day)),
        ("updated_at", stamp(day)),
    ]);
    Letter {
        record,
        path,
        content,
    }
}

fn stamp(day: Date) -> Value {
    format!("{day}T10:15:00Z").into()
}
