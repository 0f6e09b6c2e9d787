//! The ways to protect a database here, the fastest first, and what is in the way of each: proven by trying where that is
//! possible.

use super::address::Address;
use super::clone::{self, Means};
use super::cluster::Cluster;
use super::failure::Failure;
use super::own;
use super::refill;
use super::rights::Rights;
use super::server::Server;
use super::standby::Replication;
use crate::installation::Rung;
use crate::step::chain;

/// Bytes below which a standby, which takes as much room again and minutes to make, gains nothing over a copy.
const WORTH_A_STANDBY: u64 = 512 << 20;

/// See the module.
pub(super) struct Ladder {
    /// The role's rights and the server's facts.
    pub(super) rights: Rights,
    /// How the cluster's files are cloned.
    pub(super) means: Option<Means>,
    /// How a standby is made.
    pub(super) replication: Option<Replication>,
    /// What is in the way of each.
    pub(super) rungs: [(Rung, Vec<String>); 4],
}

impl Ladder {
    /// Looks at all of it.
    pub(super) fn survey(
        address: &Address,
        cluster: Option<&Cluster>,
        server: &mut Server,
    ) -> Result<Ladder, Failure> {
        let database = address.database()?;
        let rights = Rights::ask(server, &database)?;
        let common = rights.obstacles();
        let mut ladder = Ladder {
            rungs: [
                (Rung::FileSystem, common.clone()),
                (Rung::Standby, common.clone()),
                (
                    Rung::Copy,
                    [common.clone(), rights.copy_obstacles()].concat(),
                ),
                (
                    Rung::Dump,
                    [common.clone(), rights.dump_obstacles()].concat(),
                ),
            ],
            rights,
            means: None,
            replication: None,
        };
        if !common.is_empty() {
            return Ok(ladder);
        }
        let (files, standby) = match cluster {
            Some(cluster) => ladder.survey_cluster(address, cluster, server, &database),
            None => {
                let none = vec![
                    "no database.cluster is given that is this application's alone".to_owned(),
                ];
                (none.clone(), none)
            }
        };
        if ladder.is_in_place() && ladder.rights.owns() {
            let inside = Server::connect(address.options(&database)?);
            let found = inside.and_then(|mut it| refill::obstacles(&mut it, &database));
            let found = found.unwrap_or_else(|failure| vec![chain(&failure)]);
            ladder.rungs[3].1.extend(found);
        }
        ladder.rungs[0].1.extend(files);
        ladder.rungs[1].1.extend(standby);
        Ok(ladder)
    }

    fn survey_cluster(
        &mut self,
        address: &Address,
        cluster: &Cluster,
        server: &mut Server,
        database: &str,
    ) -> (Vec<String>, Vec<String>) {
        let mut files = own::obstacles(cluster, server, database);
        let mut standby = files.clone();
        if !files.is_empty() {
            return (files, standby);
        }
        let beside = cluster.beside();
        let proven = cluster
            .make_directory(&beside)
            .and_then(|()| clone::prove(cluster.data(), &beside));
        match proven {
            Ok(means) => self.means = Some(means),
            Err(failure) => files.push(chain(&failure)),
        }
        let inside = || Server::connect(address.options(database)?);
        match inside().and_then(|mut it| own::standby_obstacles(cluster, server, &mut it, database))
        {
            Ok(obstacles) => standby.extend(obstacles),
            Err(failure) => standby.push(chain(&failure)),
        }
        if standby.is_empty() {
            let found = clone::scratch(&beside).and_then(|scratch| {
                let found = Replication::find(address, cluster, &scratch);
                clone::remove(&scratch)?;
                found
            });
            match found {
                Ok(replication) => self.replication = Some(replication),
                Err(failure) => standby.push(chain(&failure)),
            }
        }
        (files, standby)
    }

    /// Whether a dump goes back into the same database.
    pub(super) fn is_in_place(&self) -> bool {
        !self.rights.may_create()
    }

    /// What is in the way of a rung; nothing where it is possible.
    pub(super) fn obstacles(&self, rung: Rung) -> &[String] {
        let found = self.rungs.iter().find(|(it, _)| *it == rung);
        found.map_or(&[], |(_, obstacles)| obstacles)
    }

    /// The rung to take: the one that is asked for, or the fastest that is possible.
    pub(super) fn choose(&self, forced: Option<Rung>) -> Result<Rung, Failure> {
        if let Some(rung) = forced {
            return match self.obstacles(rung) {
                [] => Ok(rung),
                obstacles => Err(Failure::Unsuitable(obstacles.join("; "))),
            };
        }
        let is_worth = |rung: Rung| {
            rung != Rung::Standby
                || self.rights.size() >= WORTH_A_STANDBY
                || !self.obstacles(Rung::Copy).is_empty()
        };
        let possible = self
            .rungs
            .iter()
            .find(|(rung, obstacles)| obstacles.is_empty() && is_worth(*rung));
        possible.map(|(rung, _)| *rung).ok_or_else(|| {
            // Those that ask for least say what is missing.
            let copy = self.obstacles(Rung::Copy);
            let dump = self.obstacles(Rung::Dump);
            let others = dump.iter().filter(|obstacle| !copy.contains(obstacle));
            let missing: Vec<&str> = copy.iter().chain(others).map(String::as_str).collect();
            Failure::Unsuitable(missing.join("; "))
        })
    }

    /// How a rung works, for people.
    pub(super) fn describe(&self, rung: Rung) -> String {
        let (name, how) = match rung {
            Rung::FileSystem => {
                let means = self.means.map_or("clone", Means::name);
                return format!(
                    "rung file_system: the cluster's files are cloned by {means}, with the server stopped, and returned by renaming"
                );
            }
            Rung::Standby => (
                "standby",
                "a standby is made while the application works, frozen before the change, and returned by renaming",
            ),
            Rung::Copy => (
                "copy",
                "copied by the server, returned by renaming; the role owns the database and may create others",
            ),
            Rung::Dump if self.is_in_place() => (
                "dump",
                "pg_dump, returned into the same database after all in it was dropped, as the role may not create another",
            ),
            Rung::Dump => ("dump", "pg_dump, returned by pg_restore"),
        };
        format!("rung {name}: {how}")
    }
}

/// Its name in the installation file.
pub(super) fn name(rung: Rung) -> &'static str {
    match rung {
        Rung::FileSystem => "file_system",
        Rung::Standby => "standby",
        Rung::Copy => "copy",
        Rung::Dump => "dump",
    }
}
