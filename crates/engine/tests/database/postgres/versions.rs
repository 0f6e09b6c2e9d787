//! The oldest and the newest PostgreSQL that are known. Only their servers are there, without client programs, so the newest
//! one is compared by what it says itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use obnova_testkit::postgres::Postgres;

use super::owned::{On, run, server};
use super::{OWNER, Server};
use crate::Case;
use crate::contract::{protect, restore, same};

pub(super) fn cases() -> Vec<Case> {
    vec![(
        "postgres 18: files are cloned, and returned as they were".to_owned(),
        Box::new(|_| cloned()),
    )]
}

/// The programs of a major version, in a directory that every account gets at.
pub fn programs(major: u32, beside: &Path) -> Result<PathBuf> {
    let target = std::fs::read_link(super::owned::THIS)?;
    let target = target.ancestors().nth(3).context("no target directory")?;
    let package = target.join(format!("tools/npm-postgres/node_modules/postgres-{major}"));
    ensure!(
        package.is_dir(),
        "{} is not there: run `cargo xtask test` once",
        package.display()
    );
    let home = beside.join(format!("programs-{major}"));
    if !home.exists() {
        run(Command::new("cp").arg("-r").arg(&package).arg(&home))?;
        link(&home)?;
    }
    Ok(home.join("native/bin"))
}

/// A package holds no links; a list in it says which there should be.
fn link(home: &Path) -> Result<()> {
    let list = std::fs::read(home.join("native/pg-symlinks.json"))?;
    let links: Vec<std::collections::BTreeMap<String, String>> = serde_json::from_slice(&list)?;
    for link in links {
        let (source, target) = (home.join(&link["source"]), home.join(&link["target"]));
        // The package may have got them meanwhile, by the cases that start every version from there.
        if std::fs::symlink_metadata(&target).is_err() {
            std::os::unix::fs::symlink(source, target)?;
        }
    }
    run(Command::new("chmod").args(["-R", "a+rX"]).arg(home))?;
    run(Command::new("chmod")
        .args(["-R", "a+x"])
        .arg(home.join("native/bin")))
}

/// Everything of the database that can be asked for, and the blocks that files of the copy share.
fn contents(server: &Postgres) -> Result<String> {
    server.sql(
        "postgres",
        "crm",
        "SELECT query_to_xml(format('SELECT * FROM %I.%I ORDER BY 1', schemaname, tablename), true, false, '')
             FROM pg_tables WHERE schemaname IN ('sales', 'stock', 'public') ORDER BY schemaname, tablename;
         SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2;
         SELECT loid, data FROM pg_largeobject ORDER BY 1; SELECT oid, lomacl FROM pg_largeobject_metadata ORDER BY 1;
         SELECT datname, datacl, datconnlimit, pg_get_userbyid(datdba), shobj_description(oid, 'pg_database')
             FROM pg_database WHERE datname = 'crm';
         SELECT setrole::regrole, setconfig FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase
             WHERE datname = 'crm' ORDER BY 1;
         SELECT defaclrole::regrole, defaclacl FROM pg_default_acl ORDER BY 1;
         SELECT relname, relacl, relkind FROM pg_class WHERE relnamespace = 'sales'::regnamespace ORDER BY 1;
         SELECT attrelid::regclass, attname, atttypid::regtype, attacl FROM pg_attribute
             WHERE attrelid::regclass::text LIKE 'sales.%' AND attnum > 0 ORDER BY 1, 2;
         SELECT extname, extversion FROM pg_extension ORDER BY 1; SELECT polname FROM pg_policy ORDER BY 1",
    )
}

fn cloned() -> Result<()> {
    let server = server(On::New)?;
    let subject = Server::new(server, "crm", "copy")?;
    let before = contents(server)?;
    protect(&subject)?;
    let path = server.sql(
        OWNER,
        "crm__obnova_7",
        "SELECT pg_relation_filepath('sales.person')",
    );
    ensure!(path.is_err(), "the copy lets somebody in");
    let oid =
        subject.as_superuser("SELECT oid FROM pg_database WHERE datname = 'crm__obnova_7'")?;
    let shared = shared_files(&server.data().join("base").join(oid))?;
    ensure!(shared > 0, "no file of the copy shares its blocks");
    subject.sql(super::MIGRATION)?;
    ensure!(contents(server)? != before, "nothing was changed");
    restore(&subject)?;
    same(&before, &contents(server)?)
}

/// How many files share blocks with others.
fn shared_files(directory: &Path) -> Result<usize> {
    let output = Command::new("sh")
        .args(["-c", "filefrag -v \"$1\"/* | grep -c shared; true", "sh"])
        .arg(directory)
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    text.trim().parse().with_context(|| {
        format!(
            "install the Debian package e2fsprogs: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        )
    })
}
