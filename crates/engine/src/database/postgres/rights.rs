//! What the server is and what this role may do there.

use rustix::fs::statvfs;
use serde::Deserialize;

use super::failure::Failure;
use super::server::Server;

/// Major versions that this was made for.
const VERSIONS: std::ops::RangeInclusive<u32> = 13..=18;

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

    /// Where the copy would have to lie on this machine without room for it, and how much of that there is.
    pub(super) fn lacks_room(&self, is_local: bool) -> Option<(String, u64)> {
        let directory = self.directory.clone().filter(|_| is_local)?;
        let system = statvfs(&directory).ok()?;
        let free = system.f_bavail * system.f_frsize;
        (free < self.size).then_some((directory, free))
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
            (
                self.creates,
                "the role may not create databases (ALTER ROLE ... CREATEDB)",
            ),
            (self.prepared == 0, "the database has prepared transactions"),
        ])
    }

    /// What else is in the way of a dump.
    pub(super) fn dump_obstacles(&self) -> Vec<String> {
        self.copy_obstacles()
    }

    /// What the role may and may not do.
    pub(super) fn describe(&self) -> Vec<String> {
        let can =
            |holds: bool, what: &str| format!("{} {what}", if holds { "may" } else { "may NOT" });
        vec![
            can(self.owner, "do everything in the database, as its owner"),
            can(
                self.creates,
                "create databases (for the rungs copy and dump)",
            ),
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
