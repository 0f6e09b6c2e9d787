//! Keeps others out of the database while it changes over: the accounts that have rights in it are locked, before the copy is
//! made, and unlocked by a return, and after a success. Whoever may administer the server is left alone: nobody must be locked out
//! of a server because an engine ended there.
//!
//! Which accounts those are is written into the protected directory first, so whoever finds them locked knows that they were not.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::note;
use super::rights::Rights;
use super::server::{Server, literal};
use crate::durable;
use crate::step::chain;

const NOTE: &str = "access.json";
/// What locking accounts, and seeing which are locked, takes.
const NEEDED: &str = "needs CREATE USER ON *.* and SELECT ON mysql.*";

/// What lies in a protected directory about who is kept out.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Fence {
    /// Accounts that were not locked before: user and host.
    accounts: Vec<(String, String)>,
    /// Whether they have been let in again.
    is_lifted: bool,
}

/// Keeps out whoever can be kept out, and says so. Whoever is in the database already stays.
pub(super) fn shut(
    server: &mut Server,
    rights: &Rights,
    database: &str,
    user: &str,
    to: &Path,
) -> Result<String, Failure> {
    if !rights.may_lock() {
        return Ok(format!("others are not kept out: that {NEEDED}"));
    }
    match try_shut(server, database, user, to) {
        Ok(0) => Ok("nobody else may connect".to_owned()),
        Ok(number) => Ok(format!(
            "{number} other accounts are locked until it is over"
        )),
        Err(Failure::Disk { path, source }) => Err(Failure::Disk { path, source }),
        Err(failure) => {
            // None of them may stay locked without anybody knowing.
            give_back(server, to)?;
            // They are cut off, at least.
            Ok(format!("others are not kept out: {}", chain(&failure)))
        }
    }
}

fn try_shut(server: &mut Server, database: &str, user: &str, to: &Path) -> Result<usize, Failure> {
    let accounts = guests(server, database, user)?;
    if accounts.is_empty() {
        return Ok(0);
    }
    let fence = Fence {
        accounts,
        is_lifted: false,
    };
    note::put(to, NOTE, &fence)?;
    lock(server, &fence)?;
    Ok(fence.accounts.len())
}

/// Accounts that can be locked, are not, have rights in the database, by themselves or by a role, and are not the application's.
fn guests(
    server: &mut Server,
    database: &str,
    user: &str,
) -> Result<Vec<(String, String)>, Failure> {
    let (name, user) = (literal(database), literal(user));
    // Names of databases are patterns there.
    let with_rights = format!(
        "SELECT user, host FROM mysql.db WHERE {name} LIKE db \
         UNION SELECT user, host FROM mysql.tables_priv WHERE db = {name} \
         UNION SELECT user, host FROM mysql.columns_priv WHERE db = {name} \
         UNION SELECT user, host FROM mysql.procs_priv WHERE db = {name} \
         UNION SELECT user, host FROM mysql.global_priv WHERE CAST(JSON_VALUE(priv, '$.access') AS UNSIGNED) & 15 <> 0"
    );
    // The lowest bits of `access` are SELECT, INSERT, UPDATE, DELETE; bit 15 is SUPER, bit 25 CREATE USER.
    let rows = server.rows(&format!(
        "SELECT g.user, g.host FROM mysql.global_priv g WHERE g.user NOT IN ({user}, '', 'mariadb.sys') \
         AND JSON_VALUE(g.priv, '$.is_role') IS NULL \
         AND coalesce(JSON_VALUE(g.priv, '$.account_locked'), 'false') NOT IN ('true', '1') \
         AND CAST(coalesce(JSON_VALUE(g.priv, '$.access'), 0) AS UNSIGNED) & ((1 << 15) | (1 << 25)) = 0 \
         AND ((g.user, g.host) IN ({with_rights}) OR (g.user, g.host) IN \
             (SELECT m.user, m.host FROM mysql.roles_mapping m WHERE (m.role, '') IN ({with_rights}))) ORDER BY 1, 2"
    ))?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let mut row = row.into_iter();
            Some((row.next()??, row.next()?.unwrap_or_default()))
        })
        .collect())
}

fn lock(server: &mut Server, fence: &Fence) -> Result<(), Failure> {
    for account in &fence.accounts {
        server.run(&format!(
            "ALTER USER IF EXISTS {} ACCOUNT LOCK",
            named(account)
        ))?;
    }
    Ok(())
}

fn named((user, host): &(String, String)) -> String {
    format!("{}@{}", literal(user), literal(host))
}

/// Lets them in again: also those whom a server knows as locked because it was returned to what it was then. Repeatable.
pub(super) fn give_back(server: &mut Server, from: &Path) -> Result<(), Failure> {
    let Some(mut fence) = Fence::read(from)? else {
        return Ok(());
    };
    for account in &fence.accounts {
        server.run(&format!(
            "ALTER USER IF EXISTS {} ACCOUNT UNLOCK",
            named(account)
        ))?;
    }
    fence.is_lifted = true;
    note::put(from, NOTE, &fence)
}

/// Whether others are kept out as this protected directory says.
pub(super) fn stands(from: &Path) -> Result<bool, Failure> {
    Ok(Fence::read(from)?.is_some_and(|fence| !fence.is_lifted))
}

/// Keeps them out again, after an older copy was returned to in the middle of the change-over that this directory belongs to.
pub(super) fn shut_again(server: &mut Server, to: &Path) -> Result<(), Failure> {
    match Fence::read(to)?.filter(|fence| !fence.is_lifted) {
        Some(fence) => lock(server, &fence),
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
        note::get(from, NOTE)
    }
}
