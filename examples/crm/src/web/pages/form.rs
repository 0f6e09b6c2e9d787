//! Adding, changing and deleting records.

use std::collections::BTreeMap;

use axum::Form;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use minijinja::context;
use serde_json::Value;

use super::list::{Shown, shown};
use crate::database::Record;
use crate::entity::{Entity, Kind};
use crate::store::{self, Refusal};
use crate::validation::{Complaint, Complaints, Extent, default, validate};
use crate::web::failure::Failure;
use crate::web::visitor::Visitor;

type Sent = BTreeMap<String, String>;

/// `GET /contacts/new?company_id=3`: an empty form, or one that begins with what the address says.
pub async fn new(
    visitor: Visitor,
    Path(plural): Path<String>,
    Query(given): Query<Sent>,
) -> Result<Response, Failure> {
    let entity = writable(&visitor, &plural)?;
    let mut record = Record::new();
    for field in entity.form_fields() {
        let value = given
            .get(&field.name)
            .map(|text| Value::from(text.as_str()));
        record.insert(
            field.name.clone(),
            value.unwrap_or_else(|| default(field, Extent::New)),
        );
    }
    label_references(&visitor, entity, &mut record).await?;
    form(&visitor, entity, None, &record, &Complaints::new())
}

/// `POST /contacts/new`
pub async fn create(
    visitor: Visitor,
    Path(plural): Path<String>,
    Form(sent): Form<Sent>,
) -> Result<Response, Failure> {
    let entity = writable(&visitor, &plural)?;
    let sent = record(sent);
    let saved = match validate(entity, &sent, Extent::New) {
        Ok(record) => store::insert(&visitor.app.database, entity, record).await,
        Err(complaints) => return form(&visitor, entity, None, &sent, &complaints),
    };
    match saved {
        Ok(id) => Ok(see(&format!("/{plural}/{id}"))),
        Err(refusal) => refused(&visitor, entity, None, &sent, refusal),
    }
}

/// `GET /contacts/12/edit`
pub async fn edit(
    visitor: Visitor,
    Path((plural, id)): Path<(String, i64)>,
) -> Result<Response, Failure> {
    let entity = writable(&visitor, &plural)?;
    let app = &visitor.app;
    let record = store::get(&app.tree, &app.database, entity, id).await?;
    let mut record = record.ok_or(Failure::Missing)?;
    label_references(&visitor, entity, &mut record).await?;
    form(&visitor, entity, Some(id), &record, &Complaints::new())
}

/// `POST /contacts/12/edit`
pub async fn save(
    visitor: Visitor,
    Path((plural, id)): Path<(String, i64)>,
    Form(sent): Form<Sent>,
) -> Result<Response, Failure> {
    let entity = writable(&visitor, &plural)?;
    let sent = record(sent);
    let saved = match validate(entity, &sent, Extent::Whole) {
        Ok(changes) => store::update(&visitor.app.database, entity, id, changes).await,
        Err(complaints) => return form(&visitor, entity, Some(id), &sent, &complaints),
    };
    match saved {
        Ok(()) => Ok(see(&format!("/{plural}/{id}"))),
        Err(refusal) => refused(&visitor, entity, Some(id), &sent, refusal),
    }
}

/// `POST /contacts/12/set`: changes single fields from a button, then goes back to `_back`.
pub async fn set(
    visitor: Visitor,
    Path((plural, id)): Path<(String, i64)>,
    Form(mut sent): Form<Sent>,
) -> Result<Response, Failure> {
    let entity = writable(&visitor, &plural)?;
    let back = sent
        .remove("_back")
        .filter(|back| back.starts_with('/') && !back.starts_with("//"));
    let changes = validate(entity, &record(sent), Extent::Part).map_err(|_| Failure::Malformed)?;
    store::update(&visitor.app.database, entity, id, changes).await?;
    Ok(see(&back.unwrap_or_else(|| format!("/{plural}/{id}"))))
}

/// `POST /contacts/12/delete`
pub async fn delete(
    visitor: Visitor,
    Path((plural, id)): Path<(String, i64)>,
) -> Result<Response, Failure> {
    let entity = writable(&visitor, &plural)?;
    store::delete(&visitor.app.database, entity, id).await?;
    Ok(see(&format!("/{plural}")))
}

fn form(
    visitor: &Visitor,
    entity: &Entity,
    id: Option<i64>,
    record: &Record,
    complaints: &Complaints,
) -> Result<Response, Failure> {
    let fields: Vec<Shown> = entity
        .form_fields()
        .map(|field| shown(visitor, field))
        .collect();
    let wrong: BTreeMap<&str, String> = complaints
        .iter()
        .map(|(name, complaint)| (name.as_str(), message(visitor, complaint)))
        .collect();
    let status = if wrong.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    visitor.page_with(
        status,
        "form.html",
        context! { entity => entity.name, plural => entity.plural, id, fields, record, wrong },
    )
}

/// What the database refused is shown at the field it concerns.
fn refused(
    visitor: &Visitor,
    entity: &Entity,
    id: Option<i64>,
    sent: &Record,
    refusal: Refusal,
) -> Result<Response, Failure> {
    let references = entity
        .form_fields()
        .filter(|field| field.kind == Kind::Reference);
    let filled = references.filter(|field| {
        let text = sent.get(&field.name).and_then(Value::as_str);
        text.is_some_and(|text| !text.is_empty())
    });
    match refusal {
        Refusal::Referred => {
            let complaint = Complaint {
                key: "error-reference",
                limit: None,
            };
            let complaints = filled
                .map(|field| (field.name.clone(), complaint.clone()))
                .collect();
            form(visitor, entity, id, sent, &complaints)
        }
        other => Err(other.into()),
    }
}

fn message(visitor: &Visitor, complaint: &Complaint) -> String {
    let limit = complaint.limit.unwrap_or_default().to_string();
    visitor.text(complaint.key).replace("{limit}", &limit)
}

/// Shows references as `name #id`, which the form takes back.
async fn label_references(
    visitor: &Visitor,
    entity: &Entity,
    record: &mut Record,
) -> Result<(), Failure> {
    let app = &visitor.app;
    for field in entity
        .form_fields()
        .filter(|field| field.kind == Kind::Reference)
    {
        let id = match record.get(&field.name) {
            Some(Value::Number(id)) => id.as_i64(),
            Some(Value::String(text)) => text.parse().ok(),
            _ => None,
        };
        let target = field.to.as_ref().and_then(|to| app.tree.entities.get(to));
        if let (Some(id), Some(target)) = (id, target)
            && let Some(found) = store::get(&app.tree, &app.database, target, id).await?
        {
            let label = found
                .get("label")
                .and_then(Value::as_str)
                .unwrap_or_default();
            record.insert(field.name.clone(), format!("{label} #{id}").into());
        }
    }
    Ok(())
}

fn writable<'a>(visitor: &'a Visitor, plural: &str) -> Result<&'a Entity, Failure> {
    let entity = visitor.app.tree.entity_at(plural).ok_or(Failure::Missing)?;
    if entity.read_only {
        Err(Failure::Missing)
    } else {
        Ok(entity)
    }
}

fn record(sent: Sent) -> Record {
    sent.into_iter()
        .map(|(name, text)| (name, Value::from(text)))
        .collect()
}

fn see(path: &str) -> Response {
    Redirect::to(path).into_response()
}
