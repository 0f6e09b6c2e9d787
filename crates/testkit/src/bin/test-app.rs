//! The smallest application worth updating: a server with a database and data files, and a migration of both. The
//! engine's tests copy it into releases, and break it on purpose with its options.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use clap::{Args, Parser};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(about = "The smallest application worth updating")]
enum Command {
    /// Answer HTTP on loopback until SIGTERM.
    Serve(Serve),
    /// Bring database and data files to a version, one step a version.
    Migrate(Migrate),
}

#[derive(Args)]
struct Serve {
    #[arg(long, env = "PORT")]
    port: u16,
    #[command(flatten)]
    place: Place,
    /// The version to report.
    #[arg(long)]
    version: String,
    /// Answer /health with 503.
    #[arg(long)]
    unhealthy: bool,
    /// Milliseconds to wait before listening.
    #[arg(long, default_value_t = 0)]
    slow_start: u64,
    /// End with an error so many milliseconds after listening.
    #[arg(long)]
    crash_after: Option<u64>,
    /// Go on after SIGTERM, so that only SIGKILL ends it.
    #[arg(long)]
    stubborn: bool,
}

#[derive(Args)]
struct Migrate {
    #[command(flatten)]
    place: Place,
    /// The schema's number to reach.
    #[arg(long)]
    to: u32,
    /// Fail, half-way through a change, when this step is reached.
    #[arg(long, alias = "fail-after")]
    fail_at: Option<u32>,
    /// Milliseconds to wait in the middle of each step.
    #[arg(long, default_value_t = 0)]
    slow: u64,
}

#[derive(Args)]
struct Place {
    /// The SQLite file, or its address (`sqlite://` and the path).
    #[arg(long, env = "DATABASE", value_parser = database_file)]
    database: PathBuf,
    /// The directory of data files.
    #[arg(long, env = "DATA")]
    data: PathBuf,
}

fn database_file(text: &str) -> Result<PathBuf, std::convert::Infallible> {
    Ok(text.strip_prefix("sqlite://").unwrap_or(text).into())
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Serve(options) => serve(options).await,
        Command::Migrate(options) => migrate(&options).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("test-app: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn open(database: &Path) -> Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(database)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(10));
    let pool = SqlitePoolOptions::new()
        .max_connections(4)
        .connect_with(options)
        .await
        .with_context(|| format!("cannot open {}", database.display()))?;
    sqlx::query("CREATE TABLE IF NOT EXISTS writes (id TEXT PRIMARY KEY)")
        .execute(&pool)
        .await?;
    Ok(pool)
}

struct App {
    pool: SqlitePool,
    version: String,
    unhealthy: bool,
}

type Shared = State<std::sync::Arc<App>>;

async fn serve(options: Serve) -> Result<()> {
    std::fs::create_dir_all(&options.place.data)?;
    let pool = open(&options.place.database).await?;
    tokio::time::sleep(Duration::from_millis(options.slow_start)).await;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("test-app {} on {}", options.version, listener.local_addr()?);
    let app = App {
        pool: pool.clone(),
        version: options.version,
        unhealthy: options.unhealthy,
    };
    let routes = Router::new()
        .route("/health", get(health))
        .route("/write", post(write))
        .route("/ids", get(ids))
        .with_state(std::sync::Arc::new(app));
    let stop = stop(options.stubborn, options.crash_after)?;
    axum::serve(listener, routes)
        .with_graceful_shutdown(stop)
        .await?;
    pool.close().await;
    Ok(())
}

fn stop(stubborn: bool, crash_after: Option<u64>) -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let crash = async {
            match crash_after {
                Some(after) => tokio::time::sleep(Duration::from_millis(after)).await,
                None => std::future::pending().await,
            }
            eprintln!("test-app: crashed as asked");
            std::process::exit(1);
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = crash => {}
        }
        if stubborn {
            eprintln!("test-app: not stopping");
            std::future::pending::<()>().await;
        }
    })
}

#[derive(Serialize)]
struct Health {
    version: String,
    schema: i64,
}

async fn health(State(app): Shared) -> Result<(StatusCode, Json<Health>), StatusCode> {
    let schema = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&app.pool)
        .await
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let status = match app.unhealthy {
        true => StatusCode::SERVICE_UNAVAILABLE,
        false => StatusCode::OK,
    };
    let version = app.version.clone();
    Ok((status, Json(Health { version, schema })))
}

#[derive(Deserialize)]
struct Write {
    id: String,
}

/// Answers only when the row is durable.
async fn write(State(app): Shared, Json(write): Json<Write>) -> StatusCode {
    let inserted = sqlx::query("INSERT OR IGNORE INTO writes (id) VALUES (?)")
        .bind(write.id)
        .execute(&app.pool)
        .await;
    match inserted {
        Ok(_) => StatusCode::CREATED,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

async fn ids(State(app): Shared) -> Result<Json<Vec<String>>, StatusCode> {
    let ids = sqlx::query_scalar("SELECT id FROM writes ORDER BY id")
        .fetch_all(&app.pool)
        .await
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(Json(ids))
}

/// Each step makes a table, changes every row, and changes the data files; none of it is one transaction, as with most
/// real migrations.
async fn migrate(options: &Migrate) -> Result<()> {
    std::fs::create_dir_all(&options.place.data)?;
    let pool = open(&options.place.database).await?;
    let current: u32 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&pool)
        .await?;
    for step in current + 1..=options.to {
        println!("migrating to {step}");
        let data = options.place.data.join("schema.txt");
        std::fs::write(data, format!("schema {step}\n"))?;
        let statement = format!("CREATE TABLE step_{step} (id TEXT PRIMARY KEY, note TEXT)");
        execute(&pool, statement).await?;
        tokio::time::sleep(Duration::from_millis(options.slow)).await;
        if options.fail_at == Some(step) {
            bail!("step {step} fails as asked, its table made and its rows not");
        }
        let statement = format!("INSERT INTO step_{step} SELECT id, 'from {current}' FROM writes");
        execute(&pool, statement).await?;
        execute(&pool, format!("PRAGMA user_version = {step}")).await?;
    }
    pool.close().await;
    Ok(())
}

async fn execute(pool: &SqlitePool, statement: String) -> Result<()> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
        .execute(pool)
        .await?;
    Ok(())
}
