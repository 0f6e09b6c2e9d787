//! How systemd starts the service: only while somebody asks, as root without any of root's powers, and with nothing to write to but
//! the installation.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use obnova_release::durable;

use crate::error::{Code, Error};
use crate::layout::Layout;
use crate::platform;

const UNITS: &str = "/etc/systemd/system";
/// There while systemd runs.
const RUNS: &str = "/run/systemd/system";
/// Says which installation a unit belongs to.
const ROOT: &str = "X-Obnova-Root";

/// The units of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    product: String,
    root: PathBuf,
}

impl Units {
    /// Those of this product, installed here.
    pub fn of(product: &str, root: &Path) -> Self {
        Self {
            product: product.to_owned(),
            root: root.to_owned(),
        }
    }

    /// Where the service is reached.
    pub fn socket(&self) -> PathBuf {
        Path::new("/run/obnova-desktop").join(format!("{}.sock", self.product))
    }

    fn name(&self, kind: &str) -> String {
        format!("obnova-desktop-{}.{kind}", self.product)
    }

    fn path(&self, kind: &str) -> PathBuf {
        Path::new(UNITS).join(self.name(kind))
    }

    /// An installation elsewhere has units of this name.
    ///
    /// # Errors
    /// That is so.
    pub fn are_free(&self) -> Result<(), Error> {
        let path = self.path("service");
        match std::fs::read_to_string(&path) {
            Ok(there) if !self.is_ours(&there) => {
                Err(Error::new(Code::OtherProgram).arg("path", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Writes them and has systemd listen. `false` where there is no systemd: then somebody else has to run
    /// `obnova-desktop --root DIR service --socket PATH`.
    ///
    /// # Errors
    /// The disk refuses, or systemd does.
    pub fn install(&self, name: &str) -> Result<bool, Error> {
        if !Path::new(UNITS).is_dir() && !Path::new(RUNS).is_dir() {
            return Ok(false);
        }
        durable::create_dir_all(Path::new(UNITS))?;
        for (kind, text) in [
            ("service", self.service(name)),
            ("socket", self.listens(name)),
        ] {
            durable::write(&self.path(kind), text.as_bytes(), 0o644)?;
        }
        if !Path::new(RUNS).is_dir() {
            return Ok(false);
        }
        systemctl(&["daemon-reload"])?;
        systemctl(&["enable", "--now", &self.name("socket")])?;
        // One that runs is of the programs from before.
        systemctl(&["try-restart", &self.name("service")])?;
        Ok(true)
    }

    /// Ends the service and removes what belongs to this installation.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        let ours = std::fs::read_to_string(self.path("service"));
        if !ours.is_ok_and(|text| self.is_ours(&text)) {
            return Ok(());
        }
        if Path::new(RUNS).is_dir() {
            systemctl(&[
                "disable",
                "--now",
                &self.name("socket"),
                &self.name("service"),
            ])?;
        }
        // What says that they are ours goes last.
        durable::remove_file(&self.path("socket"))?;
        durable::remove_file(&self.path("service"))?;
        if Path::new(RUNS).is_dir() {
            systemctl(&["daemon-reload"])?;
        }
        Ok(())
    }

    fn is_ours(&self, text: &str) -> bool {
        let mine = format!("{ROOT}={}", one_line(&self.root.display().to_string()));
        text.lines().any(|line| line == mine)
    }

    fn listens(&self, name: &str) -> String {
        format!(
            "[Unit]\nDescription=Updates of {} for all users of this computer\n\n\
             [Socket]\nListenStream={}\nSocketMode=0666\nDirectoryMode=0755\n\n\
             [Install]\nWantedBy=sockets.target\n",
            one_line(name).replace('%', "%%"),
            self.socket().display(),
        )
    }

    fn service(&self, name: &str) -> String {
        let root = self.root.display().to_string();
        let tool = Layout::of(&self.root).programs();
        let tool = tool.join(platform::program("obnova-desktop"));
        format!(
            "[Unit]\nDescription=Updates of {name} for all users of this computer\n{ROOT}={plain}\n\n\
             [Service]\nExecStart={tool} --root {word} service\n\
             # The socket that listens.\nStandardInput=socket\nStandardOutput=journal\nStandardError=journal\n\
             UMask=0022\n\
             # Root, as the files are root's, but without root's powers: it may write to the installation, and ask the server.\n\
             CapabilityBoundingSet=\nNoNewPrivileges=yes\nProtectSystem=strict\nReadWritePaths={place}\nProtectHome=read-only\n\
             PrivateTmp=yes\nPrivateDevices=yes\nProtectKernelTunables=yes\nProtectKernelModules=yes\nProtectKernelLogs=yes\n\
             ProtectControlGroups=yes\nProtectClock=yes\nProtectHostname=yes\nRestrictNamespaces=yes\nRestrictRealtime=yes\n\
             RestrictSUIDSGID=yes\nLockPersonality=yes\nMemoryDenyWriteExecute=yes\n\
             RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK\nSystemCallArchitectures=native\n\
             SystemCallFilter=@system-service\nTasksMax=64\nNice=10\nIOSchedulingClass=idle\n",
            name = one_line(name).replace('%', "%%"),
            plain = one_line(&root),
            tool = word(&tool.display().to_string(), true),
            word = word(&root, true),
            place = word(&root, false),
        )
    }
}

fn systemctl(arguments: &[&str]) -> Result<(), Error> {
    let output = Command::new("systemctl")
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            let failed = format!("systemctl {}: {}", arguments.join(" "), said.trim());
            Err(Error::new(Code::NoService).detail(failed))
        }
    }
}

/// A path as one word of a unit.
fn word(path: &str, in_command: bool) -> String {
    let mut word = String::from("\"");
    for character in one_line(path).chars() {
        match character {
            '\\' | '"' => word.extend(['\\', character]),
            '%' => word.push_str("%%"),
            '$' if in_command => word.push_str("$$"),
            other => word.push(other),
        }
    }
    word.push('"');
    word
}

/// Nothing of a name may begin another line.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_signs_that_mean_something_stay_one_word() {
        assert_eq!(word("/opt/a b", true), "\"/opt/a b\"");
        assert_eq!(word("/opt/100%/$x\"", true), r#""/opt/100%%/$$x\"""#);
        assert_eq!(word("/opt/$x", false), "\"/opt/$x\"");
        let units = Units::of("crm", Path::new("/opt/a\nUser=x"));
        assert!(
            !units
                .service("n\nUser=y")
                .lines()
                .any(|line| line.starts_with("User="))
        );
    }
}
