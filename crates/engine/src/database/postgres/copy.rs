//! The rung *copy*: the server copies the database under another name, and going back is a renaming. Needs the owner with the
//! right to create databases, no superuser. Nobody can be in the database while it is copied.

use std::path::Path;

use super::failure::Failure;
use super::note::{self, Note};
use super::server::{Server, identifier};

/// Copying files instead of writing every page to the log is the faster way, where one can choose.
const STRATEGY_SINCE: u32 = 15;
/// And cloning them faster still, where the server and its file system can.
const CLONING_SINCE: u32 = 18;

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
    duplicate(server, database, &note.copy, version, go_on)?;
    note.properties.give(server, &note.copy)?;
    note.oid = server.oid(&note.copy)?;
    note.write(to)?;
    note::set_complete(to)
}

fn duplicate(
    server: &mut Server,
    from: &str,
    to: &str,
    version: u32,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    if version >= CLONING_SINCE {
        // Where neither the server nor its file system can, it says so, and copies are made as ever.
        let _ = server.run("SET file_copy_method = 'clone'");
    }
    let strategy = match version >= STRATEGY_SINCE {
        true => " STRATEGY FILE_COPY",
        false => "",
    };
    let (copy, template) = (identifier(to), identifier(from));
    let sql =
        format!("CREATE DATABASE {copy} TEMPLATE {template}{strategy} ALLOW_CONNECTIONS false");
    let made = server.run_while(&sql, go_on);
    if version < CLONING_SINCE || !matches!(made, Err(Failure::Server(_))) {
        return made;
    }
    server.run("SET file_copy_method = 'copy'")?;
    server.drop(to)?;
    server.run_while(&sql, go_on)
}

/// Makes a second copy of one that is complete. Nobody is in that, so the application may go on.
pub(super) fn spare(
    server: &mut Server,
    kept: &Note,
    to: &Path,
    mut second: Note,
    version: u32,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    let gone = || Failure::Unsuitable(format!("the copy {} is not there any more", kept.copy));
    let oid = kept.oid.ok_or_else(gone)?;
    let name = server.name(oid)?.ok_or_else(gone)?;
    duplicate(server, &name, &second.copy, version, go_on)?;
    second.properties.give(server, &second.copy)?;
    second.oid = server.oid(&second.copy)?;
    second.write(to)?;
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
