//! The packaged units as they are, but for two paths, on a real systemd: the three roles with their own accounts and restrictions,
//! the application as a unit and a user of its own, an update that works and one that does not.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use obnova_engine::api::{Answer, Isolation, RehearsalOutcome, Request};
use obnova_engine::client::Client;
use obnova_release::publish::{BuildOptions, InitOptions, Vendor, build, init, publish};
use obnova_testkit::systemd::Systemd;

const PATIENCE: Duration = Duration::from_secs(60);
const UNITS: [&str; 3] = [
    "obnova-engine.service",
    "obnova-center.service",
    "obnova-front.service",
];
/// The worst that each may be, of 10, by `systemd-analyze security`.
const EXPOSURE: [&str; 3] = ["50", "20", "20"];

#[test]
fn the_packaged_units_run_an_update_with_no_more_rights_than_they_need() -> Result<()> {
    let machine = Machine::new()?;
    machine.units_are_sound()?;
    machine.run(&["useradd", "--system", "--no-create-home", "crm"])?;
    machine
        .obnova(&["setup", "--version", "1.0.0"])?
        .expect(0)?;
    machine.run(&["systemctl", "start", UNITS[0], UNITS[1], UNITS[2]])?;
    machine.await_version("1.0.0")?;
    machine.accounts_are_right()?;

    machine.rehearsal_is_cut_off()?;
    machine.obnova(&["install", "1.1.0"])?.expect(0)?;
    machine.await_version("1.1.0")?;
    // Its migration fails half-way, as a rehearsal would tell too.
    machine.publish("1.2.0", r#""3", "--fail-at", "3""#)?;
    machine.obnova(&["check"])?.expect(0)?;
    machine
        .obnova(&["install", "1.2.0", "--insist"])?
        .expect(3)?;
    machine.await_version("1.1.0")?;
    machine.data_is_the_applications()?;

    machine.engine_may_come_and_go()?;
    // A centre that reaches the engine shows which version is installed.
    machine.await_answer(machine.center, "1.1.0")?;
    Ok(())
}

struct Machine {
    dir: tempfile::TempDir,
    systemd: Systemd,
    front: u16,
    center: u16,
}

impl Machine {
    /// A vendor's repository, a state directory as the guide says, and the packaged files in place.
    fn new() -> Result<Machine> {
        // Not below /tmp or /root, which are not there for the units.
        let dir = tempfile::Builder::new()
            .prefix("units-")
            .tempdir_in("/var/lib")?;
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755))?;
        let machine = Machine {
            systemd: Systemd::start()?,
            front: free_port()?,
            center: free_port()?,
            dir,
        };
        std::fs::copy(env!("CARGO_BIN_EXE_obnova"), machine.program())?;
        machine.make_repository()?;
        machine.write_installation()?;
        for unit in UNITS {
            machine.place(
                &format!("systemd/{unit}"),
                &machine.systemd.units().join(unit),
            )?;
        }
        let [users, files] = ["sysusers.d", "tmpfiles.d"].map(|kind| {
            let file = machine.dir.path().join(kind);
            machine
                .place(&format!("{kind}/obnova.conf"), &file)
                .map(|()| file.display().to_string())
        });
        machine.run(&["systemd-sysusers", &users?])?;
        machine.run(&["systemd-tmpfiles", "--create", &files?])?;
        machine.run(&["systemctl", "daemon-reload"])?;
        Ok(machine)
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn program(&self) -> PathBuf {
        self.dir.path().join("obnova")
    }

    /// Puts a packaged file in its place, with the paths of this machine.
    fn place(&self, name: &str, to: &Path) -> Result<()> {
        let packaged = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging");
        let text = std::fs::read_to_string(packaged.join(name))?
            .replace("/usr/bin/obnova", &self.program().display().to_string())
            .replace("/var/lib/obnova", &self.state().display().to_string());
        Ok(std::fs::write(to, text)?)
    }

    fn vendor(&self) -> Vendor {
        let place = |name: &str| self.dir.path().join(name);
        Vendor::new(place("repository"), vec![place("keys")])
    }

    fn make_repository(&self) -> Result<()> {
        let keys = self.dir.path().join("keys");
        let options = InitOptions {
            online_keys: keys.clone(),
            offline_keys: keys,
            root: (1, 1),
            targets: (1, 1),
        };
        let initialised = init(&self.vendor(), &options)?;
        std::fs::create_dir(self.state())?;
        std::fs::copy(initialised.root, self.state().join("root.json"))?;
        self.publish("1.0.0", r#""1""#)?;
        self.publish("1.1.0", r#""2""#)
    }

    /// Publishes a version whose migration gets these words.
    fn publish(&self, version: &str, migrate: &str) -> Result<()> {
        let work = self.dir.path().join(format!("work-{version}"));
        std::fs::create_dir_all(work.join("tree/bin"))?;
        std::fs::copy(test_app()?, work.join("tree/bin/test-app"))?;
        let place = r#""--database", "${database}", "--data", "${data}""#;
        std::fs::write(
            work.join("release.toml"),
            format!(
                "product = \"test-app\"\nname = \"Test\"\nversion = \"{version}\"\ndate = \"2026-01-01\"\n[server]\n\
                 start = [\"${{tree}}/bin/test-app\", \"serve\", \"--port\", \"${{port}}\", \"--version\", \
                 \"{version}\", {place}]\n\
                 migrate = [\"${{tree}}/bin/test-app\", \"migrate\", \"--to\", {migrate}, {place}]\n\
                 health_seconds = 30\n[[server.health]]\npath = \"/health\"\ncontains = \"{version}\"\n\
                 [database]\nchange = \"migrate\"\n[notes]\nen = \"{version}\"\ncs = \"{version}\"\n"
            ),
        )?;
        let out = self.dir.path().join(format!("built-{version}"));
        build(&BuildOptions {
            description: work.join("release.toml"),
            tree: work.join("tree"),
            out: out.clone(),
        })?;
        publish(&self.vendor(), &out)?;
        Ok(())
    }

    fn write_installation(&self) -> Result<()> {
        let secrets = self.state().join("secrets.toml");
        std::fs::write(&secrets, "API_KEY = \"the-applications-secret\"\n")?;
        Ok(std::fs::write(
            self.state().join("installation.toml"),
            format!(
                "product = \"test-app\"\n[releases]\nsource = \"../repository\"\n[database]\ndriver = \"sqlite\"\n\
                 path = \"database/app.db\"\n[data]\ndirectories = [\"data\"]\n\
                 [service]\ndriver = \"systemd\"\nuser = \"crm\"\nsecrets = \"secrets.toml\"\n\
                 [front]\nlisten = \"127.0.0.1:{}\"\n[center]\nlisten = \"127.0.0.1:{}\"\n",
                self.front, self.center
            ),
        )?)
    }

    fn run(&self, words: &[&str]) -> Result<String> {
        self.systemd.run(words).with_context(|| self.logs())
    }

    /// An administrator's command.
    fn obnova(&self, words: &[&str]) -> Result<Done> {
        self.as_user(&[], words)
    }

    fn as_user(&self, before: &[&str], words: &[&str]) -> Result<Done> {
        let program = self.program().display().to_string();
        let state = self.state().display().to_string();
        let all: Vec<&str> = before
            .iter()
            .copied()
            .chain([program.as_str()])
            .chain(words.iter().copied())
            .chain(["--state", &state])
            .collect();
        let output = self.systemd.command(all[0])?.args(&all[1..]).output()?;
        Ok(Done {
            words: words.join(" "),
            output,
        })
    }

    fn units_are_sound(&self) -> Result<()> {
        for (unit, worst) in UNITS.iter().zip(EXPOSURE) {
            let path = self.systemd.units().join(unit).display().to_string();
            let complaints = self.run(&["systemd-analyze", "verify", &path])?;
            ensure!(complaints.is_empty(), "{complaints}");
            let threshold = format!("--threshold={worst}");
            let told = self.run(&[
                "systemd-analyze",
                "security",
                "--offline=true",
                &threshold,
                &path,
            ])?;
            let exposure = told.lines().rfind(|line| line.contains("exposure"));
            println!("{}", exposure.unwrap_or_default());
        }
        Ok(())
    }

    fn accounts_are_right(&self) -> Result<()> {
        for (unit, user) in UNITS.iter().zip(["root", "obnova-center", "obnova-front"]) {
            ensure!(
                self.user_of(unit)? == user,
                "{unit} runs as {}",
                self.user_of(unit)?
            );
        }
        let application = self.application()?;
        ensure!(
            self.user_of(&application)? == "crm",
            "the application is not crm's"
        );
        let status = ["status"];
        // Those in the group may ask the engine; the application may not.
        let centre = [
            "setpriv",
            "--reuid=obnova-center",
            "--regid=obnova-center",
            "--init-groups",
        ];
        self.as_user(&centre, &status)?.expect(0)?;
        // Each may ask for what it is there for.
        let front = [
            "setpriv",
            "--reuid=obnova-front",
            "--regid=obnova-front",
            "--init-groups",
        ];
        for (who, words) in [
            (&centre, "recover"),
            (&centre, "doctor"),
            (&front, "history"),
        ] {
            let refused = self.as_user(who, &[words])?;
            ensure!(
                String::from_utf8_lossy(&refused.output.stderr).contains("[access]"),
                "{} may ask for {words}: {refused:?}",
                who[1]
            );
        }
        let crm = ["setpriv", "--reuid=crm", "--regid=crm", "--init-groups"];
        let refused = self.as_user(&crm, &status)?;
        ensure!(
            !refused.output.status.success(),
            "the application may ask the engine"
        );
        // What only the engine may read does not come to the others, and comes to the application.
        let main = self.property(&application, "MainPID")?;
        let environment = self.run(&["cat", &format!("/proc/{main}/environ")])?;
        ensure!(
            environment.contains("API_KEY=the-applications-secret"),
            "the secret is missing"
        );
        let seen = self
            .systemd
            .command("setpriv")?
            .args(&centre[1..])
            .args(["grep", "-rs", "the-applications-secret"])
            .arg(self.state())
            .output()?;
        ensure!(
            seen.stdout.is_empty(),
            "the centre reads {}",
            String::from_utf8_lossy(&seen.stdout)
        );
        Ok(())
    }

    /// What a rehearsal needs is among what the engine's unit is left with.
    fn rehearsal_is_cut_off(&self) -> Result<()> {
        let ask = |request: Request| {
            let client = Client::new(&self.state());
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            match runtime.block_on(client.call(&request)) {
                Ok(Answer::State(state)) => Ok(state),
                other => bail!("{request:?}: {other:?}"),
            }
        };
        ask(Request::Check)?;
        let actor = "test".to_owned();
        let version = Some("1.1.0".parse()?);
        ask(Request::Rehearse { version, actor })?;
        let began = Instant::now();
        loop {
            let state = ask(Request::State)?;
            let offer = state.check.and_then(|check| check.offer);
            let rehearsal = offer.and_then(|offer| offer.rehearsal);
            if let Some(rehearsal) = rehearsal.filter(|_| state.rehearsing.is_none()) {
                ensure!(
                    rehearsal.outcome == RehearsalOutcome::Passed
                        && rehearsal.isolation == Isolation::Network,
                    "{rehearsal:?}"
                );
                return Ok(());
            }
            ensure!(
                began.elapsed() < 2 * PATIENCE,
                "the rehearsal does not end: {:?}",
                state.rehearsing
            );
            sleep(Duration::from_millis(200));
        }
    }

    fn data_is_the_applications(&self) -> Result<()> {
        let owner = std::fs::metadata(self.state().join("data"))?.uid();
        ensure!(owner != 0, "the data are root's");
        for entry in ["database/app.db", "data", "database"] {
            let path = self.state().join(entry);
            ensure!(
                path.metadata()?.uid() == owner,
                "{} is not crm's any more",
                path.display()
            );
        }
        Ok(())
    }

    /// The application goes on while the engine is restarted, and while it is killed.
    fn engine_may_come_and_go(&self) -> Result<()> {
        let application = self.application()?;
        let before = self.property(&application, "MainPID")?;
        self.run(&["systemctl", "restart", UNITS[0]])?;
        self.await_version("1.1.0")?;
        let engine = self.property(UNITS[0], "MainPID")?;
        self.run(&["kill", "-KILL", &engine])?;
        let began = Instant::now();
        while [engine.as_str(), "0"].contains(&self.property(UNITS[0], "MainPID")?.as_str()) {
            ensure!(began.elapsed() < PATIENCE, "the engine does not come back");
            sleep(Duration::from_millis(100));
        }
        self.await_version("1.1.0")?;
        ensure!(
            self.property(&application, "MainPID")? == before,
            "it was started again"
        );
        Ok(())
    }

    /// The unit that the engine made.
    fn application(&self) -> Result<String> {
        let units = self.run(&[
            "systemctl",
            "list-units",
            "--plain",
            "--no-legend",
            "obnova-test-app-*",
        ])?;
        let unit = units.split_whitespace().next();
        Ok(unit.context("the application has no unit")?.to_owned())
    }

    fn property(&self, unit: &str, name: &str) -> Result<String> {
        let value = self.run(&["systemctl", "show", "--value", "--property", name, unit])?;
        Ok(value.trim().to_owned())
    }

    fn user_of(&self, unit: &str) -> Result<String> {
        let main = self.property(unit, "MainPID")?;
        let user = self.run(&["ps", "-o", "user:32=", "-p", &main])?;
        Ok(user.trim().to_owned())
    }

    fn await_version(&self, version: &str) -> Result<()> {
        self.await_answer(self.front, version)
    }

    fn await_answer(&self, port: u16, text: &str) -> Result<()> {
        let began = Instant::now();
        loop {
            let answer = self.get(port);
            if answer.as_ref().is_ok_and(|answer| answer.contains(text)) {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                bail!("no {text} from port {port}: {answer:?}\n{}", self.logs());
            }
            sleep(Duration::from_millis(100));
        }
    }

    fn get(&self, port: u16) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let path = if port == self.front { "/health" } else { "/" };
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn logs(&self) -> String {
        let mut text = self.systemd.log();
        for unit in UNITS {
            let status = ["systemctl", "status", "--no-pager", "--full", unit];
            text += &self
                .systemd
                .run(&status)
                .unwrap_or_else(|error| error.to_string());
        }
        let log = self.state().join("log/application.log");
        text + std::fs::read_to_string(log).unwrap_or_default().as_str()
    }
}

impl Drop for Machine {
    /// So that systemd removes what it made for the units in this machine's /tmp.
    fn drop(&mut self) {
        let units = self.systemd.command("systemctl");
        let stopped = units.map(|mut command| command.arg("stop").args(UNITS).status());
        if !matches!(stopped, Ok(Ok(status)) if status.success()) {
            eprintln!("the units could not be stopped");
        }
    }
}

#[derive(Debug)]
struct Done {
    words: String,
    output: Output,
}

impl Done {
    fn expect(self, code: i32) -> Result<()> {
        ensure!(
            self.output.status.code() == Some(code),
            "obnova {}: {}\n{}{}",
            self.words,
            self.output.status,
            String::from_utf8_lossy(&self.output.stdout),
            String::from_utf8_lossy(&self.output.stderr)
        );
        Ok(())
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn test_app() -> Result<PathBuf> {
    let obnova = Path::new(env!("CARGO_BIN_EXE_obnova"));
    let path = obnova.with_file_name("test-app");
    ensure!(
        path.is_file(),
        "{} is not built; run: cargo build -p obnova-testkit --bins",
        path.display()
    );
    Ok(path)
}
