//! A vendor with three versions, a customer's server, and a computer that has the first of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use obnova_desktop::{Desktop, Wanted};
use obnova_release::publish::{self, BuildOptions};

use crate::program::SCRIPT;
use crate::world::{World, program};

/// How long anything may take on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// What a version's notes and limits are.
const NOTES: [(&str, &str, &str); 3] = [
    ("1.0.0", "První vydání.", "The first release."),
    (
        "1.1.0",
        "**Kalendář** ukazuje schůzky celého týmu.\n\n- Týdenní a měsíční pohled\n- Tisk do PDF",
        "The **calendar** shows the whole team's meetings.\n\n- Week and month at a glance\n- Printing as PDF",
    ),
    (
        "1.2.0",
        "Nabídky lze *podepsat* přímo v okně.\n\n1. Otevřete nabídku\n2. Klikněte na **Podepsat**\n\nHledání je třikrát rychlejší.",
        "Offers can be *signed* right in the window.\n\n1. Open an offer\n2. Click **Sign**\n\nSearching is three times as fast.",
    ),
];
const LIMITED: (&str, &str) = (
    "Nabídky lze číst, ale ne podepisovat.",
    "Offers can be read, but not signed.",
);

/// All of it; gone at the end of the test.
pub struct Scene {
    pub world: World,
}

impl Scene {
    /// The server is `server`; 1.0.0 is installed. The server works with all versions if `lenient`, otherwise with its own.
    pub fn new(server: &str, lenient: bool) -> Self {
        Self::with(server, lenient, 64 << 10, SCRIPT)
    }

    /// With this many bytes to download for each version, and this for what the newest one does.
    pub fn with(server: &str, lenient: bool, size: usize, newest: &str) -> Self {
        let scene = Self {
            world: World::new(),
        };
        for (number, (version, cs, en)) in NOTES.iter().enumerate() {
            let does = match number {
                2 => newest,
                _ => SCRIPT,
            };
            scene.publish(version, [cs, en], lenient, size, does);
        }
        scene.world.server.is("1.0.0");
        scene.world.update().unwrap();
        scene.world.server.is(server);
        let bin = scene.world.root.join("bin");
        fs::create_dir_all(&bin).unwrap();
        std::os::unix::fs::symlink(built("obnova-launcher"), bin.join("obnova-launcher")).unwrap();
        scene
    }

    fn publish(&self, version: &str, notes: [&str; 2], lenient: bool, size: usize, does: &str) {
        let work = self.world.path(&format!("made-{version}"));
        let desktop = work.join("desktop");
        for directory in ["tree/bin", "desktop/bin"] {
            fs::create_dir_all(work.join(directory)).unwrap();
        }
        let server = work.join("tree/bin/server");
        fs::write(&server, "server").unwrap();
        program::make_executable(&server);
        program::write(&desktop, version, does);
        let seed = version.bytes().map(u64::from).sum();
        let large = crate::world::noise(seed, size);
        fs::write(desktop.join("large"), large).unwrap();
        let range = match lenient {
            true => ">=1.0.0".to_owned(),
            false => format!("={version}"),
        };
        let limited = match version {
            "1.2.0" => format!(
                "limited = {{ cs = {:?}, en = {:?} }}\n",
                LIMITED.0, LIMITED.1
            ),
            _ => String::new(),
        };
        let text = format!(
            "product = \"crm\"\nname = \"CRM\"\nversion = \"{version}\"\ndate = \"2026-11-24\"\n\
             [server]\nstart = [\"${{tree}}/bin/server\"]\n[[server.health]]\npath = \"/\"\n\
             [notes]\ncs = {:?}\nen = {:?}\n\
             [desktop]\nrange = \"{range}\"\n{limited}[desktop.platforms.{}]\nstart = [\"${{tree}}/{file}\"]\n\
             check = [\"${{tree}}/{file}\", \"self-check\"]\nconfirm_seconds = 60\n",
            notes[0],
            notes[1],
            obnova_desktop::platform(),
            file = program::FILE,
        );
        fs::write(work.join("release.toml"), text).unwrap();
        let options = BuildOptions {
            description: work.join("release.toml"),
            tree: work.join("tree"),
            out: work.join("built"),
        };
        let desktops = BTreeMap::from([(obnova_desktop::platform(), desktop)]);
        publish::build_with_desktops(&options, &desktops).unwrap();
        publish::publish(&self.world.vendor(), &options.out).unwrap();
    }

    pub fn desktop(&self) -> Desktop {
        self.world.desktop()
    }

    pub fn wanted(&self) -> Wanted {
        self.desktop().check().unwrap().wanted.unwrap()
    }

    /// Writes the administrator's policy.
    pub fn policy(&self, text: &str) {
        fs::write(self.world.root.join("policy.toml"), text).unwrap();
    }

    /// Starts the program as its user does.
    pub fn launch(&self) -> Running {
        let mut command = Command::new(self.world.root.join("bin/obnova-launcher"));
        command.env("OBNOVA_LAUNCHER_ROOT", &self.world.root);
        self.environment(&mut command);
        Running(command.spawn().unwrap())
    }

    pub fn environment(&self, command: &mut Command) {
        command
            .env("OBNOVA_TEST_LOG", self.world.path("log"))
            .env("OBNOVA_TEST_EXE", std::env::current_exe().unwrap())
            .env("OBNOVA_TEST_UNFIT", self.world.path("unfit"))
            .env_remove("OBNOVA_DESKTOP_ROOT");
    }

    /// Which versions were started, each with its arguments.
    pub fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.world.path("log")).unwrap_or_default();
        log.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// Waits for it.
    pub fn until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        until(what, || is(self).then_some(()));
    }

    /// Applies what the server wants, as somebody else does it.
    pub fn update(&self) {
        self.world.update().unwrap();
    }
}

impl Drop for Scene {
    /// Programs that the launcher has started end by themselves then.
    fn drop(&mut self) {
        fs::write(self.world.path("close"), "").unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until
            && self
                .desktop()
                .open_programs()
                .is_ok_and(|open| !open.is_empty())
        {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A process that ends with the test.
pub struct Running(pub Child);

impl Running {
    /// Waits for its end; its exit code.
    pub fn code(&mut self) -> i32 {
        let status = until("the end of the program", || self.0.try_wait().unwrap());
        status.code().unwrap_or(-1)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program of this workspace.
pub fn built(name: &str) -> PathBuf {
    let gui = Path::new(env!("CARGO_BIN_EXE_obnova-desktop-gui"));
    let path = gui.with_file_name(name);
    assert!(path.is_file(), "first: cargo build --workspace --bins");
    path
}

pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}
