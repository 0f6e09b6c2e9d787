//! What Desktops ask the centre: which version this server is, the copy of the vendor's repository, and what they have to tell.
//! They are programs without a session. Nothing that they are told here has to be believed: signatures decide.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::app::Centre;

mod file;
mod hello;
pub mod installers;
mod range;
mod report;
mod repository;
mod turns;

pub use hello::Greeting;
pub use turns::Turns;

/// The longest report, bytes.
const MAX_REPORT: usize = 64 << 10;
/// Longest pause in what a Desktop sends.
const LONGEST_PAUSE: std::time::Duration = std::time::Duration::from_secs(10);

/// The addresses below `/desktop/v1`.
pub fn routes() -> Router<Centre> {
    Router::new()
        .route("/desktop/v1/hello", get(hello::show))
        .route("/desktop/v1/repository/{*path}", get(repository::serve))
        .route("/desktop/v1/report", post(report::take))
        .layer(DefaultBodyLimit::max(MAX_REPORT))
        .layer(RequestBodyTimeoutLayer::new(LONGEST_PAUSE))
        .layer(CatchPanicLayer::new())
}
