//! A systemd of its own for a test: process 1 of new namespaces, with the machine's files, a /run of its own, a copy of /etc
//! that may be changed, and a message bus;
//! gone with the test, or with the process that made it if that is killed.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where distributions put it.
const SYSTEMD: &[&str] = &["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];

/// A running systemd.
#[derive(Debug)]
pub struct Systemd {
    directory: PathBuf,
    watcher: Child,
    /// The process outside whose only child is its process 1.
    outside: String,
}

/// Outside of the new process namespace: a control group of its own, whose root the new systemd is to see as its root.
const ENTER: &str = r#"
set -e
W=$1
mount -t cgroup2 cgroup2 "$W/groups"
mkdir "$W/groups/$2"
echo $$ > "$W/groups/$2/cgroup.procs"
exec unshare --cgroup --pid --fork --kill-child --mount-proc --ipc --uts sh -c "$3" boot "$W" "$4"
"#;

/// Inside: only what a systemd without hardware needs.
const BOOT: &str = r#"
set -e
W=$1
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --bind "$W/run" /run
mount --bind "$W/etc" /etc
export container=test SYSTEMD_GENERATOR_PATH="$W/none" SYSTEMD_ENVIRONMENT_GENERATOR_PATH="$W/none"
export SYSTEMD_UNIT_PATH="/run/systemd/transient:/run/systemd/system:$W/units"
exec "$2" --system --unit=default.target --log-target=console --log-level=info --show-status=no
"#;

/// Waits until its standard input ends, which is when this process does, however that comes about. Control groups can be
/// removed when nobody is in them any more.
const WATCH: &str = r#"
W=$1
unshare --mount --propagation private sh -c "$3" enter "$W" "$2" "$4" "$5" < /dev/null > "$W/log" 2>&1 &
echo $!
read -r end
kill -KILL $!
wait
unshare --mount --propagation private sh -c '
    mount -t cgroup2 cgroup2 "$1/groups" || exit
    for try in 1 2 3 4 5 6 7 8 9 10; do
        find "$1/groups/$2" -depth -type d -exec rmdir {} + 2>/dev/null
        [ -d "$1/groups/$2" ] || exit
        sleep 0.2
    done' sweep "$W" "$2"
rm -rf "$W"
"#;

/// What its units want before they may start, all empty here.
const TARGETS: &[&str] = &[
    "basic",
    "local-fs",
    "network",
    "network-online",
    "paths",
    "shutdown",
    "slices",
    "sockets",
    "sysinit",
    "timers",
    "umount",
];
const DEFAULT_TARGET: &str = "[Unit]\nDefaultDependencies=no\nWants=dbus.socket dbus.service\n";
const BUS_SOCKET: &str =
    "[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=/run/dbus/system_bus_socket\n";
const BUS_SERVICE: &str = "[Unit]\nDefaultDependencies=no\nRequires=dbus.socket\n[Service]\nType=notify\nNotifyAccess=main\n\
    ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation --syslog-only\n\
    ExecReload=/bin/true\n";

impl Systemd {
    /// Starts one.
    ///
    /// # Errors
    /// Not root, systemd or dbus are not installed, or it does not come up, with what it said.
    pub fn start() -> Result<Systemd> {
        ensure!(
            rustix::process::geteuid().is_root(),
            "a systemd of one's own needs root"
        );
        let program = SYSTEMD.iter().find(|path| Path::new(path).is_file());
        let program = program.context("please install systemd: apt-get install systemd dbus")?;
        ensure!(
            Path::new("/usr/bin/dbus-daemon").is_file(),
            "please install a message bus: apt-get install dbus"
        );
        let directory = tempfile::Builder::new()
            .prefix("systemd-")
            .tempdir()?
            .keep();
        prepare(&directory)?;
        let mut watcher = Command::new("sh")
            .args(["-c", WATCH, "watcher"])
            .arg(&directory)
            .arg(directory.file_name().unwrap_or_default())
            .args([ENTER, BOOT, program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let mut line = String::new();
        if let Some(output) = watcher.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let mut systemd = Systemd {
            directory,
            watcher,
            outside: line.trim().to_owned(),
        };
        systemd.wait_until_ready()?;
        Ok(systemd)
    }

    /// The address of its message bus, for `DBUS_SYSTEM_BUS_ADDRESS`; it can be reached from outside.
    pub fn bus(&self) -> String {
        format!("unix:path={}", self.socket().display())
    }

    /// Where its unit files lie. After a change: [`Systemd::run`] `systemctl daemon-reload`.
    pub fn units(&self) -> PathBuf {
        self.directory.join("units")
    }

    /// A command inside: with its processes, its /run and its control groups.
    ///
    /// # Errors
    /// It has ended.
    pub fn command(&self, program: &str) -> Result<Command> {
        let mut command = Command::new("nsenter");
        command
            .args(["--all", "--target", &self.first_process()?, "--", program])
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Runs a command inside, and returns what it prints.
    ///
    /// # Errors
    /// It could not be started or failed, with what it said.
    pub fn run(&self, words: &[&str]) -> Result<String> {
        let (program, arguments) = words.split_first().context("no command")?;
        let output = self.command(program)?.args(arguments).output()?;
        ensure!(
            output.status.success(),
            "{}: {}{}",
            words.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("run/dbus/system_bus_socket")
    }

    /// Its process 1 as the machine outside numbers it.
    fn first_process(&self) -> Result<String> {
        let path = format!("/proc/{0}/task/{0}/children", self.outside);
        let children = std::fs::read_to_string(&path).unwrap_or_default();
        let first = children.split_whitespace().next();
        Ok(first.context("this systemd has ended")?.to_owned())
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            // Until it answers over the bus.
            let asked = Command::new("busctl")
                .arg(format!("--address={}", self.bus()))
                .args(["get-property", "org.freedesktop.systemd1"])
                .args([
                    "/org/freedesktop/systemd1",
                    "org.freedesktop.systemd1.Manager",
                ])
                .arg("Version")
                .output()
                .context("please install systemd: apt-get install systemd dbus")?;
            if asked.status.success() {
                return Ok(());
            }
            if Instant::now() >= until || self.watcher.try_wait()?.is_some() {
                bail!("systemd does not come up: {}", self.log());
            }
            sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        // The end of its input is the watcher's signal; it removes everything.
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
    }
}

fn prepare(directory: &Path) -> Result<()> {
    // The bus's own user must come through to its socket.
    std::fs::set_permissions(directory, PermissionsExt::from_mode(0o755))?;
    for name in ["run", "units", "groups", "none"] {
        std::fs::create_dir(directory.join(name))?;
    }
    let copied = Command::new("cp")
        .args(["-a", "/etc"])
        .arg(directory.join("etc"))
        .status()?;
    ensure!(copied.success(), "/etc cannot be copied");
    let units = directory.join("units");
    for target in TARGETS {
        let unit = "[Unit]\nDefaultDependencies=no\n";
        std::fs::write(units.join(format!("{target}.target")), unit)?;
    }
    std::fs::write(units.join("default.target"), DEFAULT_TARGET)?;
    std::fs::write(units.join("dbus.socket"), BUS_SOCKET)?;
    std::fs::write(units.join("dbus.service"), BUS_SERVICE)?;
    Ok(())
}
