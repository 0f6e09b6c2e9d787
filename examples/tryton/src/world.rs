//! The customer: a PostgreSQL server, an installation, and what can be looked at in it.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use obnova_engine::api::{Answer, Outcome, Phase, Problem, Request, State, UpdateSummary};
use obnova_engine::client::Client;
use obnova_testkit::fingerprint::Fingerprint;
use obnova_testkit::postgres::Postgres;
use obnova_tryton::vendor::{Vendor, run};
use rand::distr::{Alphanumeric, SampleString};
use rustix::process::{Pid, Signal, kill_process};

/// The first release, and the role and database of the customer.
pub(crate) const FIRST: &str = "7.0.0";
const CRM: &str = "crm";
/// The vendor's releases, as directories of the example.
const RELEASES: [&str; 4] = [
    "releases/7.0.0",
    "mistakes/7.2.0",
    "mistakes/7.2.1",
    "releases/7.2.2",
];
/// How long the machine may take over anything.
const PATIENCE: Duration = Duration::from_secs(900);

/// Everything that must be exactly as before after an update was undone.
#[derive(Debug, PartialEq)]
pub(crate) struct Was {
    database: String,
    files: Fingerprint,
    program: Fingerprint,
    link: PathBuf,
}

impl Was {
    /// Compares byte for byte, and says what differs; the answer is the number of bytes.
    pub(crate) fn expect_same(&self, later: &Was) -> Result<usize> {
        if self.database != later.database {
            let pairs = self.database.lines().zip(later.database.lines());
            let first = pairs.into_iter().find(|(before, after)| before != after);
            bail!("the database differs: {first:?}");
        }
        self.files.expect_same(&later.files).context("data files")?;
        self.program
            .expect_same(&later.program)
            .context("program")?;
        ensure!(self.link == later.link, "another version is current");
        Ok(self.database.len())
    }
}

/// A customer and their vendor.
pub(crate) struct World {
    pub(crate) vendor: Vendor,
    pub(crate) front: SocketAddr,
    /// The password of Tryton's user admin.
    pub(crate) password: String,
    example: PathBuf,
    obnova: PathBuf,
    state_dir: PathBuf,
    database_password: String,
    up: Option<Child>,
    // Dropped last: the others still talk to it.
    server: Postgres,
}

impl World {
    /// Makes everything in an empty folder, and publishes the first release. Nothing runs yet but PostgreSQL.
    pub(crate) fn make(folder: &Path, example: &Path, wheels: &Path) -> Result<World> {
        let here = std::env::current_exe()?;
        let obnova = here.with_file_name("obnova");
        ensure!(obnova.is_file(), "obnova is not built beside this program");
        let vendor = Vendor::make(&obnova, &folder.join("vendor"), example, wheels, &RELEASES)?;
        vendor.publish(FIRST)?;
        let server = Postgres::start()?;
        let secret = || Alphanumeric.sample_string(&mut rand::rng(), 24);
        let (password, database_password) = (secret(), secret());
        let sql = format!(
            "CREATE ROLE {CRM} LOGIN CREATEDB PASSWORD '{database_password}';\nCREATE DATABASE {CRM} OWNER {CRM};"
        );
        server.sql("postgres", "postgres", &sql)?;
        let world = World {
            vendor,
            front: free_address()?,
            password,
            example: example.to_owned(),
            obnova,
            state_dir: folder.join("customer"),
            database_password,
            up: None,
            server,
        };
        world.configure()?;
        Ok(world)
    }

    /// What the administrator does: the example's installation file, with the places of this machine in it.
    fn configure(&self) -> Result<()> {
        std::fs::create_dir_all(&self.state_dir)?;
        std::fs::copy(self.vendor.root(), self.state_dir.join("root.json"))?;
        self.keep_secret("database-password", &self.database_password)?;
        self.keep_secret("admin-password", &self.password)?;
        let text = std::fs::read_to_string(self.example.join("installation.toml"))?;
        let text = [
            (
                "/srv/vendor/repository",
                self.vendor.repository().display().to_string(),
            ),
            (
                "127.0.0.1:5432",
                format!("127.0.0.1:{}", self.server.port()),
            ),
            ("/var/lib/obnova/crm", self.state_dir.display().to_string()),
            ("0.0.0.0:8080", self.front.to_string()),
            ("0.0.0.0:8081", free_address()?.to_string()),
        ]
        .iter()
        .try_fold(text, |text, (there, here)| {
            ensure!(
                text.contains(there),
                "the example's installation file lacks {there}"
            );
            Ok(text.replace(there, here))
        })?;
        std::fs::write(self.state_dir.join("installation.toml"), text)?;
        Ok(())
    }

    fn keep_secret(&self, name: &str, secret: &str) -> Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.state_dir.join(name))?;
        Ok(file.write_all(secret.as_bytes())?)
    }

    /// `obnova setup`.
    pub(crate) fn setup(&self) -> Result<()> {
        run(self.obnova().args(["setup", "--version", FIRST])).map(drop)
    }

    /// Starts engine, centre and front.
    pub(crate) async fn start(&mut self) -> Result<()> {
        let log = std::fs::File::create(self.state_dir.join("up.log"))?;
        let child = self
            .obnova()
            .arg("up")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        self.up = Some(child);
        let until = Instant::now() + PATIENCE;
        loop {
            let state = self.state().await;
            if state.as_ref().is_ok_and(|state| state.serving.is_some()) {
                break;
            }
            ensure!(Instant::now() < until, "it did not come up: {state:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // Until the whole change-over is done, however busy the machine: what is shown is that no request gets lost.
        let Answer::Settings(mut settings) = self.ask(&Request::Settings).await? else {
            bail!("no settings");
        };
        settings.hold.seconds = PATIENCE.as_secs();
        settings.blackout_deadline_s = Some(PATIENCE.as_secs());
        self.ask(&Request::Configure(settings)).await?;
        Ok(())
    }

    /// One of the example's scripts, with the program of this version.
    pub(crate) fn script(&self, name: &str, version: &str) -> Command {
        let tree = self.state_dir.join("versions").join(version);
        let mut command = Command::new("python3");
        command
            .arg(self.example.join(name))
            .arg("--tree")
            .arg(tree)
            .env("PGPASSWORD", &self.database_password)
            .env("TRYTONPASSFILE", self.state_dir.join("admin-password"));
        command
    }

    /// The database's address, without a password.
    pub(crate) fn database(&self) -> String {
        format!("postgres://{CRM}@127.0.0.1:{}/{CRM}", self.server.port())
    }

    /// Where Tryton's clients find it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/{CRM}", self.front)
    }

    /// Bytes of the database.
    pub(crate) fn database_bytes(&self) -> Result<u64> {
        let sql = format!("SELECT pg_database_size('{CRM}')");
        Ok(self.server.sql("postgres", "postgres", &sql)?.parse()?)
    }

    /// Bytes of all content of the repository, compressed.
    pub(crate) fn content_bytes(&self) -> Result<u64> {
        obnova_tryton::vendor::bytes(&self.vendor.repository().join("content"))
    }

    /// What is there now.
    pub(crate) fn now(&self) -> Result<Was> {
        let link = std::fs::canonicalize(self.state_dir.join("current"))?;
        Ok(Was {
            database: self.server.dump(CRM)?,
            files: Fingerprint::of_tree(self.state_dir.join("data"))?,
            program: Fingerprint::of_tree(&link)?,
            link,
        })
    }

    /// Bytes of memory that each role and the application have, resident.
    pub(crate) fn memory(&self) -> Result<Vec<(&'static str, u64)>> {
        let mut found = Vec::new();
        for role in ["engine", "front", "center"] {
            if let Some(pid) = self.role(role)? {
                found.push((role, resident(pid)?));
            }
        }
        let record = std::fs::read(self.state_dir.join("service.json"))?;
        let record: serde_json::Value = serde_json::from_slice(&record)?;
        let pid = record["pid"].as_i64().context("no process")?;
        found.push(("tryton", resident(pid)?));
        Ok(found)
    }

    fn role(&self, role: &str) -> Result<Option<i64>> {
        for entry in std::fs::read_dir("/proc")? {
            let entry = entry?;
            let Ok(line) = std::fs::read(entry.path().join("cmdline")) else {
                continue;
            };
            let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
            let state = self.state_dir.as_os_str().as_encoded_bytes();
            if words.get(1) == Some(&role.as_bytes()) && words.contains(&state) {
                return Ok(entry.file_name().to_string_lossy().parse().ok());
            }
        }
        Ok(None)
    }

    /// Asks the engine.
    pub(crate) async fn ask(&self, request: &Request) -> Result<Answer> {
        let client = Client::new(&self.state_dir);
        let told = |problem: Problem| {
            anyhow::anyhow!("{}: {}", problem.code, problem.detail.unwrap_or_default())
        };
        client.call(request).await.map_err(told)
    }

    /// The engine's state.
    pub(crate) async fn state(&self) -> Result<State> {
        self.state_of(&Request::State).await
    }

    /// The engine's state, as the answer to this.
    pub(crate) async fn state_of(&self, request: &Request) -> Result<State> {
        match self.ask(request).await? {
            Answer::State(state) => Ok(*state),
            other => bail!("unexpected answer {other:?}"),
        }
    }

    /// Waits until neither an update nor a rehearsal runs and the application serves.
    pub(crate) async fn settled(&self) -> Result<State> {
        let until = Instant::now() + PATIENCE;
        loop {
            let state = self.state().await?;
            if state.phase == Phase::Idle && state.serving.is_some() && state.rehearsing.is_none() {
                return Ok(state);
            }
            ensure!(Instant::now() < until, "it does not settle: {state:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Installs a version, whatever a rehearsal says, and waits for the end.
    pub(crate) async fn update(&self, version: &str) -> Result<UpdateSummary> {
        let before = self.settled().await?.last_update.map(|last| last.update);
        let request = Request::Install {
            version: Some(version.parse().context("a version")?),
            actor: "cli:tryton".to_owned(),
            insist: true,
        };
        self.ask(&request).await?;
        let last = self.settled().await?.last_update.context("no update")?;
        ensure!(before != Some(last.update), "it did not begin");
        ensure!(last.outcome != Outcome::Running, "it did not end");
        Ok(last)
    }

    fn obnova(&self) -> Command {
        let mut command = Command::new(&self.obnova);
        command
            .arg("--state")
            .arg(&self.state_dir)
            .env("LANG", "en");
        command
    }

    /// The end of the log of `obnova up`.
    pub(crate) fn log(&self) -> String {
        let text = std::fs::read_to_string(self.state_dir.join("up.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let Some(mut up) = self.up.take() else {
            return;
        };
        let told = Pid::from_raw(up.id().cast_signed())
            .is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
        if !told || up.wait().is_err() {
            eprintln!("obnova up could not be ended");
        }
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn resident(pid: i64) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kibibytes.context("no VmRSS")?.parse::<u64>()? * 1024)
}
