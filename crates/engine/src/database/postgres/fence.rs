//! Keeps others out of the database while it changes over: the right to connect is taken from everybody but the application's roles
//! and the owner, before the copy is made, and given back exactly as it was by a return, and after a success. That needs the
//! owner's rights only. Superusers, members of the owner's role and other programs that are the application's role cannot be told
//! from it that way.
//!
//! What was before is written into the protected directory first, so whoever finds the database shut knows how it was.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::access::Access;
use super::failure::Failure;
use super::note;
use super::properties::Properties;
use super::server::{Oid, Server, identifier};
use crate::durable;
use crate::step::chain;

const NOTE: &str = "access.json";

const MAY_CONNECT: &str = "SELECT to_json(has_database_privilege(($1::jsonb ->> 0)::name, $1::jsonb ->> 1, 'CONNECT'))::text";

/// What lies in a protected directory about who could connect.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Fence {
    /// The database; a copy of it has privileges of its own.
    database: Oid,
    /// What a return gives back to that.
    before: Access,
    /// The database that others are kept out of: another one where a kept copy was returned to meanwhile.
    shut_database: Oid,
    /// What a success gives back to that, along with changes made since.
    admitted: Access,
    /// What is left while others are kept out.
    shut: Access,
    /// Whether it was given back.
    is_lifted: bool,
}

/// Keeps out whoever can be kept out, and says so. Whoever is in the database already stays.
pub(super) fn shut(
    server: &mut Server,
    database: &str,
    roles: &[String],
    to: &Path,
) -> Result<String, Failure> {
    match try_shut(server, database, roles, to) {
        Ok(true) => Ok("others may not connect until it is over".to_owned()),
        Ok(false) => Ok("nobody else may connect".to_owned()),
        Err(Failure::Disk { path, source }) => Err(Failure::Disk { path, source }),
        // They are cut off, at least.
        Err(failure) => Ok(format!("others are not kept out: {}", chain(&failure))),
    }
}

fn try_shut(
    server: &mut Server,
    database: &str,
    roles: &[String],
    to: &Path,
) -> Result<bool, Failure> {
    let had = Properties::of(server, database)?;
    let (before, owner) = had.access();
    let insiders = with(roles, owner);
    let guests = before.guests(&insiders);
    let oid = server.oid(database)?;
    let (false, Some(oid)) = (guests.is_empty(), oid) else {
        return Ok(false);
    };
    server.run("BEGIN")?;
    let shut = close(server, database, &insiders, &guests).and_then(|shut| {
        server.run("SAVEPOINT shut")?;
        set(server, database, before)?;
        server.run("ROLLBACK TO SAVEPOINT shut")?;
        let fence = Fence {
            database: oid,
            before: before.clone(),
            shut_database: oid,
            admitted: before.clone(),
            shut,
            is_lifted: false,
        };
        note::put(to, NOTE, &fence)?;
        server.run("COMMIT")
    });
    if shut.is_err() {
        server.run("ROLLBACK")?;
    }
    shut.map(|()| true)
}

fn with<'a>(roles: &'a [String], owner: &'a str) -> Vec<&'a str> {
    let roles = roles.iter().map(String::as_str);
    roles.chain([owner]).collect()
}

fn close(
    server: &mut Server,
    database: &str,
    insiders: &[&str],
    guests: &[String],
) -> Result<Access, Failure> {
    let name = identifier(database);
    let may = |server: &mut Server, role: &str| {
        let who = serde_json::json!([role, database]).to_string();
        Ok::<bool, Failure>(server.ask(MAY_CONNECT, &who)?.unwrap_or(false))
    };
    let mut could = Vec::new();
    for role in insiders {
        if may(server, role)? {
            could.push(*role);
        }
    }
    let guests = guests.join(", ");
    server.run(&format!(
        "REVOKE CONNECT ON DATABASE {name} FROM {guests} CASCADE"
    ))?;
    for role in could {
        // It could as everybody can, or as a member of another role.
        if !may(server, role)? {
            let role = identifier(role);
            server.run(&format!("GRANT CONNECT ON DATABASE {name} TO {role}"))?;
        }
    }
    let has = Properties::of(server, database)?;
    let shut = has.access().0;
    // Whoever may not revoke something is only warned.
    match shut.guests(insiders)[..] {
        [] => Ok(shut.clone()),
        _ => Err(Failure::Unsuitable(
            "the role does not own the database".to_owned(),
        )),
    }
}

/// Makes the privileges of a database these.
fn set(server: &mut Server, database: &str, wanted: &Access) -> Result<(), Failure> {
    let has = Properties::of(server, database)?;
    let (access, owner) = has.access();
    if access == wanted {
        return Ok(());
    }
    let sql = wanted.statements(&identifier(database), owner, access);
    server.run(&sql.join("; "))?;
    let has = Properties::of(server, database)?;
    match has.access().0 == wanted {
        true => Ok(()),
        false => Err(Failure::Unsuitable(format!(
            "privileges on the database cannot be given back exactly: {wanted:?} became {:?}",
            has.access().0
        ))),
    }
}

/// Makes all as it was before others were kept out: the database itself was returned, or not touched at all. Repeatable.
pub(super) fn give_back(server: &mut Server, database: &str, from: &Path) -> Result<(), Failure> {
    let Some(mut fence) = Fence::read(from)? else {
        return Ok(());
    };
    // A copy in its place has been given its own.
    if server.oid(database)? == Some(fence.database) {
        set(server, database, &fence.before)?;
    }
    fence.is_lifted = true;
    note::put(from, NOTE, &fence)
}

/// Whether others are kept out as this protected directory says.
pub(super) fn stands(from: &Path) -> Result<bool, Failure> {
    Ok(Fence::read(from)?.is_some_and(|fence| !fence.is_lifted))
}

/// Lets in again whoever was kept out, after a success; what was granted and revoked meanwhile stays so. Repeatable.
pub(super) fn lift(server: &mut Server, database: &str, from: &Path) -> Result<(), Failure> {
    let Some(mut fence) = Fence::read(from)?.filter(|fence| !fence.is_lifted) else {
        return Ok(());
    };
    if server.oid(database)? == Some(fence.shut_database) {
        let has = Properties::of(server, database)?;
        let (now, owner) = has.access();
        let wanted = fence.admitted.with_changes(&fence.shut, now);
        if !now.grants_the_same(&wanted) {
            let sql = wanted.statements(&identifier(database), owner, now);
            server.run(&sql.join("; "))?;
        }
    }
    fence.is_lifted = true;
    note::put(from, NOTE, &fence)
}

/// Keeps others out of what was returned to in the middle of the change-over whose protected directory this is.
pub(super) fn shut_again(
    server: &mut Server,
    database: &str,
    roles: &[String],
    to: &Path,
) -> Result<(), Failure> {
    let Some(mut fence) = Fence::read(to)?.filter(|fence| !fence.is_lifted) else {
        return Ok(());
    };
    let had = Properties::of(server, database)?;
    let (now, owner) = had.access();
    let insiders = with(roles, owner);
    let guests = now.guests(&insiders);
    let (false, Some(oid)) = (guests.is_empty(), server.oid(database)?) else {
        return Ok(());
    };
    server.run("BEGIN")?;
    let done = close(server, database, &insiders, &guests).and_then(|shut| {
        // A return to what was before this change-over concerns the database of then, which `before` is of.
        fence.admitted = now.clone();
        fence.shut = shut;
        fence.shut_database = oid;
        note::put(to, NOTE, &fence)?;
        server.run("COMMIT")
    });
    if done.is_err() {
        server.run("ROLLBACK")?;
    }
    done
}

/// Copies the note, for a second copy of a cluster that others are kept out of.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    match Fence::read(from)? {
        Some(fence) => note::put(to, NOTE, &fence),
        None => Ok(()),
    }
}

/// Takes the note away, once nobody is kept out by it any more.
pub(super) fn forget(from: &Path) -> Result<(), Failure> {
    let path = from.join(NOTE);
    durable::remove_file(&path).map_err(|error| Failure::disk(&path, error))
}

impl Fence {
    fn read(from: &Path) -> Result<Option<Fence>, Failure> {
        note::read(from, NOTE)
    }
}
