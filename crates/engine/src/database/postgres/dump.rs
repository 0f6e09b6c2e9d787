//! The rung *dump*: `pg_dump` into the protected directory. Going back reads that into a new database, which takes the place of
//! the migrated one only when it is complete; where the role may not create databases, into the same one.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::copy;
use super::failure::Failure;
use super::note::{self, Note};
use super::refill;
use super::server::Server;
use super::tools;
use crate::durable;

/// Where in the protected directory it lies.
const DUMP: &str = "dump";
/// Tables that are written and read at the same time.
const JOBS: &str = "--jobs=2";

/// Describes how to make an empty database like this one.
const CREATION: &str = "SELECT jsonb_build_object('how', format(\
    'TEMPLATE template0 OWNER %I ENCODING %L LC_COLLATE %L LC_CTYPE %L', \
    pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding), d.datcollate, d.datctype) \
    || CASE j.d->>'datlocprovider' \
        WHEN 'c' THEN ' LOCALE_PROVIDER libc' \
        WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', coalesce(j.d->>'datlocale', j.d->>'daticulocale')) \
        WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', j.d->>'datlocale') \
        ELSE '' END \
    || CASE WHEN j.d->>'daticurules' IS NULL THEN '' ELSE format(' ICU_RULES %L', j.d->>'daticurules') END, \
    'tablespace', CASE t.spcname WHEN 'pg_default' THEN '' ELSE format(' TABLESPACE %I', t.spcname) END)::text \
    FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace, LATERAL (SELECT to_jsonb(d) AS d) j \
    WHERE d.datname = $1";

/// What `CREATE DATABASE` needs to be told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Creation {
    /// On any server.
    pub(super) how: String,
    /// And on its own one.
    pub(super) tablespace: String,
}

/// What `CREATE DATABASE` needs to be told.
pub(super) fn creation(server: &mut Server, database: &str) -> Result<Creation, Failure> {
    server
        .ask(CREATION, database)?
        .ok_or_else(|| Failure::Unsuitable(format!("there is no database {database}")))
}

/// Dumps the database.
pub(super) fn protect(
    server: &mut Server,
    address: &Address,
    database: &str,
    to: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    server.cut_off(database)?;
    let mut dump = tools::command("pg_dump", address, database, to)?;
    dump.args(["--format=directory", JOBS, "--compress=1", "--file"])
        .arg(to.join(DUMP));
    tools::run("pg_dump", dump, to, go_on)?;
    durable::sync_dir(to).map_err(|error| Failure::disk(to, error))?;
    note::set_complete(to)
}

/// Makes a database of the dump and puts it in the place of the migrated one. Repeatable: before it is complete, it is made
/// anew; afterwards it is only put in its place.
pub(super) fn restore(
    server: &mut Server,
    address: &Address,
    database: &str,
    from: &Path,
    mut note: Note,
) -> Result<(), Failure> {
    if note.in_place {
        return refill::restore(server, address, database, from, &from.join(DUMP), note);
    }
    if note.oid.is_none() {
        server.drop(&note.copy)?;
        let name = super::server::identifier(&note.copy);
        let Creation { how, tablespace } = &note.creation;
        server.run(&format!("CREATE DATABASE {name} {how}{tablespace}"))?;
        tools::restore(
            address,
            &note.copy,
            &[JOBS],
            &from.join(DUMP),
            from,
            &|| true,
        )?;
        server.shut(&note.copy)?;
        note.properties.give(server, &note.copy)?;
        note.oid = server.oid(&note.copy)?;
        note.write(from)?;
    }
    copy::place(server, database, &note)
}

/// Makes a second copy of a dump that is complete.
pub(super) fn spare(kept: &Path, to: &Path, go_on: &dyn Fn() -> bool) -> Result<(), Failure> {
    let copy = to.join(DUMP);
    durable::remove_dir_all(&copy)
        .and_then(|()| durable::copy_tree(&kept.join(DUMP), &copy, &|_| false, go_on, &mut |_| ()))
        .map_err(|error| Failure::disk(&copy, error))?;
    note::set_complete(to)
}
