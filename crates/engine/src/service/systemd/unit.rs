//! The unit: its name, what a transient one is made of, and what one given must be.

use obnova_release::{Signal, Stop};
use sha2::{Digest, Sha256};
use zbus::Variant;

use super::bus::{Bus, BusError, Property};
use crate::installation::Installation;
use crate::service::Launch;

/// Variables that systemd adds on its own, besides those of its configuration.
const ADDED: &[&str] = &[
    "HOME",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LANG",
    "LOGNAME",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
    "PATH",
    "SHELL",
    "SYSTEMD_EXEC_PID",
    "USER",
];
/// The application goes before these when the machine is shut down.
const GOES_BEFORE: &[&str] = &["network.target", "postgresql.service", "mariadb.service"];

/// The name of a transient unit. It follows from the state directory alone, so that the next engine finds what this one started.
pub(super) fn name(installation: &Installation) -> String {
    let path = installation.state_dir.as_os_str().as_encoded_bytes();
    let digest = hex::encode(Sha256::digest(path));
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let product: String = installation.product.chars().take(60).map(plain).collect();
    format!("obnova-{product}-{}.service", &digest[..12])
}

/// What StartTransientUnit takes. Nothing in it is secret.
pub(super) fn transient(
    installation: &Installation,
    launch: &Launch,
    environment: &str,
    unset: Vec<String>,
) -> Vec<Property> {
    let text = |text: &str| Variant::from(text.to_owned());
    let list = |words: Vec<String>| Variant::from(words);
    let product = &installation.product;
    let log = installation.application_log().display().to_string();
    let program = launch.command.first().cloned().unwrap_or_default();
    // Variables are filled in already; a dollar sign that is left is meant.
    let flags = vec!["no-env-expand".to_owned()];
    let start = vec![(program, launch.command.clone(), flags)];
    let after = GOES_BEFORE.iter().map(|&it| it.to_owned()).collect();
    let description = format!("{product} {} on port {}", launch.version, launch.port);
    let mut properties = vec![
        ("Description", text(&description)),
        // Started is what has become the program, not what is about to.
        ("Type", text("exec")),
        ("ExecStartEx", Variant::from(start)),
        (
            "WorkingDirectory",
            text(&launch.directory.display().to_string()),
        ),
        (
            "EnvironmentFiles",
            Variant::from(vec![(environment.to_owned(), false)]),
        ),
        ("UnsetEnvironment", list(unset)),
        ("StandardOutputFileToAppend", text(&log)),
        ("StandardErrorFileToAppend", text(&log)),
        // The engine looks after it.
        ("Restart", text("no")),
        // For the machine's shutdown, and for those who stop the unit by hand.
        ("KillMode", text("control-group")),
        ("SendSIGKILL", Variant::from(true)),
        ("KillSignal", Variant::from(number(&launch.stop))),
        (
            "TimeoutStopUSec",
            Variant::from(launch.stop.seconds.saturating_mul(1_000_000)),
        ),
        ("After", list(after)),
    ];
    if let Some(engine) = own_unit() {
        // The other way round when the machine is shut down: an engine that still runs would start it again.
        properties.push(("Before", list(vec![engine])));
    }
    let service = &installation.service;
    let account = [("User", &service.user), ("Group", &service.group)];
    for (name, value) in account {
        if let Some(value) = value {
            properties.push((name, text(value)));
        }
    }
    properties
}

/// Variables to take away, so that the application has exactly the environment that it was given.
pub(super) fn foreign(bus: &Bus, launch: &Launch) -> Result<Vec<String>, BusError> {
    let inherited: Vec<String> = bus.of_manager("Environment")?;
    let names = inherited
        .iter()
        .filter_map(|line| line.split_once('=').map(|(name, _)| name));
    let is_ours = |name: &str| launch.env.iter().any(|(ours, _)| ours == name);
    let mut names: Vec<String> = names
        .chain(ADDED.iter().copied())
        .filter(|name| !is_ours(name))
        .map(str::to_owned)
        .collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// What is wrong with a unit that the installation gives, and what to do about it.
pub(super) fn wrong(
    bus: &Bus,
    installation: &Installation,
    unit: &str,
    environment: &str,
) -> Result<Option<String>, BusError> {
    let path: zbus::OwnedObjectPath = bus.ask("LoadUnit", &unit)?;
    let of_unit = |name: &str| bus.property::<String>(path.as_str(), "Unit", name);
    let load = of_unit("LoadState")?;
    if load != "loaded" {
        return Ok(Some(format!(
            "systemd has no usable unit {unit}: it is {load}"
        )));
    }
    if of_unit("UnitFileState")?.starts_with("enabled") {
        return Ok(Some(format!(
            "{unit} would start with the machine, also in the middle of an update: systemctl disable {unit}; Obnova starts it"
        )));
    }
    let user: String = bus.property(path.as_str(), "Service", "User")?;
    let theirs = Some(user.as_str()).filter(|user| !["", "root"].contains(user));
    let ours = installation.service.user.as_deref();
    if theirs != ours.filter(|user| *user != "root") {
        return Ok(Some(format!(
            "{unit} runs as {}, and [service] names {}: migrations would leave files that it cannot use",
            theirs.unwrap_or("root"),
            ours.unwrap_or("no user")
        )));
    }
    let files: Vec<(String, bool)> = bus.property(path.as_str(), "Service", "EnvironmentFiles")?;
    match files.iter().any(|(file, _)| file == environment) {
        true => Ok(None),
        false => Ok(Some(format!(
            "{unit} does not read EnvironmentFile={environment}, in which Obnova tells it the port"
        ))),
    }
}

/// What a given unit is told besides the application's environment.
pub(super) fn told(launch: &Launch) -> Vec<(String, String)> {
    let mut env = launch.env.clone();
    let tree = launch.directory.display().to_string();
    for (name, value) in [
        ("OBNOVA_PORT", launch.port.to_string()),
        ("OBNOVA_VERSION", launch.version.to_string()),
        ("OBNOVA_TREE", tree),
    ] {
        env.push((name.to_owned(), value));
    }
    env
}

fn number(stop: &Stop) -> i32 {
    match stop.signal {
        Signal::Term => libc::SIGTERM,
        Signal::Int => libc::SIGINT,
        Signal::Quit => libc::SIGQUIT,
    }
}

/// The unit that this engine runs in, if it is one of systemd's services.
fn own_unit() -> Option<String> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let last = |line: &str| Some(line.rsplit('/').next()?.to_owned());
    groups
        .lines()
        .filter_map(last)
        .find(|name| name.ends_with(".service"))
}
