//! One customer's installation, and the machine around it.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use obnova_engine::api::{Answer, Outcome, Phase, Request, State, UpdateSummary};
use obnova_engine::client::Client;
use obnova_testkit::fingerprint::Fingerprint;
use obnova_testkit::sink::Sink;
use rustix::process::{Pid, Signal, kill_process};

use crate::database::{Database, Kind};
use crate::programs::{Programs, run};
use crate::vendor::Vendor;

/// Contacts in the customer's database.
pub const CONTACTS: usize = 20_000;

/// A customer, their vendor, and a mail server.
pub struct World {
    /// Programs.
    pub programs: Programs,
    /// The vendor.
    pub vendor: Vendor,
    /// The customer's state directory.
    pub state_dir: PathBuf,
    /// The CRM's database.
    pub central: Database,
    /// The application's public address.
    pub front: SocketAddr,
    /// The Administration Centre.
    pub center: SocketAddr,
    /// The mail server.
    pub sink: Sink,
    up: Option<Child>,
}

impl World {
    /// Makes everything in an empty folder: keys, repository with 1.0.0, installation with data. Nothing runs yet but the mail server.
    ///
    /// # Errors
    /// Something could not be made.
    pub fn make(folder: &Path, contacts: usize) -> Result<World> {
        World::make_at(folder, contacts, [8080, 8081])
    }

    /// The same on another database.
    ///
    /// # Errors
    /// Something could not be made.
    pub fn make_on(kind: Kind, folder: &Path, contacts: usize) -> Result<World> {
        World::make_with(kind, folder, contacts, [8080, 8081])
    }

    /// The same with other ports for front and centre; 0 is any free one.
    ///
    /// # Errors
    /// Something could not be made.
    pub fn make_at(folder: &Path, contacts: usize, ports: [u16; 2]) -> Result<World> {
        World::make_with(Kind::Sqlite, folder, contacts, ports)
    }

    /// The same, with a Desktop in every release.
    ///
    /// # Errors
    /// Something could not be made.
    pub fn make_with_desktop(
        kind: Kind,
        folder: &Path,
        contacts: usize,
        ports: [u16; 2],
    ) -> Result<World> {
        World::make_of(true, kind, folder, contacts, ports)
    }

    fn make_with(kind: Kind, folder: &Path, contacts: usize, ports: [u16; 2]) -> Result<World> {
        World::make_of(false, kind, folder, contacts, ports)
    }

    fn make_of(
        with_desktop: bool,
        kind: Kind,
        folder: &Path,
        contacts: usize,
        ports: [u16; 2],
    ) -> Result<World> {
        let programs = Programs::find()?;
        let mut vendor = Vendor::make(&programs, &folder.join("vendor"))?;
        if with_desktop {
            vendor = vendor.with_desktop()?;
        }
        vendor.publish("1.0.0")?;
        let state_dir = folder.join("customer");
        std::fs::create_dir_all(state_dir.join("data"))?;
        let central = Database::make(kind, &state_dir)?;
        let sink = Sink::start_in(folder.join("mails"))?;
        let (front, center) = (free_port(ports[0])?, free_port(ports[1])?);
        let world = World {
            programs,
            vendor,
            state_dir,
            central,
            front,
            center,
            sink,
            up: None,
        };
        world.configure()?;
        run(world.obnova().args(["setup", "--version", "1.0.0"]))?;
        run(Command::new(&world.programs.crm)
            .args(["seed", "--contacts", &contacts.to_string()])
            .args([
                "--tree".as_ref(),
                world.state_dir.join("current").as_os_str(),
            ])
            .args(["--files".as_ref(), world.files().as_os_str()])
            .args(["--database", &world.central.url()])
            .envs(world.central.env()))?;
        Ok(world)
    }

    fn configure(&self) -> Result<()> {
        std::fs::copy(self.vendor.root(), self.state_dir.join("root.json")).context("root.json")?;
        let text = format!(
            "product = \"vzor-crm\"\n\n\
             [releases]\nsource = {:?}\n\n\
             {}\n\
             [data]\ndirectories = [\"data/files\"]\n\n\
             [front]\nlisten = \"{}\"\n\n\
             [center]\nlisten = \"{}\"\n",
            self.vendor.repository().display().to_string(),
            self.central.section(),
            self.front,
            self.center
        );
        std::fs::write(self.state_dir.join("installation.toml"), text).context("installation.toml")
    }

    /// The `obnova` command for this installation.
    pub fn obnova(&self) -> Command {
        let mut command = Command::new(&self.programs.obnova);
        command
            .arg("--state")
            .arg(&self.state_dir)
            .env("LANG", "en");
        command
    }

    /// The CRM's database file, where it is on SQLite.
    pub fn database(&self) -> PathBuf {
        self.state_dir.join("data/crm.db")
    }

    /// The CRM's data files.
    pub fn files(&self) -> PathBuf {
        self.state_dir.join("data/files")
    }

    /// The engine.
    pub fn engine(&self) -> Client {
        Client::new(&self.state_dir)
    }

    /// Starts engine, centre and front, and waits until the application answers through the front.
    ///
    /// # Errors
    /// It did not come up within a minute; the log tells why.
    pub async fn start(&mut self) -> Result<()> {
        let log = std::fs::File::create(self.state_dir.join("up.log"))?;
        let child = self
            .obnova()
            .arg("up")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        self.up = Some(child);
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let served = self.served_version().await;
            let centre = reqwest::get(format!("http://{}/healthz", self.center)).await;
            if served.is_ok() && centre.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if Instant::now() > until {
                bail!(
                    "the installation did not come up; see {}",
                    self.state_dir.join("up.log").display()
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends everything as Ctrl-C would, and waits for it.
    ///
    /// # Errors
    /// It could not be told, or did not end well.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut up) = self.up.take() else {
            return Ok(());
        };
        let pid = Pid::from_raw(up.id().cast_signed()).context("a process number")?;
        kill_process(pid, Signal::TERM)?;
        let status = up.wait()?;
        if !status.success() {
            bail!("obnova up ended with {status}");
        }
        Ok(())
    }

    /// What the front's application says its version is.
    ///
    /// # Errors
    /// It does not answer, or not with a version.
    pub async fn served_version(&self) -> Result<String> {
        let answer = reqwest::get(format!("http://{}/api/version", self.front))
            .await?
            .error_for_status()?;
        let body: serde_json::Value = answer.json().await?;
        Ok(body["version"]
            .as_str()
            .context("no version in the answer")?
            .to_owned())
    }

    /// The engine's state.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn state(&self, request: Request) -> Result<State> {
        match self.engine().call(&request).await {
            Ok(Answer::State(state)) => Ok(*state),
            Ok(other) => bail!("unexpected answer {other:?}"),
            Err(problem) => bail!("{}: {}", problem.code, problem.detail.unwrap_or_default()),
        }
    }

    /// The newest update, once none is running and it is at least the one with this number.
    ///
    /// # Errors
    /// It did not end within two minutes.
    pub async fn ended_update(&self, at_least: u64) -> Result<UpdateSummary> {
        let until = Instant::now() + Duration::from_secs(120);
        while Instant::now() < until {
            let state = self.state(Request::State).await?;
            if let (Phase::Idle, Some(last)) = (&state.phase, &state.last_update)
                && last.update >= at_least
                && last.outcome != Outcome::Running
            {
                return Ok(last.clone());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("update {at_least} did not end in time")
    }

    /// Everything that must be exactly as before after an update was undone: the database's content, the data files, and the
    /// program's tree, with modes and times.
    ///
    /// # Errors
    /// Something cannot be read.
    pub async fn fingerprints(&self) -> Result<[Fingerprint; 3]> {
        let program = std::fs::canonicalize(self.state_dir.join("current"))?;
        Ok([
            self.central.fingerprint().await?,
            Fingerprint::of_tree(self.files())?,
            Fingerprint::of_tree(program)?,
        ])
    }
}

/// The engine's process: the one child of `obnova up` that was started as `engine` for this state directory.
///
/// # Errors
/// There is none.
pub fn engine_pid(state_dir: &Path) -> Result<Pid> {
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let Ok(number) = entry.file_name().to_string_lossy().parse::<i32>() else {
            continue;
        };
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        let is_engine = words.get(1) == Some(&b"engine".as_slice());
        if is_engine && words.contains(&state_dir.as_os_str().as_encoded_bytes()) {
            return Pid::from_raw(number).context("a process number");
        }
    }
    bail!("no engine runs for {}", state_dir.display())
}

impl Drop for World {
    fn drop(&mut self) {
        // A test that failed half-way must not leave servers behind.
        if let Err(error) = self.stop() {
            eprintln!("{error:#}");
        }
    }
}

/// The wanted port of loopback, or any free one when somebody has it, or another world of this process is about to.
fn free_port(wanted: u16) -> Result<SocketAddr> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    for port in [wanted].into_iter().chain(std::iter::repeat_n(0, 100)) {
        let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) else {
            continue;
        };
        let address = listener.local_addr()?;
        if given.insert(address.port()) {
            return Ok(address);
        }
    }
    bail!("no port of loopback is free")
}
