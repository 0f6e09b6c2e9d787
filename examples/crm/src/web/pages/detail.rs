//! One record, and what belongs to it.

use axum::extract::Path;
use axum::response::Response;
use minijinja::context;
use serde::Serialize;

use super::list::{Shown, shown};
use crate::entity::{Entity, Related};
use crate::store::{self, Listing, Selection};
use crate::web::failure::Failure;
use crate::web::visitor::Visitor;

/// Related records shown; the rest is behind a link.
const FIRST_RELATED: i64 = 8;

#[derive(Serialize)]
struct Section {
    entity: String,
    plural: String,
    via: String,
    read_only: bool,
    columns: Vec<Shown>,
    listing: Listing,
}

/// `GET /contacts/12`
pub async fn detail(
    visitor: Visitor,
    Path((plural, id)): Path<(String, i64)>,
) -> Result<Response, Failure> {
    let app = &visitor.app;
    let entity = app.tree.entity_at(&plural).ok_or(Failure::Missing)?;
    let record = store::get(&app.tree, &app.database, entity, id).await?;
    let record = record.ok_or(Failure::Missing)?;
    let fields: Vec<Shown> = entity
        .form_fields()
        .map(|field| shown(&visitor, field))
        .collect();
    let mut sections = Vec::new();
    for related in &entity.related {
        sections.push(section(&visitor, related, id).await?);
    }
    visitor.page(
        "detail.html",
        context! {
            entity => entity.name,
            plural,
            read_only => entity.read_only,
            fields,
            sections,
            record,
        },
    )
}

async fn section(visitor: &Visitor, related: &Related, id: i64) -> Result<Section, Failure> {
    let tree = &visitor.app.tree;
    let entity: &Entity = tree.entities.get(&related.entity).ok_or(Failure::Missing)?;
    let selection = Selection {
        filters: vec![(related.via.clone(), id.into())],
        page: 1,
        per_page: FIRST_RELATED,
        ..Selection::default()
    };
    let columns = entity.columns.iter().filter(|name| **name != related.via);
    let columns = columns.filter_map(|name| entity.field(name));
    Ok(Section {
        entity: entity.name.clone(),
        plural: entity.plural.clone(),
        via: related.via.clone(),
        read_only: entity.read_only,
        columns: columns.map(|field| shown(visitor, field)).collect(),
        listing: store::list(tree, &visitor.app.database, entity, &selection).await?,
    })
}
