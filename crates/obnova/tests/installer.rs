//! `obnova release installer`: the file is made, and run as a user runs it, in homes that are thrown away.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use obnova_testkit::systemd::Systemd;
use serde_json::Value;
use tempfile::TempDir;

#[allow(dead_code, reason = "the tests of the library use more of it")]
#[path = "../../desktop/tests/it/server.rs"]
mod server;

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
        self.make_with(version, platform, &[])
    }

    fn make_with(&self, version: &str, platform: &str, more: &[&str]) -> PathBuf {
        let icon = self.path("icon.svg");
        fs::write(icon, "<svg xmlns=\"http://www.w3.org/2000/svg\"/>").unwrap();
        let built = format!("{version}/built");
        let words = [
            "installer",
            &built,
            "--platform",
            platform,
            "--repository",
            "repo",
            "--icon",
            "icon.svg",
        ];
        let made = self.vendor(&[&words[..], more].concat());
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

/// Programs of the system that the script calls, each of which counts its calls first, and at the chosen one kills all of the
/// installer.
const COUNTS: &str = r#"#!/bin/sh
name=${0##*/}
echo "$name" >> "$CALLS"
# Of those that run at once, each may count the others.
if [ "$KILL_AT" != 0 ] && [ "$(/usr/bin/wc -l < "$CALLS")" -ge "$KILL_AT" ]; then kill -9 0; fi
for real in /usr/bin/$name /bin/$name; do [ -x "$real" ] && exec "$real" "$@"; done
exit 127
"#;
const CALLED: [&str; 13] = [
    "awk",
    "cut",
    "df",
    "dirname",
    "find",
    "gzip",
    "mkdir",
    "mktemp",
    "rm",
    "sha256sum",
    "tail",
    "tar",
    "uname",
];

/// What happens inside `obnova-desktop install` is tried in that crate, change by change.
#[test]
fn an_installer_whose_script_is_killed_at_any_step_is_run_again_and_all_is_whole() {
    let world = World::new();
    // What is packed and unpacked so often had better be small.
    let programs = world.path("programs");
    fs::create_dir(&programs).unwrap();
    for name in ["obnova-launcher", "obnova-desktop"] {
        let built = Path::new(env!("CARGO_BIN_EXE_obnova")).with_file_name(name);
        let strip = Command::new("strip")
            .arg("-o")
            .arg(programs.join(name))
            .arg(built)
            .status();
        assert!(strip.unwrap().success());
    }
    let installers = ["1.0.0", "1.1.0"].map(|version| {
        world.build(version, PLATFORM);
        world.make_with(version, PLATFORM, &["--programs", "programs"])
    });
    let shims = world.path("shims");
    fs::create_dir(&shims).unwrap();
    for name in CALLED {
        fs::write(shims.join(name), COUNTS).unwrap();
        fs::set_permissions(shims.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let calls = world.path("calls");
    let run = |user: &User, installer: &Path, at: usize| {
        let _ = fs::remove_file(&calls);
        let mut command = user.command("sh".as_ref());
        let output = command
            .arg(installer)
            .args(["--server", SERVER, "--autostart"])
            .env("PATH", format!("{}:/usr/bin:/bin", shims.display()))
            .env("CALLS", &calls)
            .env("KILL_AT", at.to_string())
            .process_group(0)
            .output()
            .unwrap();
        let all = fs::read_to_string(&calls).unwrap();
        (output, all.lines().map(str::to_owned).collect::<Vec<_>>())
    };
    let before = world.user("before");
    before.installs(&installers[0], &["--server", SERVER]);
    for (name, installer, version) in [
        ("nothing", &installers[0], "this is 1.0.0"),
        ("before", &installers[1], "this is 1.1.0"),
    ] {
        let user = world.user(&format!("user-{name}"));
        let again = || {
            fs::remove_dir_all(&user.home).unwrap();
            match name {
                "before" => {
                    let mut copy = Command::new("cp");
                    let copied = copy.arg("-a").arg(&before.home).arg(&user.home).status();
                    assert!(copied.unwrap().success());
                }
                _ => fs::create_dir(&user.home).unwrap(),
            }
        };
        again();
        let (output, steps) = run(&user, installer, 0);
        assert!(output.status.success(), "{output:?}");
        assert!(steps.len() > 10, "{steps:?}");
        println!("{} steps over {name}: {steps:?}", steps.len());
        for at in 1..=steps.len() {
            again();
            let (output, _) = run(&user, installer, at);
            let step = &steps[at - 1];
            assert!(!output.status.success(), "{at}, {step}: {output:?}");
            if name == "before" {
                assert!(user.starts().starts_with("this is 1."), "{at}, {step}");
            }
            user.installs(installer, &["--server", SERVER]);
            assert!(user.starts().starts_with(version), "{at}, {step}");
        }
        // What was unpacked when it was killed goes when it is old enough to be nobody's.
        let share = user.home.join(".local/share");
        let unpacked = share.join(".crm-installing.AbCdEf");
        fs::create_dir(&unpacked).unwrap();
        let old = Command::new("touch")
            .args(["-d", "3 days ago"])
            .arg(&unpacked)
            .status();
        assert!(old.unwrap().success());
        user.installs(installer, &[]);
        assert!(!unpacked.exists());
    }
}

#[test]
fn installed_by_root_for_all_users_it_is_updated_by_a_service_that_systemd_starts() {
    let world = World::new();
    let systemd = Systemd::start().unwrap();
    let (first, second) = (world.installer("1.0.0"), world.installer("1.1.0"));
    for version in ["1.0.0", "1.1.0"] {
        let built = format!("{version}/built");
        world.vendor(&["publish", &built, "--repository", "repo", "--keys", "keys"]);
    }
    fs::set_permissions(world.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let server = server::Server::start(world.path("repo"));
    server.is("1.0.0");
    let address = format!("http://{}/", server.address);
    let nobody = world.user("nobody");
    std::os::unix::fs::chown(&nobody.home, Some(65534), Some(65534)).unwrap();

    // What the machine outside has stays as it is.
    let units = systemd.units().display().to_string();
    let inside = |words: &[&str]| systemd.run(words).unwrap();
    for place in ["/opt", "/usr/local/share"] {
        inside(&["mount", "-t", "tmpfs", "tmpfs", place]);
    }
    inside(&["mkdir", "-p", "/run/systemd/system", "/etc/systemd/system"]);
    inside(&["mount", "--bind", &units, "/etc/systemd/system"]);
    let home = format!("HOME={}", nobody.home.display());
    let as_nobody = |words: &[&str]| {
        let mut command = systemd.command("setpriv").unwrap();
        let user = [
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            "env",
            "-u",
            "XDG_STATE_HOME",
        ];
        command
            .args(user)
            .arg(&home)
            .arg("LANG=en")
            .args(words)
            .output()
            .unwrap()
    };
    let starts = || said(&as_nobody(&["/opt/crm/bin/crm"]));

    let installer = first.to_str().unwrap();
    let output = as_nobody(&["sh", installer, "--all-users", "--server", &address]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said(&output).contains("only root"), "{output:?}");

    inside(&[
        "sh",
        installer,
        "--all-users",
        "--autostart",
        "--server",
        &address,
    ]);
    let menu = inside(&["cat", "/usr/local/share/applications/crm.desktop"]);
    assert!(menu.contains("Exec=\"/opt/crm/bin/crm\"\n"), "{menu}");
    assert!(inside(&["cat", "/etc/xdg/autostart/crm-agent.desktop"]).contains("--root"));
    let active = |unit: &str| systemd.run(&["systemctl", "is-active", unit]).is_ok();
    assert!(active("obnova-desktop-crm.socket"));
    assert!(!active("obnova-desktop-crm.service"), "nobody has asked");
    assert!(starts().starts_with("this is 1.0.0"));

    server.is("1.1.0");
    let tool = "/opt/crm/bin/obnova-desktop";
    let output = as_nobody(&[tool, "--root", "/opt/crm", "update"]);
    assert!(output.status.success(), "{output:?} {}", systemd.log());
    assert!(active("obnova-desktop-crm.service"));
    assert!(starts().starts_with("this is 1.1.0"));
    let owner = inside(&["stat", "-c", "%u %a", "/opt/crm/versions/1.1.0/bin/crm"]);
    assert_eq!(owner.trim(), "0 755");

    // Over it, which changes nothing but the service's own programs; and away.
    let installer = second.to_str().unwrap();
    inside(&["sh", installer, "--all-users", "--silent"]);
    assert!(active("obnova-desktop-crm.socket"));
    inside(&["sh", installer, "--all-users", "--uninstall"]);
    assert!(!active("obnova-desktop-crm.socket"));
    for gone in [
        "/opt/crm",
        "/etc/systemd/system/obnova-desktop-crm.service",
        "/usr/local/share/applications/crm.desktop",
        "/etc/xdg/autostart/crm-agent.desktop",
    ] {
        assert!(systemd.run(&["test", "-e", gone]).is_err(), "{gone}");
    }
}
