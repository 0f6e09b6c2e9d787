//! `crm seed`: a company's data of some years, invented. The same arguments always give the same rows and files.
//!
//! Nobody in it is real: names are put together from lists, addresses end in the reserved domain `example`, and
//! telephone numbers begin with a prefix that Czech operators do not assign. It is as untidy as real data is: some
//! addresses are shared by several people, some people were entered twice, some addresses differ only in case.

mod companies;
mod contacts;
mod journal;
mod names;
mod users;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::ToSpan;
use jiff::civil::Date;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::Value;
use sqlx::{Any, AssertSqlSafe, Transaction};

use crate::Place;
use crate::database::{Database, Parameters, Record, statement};
use crate::entity::Entity;
use crate::migrate;
use crate::report::today;
use crate::tree::Tree;

/// Rows of one INSERT statement.
const ROWS_AT_ONCE: usize = 100;

/// How much data, and which.
#[derive(Args)]
pub struct Size {
    /// Contacts; companies, deals and activities are in proportion
    #[arg(long, default_value_t = 20_000)]
    pub contacts: usize,
    /// Another number gives other data
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// The day that dates are counted from (default: today)
    #[arg(long)]
    pub today: Option<Date>,
}

/// What the generators share.
pub struct Source {
    /// Random numbers.
    pub random: StdRng,
    /// The day that dates are counted from.
    pub today: Date,
}

impl Source {
    /// One of a list that is not empty.
    pub fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list.choose(&mut self.random).copied().unwrap_or_default()
    }

    /// The date so many days before the day of the data; negative: after it.
    pub fn days_ago(&self, days: i64) -> Date {
        self.today.saturating_sub(days.days())
    }
}

/// Fills an empty database.
pub async fn seed(place: &Place, size: &Size) -> Result<()> {
    let tree = Tree::load(&place.tree)?;
    let database = Database::open(&place.database, false).await?;
    migrate::require_current(&tree, &database).await?;
    let result = fill(&tree, &database, &place.files, size).await;
    database.close().await;
    result
}

async fn fill(tree: &Tree, database: &Database, files: &Path, size: &Size) -> Result<()> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM contact")
        .fetch_one(&database.write)
        .await?;
    if count > 0 {
        bail!("the database has {count} contacts already; only an empty one is filled");
    }
    let mut source = Source {
        random: StdRng::seed_from_u64(size.seed),
        today: size.today.unwrap_or_else(today),
    };
    let companies = companies::companies(&mut source, (size.contacts / 6).max(1));
    let contacts = contacts::contacts(&mut source, size.contacts, &companies);
    let deals = journal::deals(&mut source, size.contacts / 5, &contacts);
    let activities = journal::activities(&mut source, size.contacts * 3 / 2, &contacts);
    let letters = journal::letters(&mut source, (size.contacts / 50).clamp(1, 400), &contacts);
    let users = users::users(&mut source);
    for letter in &letters {
        let path = files.join(&letter.path);
        std::fs::create_dir_all(path.parent().unwrap_or(files))?;
        std::fs::write(&path, &letter.content)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let attachments = letters.into_iter().map(|letter| letter.record).collect();
    let mut transaction = database.write.begin().await?;
    let mut counts = BTreeMap::new();
    for (name, rows) in [
        ("company", companies),
        ("contact", contacts),
        ("deal", deals),
        ("activity", activities),
        ("attachment", attachments),
    ] {
        let entity = tree
            .entities
            .get(name)
            .with_context(|| format!("no {name}"))?;
        counts.insert(name, rows.len());
        insert(&mut transaction, name, adapt(entity, rows)).await?;
    }
    counts.insert("user", users.len());
    insert(&mut transaction, "app_user", users).await?;
    transaction.commit().await?;
    for name in tree.entities.keys().map(String::as_str).chain(["app_user"]) {
        settle(database, name).await?;
    }
    for (name, count) in counts {
        println!("{name}: {count}");
    }
    Ok(())
}

/// Makes rows fit a version's fields: what it does not know is left out, what it computes is computed.
fn adapt(entity: &Entity, rows: Vec<Record>) -> Vec<Record> {
    let kept = ["id", "created_at", "updated_at"];
    let adapted = rows.into_iter().map(|mut row| {
        row.retain(|name, _| kept.contains(&name.as_str()) || entity.field(name).is_some());
        entity.compute(&mut row);
        row
    });
    adapted.collect()
}

/// Adds rows that all have the same columns.
async fn insert(
    transaction: &mut Transaction<'_, Any>,
    table: &str,
    rows: Vec<Record>,
) -> Result<()> {
    for chunk in rows.chunks(ROWS_AT_ONCE) {
        let Some(first) = chunk.first() else { continue };
        let columns: Vec<&str> = first.keys().map(String::as_str).collect();
        let mut parameters = Parameters::default();
        let mut tuple = |row: &Record| {
            let values = row.values().cloned();
            let places: Vec<String> = values.map(|value| parameters.place(value)).collect();
            format!("({})", places.join(", "))
        };
        let tuples: Vec<String> = chunk.iter().map(&mut tuple).collect();
        let sql = format!(
            "INSERT INTO {table} ({}) VALUES {}",
            columns.join(", "),
            tuples.join(", ")
        );
        statement(sql, &parameters.0)
            .execute(&mut **transaction)
            .await
            .with_context(|| format!("filling {table}"))?;
    }
    Ok(())
}

/// Brings a filled table to what one in use is like: the next key is a new one, and statistics are fresh.
async fn settle(database: &Database, table: &str) -> Result<()> {
    let keys = database.dialect.continue_keys(table);
    let statistics = Some(format!("ANALYZE {table}"));
    for sql in [keys, statistics].into_iter().flatten() {
        sqlx::query(AssertSqlSafe(sql))
            .execute(&database.write)
            .await?;
    }
    Ok(())
}

/// A row from pairs.
pub fn row<const N: usize>(pairs: [(&str, Value); N]) -> Record {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// A record's text.
pub fn text<'a>(record: &'a Record, name: &str) -> &'a str {
    record.get(name).and_then(Value::as_str).unwrap_or_default()
}
