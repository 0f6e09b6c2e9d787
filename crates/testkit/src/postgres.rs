//! A PostgreSQL server of its own for a test: made from nothing in a temporary directory, and gone with it, or with the
//! process that made it if that is killed or keeps it in a static.

use std::ffi::OsStr;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// Where Debian puts the programs of each major version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// How long a start or a stop may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The account that a server runs as when the test runs as root, which PostgreSQL refuses.
const NOBODY: u32 = 65534;

/// A running server, the superuser of which is `postgres`. Over its socket everybody is let in; over TCP with a password.
#[derive(Debug)]
pub struct Postgres {
    directory: tempfile::TempDir,
    programs: Option<PathBuf>,
    port: u16,
    watcher: Child,
}

/// Waits until its standard input ends, which is when this process does, however that comes about; then it ends every server
/// on files in the directory and removes that.
const WATCH: &str = r#"
read -r end
for file in $(find "$1" -name postmaster.pid); do
    pid=$(head -n 1 "$file")
    kill -QUIT "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
done
rm -rf "$1"
"#;

impl Postgres {
    /// Makes a cluster and starts its server.
    ///
    /// # Errors
    /// PostgreSQL is not installed, with what to install, or does not start, with what it said.
    pub fn start() -> Result<Postgres> {
        Postgres::start_in(&std::env::temp_dir(), None, &|_| Ok(()))
    }

    /// The same in a directory of `parent`, which others can pass, by the programs in another directory. `make` makes the data
    /// directory in another way than as a usual one.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn start_in(
        parent: &Path,
        programs: Option<&Path>,
        make: &dyn Fn(&Path) -> Result<()>,
    ) -> Result<Postgres> {
        let directory = tempfile::Builder::new()
            .prefix("postgres-")
            .tempdir_in(parent)?;
        let data = directory.path().join("data");
        make(&data)?;
        std::fs::create_dir_all(&data)?;
        let as_root = rustix::process::geteuid().is_root();
        if as_root {
            std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755))?;
            for path in [directory.path(), &data] {
                chown(path, Some(NOBODY), Some(NOBODY))?;
            }
        }
        let program = |name: &str| match programs {
            Some(programs) => Ok(programs.join(name)),
            None => tool(name),
        };
        let home = directory.path().to_owned();
        let run = |name: &str| -> Result<Command> {
            let mut command = Command::new(program(name)?);
            if as_root {
                command.uid(NOBODY).gid(NOBODY);
            }
            command
                .current_dir(&home)
                .env_remove("PGDATA")
                .stdin(Stdio::null());
            Ok(command)
        };
        let made = run("initdb")?
            .args(["--auth-local=trust", "--auth-host=scram-sha-256"])
            .args(["--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"])
            .args(["--no-sync", "--pgdata"])
            .arg(&data)
            .output()?;
        ensure!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let watcher = Command::new("sh")
            .args(["-c", WATCH, "watcher"])
            .arg(directory.path())
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let postgres = Postgres {
            directory,
            programs: programs.map(Path::to_owned),
            port,
            watcher,
        };
        let options = format!(
            // Nothing of it outlives the test.
            "-k {} -p {port} -h 127.0.0.1 -c fsync=off -c shared_buffers=32MB -c cluster_name='of a test'",
            postgres.socket().display()
        );
        // In a session of its own: Ctrl-C in a terminal is for those who use it, and it is stopped after them.
        let started = run("pg_ctl")?
            .args(["start", "--wait", "--silent", "--pgdata"])
            .arg(&data)
            .arg("--log")
            .arg(postgres.log())
            .args([
                "--timeout",
                &PATIENCE.as_secs().to_string(),
                "--options",
                &options,
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        ensure!(
            started.success(),
            "the server does not start: {}",
            std::fs::read_to_string(postgres.log())?
        );
        Ok(postgres)
    }

    /// Lets those who come over TCP in only with TLS, and proves itself with this certificate and key.
    ///
    /// # Errors
    /// The server refuses them.
    pub fn use_tls(&self, certificate_pem: &str, key_pem: &str) -> Result<()> {
        let owner = std::fs::metadata(self.data())?;
        let access = "local all all trust\nhostssl all all all scram-sha-256\n";
        for (name, text) in [
            ("server.crt", certificate_pem),
            ("server.key", key_pem),
            ("pg_hba.conf", access),
        ] {
            let file = self.data().join(name);
            std::fs::write(&file, text)?;
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600))?;
            chown(&file, Some(owner.uid()), Some(owner.gid()))?;
        }
        self.sql("postgres", "postgres", "ALTER SYSTEM SET ssl = on")?;
        self.sql("postgres", "postgres", "SELECT pg_reload_conf()")?;
        let until = Instant::now() + PATIENCE;
        while self.sql("postgres", "postgres", "SHOW ssl")? != "on" {
            ensure!(
                Instant::now() < until,
                "{}",
                std::fs::read_to_string(self.log())?
            );
            sleep(Duration::from_millis(30));
        }
        Ok(())
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// What it says.
    pub fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// The directory of its programs, where they are not the installed ones.
    pub fn programs(&self) -> Option<&Path> {
        self.programs.as_deref()
    }

    /// The directory of its Unix socket.
    pub fn socket(&self) -> &Path {
        self.directory.path()
    }

    /// Its port, of the socket and on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a database over the socket. `database` as it stands in addresses (percent-encoded).
    pub fn url(&self, user: &str, database: &str) -> String {
        let socket = self.socket().display().to_string().replace('/', "%2F");
        format!("postgres://{user}@{socket}:{}/{database}", self.port)
    }

    /// A client program that is told where the server is, and that it is `user` who asks.
    ///
    /// # Errors
    /// It is not installed.
    pub fn client(&self, name: &str, user: &str) -> Result<Command> {
        let program = match &self.programs {
            Some(programs) => tool_for(name, &programs.join("postgres"))?,
            None => tool(name)?,
        };
        let mut command = Command::new(program);
        command
            .env("PGHOST", self.socket())
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", user)
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Runs SQL in a database, each statement for itself, and returns what it answers, without headings.
    ///
    /// # Errors
    /// One of the statements fails.
    pub fn sql(&self, user: &str, database: &str, sql: &str) -> Result<String> {
        let mut child = self
            .client("psql", user)?
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set=ON_ERROR_STOP=1", "--file=-"])
            .env("PGDATABASE", database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut input = child.stdin.take().context("no standard input")?;
        input.write_all(sql.as_bytes())?;
        drop(input);
        output(child.wait_with_output()?, "psql")
    }

    /// Everything that a database and its cluster hold, as `pg_dump` and `pg_dumpall` write it, without their random keys.
    ///
    /// # Errors
    /// It cannot be dumped.
    pub fn dump(&self, database: &str) -> Result<String> {
        let globals = self
            .client("pg_dumpall", "postgres")?
            .args(["--globals-only"])
            .output()?;
        let dump = self
            .client("pg_dump", "postgres")?
            .args(["--format=plain", "--create"])
            .env("PGDATABASE", database)
            .output()?;
        let text = output(globals, "pg_dumpall")? + output(dump, "pg_dump")?.as_str();
        let lines = text
            .lines()
            .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"));
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Waiting closes its standard input, upon which it ends the server.
        let _ = self.watcher.wait();
    }
}

/// One of PostgreSQL's programs: in `PATH`, or where Debian puts them.
///
/// # Errors
/// It is not there, with what to install.
pub fn tool(name: &str) -> Result<PathBuf> {
    tools(name).next().with_context(|| {
        format!("PostgreSQL's {name} is needed: install the Debian package `postgresql`")
    })
}

/// All of that name, the newest of Debian's first.
fn tools(name: &str) -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut versions: Vec<PathBuf> = std::fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    // Debian's own `psql` and `pg_dump` in PATH choose among versions; the newest version's are the thing itself.
    versions.sort_by_key(|directory| std::cmp::Reverse(major(directory)));
    let others: Vec<PathBuf> = std::env::split_paths(&path).collect();
    versions
        .into_iter()
        .chain(others)
        .map(move |directory| directory.join(name))
        .filter(|program| program.is_file())
}

/// One of PostgreSQL's client programs for this server, of the same version or else of the next newer one that is here: an older
/// one refuses it.
fn tool_for(name: &str, server: &Path) -> Result<PathBuf> {
    let version = |program: &Path| -> Option<u32> {
        let output = Command::new(program).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (_, number) = text.split_once("(PostgreSQL) ")?;
        number
            .split(|char: char| !char.is_ascii_digit())
            .next()?
            .parse()
            .ok()
    };
    let wanted = version(server).with_context(|| format!("{} does not run", server.display()))?;
    let fitting = tools(name).filter_map(|program| Some((version(&program)?, program)));
    fitting
        .filter(|(version, _)| *version >= wanted)
        .min_by_key(|(version, _)| *version)
        .map(|(_, program)| program)
        .with_context(|| format!("PostgreSQL's {name} of version {wanted} or newer is needed: run `cargo xtask test` once"))
}

fn major(directory: &Path) -> u32 {
    let version = directory.parent().and_then(Path::file_name);
    version
        .and_then(OsStr::to_str)
        .and_then(|version| version.parse().ok())
        .unwrap_or(0)
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
