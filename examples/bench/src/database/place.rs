//! Where it is measured: a PostgreSQL server on a file system, with a database of the wanted size.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use obnova_testkit::postgres::{Postgres, tool};
use obnova_testkit::volume::{Kind, Volume};

/// The account that servers run as when this runs as root.
const NOBODY: u32 = 65534;
/// Bytes that one insertion adds, roughly.
const BATCH: u64 = 64 << 20;
/// Bytes that one row and its place in the index take, roughly.
const ROW: u64 = 290;
/// The password of the application's role.
pub(crate) const PASSWORD: &str = "tajne-heslo";

/// A file system, and what is measured on it.
pub(crate) struct Place {
    /// Its name.
    pub(crate) name: &'static str,
    /// Rungs that are measured by themselves.
    pub(crate) rungs: &'static [&'static str],
    /// Rungs by which an update is protected that is measured.
    pub(crate) updates: &'static [&'static str],
    kind: Option<Kind>,
}

/// All of them.
pub(crate) static ALL: [Place; 3] = [
    Place {
        name: "xfs",
        rungs: &["file_system", "standby", "copy"],
        updates: &["file_system", "standby"],
        kind: Some(Kind::Xfs),
    },
    Place {
        name: "btrfs",
        rungs: &["file_system"],
        updates: &["file_system"],
        kind: Some(Kind::Btrfs),
    },
    Place {
        name: "here",
        rungs: &["standby", "copy", "dump"],
        updates: &[],
        kind: None,
    },
];

impl Place {
    /// Makes the file system, and on it a server with an empty database.
    pub(crate) fn prepare(&'static self, size: u64) -> Result<Ground> {
        // What is not written to takes no disk.
        let volume = self
            .kind
            .map(|kind| Volume::new(kind, 6 * size + (6 << 30)))
            .transpose()?;
        let directory = match &volume {
            Some(volume) => volume.path(),
            None => std::env::temp_dir(),
        };
        if volume.is_some() {
            for open in [Some(directory.as_path()), directory.parent()]
                .into_iter()
                .flatten()
            {
                std::fs::set_permissions(open, PermissionsExt::from_mode(0o755))?;
            }
        }
        let make = |data: &Path| match self.kind {
            Some(Kind::Btrfs) => subvolume(&["create"], &[data]),
            _ => Ok(()),
        };
        let server = Postgres::start_in(&directory, None, &make)?;
        let ground = Ground {
            place: self,
            server,
            directory,
            volume,
        };
        ground.stop("fast")?;
        ground.start()?;
        ground.as_superuser(&format!(
            "CREATE ROLE crm LOGIN CREATEDB PASSWORD '{PASSWORD}'"
        ))?;
        ground.as_superuser("CREATE DATABASE crm OWNER crm TEMPLATE template0")?;
        Ok(ground)
    }
}

/// A server on a file system.
pub(crate) struct Ground {
    /// Which.
    pub(crate) place: &'static Place,
    /// Dropped first: it works on the volume.
    pub(crate) server: Postgres,
    /// Where there is room on the same file system.
    pub(crate) directory: PathBuf,
    volume: Option<Volume>,
}

impl Ground {
    /// As the superuser, outside of the application's database.
    pub(crate) fn as_superuser(&self, sql: &str) -> Result<String> {
        self.server.sql("postgres", "postgres", sql)
    }

    /// As the application, in its database.
    pub(crate) fn as_application(&self, sql: &str) -> Result<String> {
        self.server.sql("crm", "crm", sql)
    }

    /// Starts the server. The tests' server does not sync; this one does, and has a usual amount of memory.
    pub(crate) fn start(&self) -> Result<()> {
        let options = format!(
            "-k {} -p {} -h 127.0.0.1 -c shared_buffers=256MB -c max_wal_size=2GB",
            self.server.socket().display(),
            self.server.port()
        );
        let mut start = self.pg_ctl("start")?;
        start
            .arg("--log")
            .arg(self.server.log())
            .args(["--options", &options]);
        run(&mut start)
    }

    /// Stops the server.
    pub(crate) fn stop(&self, mode: &str) -> Result<()> {
        run(self.pg_ctl("stop")?.args(["--mode", mode]))
    }

    fn pg_ctl(&self, what: &str) -> Result<Command> {
        let mut command = Command::new(tool("pg_ctl")?);
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
            .args([what, "--wait", "--silent", "--timeout=600", "--pgdata"])
            .arg(self.server.data())
            .current_dir(self.server.socket());
        Ok(command)
    }

    /// Where the product puts what lies beside the data.
    pub(crate) fn beside(&self) -> PathBuf {
        let mut name = self.server.data().into_os_string();
        name.push(".obnova");
        name.into()
    }

    /// Clones the data of the server, which is stopped, at no cost.
    pub(crate) fn clone(&self, from: &Path, to: &Path) -> Result<()> {
        match self.place.kind {
            Some(Kind::Btrfs) => subvolume(&["snapshot"], &[from, to]),
            _ => run(Command::new("cp")
                .args(["-a", "--reflink=always"])
                .args([from, to])),
        }
    }

    /// Gives room that nobody needs any more back to the disk that the volume lies on.
    pub(crate) fn trim(&self) -> Result<()> {
        match &self.volume {
            Some(volume) => run(Command::new("fstrim").arg(volume.path())),
            None => Ok(()),
        }
    }

    /// Adds what a business program has collected in years, until the database is as large as wanted: rows with two indexes.
    pub(crate) fn fill(&self, size: u64) -> Result<()> {
        self.as_application(
            "CREATE TABLE archive (id bigint PRIMARY KEY, person int, title text, note text, changed timestamptz);
             CREATE INDEX archive_person ON archive (person)",
        )?;
        let mut rows = 0;
        loop {
            let there: u64 = self
                .as_application("SELECT pg_database_size('crm')")?
                .trim()
                .parse()?;
            if there >= size {
                break;
            }
            let to = rows + BATCH.min(size - there) / ROW + 1000;
            self.as_application(&format!(
                "INSERT INTO archive SELECT n, n % 50021, 'entry ' || md5(n::text), repeat(md5((n * 7)::text), 4), now() \
                 FROM generate_series({}, {to}) n",
                rows + 1
            ))?;
            rows = to;
        }
        self.server
            .sql("postgres", "crm", "VACUUM ANALYZE; CHECKPOINT")?;
        eprintln!("{}: filled", self.place.name);
        Ok(())
    }
}

fn subvolume(words: &[&str], paths: &[&Path]) -> Result<()> {
    run(Command::new("btrfs")
        .args(["--quiet", "subvolume"])
        .args(words)
        .args(paths))
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let program = PathBuf::from(command.get_program());
    // Not a pipe: a server that it starts would keep that open.
    let mut said = tempfile::tempfile()?;
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said.try_clone()?)
        .status()
        .with_context(|| program.display().to_string())?;
    let mut text = String::new();
    std::io::Seek::rewind(&mut said)?;
    std::io::Read::read_to_string(&mut said, &mut text)?;
    ensure!(status.success(), "{}: {text}", program.display());
    Ok(())
}
