//! The setup program: one file that installs for its user, silently, and removes itself although it lies in what is removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use flate2::{Compression, write::GzEncoder};
use obnova_desktop::Desktop;
use obnova_release::appended::{self, Facts};
use windows_registry::CURRENT_USER;

use super::{LISTED, WITHOUT_WINDOW, package, wait_until};
use crate::world::{CONFIRMS, LAUNCHER, World, said};

const SETUP: &str = env!("CARGO_BIN_EXE_obnova-setup");
const WINDOWLESS_LAUNCHER: &str = env!("CARGO_BIN_EXE_obnova-launcherw");
const UNINSTALL: &str = "Software\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\crm";
const RUN: &str = "Software\\Microsoft\\Windows\\CurrentVersion\\Run";
/// Confirms, and says that it was started where nobody reads what it prints.
const SIGNS: &str = "\"$OBNOVA_TEST_CLI\" confirm >/dev/null; : > \"$OBNOVA_TEST_UP\"";

/// A user's directories, with letters that are not everywhere the same.
struct User(PathBuf);

impl User {
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn root(&self) -> PathBuf {
        self.path("Local\\Programs\\crm")
    }

    fn shortcut(&self) -> PathBuf {
        self.path("Roaming\\Microsoft\\Windows\\Start Menu\\Programs\\CRM.lnk")
    }

    fn command(&self, world: &World, program: &Path) -> Command {
        for name in ["Local", "Roaming", "Temp"] {
            fs::create_dir_all(self.path(name)).unwrap();
        }
        let mut command = Command::new(program);
        world.environment(&mut command);
        command
            .env("LOCALAPPDATA", self.path("Local"))
            .env("APPDATA", self.path("Roaming"))
            .env("TEMP", self.path("Temp"))
            .env("TMP", self.path("Temp"))
            .env("OBNOVA_TEST_UP", self.path("up"))
            .stdin(Stdio::null());
        command
    }

    fn runs(&self, world: &World, program: &Path, arguments: &[&str]) -> Output {
        let output = self.command(world, program).args(arguments).output();
        output.unwrap()
    }

    /// All files below, but for what Windows makes for itself.
    fn files(&self) -> Vec<PathBuf> {
        let (mut files, mut left) = (Vec::new(), vec![self.0.clone()]);
        while let Some(directory) = left.pop() {
            for entry in fs::read_dir(directory).unwrap().flatten() {
                match entry.file_type().unwrap().is_dir() {
                    true => left.push(entry.path()),
                    false => files.push(entry.path()),
                }
            }
        }
        files.sort();
        files
    }
}

/// As `obnova release installer` makes it.
fn setup(world: &World, version: &str) -> PathBuf {
    let package = package(world, version, &fs::read(LAUNCHER).unwrap());
    fs::copy(
        WINDOWLESS_LAUNCHER,
        package.join("bin/obnova-launcherw.exe"),
    )
    .unwrap();
    let packed = world.path("payload");
    let file = fs::File::create(&packed).unwrap();
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::fast()));
    archive.append_dir_all_files(&package, &package);
    archive.into_inner().unwrap().finish().unwrap();
    let facts = Facts {
        product: "crm".into(),
        name: "CRM".into(),
        version: version.parse().unwrap(),
        platform: obnova_desktop::platform(),
        server: None,
        needed_bytes: 0,
    };
    let made = world.path(&format!("crm-{version}-setup.exe"));
    let _ = fs::remove_file(&made);
    appended::append(SETUP.as_ref(), &packed, &facts, &made).unwrap();
    made
}

trait Files {
    fn append_dir_all_files(&mut self, directory: &Path, base: &Path);
}

impl<W: std::io::Write> Files for tar::Builder<W> {
    fn append_dir_all_files(&mut self, directory: &Path, base: &Path) {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => self.append_dir_all_files(&path, base),
                false => {
                    let name = path.strip_prefix(base).unwrap().to_str().unwrap();
                    self.append_path_with_name(&path, name.replace('\\', "/"))
                        .unwrap();
                }
            }
        }
    }
}

fn listed_version() -> Option<String> {
    let key = CURRENT_USER.open(UNINSTALL).ok()?;
    key.get_string("DisplayVersion").ok()
}

#[test]
fn a_setup_program_installs_silently_follows_the_server_and_leaves_nothing_but_the_users_data() {
    let _listed = LISTED
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut world = World::new();
    world.publish("1.0.0", "", SIGNS);
    world.publish("1.1.0", "", CONFIRMS);
    world.server.is("1.0.0");
    let user = User(world.path("Jiří Žluťoučký"));
    let setup = setup(&world, "1.0.0");
    let address = format!("http://{}/", world.server.address);

    // One byte of what it carries is another: nothing is touched.
    let damaged = world.path("damaged.exe");
    let mut bytes = fs::read(&setup).unwrap();
    let middle = bytes.len() - 200_000;
    bytes[middle] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let output = user.runs(&world, &damaged, &["/S", "--server", &address]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let output = user.runs(&world, &setup, &["/S"]);
    assert_eq!(output.status.code(), Some(2), "no server: {output:?}");
    assert!(user.files().is_empty(), "{:?}", user.files());

    let output = user.runs(&world, &setup, &["/S", "--server", &address]);
    assert!(output.status.success(), "{output:?}");
    assert!(
        output.stdout.is_empty() && output.stderr.is_empty(),
        "{output:?}"
    );
    let root = user.root();
    for program in ["crm.exe", "crm.com"] {
        let output = user.runs(&world, &root.join("bin").join(program), &[]);
        assert_eq!(said(&output), "1.0.0");
    }
    assert_eq!(listed_version().as_deref(), Some("1.0.0"));
    let run = CURRENT_USER.open(RUN).unwrap();
    let agent = run.get_string("crm agent").unwrap();
    assert!(agent.contains("obnova-desktopw.exe\" --root"), "{agent}");

    world.root = root.clone();
    world.server.is("1.1.0");
    assert_eq!(world.update().unwrap().as_deref(), Some("1.1.0"));
    let output = user.runs(&world, &root.join("bin/crm.exe"), &[]);
    assert_eq!(said(&output), "1.1.0");
    assert_eq!(listed_version().as_deref(), Some("1.1.0"));

    // An agent ends when it is asked to; the program that removes lies in what it removes.
    let data = user.path("Local\\crm-data.txt");
    fs::write(&data, "the user's").unwrap();
    let desktop = Desktop::open(&root).unwrap();
    let agent = desktop.only_agent().unwrap().unwrap();
    assert!(desktop.only_agent().unwrap().is_none(), "a second agent");
    let agent = std::thread::spawn(move || {
        wait_until("nobody asks the agent to end", || {
            desktop.is_agent_asked_to_end()
        });
        drop((agent, desktop));
    });
    let key = CURRENT_USER.open(UNINSTALL).unwrap();
    let quiet = key.get_string("QuietUninstallString").unwrap();
    drop(key);
    let shown = root.display();
    assert_eq!(
        quiet,
        format!("\"{shown}\\bin\\obnova-desktopw.exe\" --root \"{shown}\" uninstall --silent")
    );
    assert!(Path::new(WITHOUT_WINDOW).exists());
    let output = user.runs(
        &world,
        &root.join("bin/obnova-desktopw.exe"),
        &["--root", root.to_str().unwrap(), "uninstall", "--silent"],
    );
    assert!(output.status.success(), "{output:?}");
    agent.join().unwrap();
    assert!(!root.exists() && !user.shortcut().exists());
    assert_eq!(listed_version(), None);
    assert!(run.get_string("crm agent").is_err());
    let _ = fs::remove_file(user.path("up"));
    // The programs that removed the rest are among temporary files until they have ended, and Windows' command line removes them.
    let left = user.files();
    let temporary = user.path("Temp");
    let kept = left.iter().filter(|it| !it.starts_with(&temporary));
    assert_eq!(kept.collect::<Vec<_>>(), [&data], "{left:?}");
}

/// Wine knows paths in shortcuts in one alphabet only, so this user has plain letters.
#[test]
fn a_click_in_the_start_menu_starts_the_program_and_the_setup_program_removes_it_too() {
    let _listed = LISTED
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let world = World::new();
    world.publish("1.0.0", "", SIGNS);
    world.server.is("1.0.0");
    let user = User(world.path("anna"));
    let setup = setup(&world, "1.0.0");
    let address = format!("http://{}/", world.server.address);
    let output = user.runs(&world, &setup, &["--silent", "--server", &address]);
    assert!(output.status.success(), "{output:?}");
    let mut click = user.command(&world, "cmd.exe".as_ref());
    let click = click
        .args(["/c", "start", ""])
        .arg(user.shortcut())
        .output();
    let click = click.unwrap();
    assert!(click.status.success(), "{click:?}");
    wait_until("the shortcut starts nothing", || user.path("up").exists());
    fs::remove_file(user.path("up")).unwrap();
    wait_until("the program does not end", || {
        user.runs(&world, &setup, &["/S", "--uninstall"])
            .status
            .success()
    });
    assert!(!user.root().exists() && !user.shortcut().exists());
    assert_eq!(listed_version(), None);
    assert!(user.files().is_empty(), "{:?}", user.files());
}
