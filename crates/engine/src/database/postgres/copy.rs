//! The rung *copy*: the server copies the database under another name, and going back is a renaming. Needs the owner with the
//! right to create databases, no superuser. Nobody can be in the database while it is copied.

use std::path::Path;

use super::failure::Failure;
use super::note::{self, Note};
use super::server::{Server, identifier};

/// Copying files instead of writing every page to the log is the faster way, where one can choose.
const STRATEGY_SINCE: u32 = 15;

/// Copies the database. When it fails, the database is open again and as before; what was made of the copy goes when the
/// update is undone.
pub(super) fn protect(
    server: &mut Server,
    database: &str,
    to: &Path,
    note: Note,
    version: u32,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    let made = server
        .shut(database)
        .and_then(|()| make(server, database, to, note, version, go_on));
    let opened = server.open(database);
    made.and(opened)
}

fn make(
    server: &mut Server,
    database: &str,
    to: &Path,
    mut note: Note,
    version: u32,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    let (copy, template) = (identifier(&note.copy), identifier(database));
    let strategy = match version >= STRATEGY_SINCE {
        true => " STRATEGY FILE_COPY",
        false => "",
    };
    server.run_while(
        &format!("CREATE DATABASE {copy} TEMPLATE {template}{strategy} ALLOW_CONNECTIONS false"),
        go_on,
    )?;
    note.properties.give(server, &note.copy)?;
    note.oid = server.oid(&note.copy)?;
    note.write(to)?;
    note::set_complete(to)
}

/// Puts the copy in the place of the database, at once or not at all. Repeatable: what is in its place already stays there.
pub(super) fn place(server: &mut Server, database: &str, note: &Note) -> Result<(), Failure> {
    let gone = || Failure::Unsuitable(format!("the copy {} is not there any more", note.copy));
    let oid = note.oid.ok_or_else(gone)?;
    let live = server.oid(database)?;
    if live == Some(oid) {
        return server.open(database);
    }
    let copy = server.name(oid)?.ok_or_else(gone)?;
    let [name, replaced] = [database, &note.replaced].map(identifier);
    let mut sql = String::new();
    if live.is_some() {
        server.shut(database)?;
        sql = format!("ALTER DATABASE {name} RENAME TO {replaced};");
    }
    server.shut(&copy)?;
    let copy = identifier(&copy);
    sql += &format!(
        "ALTER DATABASE {copy} RENAME TO {name}; ALTER DATABASE {name} ALLOW_CONNECTIONS true"
    );
    server.run(&sql)
}
