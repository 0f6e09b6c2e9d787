//! A list of records: search, filters, pages.

use std::collections::BTreeMap;

use axum::extract::{Path, Query};
use axum::response::Response;
use minijinja::context;
use serde::Serialize;
use serde_json::Value;

use super::report;
use crate::entity::{Entity, Field, Kind};
use crate::store::{self, Selection};
use crate::web::failure::Failure;
use crate::web::visitor::Visitor;

/// Records on a page where the visitor says nothing else.
const USUAL_PER_PAGE: i64 = 50;

/// How a template shows a field.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The column.
    pub name: String,
    /// The column with a reference's label.
    pub label_name: String,
    /// What it holds.
    pub kind: String,
    /// The values of a choice.
    pub choices: Vec<String>,
    /// Where a reference leads, such as `companies`.
    pub plural: Option<String>,
    /// Whether it must be filled in.
    pub required: bool,
    /// Longest text.
    pub max: Option<i64>,
}

/// `GET /contacts`, and `GET /today` where the tree has such a report.
pub async fn list_or_report(
    visitor: Visitor,
    Path(page): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let tree = &visitor.app.tree;
    if let Some(entity) = tree.entity_at(&page) {
        return list(&visitor, entity, &query).await;
    }
    let report = tree
        .reports
        .get(&page)
        .filter(|report| report.nav.is_some());
    report::show(&visitor, report.ok_or(Failure::Missing)?).await
}

async fn list(
    visitor: &Visitor,
    entity: &Entity,
    query: &BTreeMap<String, String>,
) -> Result<Response, Failure> {
    let app = &visitor.app;
    let selection = selection(entity, query);
    let listing = store::list(&app.tree, &app.database, entity, &selection).await?;
    let field = |name: &String| entity.field(name).map(|field| shown(visitor, field));
    let columns: Vec<Shown> = entity.columns.iter().filter_map(field).collect();
    let filters: Vec<Shown> = entity.filters.iter().filter_map(field).collect();
    visitor.page(
        "list.html",
        context! {
            entity => entity.name,
            plural => entity.plural,
            read_only => entity.read_only,
            columns,
            filters,
            chosen => query,
            kept => kept(entity, query),
            q => selection.words,
            listing,
        },
    )
}

/// What a query string selects.
pub fn selection(entity: &Entity, query: &BTreeMap<String, String>) -> Selection {
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<i64>().ok());
    let mut filters = Vec::new();
    for field in &entity.fields {
        let Some(text) = query.get(&field.name).filter(|text| !text.is_empty()) else {
            continue;
        };
        let value = match field.kind {
            Kind::Reference | Kind::Number | Kind::Money => text.parse::<i64>().map(Value::from),
            _ => Ok(Value::from(text.as_str())),
        };
        filters.push((field.name.clone(), value.unwrap_or(Value::Null)));
    }
    Selection {
        words: query.get("q").cloned().unwrap_or_default(),
        filters,
        page: number("page").unwrap_or(1),
        per_page: number("per_page").unwrap_or(USUAL_PER_PAGE),
    }
}

/// The parameters that stay when another page is turned to.
fn kept(entity: &Entity, query: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let stays = |name: &str| name == "q" || name == "per_page" || entity.field(name).is_some();
    let chosen = query
        .iter()
        .filter(|(name, value)| stays(name) && !value.is_empty());
    chosen
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What a template needs to know about a field.
pub fn shown(visitor: &Visitor, field: &Field) -> Shown {
    let target = field
        .to
        .as_ref()
        .and_then(|to| visitor.app.tree.entities.get(to));
    Shown {
        name: field.name.clone(),
        label_name: field.label_name(),
        kind: format!("{:?}", field.kind).to_lowercase(),
        choices: field.choices.clone(),
        plural: target.map(|target| target.plural.clone()),
        required: field.required,
        max: field.max,
    }
}
