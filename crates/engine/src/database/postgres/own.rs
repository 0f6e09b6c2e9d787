//! Whether a cluster really is this application's alone and may be returned as a whole: everything is proven, nothing assumed.

use std::path::Path;

use serde::Deserialize;

use super::account;
use super::cluster::{self, Cluster};
use super::failure::Failure;
use super::programs;
use super::server::Server;

const ASK: &str = "SELECT jsonb_build_object(\
    'session', pg_backend_pid(), \
    'others', coalesce((SELECT jsonb_agg(datname) FROM pg_database WHERE datname <> $1 AND datname <> current_database() \
        AND NOT datistemplate AND datname <> 'postgres' AND position('__obnova_' IN datname) = 0), '[]'), \
    'archiving', current_setting('archive_mode') <> 'off', \
    'slots', (SELECT count(*) FROM pg_replication_slots), \
    'standbys', (SELECT count(*) FROM pg_stat_replication), \
    'senders', current_setting('max_wal_senders')::int > 0 AND current_setting('wal_level') <> 'minimal')::text";

const UNLOGGED: &str =
    "SELECT count(*)::text FROM pg_class WHERE relpersistence = 'u' AND $1 <> ''";

#[derive(Debug, Deserialize)]
struct Facts {
    session: i32,
    others: Vec<String>,
    archiving: bool,
    slots: u64,
    standbys: u64,
    senders: bool,
}

/// What is in the way of returning the whole cluster; of both rungs that do.
pub(super) fn obstacles(cluster: &Cluster, server: &mut Server, database: &str) -> Vec<String> {
    all(look(cluster, server, database, true))
}

/// What has come into the way since a moment ago, when nothing was: asked while requests are held, so no program is started.
pub(super) fn new_obstacles(cluster: &Cluster, server: &mut Server, database: &str) -> Vec<String> {
    all(look(cluster, server, database, false))
}

fn all(found: Result<Vec<String>, Failure>) -> Vec<String> {
    found.unwrap_or_else(|failure| vec![crate::step::chain(&failure)])
}

/// `tries` whether the server could be started again, too.
fn look(
    cluster: &Cluster,
    server: &mut Server,
    database: &str,
    tries: bool,
) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let mut needs = |holds: bool, otherwise: String| {
        if !holds {
            found.push(otherwise);
        }
    };
    let data = cluster.data();
    let shown = data.display();
    let owner = cluster.owner()?;
    let user = rustix::process::geteuid();
    needs(
        user.is_root() || user.as_raw() == owner.0,
        format!("the engine runs neither as root nor as the account that owns {shown}"),
    );
    needs(
        !user.is_root() || programs::in_path("setpriv"),
        "setpriv is not installed (Debian package util-linux)".to_owned(),
    );
    needs(
        owner.0 != 0,
        format!("{shown} belongs to root, which no server of PostgreSQL runs as"),
    );
    let facts: Facts = server
        .ask(ASK, database)?
        .ok_or_else(|| Failure::Unsuitable("the server says nothing about itself".to_owned()))?;
    if tries
        && let Some(launch) = cluster.launch()?
        && cluster.running().is_some()
        && let Err(failure) = cluster.try_to_start(&launch)
    {
        needs(false, crate::step::chain(&failure));
    }
    match cluster.running() {
        Some(postmaster) => {
            needs(
                cluster::serves(&postmaster, facts.session),
                format!("the server of {shown} is another one than that of the database's address"),
            );
            if let Some(unit) = cluster::service(postmaster.pid) {
                needs(
                    !cluster.config().start.is_empty(),
                    format!(
                        "the server belongs to {unit} of systemd; give the commands that start and stop that in \
                         database.cluster"
                    ),
                );
            }
        }
        None => needs(false, format!("no server runs on {shown}")),
    }
    for why in unmovable(data) {
        needs(false, why);
    }
    needs(
        facts.others.is_empty(),
        format!(
            "the cluster has other databases, which would be returned too: {}",
            facts.others.join(", ")
        ),
    );
    needs(
        !facts.archiving,
        "the server archives its log, and a cluster that is returned would write the same log again".to_owned(),
    );
    needs(
        facts.slots == 0,
        "the server has replication slots, which do not survive a return".to_owned(),
    );
    needs(
        facts.standbys == 0,
        "the server has standbys, which a return would part from it".to_owned(),
    );
    Ok(found)
}

/// What keeps a data directory from being moved and copied as a whole.
fn unmovable(data: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let shown = data.display();
    let is_link = |path: &Path| std::fs::symlink_metadata(path).is_ok_and(|it| it.is_symlink());
    if is_link(data) {
        found.push(format!("{shown} is a link; give the directory itself"));
    }
    let entries = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten();
    if entries(&data.join("pg_tblspc")).next().is_some() {
        found.push("the cluster has tablespaces outside of its data directory".to_owned());
    }
    for entry in entries(data) {
        if is_link(&entry.path()) && entry.path().is_dir() {
            found.push(format!("{} leads elsewhere", entry.path().display()));
        }
    }
    // proc(5): the fifth field, with blanks written as \040.
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    for point in points.map(|point| point.replace("\\040", " ")) {
        if Path::new(&point).starts_with(data) {
            found.push(format!(
                "a file system is mounted on {point}; the data directory must be a directory in it"
            ));
        }
    }
    found
}

/// What else is in the way of a standby. `inside` is a session in the database itself.
pub(super) fn standby_obstacles(
    cluster: &Cluster,
    server: &mut Server,
    inside: &mut Server,
    database: &str,
) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let facts: Option<Facts> = server.ask(ASK, database)?;
    if facts.is_some_and(|facts| !facts.senders) {
        found.push("wal_level or max_wal_senders does not allow a standby".to_owned());
    }
    if inside.ask::<u64>(UNLOGGED, database)?.unwrap_or(0) > 0 {
        found.push("the database has unlogged tables, which a standby has not".to_owned());
    }
    if cluster.beside().as_os_str().len() + 8 > account::LONGEST_SOCKET {
        found.push(format!(
            "the path {} is too long for a socket",
            cluster.beside().display()
        ));
    }
    Ok(found)
}
