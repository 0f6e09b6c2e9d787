//! A vendor, a customer's server and a user's computer in one temporary directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use obnova_desktop::{Configuration, Desktop, Error};
use obnova_release::publish::{self, BuildOptions, InitOptions, Vendor};
use tempfile::TempDir;

use crate::server::Server;

#[cfg_attr(unix, path = "program/unix.rs")]
#[cfg_attr(windows, path = "program/windows.rs")]
pub mod program;

/// The programs; tests of other parts that use this file have none.
pub const LAUNCHER: &str = match option_env!("CARGO_BIN_EXE_obnova-launcher") {
    Some(path) => path,
    None => "obnova-launcher",
};
pub const CLI: &str = match option_env!("CARGO_BIN_EXE_obnova-desktop") {
    Some(path) => path,
    None => "obnova-desktop",
};

/// Everything of one test; gone at its end.
pub struct World {
    pub folder: TempDir,
    pub server: Server,
    /// Where the Desktop is; another place than the folder in tests of disks.
    pub root: PathBuf,
}

/// What a published Desktop does when it is started.
pub const CONFIRMS: &str = "exec \"$OBNOVA_TEST_CLI\" confirm >/dev/null";

/// One that does nothing.
pub const HANGS: &str = "exec sleep 600";

impl World {
    /// With a vendor who has published nothing, and a computer with nothing installed.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let vendor = Vendor::new(path("repository"), vec![]);
        let options = InitOptions {
            online_keys: path("keys"),
            offline_keys: path("keys"),
            root: (1, 1),
            targets: (1, 1),
        };
        publish::init(&vendor, &options).unwrap();
        let server = Server::start(path("repository"));
        let world = Self {
            server,
            root: path("desktop"),
            folder,
        };
        world.install_at(&world.root);
        world
    }

    /// With versions 1.0.0, 1.1.0 and 1.2.0, each for servers of its own version, and 1.0.0 running.
    pub fn with_three() -> Self {
        let world = Self::new();
        for version in ["1.0.0", "1.1.0", "1.2.0"] {
            world.publish(version, "", CONFIRMS);
        }
        world.server.is("1.0.0");
        world.update().unwrap();
        assert_eq!(world.launch(), "1.0.0");
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn vendor(&self) -> Vendor {
        Vendor::new(self.path("repository"), vec![self.path("keys")])
    }

    /// The server's.
    pub fn address(&self) -> String {
        format!("http://{}/", self.server.address)
    }

    /// Makes a Desktop's root.
    pub fn install_at(&self, root: &Path) {
        let configuration = Configuration {
            product: "crm".into(),
            server: self.address().parse().unwrap(),
            authorities: None,
        };
        let trust = fs::read(self.path("repository/metadata/1.root.json")).unwrap();
        configuration.install(root, &trust).unwrap();
    }

    /// Publishes a version: `more` are lines of its `[desktop]`, `does` is what its program does after it has said which it is.
    pub fn publish(&self, version: &str, more: &str, does: &str) {
        self.publish_with(version, more, does, &[]);
    }

    pub fn publish_with(&self, version: &str, more: &str, does: &str, files: &[(&str, &[u8])]) {
        let work = self.path(&format!("work-{version}"));
        let desktop = work.join("desktop");
        for directory in ["tree/bin", "desktop/bin"] {
            fs::create_dir_all(work.join(directory)).unwrap();
        }
        fs::write(work.join("tree/bin/server"), "server").unwrap();
        program::write(&desktop, version, does);
        for (name, content) in files {
            fs::write(desktop.join(name), content).unwrap();
        }
        let range = match more.contains("range") {
            true => String::new(),
            false => format!("range = \"={version}\"\n"),
        };
        // Long, as machines that test are busy; short for what is to hang.
        let seconds = if does == HANGS { 2 } else { 30 };
        let text = format!(
            "product = \"crm\"\nname = \"CRM\"\nversion = \"{version}\"\ndate = \"2026-11-24\"\n\
             [server]\nstart = [\"${{tree}}/bin/server\"]\n[[server.health]]\npath = \"/\"\n\
             [notes]\ncs = \"Novinky {version}\"\nen = \"News of {version}\"\n\
             [desktop]\n{range}{more}\n[desktop.platforms.{}]\nstart = [\"${{tree}}/{program}\"]\n\
             check = [\"${{tree}}/{program}\", \"self-check\"]\nconfirm_seconds = {seconds}\n",
            obnova_desktop::platform(),
            program = program::FILE,
        );
        let description = work.join("release.toml");
        fs::write(&description, text).unwrap();
        program::make_executable(&work.join("tree/bin/server"));
        let out = work.join("built");
        let options = BuildOptions {
            description,
            tree: work.join("tree"),
            out: out.clone(),
        };
        let desktops = BTreeMap::from([(obnova_desktop::platform(), desktop)]);
        publish::build_with_desktops(&options, &desktops).unwrap();
        publish::publish(&self.vendor(), &out).unwrap();
    }

    pub fn desktop(&self) -> Desktop {
        Desktop::open(&self.root).unwrap()
    }

    /// Follows the server, as a program does that embeds the library. Says which version was switched to.
    pub fn update(&self) -> Result<Option<String>, Error> {
        update(&self.desktop())
    }

    /// Starts the program as its user does; says which version it was.
    pub fn launch(&self) -> String {
        let output = self.launcher().output().unwrap();
        said(&output)
    }

    pub fn launcher(&self) -> Command {
        let mut command = Command::new(LAUNCHER);
        command.env("OBNOVA_LAUNCHER_ROOT", &self.root);
        self.environment(&mut command);
        command
    }

    pub fn cli(&self, arguments: &[&str]) -> Output {
        self.cli_command(arguments).output().unwrap()
    }

    pub fn cli_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(CLI);
        command.arg("--root").arg(&self.root).args(arguments);
        self.environment(&mut command);
        command
    }

    pub fn environment(&self, command: &mut Command) {
        command
            .env("OBNOVA_TEST_CLI", CLI)
            .env("OBNOVA_TEST_UNFIT", self.path("unfit"))
            .env("LANG", "en")
            .env_remove("OBNOVA_DESKTOP_ROOT");
    }

    pub fn current(&self) -> Option<String> {
        Some(self.desktop().status().unwrap().current?.to_string())
    }

    /// The versions whose files are here.
    pub fn versions(&self) -> Vec<String> {
        let mut versions: Vec<String> = fs::read_dir(self.root.join("versions"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        versions.sort();
        versions
    }
}

pub fn update(desktop: &Desktop) -> Result<Option<String>, Error> {
    let found = desktop.check()?;
    let Some(wanted) = found.wanted else {
        return Ok(None);
    };
    desktop.allows(&wanted, false)?;
    desktop.download(&wanted, &mut |_, _| ())?;
    let staged = desktop.stage(&wanted)?;
    Ok(Some(desktop.apply(staged)?.version.to_string()))
}

/// Runs a program that was written just now: another thread's new process may still have it open for writing for a moment.
pub fn output(command: &mut Command) -> Output {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        match command.output() {
            Err(error)
                if error.kind() == std::io::ErrorKind::ExecutableFileBusy
                    && Instant::now() < until =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            other => return other.unwrap(),
        }
    }
}

/// The last version that said that it was started.
pub fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text
        .lines()
        .rfind(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    let error = String::from_utf8_lossy(&output.stderr);
    last.unwrap_or_else(|| panic!("{output:?} {error}"))
        .to_owned()
}

/// Copies a directory with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

/// Removes a directory with all that is in it, as soon as nobody has anything of it open any more.
pub fn remove(directory: &Path) {
    let until = Instant::now() + Duration::from_secs(60);
    while let Err(error) = fs::remove_dir_all(directory) {
        assert!(Instant::now() < until, "{error}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Bytes that cannot be made smaller, always the same for a seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}
