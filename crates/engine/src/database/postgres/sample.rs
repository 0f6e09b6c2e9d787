//! What a dump and its return take here, tried on parts of the largest tables. The tables that are loaded for that lie in a schema of a
//! transaction that comes to nothing.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::address::Address;
use super::failure::Failure;
use super::server::Server;
use super::tools;

/// Bytes that are read of each table.
const PART: u64 = 8 << 20;
/// Bytes of text at most that are kept of that: rows may be much longer than they lie on the disk.
const LONGEST: usize = 32 << 20;
/// How long one statement may take.
const PATIENCE: &str = "SET statement_timeout = '4s'; SET lock_timeout = '500ms'";
/// The largest tables, and what all take, without indexes.
const TABLES: &str = "SELECT jsonb_build_object(\
    'bytes', (SELECT coalesce(sum(pg_table_size(c.oid)), 0) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'), \
    'largest', (SELECT coalesce(jsonb_agg(t), '[]') FROM (SELECT format('%I.%I', n.nspname, c.relname) AS name, pg_table_size(c.oid) AS bytes, \
        (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute a \
            WHERE a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '') AS columns, \
        (SELECT coalesce(jsonb_agg(pg_get_indexdef(indexrelid)), '[]') FROM pg_index i WHERE i.indrelid = c.oid) AS indexes \
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND $1 <> '' \
        ORDER BY pg_table_size(c.oid) DESC LIMIT 3) AS t))::text";

#[derive(Deserialize)]
struct Tables {
    bytes: u64,
    largest: Vec<Table>,
}

#[derive(Deserialize)]
struct Table {
    name: String,
    bytes: u64,
    columns: Option<String>,
    /// How its indexes are made.
    indexes: Vec<String>,
}

/// What the whole database takes, by what its parts took.
pub(super) struct Sample {
    /// Dumping it.
    pub(super) protect: Duration,
    /// Loading it again.
    pub(super) restore: Duration,
    /// How that was found out.
    pub(super) how: String,
}

/// Takes the sample.
pub(super) fn take(address: &Address) -> Result<Sample, Failure> {
    let database = address.database()?;
    let began = Instant::now();
    describe(address, &database)?;
    let describing = began.elapsed();
    let mut server = Server::connect(address.options(&database)?)?;
    server.run(PATIENCE)?;
    let tables: Tables = server.ask(TABLES, &database)?.ok_or_else(|| {
        Failure::Unsuitable("the server says nothing about its tables".to_owned())
    })?;
    let (mut read, mut dumping, mut loading) = (0, Duration::ZERO, Duration::ZERO);
    for table in &tables.largest {
        let Some(columns) = &table.columns else {
            continue;
        };
        let part = (PART as f64 / table.bytes.max(1) as f64).min(1.0);
        let began = Instant::now();
        let rows = server.copy_out(
            &format!(
                "COPY (SELECT {columns} FROM ONLY {} TABLESAMPLE SYSTEM ({})) TO STDOUT",
                table.name,
                part * 100.0
            ),
            LONGEST,
        )?;
        compress(&rows)?;
        dumping += began.elapsed();
        loading += load(&mut server, table, columns, &rows)?;
        read += (table.bytes as f64 * part) as u64;
    }
    let times = tables.bytes as f64 / read.max(1) as f64;
    let whole = |part: Duration| part.mul_f64(times.max(1.0));
    Ok(Sample {
        protect: describing + whole(dumping),
        restore: describing + whole(loading),
        how: format!(
            "{read} of {} bytes of tables dumped in {} ms and loaded with their indexes in {} ms, one after another, and the schema \
             dumped in {} ms; taken as often as they go into all of it",
            tables.bytes,
            dumping.as_millis(),
            loading.as_millis(),
            describing.as_millis()
        ),
    })
}

fn describe(address: &Address, database: &str) -> Result<(), Failure> {
    let program = tools::find("pg_dump", 0)?;
    let output = tools::connected(Command::new(&program), address, database)?
        .arg("--schema-only")
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| Failure::disk(&program, error))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Failure::Tool {
            tool: "pg_dump".into(),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }),
    }
}

/// As `pg_dump` does it; without the program it is left out.
fn compress(rows: &[u8]) -> Result<(), Failure> {
    let gzip = Command::new("gzip")
        .arg("-1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut gzip) = gzip else { return Ok(()) };
    let written = gzip.stdin.take().map(|mut input| input.write_all(rows));
    let ended = gzip.wait();
    written
        .transpose()
        .and(ended)
        .map(drop)
        .map_err(|error| Failure::disk(std::path::Path::new("gzip"), error))
}

fn load(
    server: &mut Server,
    table: &Table,
    columns: &str,
    rows: &[u8],
) -> Result<Duration, Failure> {
    let part = format!("obnova_trial_{}.part", std::process::id());
    let schema = part.trim_end_matches(".part");
    let name = &table.name;
    server.run("BEGIN")?;
    let began = Instant::now();
    let mut loaded = server
        .run(&format!(
            "CREATE SCHEMA {schema}; CREATE TABLE {part} (LIKE {name})"
        ))
        .and_then(|()| server.copy_in(&format!("COPY {part} ({columns}) FROM STDIN"), rows));
    // As `pg_restore` does it: afterwards.
    for index in &table.indexes {
        let other = index.replacen(&format!(" ON {name} "), &format!(" ON {part} "), 1);
        if other != *index {
            loaded = loaded.and_then(|()| server.run(&other));
        }
    }
    let took = began.elapsed();
    server.run("ROLLBACK")?;
    loaded.map(|()| took)
}
