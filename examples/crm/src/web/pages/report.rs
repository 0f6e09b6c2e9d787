//! Pages made of queries; the home page is one.

use axum::response::Response;
use minijinja::context;

use crate::report::Report;
use crate::web::failure::Failure;
use crate::web::visitor::Visitor;

/// `GET /`
pub async fn home(visitor: Visitor) -> Result<Response, Failure> {
    let report = visitor.app.tree.reports.get("home");
    show(&visitor, report.ok_or(Failure::Missing)?).await
}

/// Any other report.
pub async fn show(visitor: &Visitor, report: &Report) -> Result<Response, Failure> {
    let results = report.run(&visitor.app.database).await?;
    let template = format!("reports/{}.html", report.name);
    visitor.page(
        &template,
        context! { report => report.name, ..minijinja::Value::from_serialize(&results) },
    )
}
