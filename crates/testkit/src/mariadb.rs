//! A MariaDB server of its own for a test: made from nothing in a directory, and gone with the value, or with the process
//! that made it if that is killed. The server may be stopped and started again by whoever is tested.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The password of every account but `root`.
pub const PASSWORD: &str = "tajne-heslo";
/// The account that a server runs as when the test runs as root, which MariaDB refuses.
const NOBODY: u32 = 65534;

/// A running server, the superuser of which is `root`, let in without a password over its socket.
#[derive(Debug)]
pub struct Mariadb {
    directory: tempfile::TempDir,
    port: u16,
    watcher: Child,
}

/// Waits until its standard input ends, which is when this process does or gives the server up. Its process may have become
/// another one meanwhile; the file with its number is where it always was, also if the file system has been unmounted.
const WATCH: &str = r#"
cd "$1" || exit
read -r end
pid=$(cat pid 2>/dev/null) || exit
kill -KILL "$pid" 2>/dev/null
while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
rm -rf "$1"
"#;

impl Mariadb {
    /// Makes and starts one where temporary files lie.
    ///
    /// # Errors
    /// MariaDB is not installed, with what to install, or does not start, with what it said.
    pub fn start() -> Result<Mariadb> {
        Mariadb::start_in(&std::env::temp_dir())
    }

    /// Makes and starts one in a new directory below this one.
    ///
    /// # Errors
    /// As [`Mariadb::start`].
    pub fn start_in(parent: &Path) -> Result<Mariadb> {
        Mariadb::start_as(parent, None)
    }

    /// Makes and starts one that has this certificate and key, and lets nobody in over TCP without TLS.
    ///
    /// # Errors
    /// As [`Mariadb::start`].
    pub fn start_with_tls(certificate_pem: &str, key_pem: &str) -> Result<Mariadb> {
        Mariadb::start_as(&std::env::temp_dir(), Some((certificate_pem, key_pem)))
    }

    fn start_as(parent: &Path, tls: Option<(&str, &str)>) -> Result<Mariadb> {
        let directory = tempfile::Builder::new()
            .prefix("mariadb-")
            .tempdir_in(parent)?;
        if rustix::process::geteuid().is_root() {
            std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755))?;
            chown(directory.path(), Some(NOBODY), Some(NOBODY))?;
        }
        let mut install = command("mariadb-install-db", directory.path())?;
        let made = install
            .arg("--no-defaults")
            .arg(format!(
                "--datadir={}",
                directory.path().join("data").display()
            ))
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
            .args(["--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0"])
            .arg("--innodb-log-file-size=8M")
            .output()?;
        ensure!(
            made.status.success(),
            "mariadb-install-db: {}",
            String::from_utf8_lossy(&made.stdout)
        );
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let watcher = Command::new("sh")
            .args(["-c", WATCH, "watcher"])
            .arg(directory.path())
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let mariadb = Mariadb {
            directory,
            port,
            watcher,
        };
        let mut more = Vec::new();
        if let Some((certificate, key)) = tls {
            more.push("--require-secure-transport=ON".to_owned());
            for (name, text) in [("cert", certificate), ("key", key)] {
                let file = mariadb.directory.path().join(format!("{name}.pem"));
                std::fs::write(&file, text)?;
                more.push(format!("--ssl-{name}={}", file.display()));
            }
        }
        mariadb.run_server(&more)?;
        Ok(mariadb)
    }

    fn run_server(&self, more: &[String]) -> Result<()> {
        let place = |name: &str| self.directory.path().join(name).display().to_string();
        let output = std::fs::File::create(place("log"))?;
        let mut server = command("mariadbd", self.directory.path())?
            .arg("--no-defaults")
            .arg(format!("--datadir={}", place("data")))
            .arg(format!("--socket={}", place("socket")))
            .arg(format!("--pid-file={}", place("pid")))
            .arg(format!("--port={}", self.port))
            .args([
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
                "--skip-log-bin",
            ])
            .args(["--innodb-log-file-size=8M", "--innodb-buffer-pool-size=24M"])
            .args([
                "--character-set-server=utf8mb4",
                "--aria-pagecache-buffer-size=8M",
            ])
            .args(["--key-buffer-size=1M", "--performance-schema=OFF"])
            .args(more)
            .stdout(output.try_clone()?)
            .stderr(output)
            // Ctrl-C in a terminal is for those who use it; it is stopped after them.
            .process_group(0)
            .spawn()?;
        let until = Instant::now() + PATIENCE;
        while self.sql("root", "", "SELECT 1").is_err() {
            if server.try_wait()?.is_some() || Instant::now() > until {
                bail!(
                    "the server does not start: {}",
                    std::fs::read_to_string(place("log"))?
                );
            }
            sleep(Duration::from_millis(30));
        }
        // Whoever is tested may end it.
        spawn(move || server.wait());
        Ok(())
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Its Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The number of its process now.
    ///
    /// # Errors
    /// It does not run.
    pub fn pid(&self) -> Result<i32> {
        Ok(std::fs::read_to_string(self.directory.path().join("pid"))?
            .trim()
            .parse()?)
    }

    /// The address of a database over TCP. `database` as it stands in addresses (percent-encoded).
    pub fn url(&self, user: &str, database: &str) -> String {
        format!("mysql://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// A client program that is told where the server is, and that it is `user` who asks, with [`PASSWORD`] unless it is `root`.
    ///
    /// # Errors
    /// It is not installed.
    pub fn client(&self, name: &str, user: &str) -> Result<Command> {
        let mut command = Command::new(tool(name)?);
        command
            .arg("--no-defaults")
            .arg(format!("--socket={}", self.socket().display()))
            .arg(format!("--user={user}"))
            .arg("--default-character-set=utf8mb4")
            .stdin(Stdio::null());
        if user != "root" {
            command.env("MYSQL_PWD", PASSWORD);
        }
        Ok(command)
    }

    /// Runs SQL in a database, each statement for itself, and returns what it answers, without headings.
    ///
    /// # Errors
    /// One of the statements fails.
    pub fn sql(&self, user: &str, database: &str, sql: &str) -> Result<String> {
        let mut child = self
            .client("mariadb", user)?
            .args(["--batch", "--skip-column-names"])
            .args((!database.is_empty()).then_some(database))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut input = child.stdin.take().context("no standard input")?;
        input.write_all(sql.as_bytes())?;
        drop(input);
        output(child.wait_with_output()?, "mariadb")
    }

    /// Everything that a database holds, as `mariadb-dump` writes it, and everybody's privileges.
    ///
    /// # Errors
    /// It cannot be dumped.
    pub fn dump(&self, database: &str) -> Result<String> {
        let dump = self
            .client("mariadb-dump", "root")?
            .args([
                "--skip-comments",
                "--skip-dump-date",
                "--hex-blob",
                "--skip-extended-insert",
            ])
            .args([
                "--routines",
                "--triggers",
                "--events",
                "--single-transaction",
            ])
            .args(["--databases", database])
            .output()?;
        let privileges = "SELECT * FROM mysql.global_priv ORDER BY 1, 2; SELECT * FROM mysql.db ORDER BY 1, 2, 3; \
            SELECT host, db, user, table_name, grantor, table_priv, column_priv FROM mysql.tables_priv ORDER BY 1, 2, 3, 4; \
            SELECT host, db, user, table_name, column_name, column_priv FROM mysql.columns_priv ORDER BY 1, 2, 3, 4, 5";
        let dump = output(dump, "mariadb-dump")?;
        Ok(format!("{dump}\n{}", self.sql("root", "", privileges)?))
    }
}

impl Drop for Mariadb {
    fn drop(&mut self) {
        // Waiting closes its standard input.
        let _ = self.watcher.wait();
    }
}

/// One of the server's programs, run as an account that it agrees to.
fn command(name: &str, directory: &Path) -> Result<Command> {
    let mut command = Command::new(tool(name)?);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir(directory).stdin(Stdio::null());
    Ok(command)
}

/// One of MariaDB's programs.
///
/// # Errors
/// It is not there, with what to install.
pub fn tool(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/bin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
        .with_context(|| {
            format!("MariaDB's {name} is needed: install the Debian package `mariadb-server`")
        })
}

fn output(output: std::process::Output, what: &str) -> Result<String> {
    ensure!(
        output.status.success(),
        "{what}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}
