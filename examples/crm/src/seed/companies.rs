//! Invented companies.

use rand::Rng as _;
use serde_json::Value;

use super::names::{COMPANY_BEGINNINGS, COMPANY_ENDINGS, FORMS, STREETS, TOWNS, TRADES};
use super::{Source, row};
use crate::database::Record;
use crate::spelling::fold;

/// So many companies, with ids from 1.
pub fn companies(source: &mut Source, count: usize) -> Vec<Record> {
    (1..=count).map(|id| company(source, id)).collect()
}

fn company(source: &mut Source, id: usize) -> Record {
    let brand = format!(
        "{}{}",
        source.pick(COMPANY_BEGINNINGS),
        source.pick(COMPANY_ENDINGS)
    );
    let trade = source.pick(TRADES);
    let form = source.pick(FORMS);
    let name = [brand.as_str(), trade].join(" ").trim().to_owned();
    let domain = format!("{}{}.example", fold(&name).replace(' ', "-"), suffix(id));
    let (town, code) = TOWNS[source.random.random_range(0..TOWNS.len())];
    let days = source.random.random_range(30..1500);
    let created = source.days_ago(days);
    row([
        ("id", (id as i64).into()),
        ("name", format!("{name} {form}").into()),
        // No real number begins with 99.
        (
            "registration_number",
            format!("99{:06}", source.random.random_range(0..1_000_000)).into(),
        ),
        (
            "street",
            format!(
                "{} {}",
                source.pick(STREETS),
                source.random.random_range(1..240)
            )
            .into(),
        ),
        ("city", town.into()),
        (
            "postal_code",
            format!("{code} {:02}", source.random.random_range(0..100)).into(),
        ),
        ("phone", phone(source).into()),
        ("email", format!("info@{domain}").into()),
        ("website", format!("https://www.{domain}").into()),
        ("note", Value::Null),
        ("created_at", format!("{created}T08:00:00Z").into()),
        ("updated_at", format!("{created}T08:00:00Z").into()),
    ])
}

/// Czech numbers have nine digits and none begins with 0.
pub fn phone(source: &mut Source) -> String {
    let mut group = || source.random.random_range(0..1000);
    let (first, second, third) = (group() % 100, group(), group());
    format!("+420 0{first:02} {second:03} {third:03}")
}

/// Makes the domains of companies with the same name differ.
fn suffix(id: usize) -> String {
    if id <= 200 {
        String::new()
    } else {
        format!("-{id}")
    }
}
