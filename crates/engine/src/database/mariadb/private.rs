//! A server of our own, for a clone: everything of it lies in one directory, and it ends with whoever started it.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use url::Url;

use super::account::{Account, LONGEST_SOCKET};
use super::address::Address;
use super::dump;
use super::failure::Failure;
use super::programs::tail;
use super::server::{Server, identifier, literal};
use super::snapshot::Snapshot;
use super::tools;
use super::{network, secret};
use crate::durable;

/// Where in its directory it has its files and its socket.
const HOME: &str = "server";
/// The password of the application there, and that of whoever may do anything.
const PASSWORD: &str = "password";
const ADMIN_PASSWORD: &str = "admin.password";
/// Whoever may do anything there.
const ADMIN: &str = "obnova_stage";
const SOCKET: &str = "socket";
/// What the server does before it lets anybody in.
const FIRST: &str = "first.sql";
/// The most memory that it takes for its buffers, bytes, whatever the original does.
const MOST_BUFFER: u64 = 512 << 20;
/// How long it may take until it lets anybody in.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);

/// Starts the server, and ends it when standard input ends: when its starter ends it, or has ended, however that came about.
const WATCH: &str = r#"
"$@" </dev/null &
server=$!
read -r end
kill -KILL "$server"
wait "$server"
"#;

/// See the module.
pub(super) struct Private {
    watcher: Child,
}

impl Drop for Private {
    fn drop(&mut self) {
        // Waiting closes its standard input, upon which it ends the server and then itself.
        let _ = self.watcher.wait();
    }
}

/// Makes a server in `from`, fills it with the snapshot there, and tells how the application gets in.
pub(super) fn stage(
    original: &Address,
    from: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<(Address, Private), Failure> {
    let snapshot = Snapshot::read(from)?;
    let home = from.join(HOME);
    let disk = |error| Failure::disk(&home, error);
    durable::remove_dir_all(&home)
        .and_then(|()| durable::create_dir_all(&home))
        .and_then(|()| durable::set_mode(&home, 0o700))
        .map_err(disk)?;
    let account = Account::choose(&home, None, "mysql")?;
    let log = from.join("server.log");
    initialise(&account, &home, &snapshot, &log, go_on)?;

    let isolated = network::is_isolated();
    let same = original
        .loopback_port()
        .filter(|port| isolated && network::is_free(*port));
    let port = match same {
        Some(port) => port,
        None => {
            network::free_port().map_err(|error| Failure::disk(Path::new("127.0.0.1"), error))?
        }
    };
    let [password, admin] = [PASSWORD, ADMIN_PASSWORD].map(|name| from.join(name));
    for file in [&password, &admin] {
        durable::write(file, secret::make()?.as_bytes(), 0o600).map_err(disk)?;
    }
    let user = original.user()?;
    write_first(&account, &home, &user, &password, &admin)?;
    let mut words = account.words(&home, &program(&["mariadbd", "mysqld"])?);
    words.extend(arguments(&account.inside(&home), &snapshot, port));
    let mut private = Private {
        watcher: watch(&words, &snapshot, &log)?,
    };
    let address = address(original, &home, port, same.is_some(), &user, &password)?;
    let manager = Address {
        url: format!(
            "mysql://{ADMIN}@127.0.0.1:{port}/{}?ssl-mode=DISABLED",
            escaped(original)?
        ),
        password_file: Some(admin),
    };
    let mut server = private.wait_until_ready(&manager, &log, go_on)?;
    durable::remove_file(&home.join(FIRST)).map_err(disk)?;
    fill(&mut server, &manager, &snapshot, &user, from, go_on)?;
    durable::sync_file_system(from).map_err(disk)?;
    Ok((address, private))
}

fn initialise(
    account: &Account,
    home: &Path,
    snapshot: &Snapshot,
    log: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    if let Some((user, group)) = account.ids {
        chown(home, Some(user), Some(group)).map_err(|error| Failure::disk(home, error))?;
    }
    let installer = program(&["mariadb-install-db", "mysql_install_db"])?;
    let words = account.words(home, &installer);
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .arg("--no-defaults")
        .arg(format!(
            "--datadir={}",
            account.inside(home).join("data").display()
        ))
        .args([
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ])
        .args([
            "--innodb-log-file-size=16M",
            "--innodb-flush-log-at-trx-commit=0",
        ])
        .args(at_creation(snapshot))
        .current_dir("/")
        .stdin(Stdio::null());
    let mut child = logged(command, log)?;
    loop {
        let status = child
            .try_wait()
            .map_err(|error| Failure::disk(&installer, error))?;
        match status {
            Some(status) if status.success() => return Ok(()),
            Some(status) => {
                return Err(Failure::Tool {
                    tool: "mariadb-install-db".into(),
                    output: format!("{status}: {}", tail(log)),
                });
            }
            None if !go_on() => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Failure::Interrupted);
            }
            None => sleep(POLL),
        }
    }
}

/// Settings that hold for as long as the files do.
fn at_creation(snapshot: &Snapshot) -> Vec<String> {
    ["innodb_page_size", "lower_case_table_names"]
        .into_iter()
        .filter_map(|name| Some(format!("--{name}={}", snapshot.settings.get(name)?)))
        .collect()
}

fn write_first(
    account: &Account,
    home: &Path,
    user: &str,
    password: &Path,
    admin: &Path,
) -> Result<(), Failure> {
    let secret = |file: &Path| {
        let text = std::fs::read_to_string(file).map_err(|error| Failure::disk(file, error))?;
        Ok::<_, Failure>(literal(&text))
    };
    let user = literal(user);
    // Each statement on a line of its own. Nobody but these two gets in.
    let text = format!(
        "DELETE FROM mysql.global_priv WHERE User IN ('', 'root');\nFLUSH PRIVILEGES;\n\
         CREATE USER '{ADMIN}'@'%' IDENTIFIED BY {};\n\
         GRANT ALL PRIVILEGES ON *.* TO '{ADMIN}'@'%' WITH GRANT OPTION;\n\
         CREATE USER {user}@'%' IDENTIFIED BY {};\n",
        secret(admin)?,
        secret(password)?
    );
    let file = home.join(FIRST);
    let disk = |error| Failure::disk(&file, error);
    durable::write(&file, text.as_bytes(), 0o600).map_err(disk)?;
    match account.ids {
        Some((user, group)) => chown(&file, Some(user), Some(group)).map_err(disk),
        None => Ok(()),
    }
}

fn arguments(home: &Path, snapshot: &Snapshot, port: u16) -> Vec<OsString> {
    let mut arguments: Vec<String> = vec![
        "--no-defaults".to_owned(),
        format!("--datadir={}", home.join("data").display()),
        format!("--pid-file={}", home.join("pid").display()),
        format!("--init-file={}", home.join(FIRST).display()),
        format!("--port={port}"),
    ];
    // A socket's path must be short; then there is TCP only.
    let socket = home.join(SOCKET);
    if socket.as_os_str().len() <= LONGEST_SOCKET + SOCKET.len() {
        arguments.push(format!("--socket={}", socket.display()));
    }
    arguments.extend(
        [
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--innodb-log-file-size=64M",
            "--max-allowed-packet=1G",
            "--skip-log-bin",
            // Nothing happens there by itself.
            "--event-scheduler=OFF",
        ]
        .map(str::to_owned),
    );
    for (name, value) in &snapshot.settings {
        match name.as_str() {
            // In the environment instead: the names of zones are in tables that a new server does not have.
            "time_zone" if value.contains('/') => {}
            // While it is filled, nothing has to last.
            "innodb_flush_log_at_trx_commit" => {
                arguments.push("--innodb-flush-log-at-trx-commit=0".to_owned());
            }
            "innodb_buffer_pool_size" => {
                let size = value.parse().unwrap_or(MOST_BUFFER).min(MOST_BUFFER);
                arguments.push(format!("--innodb-buffer-pool-size={size}"));
            }
            "tx_isolation" => arguments.push(format!("--transaction-isolation={value}")),
            "check_constraint_checks" => {}
            "time_zone" => arguments.push(format!("--default-time-zone={value}")),
            _ => arguments.push(format!("--{}={value}", name.replace('_', "-"))),
        }
    }
    arguments.into_iter().map(Into::into).collect()
}

fn watch(words: &[OsString], snapshot: &Snapshot, log: &Path) -> Result<Child, Failure> {
    let mut command = Command::new("sh");
    command
        .args(["-c", WATCH, "watcher"])
        .args(words)
        .current_dir("/")
        .stdin(Stdio::piped())
        // What ends the engine's group leaves it the time to end its server.
        .process_group(0);
    if let Some(zone) = snapshot
        .settings
        .get("time_zone")
        .filter(|zone| zone.contains('/'))
    {
        command.env("TZ", zone);
    }
    logged(command, log)
}

fn logged(mut command: Command, log: &Path) -> Result<Child, Failure> {
    let disk = |error| Failure::disk(log, error);
    let output = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .map_err(disk)?;
    command
        .stdout(output.try_clone().map_err(disk)?)
        .stderr(output)
        .spawn()
        .map_err(disk)
}

impl Private {
    fn wait_until_ready(
        &mut self,
        manager: &Address,
        log: &Path,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Server, Failure> {
        let options = manager.options()?;
        let until = Instant::now() + PATIENCE;
        loop {
            match Server::connect(&options) {
                Ok(server) => return Ok(server),
                Err(_) if !go_on() => return Err(Failure::Interrupted),
                Err(failure) if Instant::now() > until => return Err(failure),
                Err(_) => {}
            }
            // The watcher itself waits for us, so the server's end shows in its log only.
            if tail(log).contains("Aborting") {
                return Err(Failure::Tool {
                    tool: "mariadbd".into(),
                    output: tail(log),
                });
            }
            sleep(POLL);
        }
    }
}

/// Makes the database, and lets the application do there what it may do with the original.
fn fill(
    server: &mut Server,
    manager: &Address,
    snapshot: &Snapshot,
    user: &str,
    from: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    server.run(&snapshot.creation)?;
    tools::load(manager, server, &dump::file(from), go_on)?;
    dump::set(server, &snapshot.database, &snapshot.sequences)?;
    // Names of databases are patterns in grants.
    let pattern = snapshot
        .database
        .replace('\\', "\\\\")
        .replace('_', "\\_")
        .replace('%', "\\%");
    let everything = format!("{}.*", identifier(&pattern));
    let application = format!("{}@'%'", literal(user));
    server.run(&format!(
        "GRANT ALL PRIVILEGES ON {everything} TO {application}"
    ))?;
    for privilege in &snapshot.privileges {
        // One that this server does not know is of no use here.
        let _ = server.run(&format!("GRANT {privilege} ON *.* TO {application}"));
    }
    for definer in &snapshot.definers {
        let (name, host) = definer.rsplit_once('@').unwrap_or((definer, "%"));
        let account = format!("{}@{}", literal(name), literal(host));
        server.run(&format!("CREATE USER IF NOT EXISTS {account} ACCOUNT LOCK"))?;
        server.run(&format!(
            "GRANT ALL PRIVILEGES ON {everything} TO {account}"
        ))?;
    }
    if let Some(flush) = snapshot.settings.get("innodb_flush_log_at_trx_commit") {
        // Otherwise nothing would take as long as at the original.
        server.run(&format!(
            "SET GLOBAL innodb_flush_log_at_trx_commit = {flush}"
        ))?;
    }
    Ok(())
}

/// How the application gets in: as it does to the original, if that has a place that this server can have.
fn address(
    original: &Address,
    home: &Path,
    port: u16,
    same_port: bool,
    user: &str,
    password: &Path,
) -> Result<Address, Failure> {
    let old = original.url()?;
    let unfit = |error: url::ParseError| Failure::Unsuitable(error.to_string());
    let by_socket = old.query_pairs().any(|(name, _)| name == "socket");
    let socket = home.join(SOCKET);
    let host = match same_port {
        true => old.host_str().unwrap_or("127.0.0.1").to_owned(),
        false => "127.0.0.1".to_owned(),
    };
    let mut url = Url::parse(&format!("{}://{host}:{port}", old.scheme())).map_err(unfit)?;
    // Only an address without a host refuses that.
    let _ = url.set_username(user);
    url.set_path(old.path());
    let kept: Vec<(String, String)> = old
        .query_pairs()
        .filter(|(name, _)| !name.starts_with("ssl") && name != "socket")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut()
        .extend_pairs(kept)
        .append_pair("ssl-mode", "DISABLED");
    if by_socket && socket.as_os_str().len() <= LONGEST_SOCKET + SOCKET.len() {
        url.query_pairs_mut()
            .append_pair("socket", &socket.display().to_string());
    }
    Ok(Address {
        url: url.to_string(),
        password_file: Some(password.to_owned()),
    })
}

/// The database's name as it stands in the address.
fn escaped(original: &Address) -> Result<String, Failure> {
    Ok(original.url()?.path().trim_start_matches('/').to_owned())
}

fn program(names: &[&str]) -> Result<PathBuf, Failure> {
    tools::find(names).map_err(|_| Failure::Tool {
        tool: names.first().copied().unwrap_or_default().to_owned().into(),
        output: "not found; a rehearsal has a server of its own: install MariaDB's (Debian: mariadb-server), it does not have to run"
            .to_owned(),
    })
}
