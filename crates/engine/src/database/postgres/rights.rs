//! What the server is and what this role may do there.

use rustix::fs::statvfs;
use serde::Deserialize;

use super::failure::Failure;
use super::server::Server;
use crate::api::Problem;
use crate::problem;

/// Major versions that this was made for.
const VERSIONS: std::ops::RangeInclusive<u32> = 13..=18;

const MAY_NOT_CREATE: &str = "the role may not create databases (ALTER ROLE ... CREATEDB)";

const ASK: &str = "SELECT jsonb_build_object(\
    'version', current_setting('server_version_num')::int / 10000, \
    'standby', pg_is_in_recovery(), \
    'creates', r.rolsuper OR r.rolcreatedb, \
    'replicates', r.rolsuper OR r.rolreplication, \
    'exists', d.oid IS NOT NULL, \
    'owner', coalesce(pg_has_role(d.datdba, 'MEMBER'), false), \
    'size', coalesce(pg_database_size(d.oid), 0), \
    'slots', (SELECT count(*) FROM pg_replication_slots s WHERE s.database = d.datname), \
    'subscriptions', (SELECT count(*) FROM pg_subscription s WHERE s.subdbid = d.oid), \
    'prepared', (SELECT count(*) FROM pg_prepared_xacts p WHERE p.database = d.datname), \
    'directory', CASE WHEN pg_has_role('pg_read_all_settings', 'MEMBER') THEN current_setting('data_directory') END\
    )::text FROM pg_roles r LEFT JOIN pg_database d ON d.datname = $1 WHERE r.rolname = current_user";

/// See the module.
#[derive(Debug, Deserialize)]
pub(super) struct Rights {
    version: u32,
    standby: bool,
    creates: bool,
    replicates: bool,
    exists: bool,
    owner: bool,
    size: u64,
    slots: u64,
    subscriptions: u64,
    prepared: u64,
    directory: Option<String>,
}

impl Rights {
    /// Asks the server.
    pub(super) fn ask(server: &mut Server, database: &str) -> Result<Rights, Failure> {
        server
            .ask(ASK, database)?
            .ok_or_else(|| Failure::Unsuitable("the server does not know this role".to_owned()))
    }

    /// The server's major version.
    pub(super) fn version(&self) -> u32 {
        self.version
    }

    /// Bytes that the database takes at the server.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Refuses to fill the server's disk, where that is this machine's and known. `needed` is what copies take there.
    ///
    /// # Errors
    /// `disk-space`.
    pub(super) fn check_room(&self, is_local: bool, needed: u64) -> Result<(), Problem> {
        let free = |directory: &String| {
            let system = statvfs(directory).ok()?;
            Some(system.f_bavail * system.f_frsize)
        };
        let directory = self.directory.as_ref().filter(|_| is_local);
        match directory.and_then(|it| Some((it, free(it)?))) {
            Some((directory, free)) if free < needed => Err(Problem::new(problem::DISK_SPACE)
                .arg("needed", needed)
                .arg("free", free)
                .arg("path", directory)),
            _ => Ok(()),
        }
    }

    /// What is in the way of every rung.
    pub(super) fn obstacles(&self) -> Vec<String> {
        list(&[
            (
                VERSIONS.contains(&self.version),
                "only PostgreSQL 13 to 18 are known",
            ),
            (
                !self.standby,
                "the server is a standby and cannot be written to",
            ),
            (self.exists, "there is no such database at the server"),
            (
                self.slots == 0,
                "the database has logical replication slots, which do not survive a return",
            ),
            (
                self.subscriptions == 0,
                "the database has subscriptions, which do not survive a return",
            ),
        ])
    }

    /// Whether the role may create databases: otherwise there is no way back but into the same one.
    pub(super) fn may_create(&self) -> bool {
        self.creates
    }

    /// Whether the role may do everything with the database.
    pub(super) fn owns(&self) -> bool {
        self.owner
    }

    /// What else is in the way of a copy.
    pub(super) fn copy_obstacles(&self) -> Vec<String> {
        if !self.exists {
            return Vec::new();
        }
        list(&[
            (
                self.owner,
                "the role does not own the database (ALTER DATABASE ... OWNER TO)",
            ),
            (self.creates, MAY_NOT_CREATE),
            (self.prepared == 0, "the database has prepared transactions"),
        ])
    }

    /// What else is in the way of a dump, but for what lies in the database.
    pub(super) fn dump_obstacles(&self) -> Vec<String> {
        let obstacles = self.copy_obstacles();
        obstacles
            .into_iter()
            .filter(|it| it != MAY_NOT_CREATE)
            .collect()
    }

    /// What the role may and may not do.
    pub(super) fn describe(&self) -> Vec<String> {
        let can =
            |holds: bool, what: &str| format!("{} {what}", if holds { "may" } else { "may NOT" });
        vec![
            can(self.owner, "do everything in the database, as its owner"),
            match self.creates {
                true => "may create databases (for the rungs copy and dump)".to_owned(),
                false => "may NOT create databases: the rung copy is not possible, and a dump is returned into the same database, by \
                          one session, after everything of the role in it was dropped; that takes as long as loading all data, and the \
                          database is shut until it is done"
                    .to_owned(),
            },
            can(
                self.replicates,
                "replicate (for the rung standby, unless another role may)",
            ),
            can(
                self.directory.is_some(),
                "see where the server's data lie (whether there is room for a copy)",
            ),
        ]
    }
}

/// What does not hold.
fn list(conditions: &[(bool, &str)]) -> Vec<String> {
    let broken = conditions.iter().filter(|(holds, _)| !holds);
    broken
        .map(|(_, otherwise)| (*otherwise).to_owned())
        .collect()
}
