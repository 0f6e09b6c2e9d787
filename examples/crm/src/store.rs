//! Reading and writing records of any kind.

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;
use sqlx::{Any, Row, Transaction};

use crate::database::{Database, Parameters, Record, record, rows, statement};
use crate::entity::{Entity, Kind};
use crate::spelling::fold;
use crate::tree::Tree;

/// Most records on one page.
pub const MOST_PER_PAGE: i64 = 500;

/// Why a write did not happen.
#[derive(Debug)]
pub enum Refusal {
    /// There is no such record.
    Missing,
    /// A value that must be unique is there already.
    Taken,
    /// A reference points nowhere, or other records refer to the one to be deleted.
    Referred,
    /// The database failed.
    Failed(anyhow::Error),
}

/// Which records to list.
#[derive(Debug, Default)]
pub struct Selection {
    /// Words that must all occur.
    pub words: String,
    /// Fields that must have these values.
    pub filters: Vec<(String, Value)>,
    /// Page, from 1.
    pub page: i64,
    /// Records on a page.
    pub per_page: i64,
}

/// One page of a list.
#[derive(Debug, Serialize)]
pub struct Listing {
    /// The records.
    pub items: Vec<Record>,
    /// Records in all.
    pub total: i64,
    /// This page, from 1.
    pub page: i64,
    /// Pages in all, at least 1.
    pub pages: i64,
    /// Records on a page.
    pub per_page: i64,
}

/// Lists records.
pub async fn list(
    tree: &Tree,
    database: &Database,
    entity: &Entity,
    selection: &Selection,
) -> Result<Listing> {
    let per_page = selection.per_page.clamp(1, MOST_PER_PAGE);
    let (condition, mut parameters) = condition(entity, selection);
    let count = format!("SELECT count(*) FROM {} t WHERE {condition}", entity.name);
    let total: i64 = statement(count, &parameters.0)
        .fetch_one(&database.read)
        .await?
        .try_get(0)?;
    let pages = (total + per_page - 1).max(1) / per_page;
    let pages = pages.max(1);
    let page = selection.page.clamp(1, pages);
    // The page's ids come from the index alone; only then are the rows and what they refer to looked up.
    let limit = parameters.place(per_page.into());
    let offset = parameters.place(((page - 1) * per_page).into());
    let sql = format!(
        "{select} WHERE t.id IN (SELECT t.id FROM {table} t WHERE {condition} ORDER BY {order} LIMIT {limit} OFFSET {offset}) ORDER BY {order}",
        select = select(tree, entity),
        table = entity.name,
        order = entity.order_by,
    );
    let items = rows(&database.read, sql, &parameters.0).await?;
    Ok(Listing {
        items,
        total,
        page,
        pages,
        per_page,
    })
}

/// One record, with the labels of what it refers to.
pub async fn get(
    tree: &Tree,
    database: &Database,
    entity: &Entity,
    id: i64,
) -> Result<Option<Record>> {
    let sql = format!("{} WHERE t.id = $1", select(tree, entity));
    let row = statement(sql, &[id.into()])
        .fetch_optional(&database.read)
        .await?;
    row.as_ref().map(record).transpose()
}

/// Adds a record; returns its id.
pub async fn insert(database: &Database, entity: &Entity, mut new: Record) -> Result<i64, Refusal> {
    entity.compute(&mut new);
    stamp(&mut new, "created_at");
    stamp(&mut new, "updated_at");
    let mut parameters = Parameters::default();
    let (columns, places): (Vec<String>, Vec<String>) = new
        .into_iter()
        .map(|(column, value)| (column, parameters.place(value)))
        .unzip();
    let sql = format!(
        "INSERT INTO {} ({}) VALUES ({}) RETURNING id",
        entity.name,
        columns.join(", "),
        places.join(", ")
    );
    let mut transaction = match entity.after_write.is_empty() {
        true => database.write.begin().await?,
        false => database.begin_alone(&entity.name).await?,
    };
    let row = statement(sql, &parameters.0)
        .fetch_one(&mut *transaction)
        .await?;
    let id = row.try_get(0)?;
    after_write(&mut transaction, entity, id).await?;
    transaction.commit().await?;
    Ok(id)
}

/// Changes fields of a record.
pub async fn update(
    database: &Database,
    entity: &Entity,
    id: i64,
    changes: Record,
) -> Result<(), Refusal> {
    let mut transaction = database.begin_alone(&entity.name).await?;
    let sql = format!("SELECT * FROM {} WHERE id = $1", entity.name);
    let row = statement(sql, &[id.into()])
        .fetch_optional(&mut *transaction)
        .await?;
    let mut whole = record(&row.ok_or(Refusal::Missing)?)?;
    whole.extend(changes);
    whole.remove("id");
    entity.compute(&mut whole);
    stamp(&mut whole, "updated_at");
    let mut parameters = Parameters::default();
    let assignments: Vec<String> = whole
        .into_iter()
        .map(|(column, value)| format!("{column} = {}", parameters.place(value)))
        .collect();
    let sql = format!(
        "UPDATE {} SET {} WHERE id = {}",
        entity.name,
        assignments.join(", "),
        parameters.place(id.into())
    );
    statement(sql, &parameters.0)
        .execute(&mut *transaction)
        .await?;
    after_write(&mut transaction, entity, id).await?;
    transaction.commit().await?;
    Ok(())
}

/// Deletes a record.
pub async fn delete(database: &Database, entity: &Entity, id: i64) -> Result<(), Refusal> {
    let sql = format!("DELETE FROM {} WHERE id = $1", entity.name);
    let done = statement(sql, &[id.into()])
        .execute(&database.write)
        .await?;
    if done.rows_affected() == 0 {
        Err(Refusal::Missing)
    } else {
        Ok(())
    }
}

/// The statement that reads records of a kind, up to its condition; the deep health check has it prepared.
pub fn select(tree: &Tree, entity: &Entity) -> String {
    let mut columns = vec!["t.id".to_owned(), format!("({}) AS label", entity.label)];
    let mut joins = String::new();
    let shown = entity.fields.iter().filter(|field| field.compute.is_none());
    for (index, field) in shown.enumerate() {
        columns.push(format!("t.{}", field.name));
        let target = field.to.as_ref().and_then(|to| tree.entities.get(to));
        if let (Kind::Reference, Some(target)) = (field.kind, target) {
            let alias = format!("r{index}");
            let label = target.label.replace("t.", &format!("{alias}."));
            columns.push(format!("({label}) AS {}", field.label_name()));
            joins.push_str(&format!(
                " LEFT JOIN {} {alias} ON {alias}.id = t.{}",
                target.name, field.name
            ));
        }
    }
    columns.push("t.created_at".to_owned());
    columns.push("t.updated_at".to_owned());
    format!(
        "SELECT {} FROM {} t{joins}",
        columns.join(", "),
        entity.name
    )
}

fn condition(entity: &Entity, selection: &Selection) -> (String, Parameters) {
    let mut parts = vec!["1 = 1".to_owned()];
    let mut parameters = Parameters::default();
    let searchable = entity.field("search_text").is_some();
    for word in selection.words.split_whitespace().filter(|_| searchable) {
        let pattern = parameters.place(format!("%{}%", escaped(&fold(word))).into());
        parts.push(format!("t.search_text LIKE {pattern} ESCAPE '\\'"));
    }
    for (name, value) in &selection.filters {
        parts.push(format!("t.{name} = {}", parameters.place(value.clone())));
    }
    (parts.join(" AND "), parameters)
}

fn escaped(word: &str) -> String {
    word.replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_")
}

fn stamp(record: &mut Record, column: &str) {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    record.insert(column.to_owned(), now.to_string().into());
}

async fn after_write(
    transaction: &mut Transaction<'_, Any>,
    entity: &Entity,
    id: i64,
) -> Result<(), Refusal> {
    for sql in &entity.after_write {
        statement(sql.clone(), &[id.into()])
            .execute(&mut **transaction)
            .await
            .with_context(|| format!("after writing {} {id}", entity.name))
            .map_err(Refusal::Failed)?;
    }
    Ok(())
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error() {
            Some(cause) if cause.is_unique_violation() => Self::Taken,
            Some(cause) if cause.is_foreign_key_violation() => Self::Referred,
            _ => Self::Failed(error.into()),
        }
    }
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}
