//! Migrations: files in a tree's `migrations/`, applied once each in the order of their names.
//!
//! `NNNN_name.sql` runs in a transaction of its own; `NNNN_name.files.toml` rearranges the data files. What was applied is
//! in the table `schema_migration`, with a checksum, so that a file changed afterwards is noticed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};
use sqlx::{Any, AssertSqlSafe, Row, Transaction};

use crate::Place;
use crate::database::Database;
use crate::dialect::Dialect;
use crate::letters::Layout;
use crate::tree::{self, Tree};

/// One migration file.
struct Migration {
    id: String,
    checksum: String,
    work: Work,
}

enum Work {
    Sql(String),
    Files(Layout),
}

/// Applies what is missing; says on standard output what it does.
pub async fn migrate(place: &Place) -> Result<()> {
    let tree = Tree::load(&place.tree)?;
    std::fs::create_dir_all(&place.files)
        .with_context(|| format!("{} cannot be created", place.files.display()))?;
    let database = Database::open(&place.database, true).await?;
    let result = apply_missing(&tree, &database, &place.files).await;
    database.close().await;
    result
}

async fn apply_missing(tree: &Tree, database: &Database, files: &Path) -> Result<()> {
    prepare_table(database).await?;
    let missing = missing(tree, database).await?;
    if missing.is_empty() {
        println!("The database is up to date for version {}.", tree.version);
        return Ok(());
    }
    for (index, migration) in missing.iter().enumerate() {
        println!("[{}/{}] {} ...", index + 1, missing.len(), migration.id);
        let started = Instant::now();
        apply(database, files, migration, started)
            .await
            .with_context(|| format!("migration {} failed", migration.id))?;
        let took = started.elapsed().as_millis();
        println!(
            "[{}/{}] {} done in {took} ms",
            index + 1,
            missing.len(),
            migration.id
        );
    }
    println!("The database is now at version {}.", tree.version);
    Ok(())
}

/// Fails unless the database has exactly the migrations of this tree: an older or newer one would be misread.
pub async fn require_current(tree: &Tree, database: &Database) -> Result<()> {
    if !database.has_table("schema_migration").await? {
        bail!("the database is empty; run `crm migrate` first");
    }
    let missing = missing(tree, database).await?;
    match missing.first() {
        None => Ok(()),
        Some(first) => bail!(
            "the database lacks {} migration(s) of version {}, from {} on; run `crm migrate`",
            missing.len(),
            tree.version,
            first.id
        ),
    }
}

async fn prepare_table(database: &Database) -> Result<()> {
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS schema_migration (
            id TEXT NOT NULL PRIMARY KEY,
            checksum TEXT NOT NULL,
            applied_at TEXT NOT NULL,
            took_ms BIGINT NOT NULL
        )",
    )
    .execute(&database.write)
    .await?;
    Ok(())
}

/// The tree's migrations that the database does not have, in order.
async fn missing(tree: &Tree, database: &Database) -> Result<Vec<Migration>> {
    let rows = sqlx::query("SELECT id, checksum FROM schema_migration")
        .fetch_all(&database.write)
        .await?;
    let mut applied = BTreeMap::new();
    for row in rows {
        applied.insert(row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?);
    }
    let mut missing = Vec::new();
    for migration in load(&tree.path.join("migrations"), database.dialect)? {
        match applied.remove(&migration.id) {
            None => missing.push(migration),
            Some(checksum) if checksum == migration.checksum => {}
            Some(_) => bail!("migration {} is not the one that was applied", migration.id),
        }
    }
    let unknown = applied
        .keys()
        .find(|id| !tree.settings.withdrawn.contains(id));
    match unknown {
        None => Ok(missing),
        Some(id) => Err(anyhow!(
            "the database has migration {id}, which version {} does not know: it belongs to a newer version",
            tree.version
        )),
    }
}

fn load(directory: &Path, dialect: Dialect) -> Result<Vec<Migration>> {
    let mut paths = tree::files(directory, "sql")?;
    paths.extend(tree::files(directory, "toml")?);
    paths.sort();
    paths.iter().map(|path| load_one(path, dialect)).collect()
}

fn load_one(path: &Path, dialect: Dialect) -> Result<Migration> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let id = name.split('.').next().unwrap_or_default().to_owned();
    let text = tree::read(path)?;
    let checksum = hex::encode(Sha256::digest(text.as_bytes()));
    let work = if name.ends_with(".sql") {
        Work::Sql(dialect.localise(&text))
    } else {
        Work::Files(tree::parse(path)?)
    };
    Ok(Migration { id, checksum, work })
}

async fn apply(
    database: &Database,
    files: &Path,
    migration: &Migration,
    started: Instant,
) -> Result<()> {
    let mut transaction = database.write.begin().await?;
    match &migration.work {
        Work::Sql(sql) => {
            sqlx::raw_sql(AssertSqlSafe(sql.as_str()))
                .execute(&mut *transaction)
                .await?;
        }
        Work::Files(layout) => layout.apply(&mut transaction, files).await?,
    }
    note(&mut transaction, migration, started).await?;
    transaction.commit().await?;
    Ok(())
}

async fn note(
    transaction: &mut Transaction<'_, Any>,
    migration: &Migration,
    started: Instant,
) -> Result<()> {
    let took = i64::try_from(started.elapsed().as_millis())?;
    sqlx::query(
        "INSERT INTO schema_migration (id, checksum, applied_at, took_ms) VALUES ($1, $2, $3, $4)",
    )
    .bind(&migration.id)
    .bind(&migration.checksum)
    .bind(jiff::Timestamp::now().to_string())
    .bind(took)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
