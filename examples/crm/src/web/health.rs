//! Whether the server works: a quick answer, and a deep one that tries everything this version will need.

use anyhow::{Context, Result};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};
use tracing::error;

use super::App;
use super::failure::Failure;
use crate::{migrate, store, told};

/// The process answers and so does its database.
pub async fn shallow(State(app): State<App>) -> Result<Response, Failure> {
    sqlx::query("SELECT 1")
        .execute(&app.database.read)
        .await
        .map_err(anyhow::Error::from)?;
    let body = json!({ "status": "ok", "version": app.tree.version });
    Ok(Json(body).into_response())
}

/// The database has this version's migrations, and understands every list and every report of it.
pub async fn deep(State(app): State<App>) -> Response {
    match examine(&app).await {
        Ok(()) => Json(json!({ "status": "ok", "version": app.tree.version })).into_response(),
        Err(problem) => {
            let problem = told(&problem);
            error!("the deep health check failed: {problem}");
            let body = json!({
                "status": "failed",
                "version": app.tree.version,
                "problem": problem,
            });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

async fn examine(app: &App) -> Result<()> {
    migrate::require_current(&app.tree, &app.database).await?;
    for entity in app.tree.entities.values() {
        let sql = AssertSqlSafe(store::select(&app.tree, entity)).into_sql_str();
        let mut connection = app.database.read.acquire().await?;
        connection
            .prepare(sql)
            .await
            .with_context(|| format!("list {}", entity.plural))?;
    }
    for report in app.tree.reports.values() {
        report.prepare(&app.database).await?;
    }
    if !app.files.is_dir() {
        anyhow::bail!("the directory of data files is missing");
    }
    Ok(())
}
