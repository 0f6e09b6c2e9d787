//! A server of our own, for a clone: everything of it lies in one directory, and it ends with whoever started it.

use std::ffi::OsString;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::account::{Account, LONGEST_SOCKET};
use super::address::Address;
use super::failure::Failure;
use super::process::Starting;
use super::programs::tail;
use super::snapshot::Snapshot;
use super::{network, tools};
use crate::durable;
use crate::launch::RECORD_VARIABLE;

/// Where in the clone's directory it has its files and its socket.
const HOME: &str = "server";
const DATA: &str = "data";
const SOCKET: &str = "socket";
/// What the server does before it lets anybody in.
const FIRST: &str = "first.sql";
/// What it says.
const LOG: &str = "server.log";
/// The most memory that it takes for its buffers, bytes, whatever the original does.
const MOST_BUFFER: u64 = 512 << 20;
const POLL: Duration = Duration::from_millis(20);

/// Ends the server when standard input ends: when its starter ends it, or has ended, however that came about. The server may have
/// been started again meanwhile; it is whoever works in its data directory. One that is just being started shows a moment later.
const WATCH: &str = r#"
read -r end
for again in 1 2 3; do
    for process in /proc/[0-9]*; do
        if [ "$process/cwd" -ef "$1" ]; then
            kill -KILL "${process#/proc/}"
            while [ "$process/cwd" -ef "$1" ]; do sleep 0.01; done
        fi
    done
    sleep 0.05
done
"#;

/// See the module.
pub(super) struct Private {
    watcher: Child,
    data: PathBuf,
    starting: Starting,
    is_image: bool,
}

impl Drop for Private {
    fn drop(&mut self) {
        // Waiting closes its standard input, upon which it ends the server and then itself.
        let _ = self.watcher.wait();
    }
}

impl Private {
    /// Its data directory and how it is started, where it has the files of the original: then it is protected as that is.
    pub(super) fn whole(&self) -> Option<(PathBuf, Starting)> {
        self.is_image
            .then(|| (self.data.clone(), self.starting.clone()))
    }
}

/// Where a server is to be, and what it runs as.
pub(super) struct Home {
    path: PathBuf,
    account: Account,
    log: PathBuf,
    /// Its port on loopback.
    pub(super) port: u16,
    /// Whether that is the original's.
    pub(super) same_port: bool,
}

impl Home {
    /// An empty one in the clone's directory. The server can have the port of the original where nothing else can be there.
    /// `preferred` owns the original's files.
    pub(super) fn make(
        from: &Path,
        original: &Address,
        preferred: Option<(u32, u32)>,
    ) -> Result<Home, Failure> {
        let path = from.join(HOME);
        let disk = |error| Failure::disk(&path, error);
        durable::remove_dir_all(&path)
            .and_then(|()| durable::create_dir_all(&path))
            .and_then(|()| durable::set_mode(&path, 0o700))
            .map_err(disk)?;
        let account = Account::choose(&path, preferred, "mysql")?;
        if let Some((user, group)) = account.ids {
            chown(&path, Some(user), Some(group)).map_err(disk)?;
        }
        let isolated = network::is_isolated();
        let same = original
            .loopback_port()
            .filter(|port| isolated && network::is_free(*port));
        let port = match same {
            Some(port) => port,
            None => network::free_port()
                .map_err(|error| Failure::disk(Path::new("127.0.0.1"), error))?,
        };
        Ok(Home {
            log: from.join(LOG),
            account,
            port,
            same_port: same.is_some(),
            path,
        })
    }

    /// Where the server's files are, or are to be.
    pub(super) fn data(&self) -> PathBuf {
        self.path.join(DATA)
    }

    /// Its socket, unless that would have too long a path.
    pub(super) fn socket(&self) -> Option<PathBuf> {
        has_socket(&self.path).then(|| self.path.join(SOCKET))
    }

    /// Makes the files of a server with nothing in it.
    pub(super) fn initialise(
        &self,
        snapshot: &Snapshot,
        go_on: &dyn Fn() -> bool,
    ) -> Result<(), Failure> {
        let installer = program(&["mariadb-install-db", "mysql_install_db"])?;
        let words = self.account.words(&self.path, &installer);
        let data = self.account.inside(&self.path).join(DATA);
        let output = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .and_then(|log| Ok((log.try_clone()?, log)))
            .map_err(|error| Failure::disk(&self.log, error))?;
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .args([
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
                "--innodb-log-file-size=16M",
                "--innodb-flush-log-at-trx-commit=0",
            ])
            .args(at_creation(snapshot))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(output.0)
            .stderr(output.1)
            .spawn()
            .map_err(|error| Failure::disk(&installer, error))?;
        loop {
            let status = child
                .try_wait()
                .map_err(|error| Failure::disk(&installer, error))?;
            match status {
                Some(status) if status.success() => return Ok(()),
                Some(status) => {
                    return Err(Failure::Tool {
                        tool: "mariadb-install-db".into(),
                        output: format!("{status}: {}", tail(&self.log)),
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

    /// Starts the server on its files. Before it lets anybody in it does `first`, each statement on a line of its own; then it
    /// lets the `manager` in.
    pub(super) fn start(
        self,
        snapshot: &Snapshot,
        first: &str,
        manager: &Address,
    ) -> Result<Private, Failure> {
        let file = self.path.join(FIRST);
        let disk = |error| Failure::disk(&file, error);
        durable::write(&file, first.as_bytes(), 0o600).map_err(disk)?;
        if let Some((user, group)) = self.account.ids {
            chown(&file, Some(user), Some(group)).map_err(disk)?;
        }
        let inside = self.account.inside(&self.path);
        let init = format!("--init-file={}", inside.join(FIRST).display());
        let mut private = Private {
            watcher: watch(&self.data())?,
            starting: self.starting(snapshot, Some(init))?,
            is_image: snapshot.image.is_some(),
            data: self.data(),
        };
        let started = private.starting.start(&private.data, manager, &self.log);
        // It holds passwords.
        let removed = durable::remove_file(&file).map_err(disk);
        started.and(removed)?;
        private.starting = self.starting(snapshot, None)?;
        Ok(private)
    }

    fn starting(&self, snapshot: &Snapshot, init: Option<String>) -> Result<Starting, Failure> {
        let program = match &snapshot.image {
            Some(image) => image.program.clone(),
            None => program(&["mariadbd", "mysqld"])?,
        };
        let mut words = self.account.words(&self.path, &program);
        let inside = self.account.inside(&self.path);
        words.extend(arguments(&inside, snapshot, self.port).map(OsString::from));
        words.extend(init.map(OsString::from));
        let mut words = words.into_iter();
        // The programs are UTF-8, and the directories are if anything of the installation file leads there.
        let word = |word: OsString| word.to_string_lossy().into_owned();
        Ok(Starting::Itself {
            program: words.next().unwrap_or_default().into(),
            arguments: words.map(word).collect(),
            env: environment(snapshot),
            // Its words change the account themselves.
            ids: (
                rustix::process::geteuid().as_raw(),
                rustix::process::getegid().as_raw(),
            ),
        })
    }
}

fn has_socket(home: &Path) -> bool {
    home.as_os_str().len() <= LONGEST_SOCKET
}

/// Settings that hold for as long as the files do.
fn at_creation(snapshot: &Snapshot) -> Vec<String> {
    ["innodb_page_size", "lower_case_table_names"]
        .into_iter()
        .filter_map(|name| Some(format!("--{name}={}", snapshot.settings.get(name)?)))
        .collect()
}

fn arguments(home: &Path, snapshot: &Snapshot, port: u16) -> impl Iterator<Item = String> {
    let mut arguments: Vec<String> = vec![
        "--no-defaults".to_owned(),
        format!("--datadir={}", home.join(DATA).display()),
        format!("--pid-file={}", home.join("pid").display()),
        format!("--port={port}"),
        match has_socket(home) {
            true => format!("--socket={}", home.join(SOCKET).display()),
            // There is TCP only.
            false => "--socket=".to_owned(),
        },
    ];
    arguments.extend(
        [
            "--bind-address=127.0.0.1",
            "--max-allowed-packet=1G",
            // Nothing happens there by itself.
            "--event-scheduler=OFF",
            "--skip-slave-start",
        ]
        .map(str::to_owned),
    );
    let of_image = snapshot.image.as_ref().map(|image| &image.arguments);
    match of_image {
        Some(needed) => arguments.extend(needed.iter().cloned()),
        None => arguments.extend(
            [
                "--skip-name-resolve",
                "--innodb-log-file-size=64M",
                "--skip-log-bin",
            ]
            .map(str::to_owned),
        ),
    }
    for (name, value) in &snapshot.settings {
        match name.as_str() {
            // In the environment instead: the names of zones are in tables that a new server does not have.
            "time_zone" if value.contains('/') && of_image.is_none() => {}
            // While it is filled, nothing has to last.
            "innodb_flush_log_at_trx_commit" if of_image.is_none() => {
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
    arguments.into_iter()
}

fn environment(snapshot: &Snapshot) -> Vec<(String, String)> {
    // By the record all of a rehearsal is found when nobody is left who started it.
    let kept = ["PATH", RECORD_VARIABLE]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    let zone = snapshot.settings.get("time_zone");
    let zone = zone.filter(|zone| zone.contains('/') && snapshot.image.is_none());
    kept.chain(zone.map(|zone| ("TZ".to_owned(), zone.clone())))
        .collect()
}

fn watch(data: &Path) -> Result<Child, Failure> {
    Command::new("sh")
        .args(["-c", WATCH, "watcher"])
        .arg(data)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // What ends the engine's group leaves it the time to end its server.
        .process_group(0)
        .spawn()
        .map_err(|error| Failure::disk(Path::new("sh"), error))
}

fn program(names: &[&str]) -> Result<PathBuf, Failure> {
    tools::find(names).map_err(|_| Failure::Tool {
        tool: names.first().copied().unwrap_or_default().to_owned().into(),
        output: "not found; a rehearsal has a server of its own: install MariaDB's (Debian: mariadb-server), it does not have to run"
            .to_owned(),
    })
}
