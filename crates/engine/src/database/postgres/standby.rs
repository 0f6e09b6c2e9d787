//! The rung *standby*: a replica, made while the application works, follows the server until the application has stopped, and
//! is frozen then. Going back puts it in the place of the server.

use std::os::unix::fs::chown;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Deserialize;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use super::address::Address;
use super::cluster::{self, Cluster, Launch, Stop};
use super::failure::Failure;
use super::note;
use super::place::Place;
use super::postmaster::Postmaster;
use super::server::Server;
use super::tools;
use super::{base_backup, programs, secret};
use crate::durable;

/// The password for replicating, in libpq's own format.
const PASSFILE: &str = "passfile";
/// Who may get into the standby: whoever gets at its socket's directory.
const ACCESS: &str = "pg_hba.conf";
/// In a protected directory: the standby runs, and whoever freezes it relies on that.
const PROMISE: &str = "prepared";
/// How long its connection to the server may be missing when it has to catch up, and how long nothing may come of it.
const LOST_PATIENCE: Duration = Duration::from_secs(3);
const STILL_PATIENCE: Duration = Duration::from_secs(10);
/// How long a clean end of the standby may take.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(10);

/// Writes something that leaves no trace, so that all that was acknowledged before is in the log on the disk.
const MARK: &str = "SELECT lo_unlink(lo_create(0))";
const WRITTEN: &str = "SELECT to_json(pg_current_wal_flush_lsn()::text)::text WHERE $1 <> ''";
const REPLAYED: &str = "SELECT jsonb_build_object(\
    'there', coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn, false), 'at', coalesce(pg_last_wal_replay_lsn()::text, ''), \
    'connected', EXISTS (SELECT FROM pg_stat_wal_receiver WHERE pid IS NOT NULL))::text";

#[derive(Deserialize)]
struct Replayed {
    there: bool,
    at: String,
    connected: bool,
}

/// How to get in for replicating.
pub(super) struct Replication {
    /// The address, with no password in it.
    url: Url,
    password: Option<String>,
}

impl Replication {
    /// The first way that the server agrees to. In `scratch` a password file lies for a moment.
    pub(super) fn find(
        address: &Address,
        cluster: &Cluster,
        scratch: &Path,
    ) -> Result<Replication, Failure> {
        let mut refused = Vec::new();
        for way in Replication::ways(address, cluster)? {
            match way.try_out(cluster, scratch) {
                Ok(()) => return Ok(way),
                Err(failure) => {
                    refused.push(format!("{}: {}", way.url, crate::step::chain(&failure)))
                }
            }
        }
        Err(Failure::Unsuitable(format!(
            "no role may replicate (ALTER ROLE ... REPLICATION, and a line `replication` in pg_hba.conf): {}",
            refused.join("; ")
        )))
    }

    fn ways(address: &Address, cluster: &Cluster) -> Result<Vec<Replication>, Failure> {
        let postmaster = cluster.running().ok_or_else(|| {
            Failure::Unsuitable(format!("no server runs on {}", cluster.data().display()))
        })?;
        let by_socket = |user: &str| {
            let socket = postmaster.socket.display().to_string();
            let host = match socket.is_empty() {
                true => "127.0.0.1".to_owned(),
                false => socket.replace('%', "%25").replace('/', "%2F"),
            };
            let mut url = parse(&format!("postgres://{host}:{}", postmaster.port))?;
            // Only an address without a host refuses that.
            let _ = url.set_username(user);
            Ok::<Url, Failure>(url)
        };
        let config = cluster.config();
        if let Some(user) = &config.replication_user {
            let file = config.replication_password_file.as_deref();
            return Ok(vec![Replication {
                url: by_socket(user)?,
                password: file.map(secret::read).transpose()?,
            }]);
        }
        let mut ways = vec![Replication {
            url: parse(&address.server()?)?,
            password: address.password()?,
        }];
        if let Some(name) = super::account::name(cluster.owner()?.0) {
            ways.push(Replication {
                url: by_socket(&name)?,
                password: None,
            });
        }
        Ok(ways)
    }

    fn try_out(&self, cluster: &Cluster, scratch: &Path) -> Result<(), Failure> {
        cluster.make_directory(scratch)?;
        let launch = launch(cluster)?;
        let mut url = self.ready(cluster, scratch)?;
        url.query_pairs_mut().append_pair("replication", "true");
        let output = launch
            .command(&tools::find("psql", 0)?, cluster.owner()?)
            .args([
                "--no-psqlrc",
                "--no-password",
                "--quiet",
                "--command",
                "IDENTIFY_SYSTEM",
            ])
            .arg(url.as_str())
            .stderr(std::process::Stdio::piped())
            .output();
        let removed = durable::remove_file(&scratch.join(PASSFILE));
        let output = output.map_err(|error| Failure::disk(Path::new("psql"), error))?;
        removed.map_err(|error| Failure::disk(scratch, error))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(Failure::Tool {
                tool: "psql".into(),
                output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            }),
        }
    }

    /// Its address, once the password lies in a file there.
    fn ready(&self, cluster: &Cluster, directory: &Path) -> Result<Url, Failure> {
        let mut url = self.url.clone();
        let Some(password) = &self.password else {
            return Ok(url);
        };
        let file = directory.join(PASSFILE);
        let (user, group) = cluster.owner()?;
        let escaped = password.replace('\\', "\\\\").replace(':', "\\:");
        durable::write(&file, format!("*:*:*:*:{escaped}\n").as_bytes(), 0o600)
            .and_then(|()| chown(&file, Some(user), Some(group)))
            .map_err(|error| Failure::disk(&file, error))?;
        url.query_pairs_mut()
            .append_pair("passfile", &file.display().to_string());
        Ok(url)
    }
}

/// Makes the standby and starts it.
pub(super) fn prepare(
    cluster: &Cluster,
    place: &Place,
    replication: &Replication,
    total: u64,
    progress: &mut dyn FnMut(u64, u64),
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    let url = replication.ready(cluster, &place.directory)?;
    base_backup::make(cluster, place, &url, total, progress, go_on)?;
    let owned = |path: &Path, text: &str| {
        let (user, group) = cluster.owner()?;
        durable::write(path, text.as_bytes(), 0o600)
            .and_then(|()| chown(path, Some(user), Some(group)))
            .map_err(|error| Failure::disk(path, error))
    };
    owned(&place.copy().join("standby.signal"), "")?;
    owned(&place.directory.join(ACCESS), "local all all trust\n")?;
    let launch = Launch {
        log: None,
        ..place.launch.clone()
    };
    let arguments = arguments(place, &url);
    launch.start(&place.copy(), &arguments, cluster.owner()?, &place.log())?;
    Postmaster::wait(&place.copy(), &place.log()).map(drop)
}

/// The original's arguments, and what is different here.
fn arguments(place: &Place, url: &Url) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = place.launch.arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-D" => drop(words.next()),
            word if word.starts_with("-D") => {}
            word => kept.push(word.to_owned()),
        }
    }
    let directory = place.directory.display();
    let different = [
        format!("data_directory={}", place.copy().display()),
        format!("hba_file={directory}/{ACCESS}"),
        format!("unix_socket_directories={directory}"),
        format!("primary_conninfo={url}"),
        "listen_addresses=".to_owned(),
        "external_pid_file=".to_owned(),
        "primary_slot_name=".to_owned(),
        // Should it lose the server, it is back soon.
        "wal_retrieve_retry_interval=500ms".to_owned(),
        "restore_command=".to_owned(),
        "hot_standby=on".to_owned(),
        "logging_collector=off".to_owned(),
        "ssl=off".to_owned(),
    ];
    for setting in different {
        kept.extend(["-c".to_owned(), setting]);
    }
    kept
}

/// Waits until the standby has all that the server has, of which nobody uses the database any more, and freezes it.
pub(super) fn freeze(
    cluster: &Cluster,
    place: &Place,
    server: &mut Server,
    user: &str,
    maintenance: &str,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    server.run(MARK)?;
    let written: String = server.ask(WRITTEN, "-")?.ok_or_else(|| {
        Failure::Unsuitable("the server does not tell its place in the log".to_owned())
    })?;
    let gone = || {
        Failure::Unsuitable(format!(
            "the standby has ended: {}",
            programs::tail(&place.log())
        ))
    };
    let postmaster = Postmaster::of(&place.copy()).ok_or_else(gone)?;
    let options = PgConnectOptions::new_without_pgpass()
        .socket(&place.directory)
        .port(postmaster.port)
        .username(user)
        .database(maintenance)
        .ssl_mode(PgSslMode::Disable);
    catch_up(&mut Server::connect(options)?, &written, place, go_on)?;
    cluster::signal(&postmaster, Stop::Clean)?;
    postmaster.wait_for_end(PATIENCE)?;
    be_like_the_original(cluster, place)
}

/// Waits until the standby has this of the log, for as long as it comes nearer to it.
fn catch_up(
    standby: &mut Server,
    written: &str,
    place: &Place,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    let (mut moved, mut connected, mut at) = (Instant::now(), Instant::now(), String::new());
    loop {
        let replayed: Replayed = standby.ask(REPLAYED, written)?.ok_or_else(|| gone(place))?;
        if replayed.there {
            return Ok(());
        }
        if replayed.at != at {
            (moved, at) = (Instant::now(), replayed.at);
        }
        if replayed.connected {
            connected = Instant::now();
        }
        let why = match (
            connected.elapsed() > LOST_PATIENCE,
            moved.elapsed() > STILL_PATIENCE,
        ) {
            (true, _) => "has lost the server",
            (_, true) => "stands still",
            _ if !go_on() => return Err(Failure::Interrupted),
            _ => {
                std::thread::sleep(POLL);
                continue;
            }
        };
        let said = programs::tail(&place.log());
        return Err(Failure::Unsuitable(format!(
            "the standby {why} at {at}, and {written} is needed: {said}"
        )));
    }
}

/// Says that the standby in this protected directory, if there is one, was prepared before requests were held.
pub(super) fn promise(protected: &Path) -> Result<(), Failure> {
    if !Place::read(protected)?.is_some_and(|place| place.is_prepared()) {
        return Ok(());
    }
    let path = protected.join(PROMISE);
    durable::write(&path, b"", 0o600).map_err(|error| Failure::disk(&path, error))
}

/// Whether that was said; from now on it is not.
pub(super) fn take_promise(protected: &Path) -> Result<bool, Failure> {
    let path = protected.join(PROMISE);
    let was = path.exists();
    durable::remove_file(&path).map_err(|error| Failure::disk(&path, error))?;
    Ok(was)
}

/// The standby has ended although it was to run.
pub(super) fn gone(place: &Place) -> Failure {
    let said = programs::tail(&place.log());
    Failure::Unsuitable(format!("the standby that was prepared has ended: {said}"))
}

/// From now on it is started as the server that it was made of.
fn be_like_the_original(cluster: &Cluster, place: &Place) -> Result<(), Failure> {
    let copy = place.copy();
    let disk = |error| Failure::disk(&copy, error);
    // What is configured is not in the log.
    for entry in std::fs::read_dir(cluster.data()).map_err(disk)?.flatten() {
        let (from, to) = (entry.path(), copy.join(entry.file_name()));
        let is_config = from.extension().is_some_and(|it| it == "conf");
        if is_config && from.is_file() {
            durable::remove_file(&to).map_err(disk)?;
            durable::copy_file(&from, &to, &|| true).map_err(disk)?;
        }
    }
    // The server itself has synced what it needs to be started again, as ever when it ends. All that others have written in the
    // same file system, its original above all, need not be waited for.
    durable::remove_file(&copy.join("standby.signal"))
        .and_then(|()| durable::remove_file(&place.directory.join(PASSFILE)))
        .and_then(|()| durable::sync_dir(&copy))
        .map_err(disk)
}

/// The rung *standby*, once it was prepared.
pub(super) fn protect(
    cluster: &Cluster,
    place: &Place,
    server: &mut Server,
    address: &Address,
    protected: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    server.cut_off(&address.database()?)?;
    let user = address.user()?;
    freeze(cluster, place, server, &user, &address.maintenance, go_on)?;
    note::set_complete(protected)
}

fn launch(cluster: &Cluster) -> Result<Launch, Failure> {
    cluster.launch()?.ok_or_else(|| {
        Failure::Unsuitable(format!("no server runs on {}", cluster.data().display()))
    })
}

fn parse(url: &str) -> Result<Url, Failure> {
    Url::parse(url).map_err(|error| Failure::Unsuitable(error.to_string()))
}
