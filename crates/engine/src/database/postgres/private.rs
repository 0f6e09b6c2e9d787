//! A server of our own, for a clone: everything of it lies in one directory, and it ends with whoever started it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use url::Url;

use super::account::Account;
use super::address::{Address, Admin};
use super::failure::Failure;
use super::network;
use super::postmaster::Postmaster;
use super::secret;
use super::server::{Server, literal};
use super::tools;
use crate::durable;

/// Where in its directory it has its files and its socket.
const HOME: &str = "server";
/// In its directory, readable for whoever started it: the password of whoever may do anything there.
const ADMIN_PASSWORD: &str = "admin.password";
/// Whoever may do anything there.
const ADMIN: &str = "obnova_stage";
/// Its port where the original's cannot be had and nobody else can reach it.
const DEFAULT_PORT: u16 = 5432;
/// Libraries that would do things by themselves in a clone.
const NOT_PRELOADED: [&str; 1] = ["pg_cron"];

/// Starts the server, and ends it when standard input ends: when its starter ends it, or has ended, however that came about.
const WATCH: &str = r#"
"$@" </dev/null &
server=$!
read -r end
kill -QUIT "$server"
wait "$server"
"#;

/// See the module.
pub(super) struct Private {
    watcher: Child,
    directory: PathBuf,
    config: String,
    tcp: Option<u16>,
    same_port: bool,
}

/// What it shall be like.
pub(super) struct Wanted<'a> {
    /// Major version, or newer if that one is not there.
    pub(super) version: u32,
    /// Settings of the original.
    pub(super) settings: &'a BTreeMap<String, String>,
    /// Check sums of pages.
    pub(super) checksums: bool,
    /// The loopback port of the original, if it has one.
    pub(super) port: Option<u16>,
    /// Where the original's programs are, if that is known.
    pub(super) programs: Option<PathBuf>,
    /// The account that owns the original's files.
    pub(super) owner: Option<(u32, u32)>,
}

impl Private {
    /// Makes a cluster in `directory` and starts its server. Nothing is synced until [`Private::be_durable`].
    pub(super) fn start(
        directory: &Path,
        wanted: &Wanted,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Private, Failure> {
        let home = directory.join(HOME);
        let disk = |error| Failure::disk(&home, error);
        durable::remove_dir_all(&home).map_err(disk)?;
        durable::create_dir_all(&home).map_err(disk)?;
        durable::set_mode_unsynced(&home, 0o700).map_err(disk)?;
        let account = Account::choose(&home, wanted.owner, "postgres")?;
        if let Some((user, group)) = account.ids {
            chown(&home, Some(user), Some(group)).map_err(disk)?;
        }
        let program = tools::of_server("initdb", wanted.version, wanted.programs.as_deref())?;
        initialise(&account, &program, directory, wanted, go_on)?;

        let isolated = network::is_isolated();
        let same = wanted
            .port
            .filter(|port| isolated && network::is_free(*port));
        let tcp = same.or_else(|| network::free_port().ok());
        let port = tcp.unwrap_or(DEFAULT_PORT);
        let config = config(wanted, tcp, port, &account.inside(&home));
        write(&home, "postgresql.conf", &format!("{config}fsync = off\n"))?;
        // In a network of our own nobody else can ask.
        let tcp_method = if isolated { "trust" } else { "scram-sha-256" };
        let access = format!(
            "local all all scram-sha-256\nhost all all 127.0.0.1/32 {tcp_method}\nhost all all ::1/128 {tcp_method}\n"
        );
        write(&home, "pg_hba.conf", &access)?;

        let mut words = account.words(&home, &program.with_file_name("postgres"));
        words.push("-D".into());
        words.push(account.inside(&home).join("data").into());
        let private = Private {
            watcher: watch(&words, directory)?,
            directory: directory.to_owned(),
            config,
            tcp,
            same_port: same.is_some(),
        };
        Postmaster::wait(&home.join("data"), &tools::log_path(directory))?;
        Ok(private)
    }

    /// From now on what is acknowledged is on the disk, as at the original: otherwise nothing would take as long.
    pub(super) fn be_durable(&self, server: &mut Server) -> Result<(), Failure> {
        write(
            &self.directory.join(HOME),
            "postgresql.conf",
            &format!("{}fsync = on\n", self.config),
        )?;
        server.run("CHECKPOINT")?;
        server.run("SELECT pg_reload_conf()")?;
        durable::sync_file_system(&self.directory)
            .map_err(|error| Failure::disk(&self.directory, error))
    }

    /// How to get in there as the application of the original, which has this password.
    pub(super) fn address(&self, original: &Address, password: &Path) -> Result<Address, Failure> {
        let unfit = |error: url::ParseError| Failure::Unsuitable(error.to_string());
        let old = Url::parse(&original.url).map_err(unfit)?;
        let home = self.directory.join(HOME).display().to_string();
        let host = match (self.tcp, self.same_port) {
            (Some(_), true) => old.host_str().unwrap_or("127.0.0.1").to_owned(),
            (Some(_), false) => "127.0.0.1".to_owned(),
            (None, _) => home.replace('%', "%25").replace('/', "%2F"),
        };
        let port = self.tcp.unwrap_or(DEFAULT_PORT);
        let mut url = Url::parse(&format!("postgres://{host}:{port}")).map_err(unfit)?;
        // Only an address without a host refuses that.
        let _ = url.set_username(&original.user()?);
        url.set_path(old.path());
        let is_other = |name: &str| {
            !name.starts_with("ssl") && !["host", "hostaddr", "port", "user"].contains(&name)
        };
        let kept = old.query_pairs().filter(|(name, _)| is_other(name));
        url.query_pairs_mut()
            .extend_pairs(kept)
            .append_pair("sslmode", "disable");
        Ok(Address {
            url: url.to_string(),
            password_file: Some(password.to_owned()),
            maintenance: "postgres".to_owned(),
            admin: Some(Admin {
                user: ADMIN.to_owned(),
                password_file: self.directory.join(ADMIN_PASSWORD),
            }),
        })
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // Waiting closes its standard input, upon which it ends the server and then itself.
        let _ = self.watcher.wait();
    }
}

fn initialise(
    account: &Account,
    program: &Path,
    directory: &Path,
    wanted: &Wanted,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    let home = directory.join(HOME);
    let disk = |error| Failure::disk(&home, error);
    let admin = secret::make()?;
    let file = directory.join(ADMIN_PASSWORD);
    durable::write(&file, admin.as_bytes(), 0o600).map_err(disk)?;
    // And where the server's account can read it, for a moment.
    let handed = home.join("password");
    durable::write(&handed, admin.as_bytes(), 0o600).map_err(disk)?;
    if let Some((user, group)) = account.ids {
        chown(&handed, Some(user), Some(group)).map_err(disk)?;
    }
    let inside = account.inside(&home);
    let words = account.words(&home, program);
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .args([
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
            "--username",
            ADMIN,
        ])
        .args(["--auth=scram-sha-256", "--pwfile"])
        .arg(inside.join("password"))
        .arg("--pgdata")
        .arg(inside.join("data"))
        .env_remove("PGDATA")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(tools::log(directory)?);
    match wanted.checksums {
        true => command.arg("--data-checksums"),
        // From 18 on they are there unless said otherwise.
        false if wanted.version >= 18 => command.arg("--no-data-checksums"),
        false => &mut command,
    };
    tools::run("initdb", command, directory, go_on)?;
    durable::remove_file(&handed).map_err(disk)
}

fn config(wanted: &Wanted, tcp: Option<u16>, port: u16, home: &Path) -> String {
    let mut settings: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in wanted.settings {
        settings.insert(name, value.clone());
    }
    if let Some(libraries) = settings.get_mut("shared_preload_libraries") {
        let kept = libraries
            .split(',')
            .map(str::trim)
            .filter(|library| !NOT_PRELOADED.contains(library));
        *libraries = kept.collect::<Vec<_>>().join(",");
    }
    let listen = match tcp {
        Some(port) if TcpListener::bind(("::1", port)).is_ok() => "127.0.0.1,::1",
        Some(_) => "127.0.0.1",
        None => "",
    };
    // A socket's path must be short; then there is TCP only.
    let socket = home.display().to_string();
    let socket = if socket.len() > super::account::LONGEST_SOCKET && tcp.is_some() {
        String::new()
    } else {
        socket
    };
    settings.insert("listen_addresses", listen.to_owned());
    settings.insert("port", port.to_string());
    settings.insert("unix_socket_directories", socket);
    settings.insert("password_encryption", "scram-sha-256".to_owned());
    settings.insert("max_wal_senders", "0".to_owned());
    settings.insert("logging_collector", "off".to_owned());
    let mut text = String::new();
    for (name, value) in settings {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{name} = {}", literal(&value));
    }
    text
}

/// Puts a configuration file of the server in its place; it holds no secrets.
fn write(home: &Path, name: &str, text: &str) -> Result<(), Failure> {
    let path = home.join("data").join(name);
    durable::write(&path, text.as_bytes(), 0o644).map_err(|error| Failure::disk(&path, error))
}

fn watch(words: &[OsString], directory: &Path) -> Result<Child, Failure> {
    let log = tools::log(directory)?;
    let disk = |error| Failure::disk(directory, error);
    Command::new("sh")
        .args(["-c", WATCH, "watcher"])
        .args(words)
        .current_dir("/")
        .env_remove("PGDATA")
        .stdin(Stdio::piped())
        .stdout(log.try_clone().map_err(disk)?)
        .stderr(log)
        // What ends the engine's group leaves it the time to end its server.
        .process_group(0)
        .spawn()
        .map_err(disk)
}
