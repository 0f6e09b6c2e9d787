//! `obnova release installer`: the file is made, and run as a user runs it, in homes that are thrown away.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const PLATFORM: &str = "linux-x86_64";
const SERVER: &str = "http://127.0.0.1:9/";
/// What has another name is whatever this machine's is not.
const OTHER: &str = "linux-riscv128";

/// A vendor with a repository, and users' homes.
struct World {
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        world.vendor(&[
            "init",
            "--root",
            "1/1",
            "--targets",
            "1/1",
            "--keys",
            "keys",
            "--repository",
            "repo",
        ]);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn vendor(&self, arguments: &[&str]) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_obnova"))
            .args(["release", "--json"])
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Builds a release, and its Desktop's installer.
    fn installer(&self, version: &str) -> PathBuf {
        self.build(version, PLATFORM);
        self.make(version, PLATFORM)
    }

    fn build(&self, version: &str, platform: &str) {
        for (program, script) in [
            ("server/bin/server", "#!/bin/sh\n".to_owned()),
            (
                "desktop/bin/crm",
                format!("#!/bin/sh\n[ \"$1\" = check ] || echo \"this is {version}\" \"$@\"\n"),
            ),
        ] {
            let path = self.path(version).join(program);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let description = format!(
            "product = \"crm\"\nname = \"O'Neill CRM\"\nversion = \"{version}\"\ndate = 2026-11-24\n\
             [server]\nstart = [\"${{tree}}/bin/server\"]\n[[server.health]]\npath = \"/\"\n\
             [desktop]\nrange = \">=1.0.0\"\n[desktop.platforms.{platform}]\n\
             start = [\"${{tree}}/bin/crm\"]\ncheck = [\"${{tree}}/bin/crm\", \"check\"]\n"
        );
        fs::write(self.path(version).join("release.toml"), description).unwrap();
        let at = |name: &str| format!("{version}/{name}");
        self.vendor(&[
            "build",
            "--description",
            &at("release.toml"),
            "--tree",
            &at("server"),
            "--desktop",
            &format!("{platform}={}", at("desktop")),
            "--out",
            &at("built"),
        ]);
    }

    fn make(&self, version: &str, platform: &str) -> PathBuf {
        let icon = self.path("icon.svg");
        fs::write(icon, "<svg xmlns=\"http://www.w3.org/2000/svg\"/>").unwrap();
        let built = format!("{version}/built");
        let made = self.vendor(&[
            "installer",
            &built,
            "--platform",
            platform,
            "--repository",
            "repo",
            "--icon",
            "icon.svg",
        ]);
        self.path(made["file"].as_str().unwrap())
    }

    /// A user with an empty home.
    fn user(&self, name: &str) -> User {
        let home = self.path(name);
        fs::create_dir_all(&home).unwrap();
        User { home }
    }
}

struct User {
    home: PathBuf,
}

impl User {
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", &self.home)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LANG", "en_GB.UTF-8")
            .stdin(Stdio::null());
        command
    }

    fn sh(&self, installer: &Path, arguments: &[&str]) -> Output {
        let mut command = self.command("sh".as_ref());
        command.arg(installer).args(arguments).output().unwrap()
    }

    fn installs(&self, installer: &Path, arguments: &[&str]) -> Output {
        let output = self.sh(installer, arguments);
        assert!(output.status.success(), "{output:?}");
        output
    }

    fn root(&self) -> PathBuf {
        self.home.join(".local/share/crm")
    }

    /// What the program says that its user starts.
    fn starts(&self) -> String {
        let program = self.root().join("bin/crm");
        let output = self
            .command(&program)
            .arg("žluťoučký kůň")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn versions(&self) -> Vec<String> {
        let found = fs::read_dir(self.root().join("versions"))
            .unwrap()
            .flatten();
        let found = found.filter(|entry| entry.path().is_dir());
        let mut found: Vec<String> = found
            .map(|it| it.file_name().into_string().unwrap())
            .collect();
        found.sort();
        found
    }

    /// All files in the home, to be compared.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut left = vec![self.home.clone()];
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

fn said(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it).into_owned());
    texts.concat()
}

#[test]
fn an_installer_is_run_twice_upgrades_and_removes_what_it_has_made() {
    let world = World::new();
    let (first, second) = (world.installer("1.0.0"), world.installer("1.1.0"));
    assert!(first.ends_with("installers/linux-x86_64/crm-1.0.0-linux-x86_64.run"));
    let anna = world.user("anna");

    // Without a server and without anybody to ask there is nothing to do.
    let output = anna.sh(&first, &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(said(&output).contains("--server"), "{output:?}");
    assert!(anna.files().is_empty());

    let output = anna.installs(&first, &["--server", SERVER, "--autostart"]);
    assert!(
        said(&output).contains("O'Neill CRM 1.0.0 is installed"),
        "{output:?}"
    );
    assert_eq!(anna.starts(), "this is 1.0.0 žluťoučký kůň");
    let root = anna.root();
    let entry = |path: &str| fs::read_to_string(anna.home.join(path)).unwrap();
    let menu = entry(".local/share/applications/crm.desktop");
    assert!(menu.contains("Name=O'Neill CRM\n"), "{menu}");
    assert!(
        menu.contains(&format!("Exec=\"{}/bin/crm\"\n", root.display())),
        "{menu}"
    );
    assert!(
        menu.contains(&format!("Icon={}/icon.svg\n", root.display())),
        "{menu}"
    );
    let agent = entry(".config/autostart/crm-agent.desktop");
    assert!(agent.contains("/bin/obnova-desktop\" --root"), "{agent}");
    assert!(agent.contains(" agent\n"), "{agent}");

    // The second time nothing changes, and nothing is said.
    let before = anna.files();
    let output = anna.installs(&first, &["--silent"]);
    assert_eq!(said(&output), "");
    assert_eq!(anna.files(), before);
    assert_eq!(anna.starts(), "this is 1.0.0 žluťoučký kůň");

    // Over it: tried first, with the one before kept.
    let output = anna.installs(&second, &[]);
    assert!(said(&output).contains("over version 1.0.0"), "{output:?}");
    assert_eq!(anna.versions(), ["1.0.0", "1.1.0"]);
    assert_eq!(anna.starts(), "this is 1.1.0 žluťoučký kůň");
    let configuration = fs::read_to_string(root.join("desktop.toml")).unwrap();
    assert!(configuration.contains(SERVER), "{configuration}");

    let own = root.join("my own.txt");
    fs::write(&own, "kept").unwrap();
    anna.installs(&second, &["--uninstall"]);
    assert_eq!(anna.files(), [own], "what is not the installer's stays");
}

#[test]
fn what_is_damaged_is_installed_anew_and_a_damaged_installer_does_nothing() {
    let world = World::new();
    let installer = world.installer("1.0.0");
    let anna = world.user("anna");
    let whole = fs::read(&installer).unwrap();
    let bad = world.path("bad.run");
    let header = whole
        .windows(10)
        .position(|it| it == b"\nmain \"$@\"")
        .unwrap();
    let mut changed = whole.clone();
    let middle = header + (whole.len() - header) / 2;
    changed[middle] ^= 1;
    for (what, bytes) in [
        ("changed", &changed[..]),
        ("cut off", &whole[..whole.len() - 1]),
        ("longer", &[&whole[..], b"x"].concat()),
        ("nothing but its script", &whole[..header + 12]),
    ] {
        fs::write(&bad, bytes).unwrap();
        let output = anna.sh(&bad, &["--server", SERVER]);
        assert_eq!(output.status.code(), Some(3), "{what}: {output:?}");
        assert!(said(&output).contains("damaged"), "{what}: {output:?}");
        assert!(anna.files().is_empty(), "{what}");
    }
    // Cut off in the middle of its script.
    fs::write(&bad, &whole[..header / 2]).unwrap();
    let output = anna.sh(&bad, &["--server", SERVER]);
    assert!(!output.status.success());
    assert!(anna.files().is_empty());

    anna.installs(&installer, &["--check"]);
    anna.installs(&installer, &["--server", SERVER, "--no-menu", "--silent"]);
    assert!(!anna.home.join(".local/share/applications").exists());
    for (path, text) in [
        ("versions/1.0.0/bin/crm", "spoilt"),
        ("state/pointer.json", "{\"format\":"),
        ("bin/obnova-launcher", ""),
    ] {
        fs::write(anna.root().join(path), text).unwrap();
        anna.installs(&installer, &["--no-menu", "--silent"]);
        assert_eq!(anna.starts(), "this is 1.0.0 žluťoučký kůň", "{path}");
    }
}

#[test]
fn nothing_is_left_where_nothing_can_be_installed() {
    let world = World::new();
    let installer = world.installer("1.0.0");
    let anna = world.user("anna");
    let install = |dir: &str| anna.sh(&installer, &["--server", SERVER, "--dir", dir]);

    // A directory that is somebody else's.
    let foreign = anna.home.join("documents");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("letter"), "x").unwrap();
    let output = install(foreign.to_str().unwrap());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said(&output).contains("something else"), "{output:?}");
    assert_eq!(anna.files(), [foreign.join("letter")]);

    // One in which nobody may write, whoever he is.
    let output = install("/proc/obnova/crm");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said(&output).contains("--dir"), "{output:?}");
    assert!(said(&output).contains("cannot be written to"), "{output:?}");

    let output = anna.sh(&installer, &["--frobnicate"]);
    assert_eq!(output.status.code(), Some(2));
    // In the user's language.
    let mut czech = anna.command("sh".as_ref());
    czech
        .env("LANG", "cs_CZ.UTF-8")
        .arg(&installer)
        .arg("--help");
    let output = czech.output().unwrap();
    assert!(said(&output).contains("Použití"), "{output:?}");
}

#[test]
fn an_installer_for_another_machine_says_so() {
    let world = World::new();
    world.build("1.0.0", OTHER);
    let installer = world.make("1.0.0", OTHER);
    let anna = world.user("anna");
    let output = anna.sh(&installer, &["--server", SERVER]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said(&output).contains("riscv128"), "{output:?}");
    assert!(anna.files().is_empty());
}

#[test]
fn whoever_clicks_on_it_is_asked_for_the_server_in_a_window() {
    let world = World::new();
    let installer = world.installer("1.0.0");
    let anna = world.user("anna");
    let tools = world.path("tools");
    fs::create_dir(&tools).unwrap();
    let zenity = tools.join("zenity");
    fs::write(&zenity, format!("#!/bin/sh\necho {SERVER}\n")).unwrap();
    fs::set_permissions(&zenity, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = anna.command("sh".as_ref());
    let path = format!("{}:/usr/bin:/bin", tools.display());
    let output = command
        .env("PATH", path)
        .env("DISPLAY", ":0")
        .arg(&installer)
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    let configuration = fs::read_to_string(anna.root().join("desktop.toml")).unwrap();
    assert!(configuration.contains(SERVER), "{configuration}");
}

/// A file system in memory, gone at the end. Needs root.
struct Disk(PathBuf);

impl Disk {
    fn at(place: &Path) -> Self {
        let place = place.to_owned();
        fs::create_dir_all(&place).unwrap();
        mount(&["-t", "tmpfs", "-o", "size=400m", "tmpfs"], &place);
        Self(place)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn mount(arguments: &[&str], place: &Path) {
    let output = Command::new("mount").args(arguments).arg(place).output();
    let output = output.unwrap();
    assert!(output.status.success(), "mount needs root: {output:?}");
}

#[test]
fn a_full_and_a_read_only_disk_leave_the_version_before_as_it_was() {
    let world = World::new();
    let (first, second) = (world.installer("1.0.0"), world.installer("1.1.0"));
    let anna = world.user("anna");
    let disk = Disk::at(&anna.home);
    anna.installs(&first, &["--server", SERVER]);
    let filler = anna.home.join("filler");
    let _ = fs::write(&filler, vec![1; 400 << 20]);
    let before = anna.files();
    let output = anna.sh(&second, &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said(&output).contains("too little room"), "{output:?}");
    assert_eq!(anna.files(), before);
    fs::remove_file(&filler).unwrap();

    mount(&["-o", "remount,ro"], &disk.0);
    let output = anna.sh(&second, &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said(&output).contains("cannot be written to"), "{output:?}");
    assert_eq!(anna.starts(), "this is 1.0.0 žluťoučký kůň");
    mount(&["-o", "remount,rw"], &disk.0);
    anna.installs(&second, &[]);
    assert_eq!(anna.starts(), "this is 1.1.0 žluťoučký kůň");
}
