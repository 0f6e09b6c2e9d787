//! A vendor, an installation of the test application, and the roles as processes.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use obnova_release::publish::{BuildOptions, InitOptions, Vendor, build, init, publish};

/// How long anything may take before it is a failure.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// An installation in a directory of its own, which every user may come through.
pub struct World {
    dir: tempfile::TempDir,
    running: Vec<Child>,
}

impl World {
    /// A repository with 1.0.0, and the installation file with these lines besides; nothing is installed yet.
    pub fn new(more: &str) -> Result<World> {
        let dir = tempfile::tempdir()?;
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755))?;
        let world = World {
            dir,
            running: Vec::new(),
        };
        let keys = world.path("keys");
        let initialised = init(
            &world.vendor(),
            &InitOptions {
                online_keys: keys.clone(),
                offline_keys: keys,
                root: (1, 1),
                targets: (1, 1),
            },
        )?;
        std::fs::create_dir(world.state())?;
        std::fs::copy(initialised.root, world.state().join("root.json"))?;
        world.publish("1.0.0", r#""1""#, "")?;
        std::fs::write(
            world.state().join("installation.toml"),
            format!(
                "product = \"test-app\"\n[releases]\nsource = \"../repository\"\n[data]\ndirectories = [\"data\"]\n\
                 [front]\nlisten = \"127.0.0.1:{}\"\n[center]\nlisten = \"127.0.0.1:{}\"\n{more}",
                free_port()?,
                free_port()?
            ),
        )?;
        Ok(world)
    }

    /// A path in the world.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// What the roles have written to their logs.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("roles.log")).unwrap_or_default()
    }

    /// What the migration of an update has said.
    pub fn migration_log(&self, update: u64) -> Result<String> {
        let path = self.state().join(format!("log/migrate-{update}.log"));
        let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn vendor(&self) -> Vendor {
        Vendor::new(self.path("repository"), vec![self.path("keys")])
    }

    /// Publishes a version whose migration gets these words; a shell's words before it, `$@` being the migration.
    pub fn publish(&self, version: &str, migrate: &str, shell: &str) -> Result<()> {
        let work = self.path(&format!("work-{version}"));
        std::fs::create_dir_all(work.join("tree/bin"))?;
        std::fs::copy(test_app()?, work.join("tree/bin/test-app"))?;
        // Its own database is a file, whatever is configured.
        let place = r#""--database", "${data}/app.db", "--data", "${data}""#;
        let before = match shell {
            "" => String::new(),
            text => format!("\"/bin/sh\", \"-c\", {}, \"sh\", ", serde_json::json!(text)),
        };
        std::fs::write(
            work.join("release.toml"),
            format!(
                "product = \"test-app\"\nname = \"Test\"\nversion = \"{version}\"\ndate = \"2026-01-01\"\n\
                 support_email = \"support@vendor.example\"\n[server]\n\
                 start = [\"${{tree}}/bin/test-app\", \"serve\", \"--port\", \"${{port}}\", \"--version\", \
                 \"{version}\", {place}]\n\
                 migrate = [{before}\"${{tree}}/bin/test-app\", \"migrate\", \"--to\", {migrate}, {place}]\n\
                 health_seconds = 30\n[[server.health]]\npath = \"/health\"\ncontains = \"{version}\"\n\
                 [database]\nchange = \"migrate\"\n[notes]\nen = \"{version}\"\ncs = \"{version}\"\n"
            ),
        )?;
        let out = self.path(&format!("built-{version}"));
        build(&BuildOptions {
            description: work.join("release.toml"),
            tree: work.join("tree"),
            out: out.clone(),
        })?;
        publish(&self.vendor(), &out)?;
        Ok(())
    }

    /// The program with these words, about this installation.
    pub fn obnova(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_obnova"));
        command.args(words).arg("--state").arg(self.state());
        command
    }

    /// Runs a command of the program to its end, which must be this one.
    pub fn run(&self, words: &[&str], code: i32) -> Result<String> {
        let output = self.obnova(words).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + String::from_utf8_lossy(&output.stderr).as_ref();
        ensure!(
            output.status.code() == Some(code),
            "obnova {}: {}\n{said}\n{}",
            words.join(" "),
            output.status,
            self.log()
        );
        Ok(said)
    }

    /// Starts a role, or whatever goes on for long; it is ended with the world.
    pub fn start(&mut self, mut command: Command) -> Result<u32> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("roles.log"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let id = child.id();
        self.running.push(child);
        Ok(id)
    }

    /// Waits for something that is asked for over the network.
    pub async fn wait_async(&self, what: &str, is_so: impl AsyncFn() -> bool) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while !is_so().await {
            ensure!(
                Instant::now() < until,
                "{what} does not come\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Waits for something.
    pub fn wait(&self, what: &str, mut is_so: impl FnMut() -> bool) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while !is_so() {
            if Instant::now() > until {
                bail!("{what} does not come\n{}", self.log());
            }
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for child in &mut self.running {
            // Asked first: they end what they have started.
            let asked = Command::new("kill").arg(child.id().to_string()).status();
            let until = Instant::now() + Duration::from_secs(20);
            while asked.is_ok() && matches!(child.try_wait(), Ok(None)) && Instant::now() < until {
                sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn test_app() -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_BIN_EXE_obnova")).with_file_name("test-app");
    ensure!(
        path.is_file(),
        "{} is not built; run: cargo build -p obnova-testkit --bins",
        path.display()
    );
    Ok(path)
}

/// A port that nobody listens on.
pub fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0");
    Ok(listener.context("no port")?.local_addr()?.port())
}
