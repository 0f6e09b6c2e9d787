//! The PostgreSQL server of an installation, whose cluster lies beside the state directory: made, kept running, asked.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use obnova_testkit::postgres::tool;

use crate::world::{Ports, World};

/// Rungs of the ladder that can be had here.
pub const RUNGS: [&str; 4] = ["copy", "dump", "standby", "file_system"];
/// The role's, made for this and worth nothing.
pub const PASSWORD: &str = "zkusebni-heslo";
/// The application's role and database.
pub const CRM: &str = "crm";
/// PostgreSQL refuses to run as root.
const NOBODY: u32 = 65534;
/// How long the server may take to come up, with recovery of its own.
const PATIENCE: Duration = Duration::from_secs(60);

fn home(folder: &Path) -> PathBuf {
    folder.join("postgres")
}

fn data(folder: &Path) -> PathBuf {
    home(folder).join("data")
}

/// Makes the cluster, the role and the empty database.
///
/// # Errors
/// PostgreSQL is not installed, or fails.
pub fn make(folder: &Path) -> Result<()> {
    let home = home(folder);
    std::fs::create_dir_all(&home)?;
    std::fs::set_permissions(&home, PermissionsExt::from_mode(0o755))?;
    chown(&home, Some(NOBODY), Some(NOBODY))?;
    let data = data(folder);
    run(as_nobody(&mut Command::new(tool("initdb")?), &home)
        .args(["--auth-local=trust", "--auth-host=scram-sha-256"])
        .args(["--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"])
        .arg("--pgdata")
        .arg(&data))?;
    // A small server: hundreds of them are started in an hour. A base backup would wait minutes for its checkpoint otherwise.
    let settings = "shared_buffers = '16MB'\nmax_connections = 40\nmin_wal_size = '32MB'\n\
                    max_wal_size = '64MB'\ncheckpoint_completion_target = 0.01\n";
    let file = data.join("postgresql.auto.conf");
    std::fs::write(&file, settings)?;
    chown(&file, Some(NOBODY), Some(NOBODY))?;
    Ok(())
}

/// Makes the role and the empty database, once the server runs.
///
/// # Errors
/// It refuses.
pub fn make_database(folder: &Path, ports: &Ports) -> Result<()> {
    sql(
        folder,
        ports,
        "postgres",
        &format!(
            "CREATE ROLE {CRM} LOGIN CREATEDB REPLICATION PASSWORD '{PASSWORD}';\nCREATE DATABASE {CRM} OWNER {CRM};"
        ),
    )?;
    Ok(())
}

/// Its section of `installation.toml`.
pub fn section(folder: &Path, ports: &Ports, rung: &str) -> String {
    let mut section = format!(
        "[database]\ndriver = \"postgres\"\nurl = {:?}\npassword_file = \"database-password\"\nrung = {rung:?}\n",
        url(ports)
    );
    if ["standby", "file_system"].contains(&rung) {
        section += &format!(
            "[database.cluster]\ndata = {:?}\n",
            data(folder).display().to_string()
        );
    }
    section
}

/// Its address, without a password.
pub fn url(ports: &Ports) -> String {
    format!("postgres://{CRM}@127.0.0.1:{}/{CRM}", ports.database.0)
}

/// The same with the password.
pub fn import_url(ports: &Ports) -> String {
    url(ports).replacen('@', &format!(":{PASSWORD}@"), 1)
}

/// The server, in the foreground.
///
/// # Errors
/// PostgreSQL is not installed.
pub fn server(folder: &Path, ports: &Ports) -> Result<Command> {
    let home = home(folder);
    let mut command = Command::new(tool("postgres")?);
    as_nobody(&mut command, &home)
        .arg("-D")
        .arg(data(folder))
        .arg("-k")
        .arg(&home)
        .args(["-p", &ports.database.1.to_string(), "-h", "127.0.0.1"]);
    Ok(command)
}

/// The rules by which it lets connections in.
pub fn access_rules(folder: &Path) -> PathBuf {
    data(folder).join("pg_hba.conf")
}

/// The postmaster on these data.
pub fn pid(folder: &Path) -> Option<i32> {
    let text = std::fs::read_to_string(data(folder).join("postmaster.pid")).ok()?;
    let pid = text.lines().next()?.trim().parse().ok()?;
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    (String::from_utf8_lossy(&line).contains("postgres") && crate::processes::lives(pid))
        .then_some(pid)
}

/// Makes the file of the server's log, for the server: whoever starts it again writes on there.
///
/// # Errors
/// It cannot be made.
pub fn make_log(log: &Path) -> Result<()> {
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)?;
    Ok(chown(log, Some(NOBODY), Some(NOBODY))?)
}

/// Waits until it takes connections.
///
/// # Errors
/// It does not in time.
pub fn wait(folder: &Path, ports: &Ports) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        match sql(folder, ports, "postgres", "SELECT 1") {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > until => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Has the server do this, line by line, as its administrator.
///
/// # Errors
/// It refuses, or cannot be asked.
pub fn sql(folder: &Path, ports: &Ports, database: &str, text: &str) -> Result<String> {
    let output = client("psql", folder, ports)?
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
        .args(["--set=ON_ERROR_STOP=1", "--dbname", database])
        .args(text.lines().flat_map(|line| ["--command", line]))
        .output()?;
    ensure!(
        output.status.success(),
        "psql: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn client(name: &str, folder: &Path, ports: &Ports) -> Result<Command> {
    let mut command = Command::new(tool(name)?);
    command
        .env("PGHOST", home(folder))
        .env("PGPORT", ports.database.1.to_string())
        .env("PGUSER", "postgres")
        .stdin(Stdio::null());
    Ok(command)
}

/// What `pg_dumpall` and `pg_dump` write of the application's database and of the roles.
///
/// # Errors
/// It cannot be dumped.
pub fn dump(world: &World) -> Result<String> {
    let run = |name: &str, arguments: &[&str]| -> Result<String> {
        let output = client(name, &world.folder, &world.ports)?
            .args(arguments)
            .output()?;
        ensure!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let globals = run("pg_dumpall", &["--globals-only"])?;
    let text = globals + run("pg_dump", &["--format=plain", "--create", CRM])?.as_str();
    // Random keys.
    let is_lasting =
        |line: &&str| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict");
    Ok(text
        .lines()
        .filter(is_lasting)
        .map(|line| format!("{line}\n"))
        .collect())
}

/// Other databases than the application's and directories beside the cluster, unless a kept copy is in them.
///
/// # Errors
/// The server cannot be asked.
pub fn left_over(world: &World, kept: &[u64]) -> Result<Vec<String>> {
    let names = sql(
        &world.folder,
        &world.ports,
        "postgres",
        "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY 1",
    )?;
    let databases: Vec<&str> = names.lines().filter(|name| *name != CRM).collect();
    let mut left = Vec::new();
    if databases.len() > kept.len() {
        left.extend(databases.iter().map(|name| format!("database {name}")));
    }
    let mut beside = Vec::new();
    for entry in std::fs::read_dir(home(&world.folder))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "data" && !name.starts_with(".s.PGSQL") {
            beside.push(name);
        }
    }
    if beside.len() > 1 {
        left.push(format!("beside the cluster: {}", beside.join(", ")));
    }
    Ok(left)
}

fn as_nobody<'a>(command: &'a mut Command, home: &Path) -> &'a mut Command {
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
        .current_dir(home)
        .env_remove("PGDATA")
        .stdin(Stdio::null())
}

fn run(command: &mut Command) -> Result<()> {
    crate::place::run(command).context("PostgreSQL")
}

/// Waits while the server is stopped on purpose: by the engine, which starts it again, or is started by another than the
/// supervisor. A server that died is wanted at once.
pub fn wait_until_wanted(folder: &Path) {
    loop {
        // While the data are exchanged for a copy, there are none for a moment.
        let is_there = pid(folder).is_some() || !data(folder).join("PG_VERSION").is_file();
        if !is_there && !was_shut_down(folder) && !is_stopped_by_the_engine(folder) {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Whether the engine has said that it stops the server, and has not started it again. It may stop it at once, which leaves the
/// cluster as a crash does; whoever started it then would have it on data that are being exchanged.
fn is_stopped_by_the_engine(folder: &Path) -> bool {
    home(folder).join("data.obnova/stopped.json").exists()
}

/// Whether the cluster was left in order, as `pg_ctl stop` leaves it.
fn was_shut_down(folder: &Path) -> bool {
    let Ok(program) = tool("pg_controldata") else {
        return false;
    };
    let output = Command::new(program)
        .arg(data(folder))
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output();
    output.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .any(|line| line.starts_with("Database cluster state:") && line.contains("shut down"))
    })
}
