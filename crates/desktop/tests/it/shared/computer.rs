//! A computer with an installation that all its users share, its service, and two users.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use obnova_desktop::Installing;
use obnova_release::Bundle;
use serde_json::Value;

use crate::world::{CLI, LAUNCHER, World, output, said};

pub const ROOT: u32 = 0;
pub const NOBODY: u32 = 65534;

pub struct Computer {
    pub world: World,
}

impl Computer {
    /// With the first of these versions installed, which the server has.
    pub fn with(versions: &[(&str, &str)]) -> Self {
        let mut world = World::new();
        for (version, does) in versions {
            world.publish(version, "range = \">=1.0.0\"", does);
        }
        world.server.is(versions[0].0);
        // Everybody may look into it, but not into the vendor's keys.
        for (path, mode) in [("", 0o755), ("keys", 0o700)] {
            fs::set_permissions(world.path(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        world.root = world.path("opt/crm");
        let computer = Self { world };
        computer.install(versions[0].0);
        for id in [ROOT, NOBODY] {
            let home = computer.home(id);
            fs::create_dir_all(&home).unwrap();
            std::os::unix::fs::chown(&home, Some(id), Some(id)).unwrap();
        }
        computer
    }

    /// What the installer does for all users.
    pub fn install(&self, version: &str) {
        let package = self.world.path(&format!("package-{version}"));
        let built = self.world.path(&format!("work-{version}/built"));
        let mut files = Bundle::of_built(&built, &obnova_desktop::platform()).unwrap();
        let trust = self.world.path("repository/metadata/1.root.json");
        files.push(("root.json".into(), trust));
        for (name, program) in [("obnova-launcher", LAUNCHER), ("obnova-desktop", CLI)] {
            files.push((format!("bin/{name}"), program.into()));
        }
        for (name, from) in files {
            let to = package.join(name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(from, to).unwrap();
        }
        let installing = Installing {
            package: package.clone(),
            root: self.world.root.clone(),
            server: Some(
                format!("http://{}/", self.world.server.address)
                    .parse()
                    .unwrap(),
            ),
            authorities: None,
            all_users: true,
        };
        let installed = installing.install().unwrap();
        assert!(installed.all_users);
        fs::remove_dir_all(package).unwrap();
        // Not where a real one would be.
        let machine = self.world.root.join("state/machine.json");
        let mut record: Value = serde_json::from_slice(&fs::read(&machine).unwrap()).unwrap();
        record["socket"] = self.socket().to_str().unwrap().into();
        fs::write(machine, record.to_string()).unwrap();
    }

    pub fn socket(&self) -> PathBuf {
        self.world.path("service.sock")
    }

    fn home(&self, id: u32) -> PathBuf {
        self.world.path(&format!("home-{id}"))
    }

    pub fn user(&self, id: u32) -> User<'_> {
        User { computer: self, id }
    }

    /// The version that all users get.
    pub fn current(&self) -> String {
        let machine = fs::read(self.world.root.join("state/machine.json")).unwrap();
        let machine: Value = serde_json::from_slice(&machine).unwrap();
        machine["current"]["version"].as_str().unwrap().to_owned()
    }

    pub fn service(&self) -> Service {
        let mut command = self.world.cli_command(&["service", "--socket"]);
        command.arg(self.socket()).stdin(Stdio::null());
        let service = Service(command.spawn().unwrap());
        let until = Instant::now() + Duration::from_secs(60);
        let is_up = || {
            let asked = std::os::unix::net::UnixStream::connect(self.socket());
            asked.is_ok()
        };
        while !is_up() {
            assert!(Instant::now() < until, "the service does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        service
    }

    /// As systemd starts it.
    pub fn service_on_its_input(&self) -> Service {
        let listener = UnixListener::bind(self.socket()).unwrap();
        fs::set_permissions(self.socket(), fs::Permissions::from_mode(0o666)).unwrap();
        let mut command = self.world.cli_command(&["service"]);
        command.stdin(OwnedFd::from(listener));
        Service(command.spawn().unwrap())
    }
}

/// A running service, killed at the end.
pub struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Somebody who works at the computer.
pub struct User<'a> {
    computer: &'a Computer,
    id: u32,
}

impl User<'_> {
    pub fn home(&self) -> PathBuf {
        self.computer.home(self.id)
    }

    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        self.computer.world.environment(&mut command);
        command
            .uid(self.id)
            .gid(self.id)
            .current_dir("/")
            .env("HOME", self.home())
            .env_remove("XDG_STATE_HOME")
            .env("OBNOVA_TEST_CLI", self.program("obnova-desktop"));
        command
    }

    fn program(&self, name: &str) -> PathBuf {
        self.computer.world.root.join("bin").join(name)
    }

    /// By the product's name, as from a menu.
    pub fn launcher(&self) -> Command {
        self.command(&self.program("crm"))
    }

    pub fn launch(&self) -> String {
        said(&output(&mut self.launcher()))
    }

    pub fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(&self.program("obnova-desktop"));
        command.arg("--root").arg(&self.computer.world.root);
        output(command.args(arguments))
    }

    pub fn status(&self) -> Value {
        let output = self.cli(&["status", "--json"]);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}
