//! The pages and the JSON API.

mod api;
mod desktop;
mod failure;
pub mod format;
mod guard;
mod health;
mod pages;
mod visitor;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::database::Database;
use crate::tree::Tree;

/// What every request needs.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
pub struct Parts {
    /// The release's tree.
    pub tree: Tree,
    /// The database.
    pub database: Database,
    /// The directory of the data files.
    pub files: PathBuf,
}

impl App {
    /// Puts it together.
    pub fn new(tree: Tree, database: Database, files: PathBuf) -> Self {
        Self(Arc::new(Parts {
            tree,
            database,
            files,
        }))
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// All addresses.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/", get(pages::report::home))
        .route("/health", get(health::shallow))
        .route("/health/deep", get(health::deep))
        .route("/api/version", get(api::version))
        .route("/api/activities/references", get(api::references))
        .route("/api/{plural}", get(api::list).post(api::create))
        .route(
            "/api/{plural}/{id}",
            get(api::read)
                .put(api::replace)
                .patch(api::change)
                .delete(api::delete),
        )
        .route("/static/{name}", get(pages::assets::asset))
        .route("/language/{language}", get(pages::language::choose))
        .route("/attachments/{id}/file", get(pages::attachment::download))
        .route("/attachments/{id}/delete", post(pages::attachment::delete))
        .route(
            "/contacts/{id}/attachments",
            post(pages::attachment::upload)
                .layer(DefaultBodyLimit::max(pages::attachment::LARGEST_UPLOAD)),
        )
        .route("/{page}", get(pages::list::list_or_report))
        .route(
            "/{plural}/new",
            get(pages::form::new).post(pages::form::create),
        )
        .route("/{plural}/{id}", get(pages::detail::detail))
        .route(
            "/{plural}/{id}/edit",
            get(pages::form::edit).post(pages::form::save),
        )
        .route("/{plural}/{id}/set", post(pages::form::set))
        .route("/{plural}/{id}/delete", post(pages::form::delete))
        .fallback(failure::not_found)
        .layer(from_fn_with_state(app.clone(), desktop::known))
        .layer(from_fn_with_state(app.clone(), failure::explain))
        .layer(from_fn(guard::same_origin))
        .layer(from_fn(guard::headers))
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::new())
        .with_state(app)
}
