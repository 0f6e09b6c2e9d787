//! What the server is and what this role may do there, and which rung follows from that.

use rustix::fs::statvfs;
use serde::Deserialize;

use super::failure::Failure;
use super::server::Server;
use crate::installation::Rung;

/// Major versions that this was made for.
const VERSIONS: std::ops::RangeInclusive<u32> = 13..=18;

const ASK: &str = "SELECT jsonb_build_object(\
    'version', current_setting('server_version_num')::int / 10000, \
    'standby', pg_is_in_recovery(), \
    'creates', r.rolsuper OR r.rolcreatedb, \
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

    /// The fastest rung that is possible, or the one that was asked for, and what to say about it.
    pub(super) fn choose(&self, forced: Option<Rung>) -> Result<(Rung, String), Failure> {
        let obstacles = self.obstacles();
        if !obstacles.is_empty() {
            return Err(Failure::Unsuitable(obstacles.join("; ")));
        }
        Ok(match forced {
            None | Some(Rung::Copy) => (
                Rung::Copy,
                "rung copy: copied by the server, returned by renaming; the role owns the database and may create others"
                    .to_owned(),
            ),
            Some(Rung::Dump) => (
                Rung::Dump,
                "rung dump: pg_dump, returned by pg_restore; the installation file asks for it".to_owned(),
            ),
            Some(Rung::FileSystem | Rung::Standby) => {
                return Err(Failure::Unsuitable("not yet".to_owned()));
            }
        })
    }

    /// Where the copy would have to lie on this machine without room for it, and how much of that there is.
    pub(super) fn lacks_room(&self, is_local: bool) -> Option<(String, u64)> {
        let directory = self.directory.clone().filter(|_| is_local)?;
        let system = statvfs(&directory).ok()?;
        let free = system.f_bavail * system.f_frsize;
        (free < self.size).then_some((directory, free))
    }

    fn obstacles(&self) -> Vec<String> {
        let mut obstacles = Vec::new();
        let mut needs = |holds: bool, otherwise: &str| {
            if !holds {
                obstacles.push(otherwise.to_owned());
            }
        };
        needs(
            VERSIONS.contains(&self.version),
            "only PostgreSQL 13 to 18 are known",
        );
        needs(
            !self.standby,
            "the server is a standby and cannot be written to",
        );
        if !self.exists {
            needs(false, "there is no such database at the server");
            return obstacles;
        }
        needs(
            self.owner,
            "the role does not own the database (ALTER DATABASE ... OWNER TO)",
        );
        needs(
            self.creates,
            "the role may not create databases (ALTER ROLE ... CREATEDB)",
        );
        needs(
            self.slots == 0,
            "the database has logical replication slots, which do not survive a return",
        );
        needs(
            self.subscriptions == 0,
            "the database has subscriptions, which do not survive a return",
        );
        needs(self.prepared == 0, "the database has prepared transactions");
        obstacles
    }
}
