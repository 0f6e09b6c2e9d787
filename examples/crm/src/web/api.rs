//! The JSON API: the same records and the same rules as the pages.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::App;
use super::failure::Failure;
use super::pages::list::selection;
use super::visitor::Visitor;
use crate::database::{Record, rows};
use crate::entity::Entity;
use crate::store;
use crate::validation::{Complaints, Extent, validate};

/// `GET /api/version`
pub async fn version(State(app): State<App>) -> Json<Value> {
    Json(json!({ "name": "crm", "version": app.tree.version }))
}

/// `GET /api/contacts?q=...&page=...&per_page=...&company_id=...`
pub async fn list(
    visitor: Visitor,
    Path(plural): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let app = &visitor.app;
    let entity = entity(app, &plural)?;
    let listing = store::list(&app.tree, &app.database, entity, &selection(entity, &query)).await?;
    Ok(Json(listing).into_response())
}

/// `GET /api/contacts/12`
pub async fn read(
    State(app): State<App>,
    Path((plural, id)): Path<(String, i64)>,
) -> Result<Response, Failure> {
    let entity = entity(&app, &plural)?;
    Ok(Json(existing(&app, entity, id).await?).into_response())
}

/// `POST /api/contacts`
pub async fn create(
    visitor: Visitor,
    Path(plural): Path<String>,
    body: Result<Json<Record>, JsonRejection>,
) -> Result<Response, Failure> {
    let app = &visitor.app;
    let entity = writable(app, &plural)?;
    let sent = body.map_err(|_| Failure::Malformed)?.0;
    let record = match validate(entity, &sent, Extent::New) {
        Ok(record) => record,
        Err(complaints) => return Ok(invalid(&visitor, &complaints)),
    };
    let id = store::insert(&app.database, entity, record).await?;
    let location = format!("/api/{plural}/{id}");
    let body = Json(existing(app, entity, id).await?);
    Ok((StatusCode::CREATED, [(LOCATION, location)], body).into_response())
}

/// `PUT /api/contacts/12`: what is not sent becomes empty.
pub async fn replace(
    visitor: Visitor,
    Path((plural, id)): Path<(String, i64)>,
    body: Result<Json<Record>, JsonRejection>,
) -> Result<Response, Failure> {
    write(visitor, &plural, id, body, Extent::Whole).await
}

/// `PATCH /api/contacts/12`: what is not sent stays.
pub async fn change(
    visitor: Visitor,
    Path((plural, id)): Path<(String, i64)>,
    body: Result<Json<Record>, JsonRejection>,
) -> Result<Response, Failure> {
    write(visitor, &plural, id, body, Extent::Part).await
}

/// `DELETE /api/contacts/12`
pub async fn delete(
    State(app): State<App>,
    Path((plural, id)): Path<(String, i64)>,
) -> Result<StatusCode, Failure> {
    store::delete(&app.database, writable(&app, &plural)?, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/activities/references?prefix=...`: every stored reference, as often as it is stored.
pub async fn references(
    State(app): State<App>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Json<Value>, Failure> {
    let prefix = query.get("prefix").cloned().unwrap_or_default();
    let sql = "SELECT reference FROM activity WHERE reference IS NOT NULL AND substr(reference, 1, length($1)) = $1 ORDER BY reference";
    let found = rows(&app.database.read, sql.to_owned(), &[prefix.into()]).await?;
    let references: Vec<&Value> = found.iter().map(|row| &row["reference"]).collect();
    Ok(Json(
        json!({ "references": references, "count": references.len() }),
    ))
}

async fn write(
    visitor: Visitor,
    plural: &str,
    id: i64,
    body: Result<Json<Record>, JsonRejection>,
    extent: Extent,
) -> Result<Response, Failure> {
    let app = &visitor.app;
    let entity = writable(app, plural)?;
    let sent = body.map_err(|_| Failure::Malformed)?.0;
    let changes = match validate(entity, &sent, extent) {
        Ok(changes) => changes,
        Err(complaints) => return Ok(invalid(&visitor, &complaints)),
    };
    store::update(&app.database, entity, id, changes).await?;
    Ok(Json(existing(app, entity, id).await?).into_response())
}

fn entity<'a>(app: &'a App, plural: &str) -> Result<&'a Entity, Failure> {
    app.tree.entity_at(plural).ok_or(Failure::Missing)
}

fn writable<'a>(app: &'a App, plural: &str) -> Result<&'a Entity, Failure> {
    let entity = entity(app, plural)?;
    if entity.read_only {
        Err(Failure::Missing)
    } else {
        Ok(entity)
    }
}

async fn existing(app: &App, entity: &Entity, id: i64) -> Result<Record, Failure> {
    let record = store::get(&app.tree, &app.database, entity, id).await?;
    record.ok_or(Failure::Missing)
}

fn invalid(visitor: &Visitor, complaints: &Complaints) -> Response {
    let fields: BTreeMap<&str, Value> = complaints
        .iter()
        .map(|(name, complaint)| {
            let limit = complaint.limit.unwrap_or_default().to_string();
            let message = visitor.text(complaint.key).replace("{limit}", &limit);
            (
                name.as_str(),
                json!({ "code": complaint.key, "message": message }),
            )
        })
        .collect();
    let message = visitor.text("failure-invalid");
    let body = json!({ "error": "invalid", "message": message, "fields": fields });
    (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
}
