//! One life: an installation in its place, with everything that belongs to it as real processes.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use obnova_demo::programs::Programs;
use obnova_engine::api::{Answer, Event, Phase, Request, State};
use obnova_engine::client::Client;
use obnova_testkit::fingerprint::Fingerprint;
use obnova_testkit::sink::{Received, Sink, SinkOptions};
use obnova_testkit::volume::Volume;

use crate::app::{App, Clients, Contents};
use crate::control;
use crate::place;
use crate::planted::Planted;
use crate::postgres;
use crate::processes;
use crate::repository;
use crate::roles::{self, failed};
use crate::supervisor::Supervisor;
use crate::watch::Watch;

/// How long anything may take that is sure to come, with the CRM.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A part of it that can die by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The engine.
    Engine,
    /// The Administration Centre.
    Centre,
    /// The front.
    Front,
    /// The application.
    Application,
    /// A migration, when one runs.
    Migration,
    /// The database server, where there is one.
    Database,
}

/// Ports on 127.0.0.1. The installation is configured for the first of each pair; the second is where the server really
/// listens. They are the same unless a fault puts something between ([`crate::fault::Fault::prepare`]).
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// The front.
    pub front: u16,
    /// The Administration Centre.
    pub centre: u16,
    /// The release repository, over HTTP.
    pub repository: (u16, u16),
    /// The mail server.
    pub smtp: (u16, u16),
    /// The database server, where there is one.
    pub database: (u16, u16),
}

impl Default for Ports {
    fn default() -> Ports {
        Ports {
            front: 8080,
            centre: 8081,
            repository: (8090, 8090),
            smtp: (2525, 2525),
            database: (5433, 5433),
        }
    }
}

/// One life. All of it lies in a network, process and mount namespace of its own, so that lives do not see each other and have
/// the same paths and ports; only time and disk are shared.
pub struct World {
    /// Where everything of the installation is, state directory and database; a volume of its own if a fault wants one.
    /// Nothing of the harness's is open in there.
    pub folder: PathBuf,
    /// Logs and what is kept of a failed round; outside of `folder`.
    pub out: PathBuf,
    /// The ports.
    pub ports: Ports,
    /// The application.
    pub app: App,
    /// The mail server, when it runs.
    pub sink: Option<Sink>,
    /// Starts again what dies.
    pub supervisor: Supervisor,
    /// The volume, where the folder is one.
    pub volume: Option<Volume>,
    /// Sees every change to the disk.
    pub watch: Arc<Watch>,
    /// Whether a process stands still at the moment of a strike: waiting for the engine to do something would be in vain.
    pub stands_still: bool,
    /// Mails of mail servers that have ended.
    earlier_mails: Vec<Received>,
    http: reqwest::Client,
    clients: Arc<dyn Clients>,
    programs: Programs,
    runtime: tokio::runtime::Runtime,
}

impl World {
    /// A life in this place, in which an installation has been laid down. Nothing runs yet.
    ///
    /// # Errors
    /// Something could not be made.
    pub fn new(app: App, volume: Option<Volume>, planted: Option<Planted>) -> Result<World> {
        let out = place::out();
        let ports = Ports::default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(app.patience(Duration::from_secs(20)))
            .pool_max_idle_per_host(0)
            .build()?;
        let watch = Watch::new(&out.join("changes.log"), planted)?;
        control::listen(&World::socket(), Arc::clone(&watch) as _)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let world = World {
            folder: place::world(),
            supervisor: Supervisor::new(out.clone()),
            out,
            clients: app.of().clients(http.clone(), ports.front),
            ports,
            app,
            sink: None,
            volume,
            watch,
            stands_still: false,
            earlier_mails: Vec::new(),
            http,
            programs: Programs::find()?,
            runtime,
        };
        world.set_env("LANG", "en");
        world.set_env("TMPDIR", &place::temporary().display().to_string());
        Ok(world)
    }

    fn socket() -> PathBuf {
        // Not in the installation's folder, whose file system may go.
        place::out().join("changes.sock")
    }

    /// The state directory.
    pub fn state_dir(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Puts this into the environment of every role that is started from now on.
    pub fn set_env(&self, name: &str, value: &str) {
        self.supervisor.set_env(name, value);
    }

    /// The installation's configuration.
    pub fn configuration(app: &App, folder: &std::path::Path, ports: &Ports) -> String {
        format!(
            "product = {:?}\n\n[releases]\nsource = \"http://127.0.0.1:{}/\"\n\n{}\n\
             [data]\ndirectories = [\"data/files\"]\n\n[front]\nlisten = \"127.0.0.1:{}\"\n\n\
             [center]\nlisten = \"127.0.0.1:{}\"\n",
            app.of().product(),
            ports.repository.0,
            app.section(folder, ports),
            ports.front,
            ports.centre
        )
    }

    /// Starts the mail server and the vendor's repository, which are not the customer's.
    ///
    /// # Errors
    /// A port is taken.
    pub fn start_outside(&mut self) -> Result<()> {
        self.start_sink()?;
        repository::serve(
            place::prepared().join("vendor/repository"),
            self.ports.repository.1,
        )
    }

    /// Ends the mail server; nobody listens on its port then.
    pub fn stop_sink(&mut self) {
        if let Some(sink) = self.sink.take() {
            self.earlier_mails.extend(sink.messages());
        }
    }

    /// All mails that have come.
    pub fn mails(&self) -> Vec<Received> {
        let mut mails = self.earlier_mails.clone();
        mails.extend(self.sink.iter().flat_map(Sink::messages));
        mails
    }

    /// Starts the mail server, or starts it again.
    ///
    /// # Errors
    /// The port is taken.
    pub fn start_sink(&mut self) -> Result<()> {
        self.sink = Some(Sink::with(SinkOptions {
            port: self.ports.smtp.1,
            directory: Some(self.out.join("mails")),
            ..SinkOptions::default()
        })?);
        Ok(())
    }

    /// Starts the database server, where there is one, and waits until it takes connections.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start_database(&self) -> Result<()> {
        if self.app.server(&self.folder, &self.ports)?.is_none() {
            return Ok(());
        }
        postgres::make_log(&self.out.join("database.log"))?;
        let (app, folder, ports) = (self.app.clone(), self.folder.clone(), self.ports);
        let first = AtomicBool::new(true);
        self.supervisor.keep(Who::Database, move || {
            if !first.swap(false, Ordering::Relaxed) {
                postgres::wait_until_wanted(&folder);
            }
            app.server(&folder, &ports)?.context("a server")
        })?;
        postgres::wait(&self.folder, &self.ports)
    }

    /// Starts engine, centre and front.
    ///
    /// # Errors
    /// A log cannot be made.
    pub fn start(&self) -> Result<()> {
        let harness = std::env::current_exe()?;
        let state = self.state_dir();
        let obnova = self.programs.obnova.clone();
        self.supervisor.keep(Who::Engine, {
            let state = state.clone();
            move || {
                let mut command = Command::new(&harness);
                command.arg(roles::ENGINE).arg(&state).arg(World::socket());
                Ok(command)
            }
        })?;
        for (who, role) in [(Who::Centre, "center"), (Who::Front, "front")] {
            let (state, obnova) = (state.clone(), obnova.clone());
            self.supervisor.keep(who, move || {
                let mut command = Command::new(&obnova);
                command.arg(role).arg("--state").arg(&state);
                Ok(command)
            })?;
        }
        Ok(())
    }

    /// As [`PATIENCE`], for this application.
    pub fn patience(&self) -> Duration {
        self.app.patience(PATIENCE)
    }

    /// Waits until everything answers.
    ///
    /// # Errors
    /// It does not in time.
    pub fn wait_until_up(&self) -> Result<()> {
        let until = Instant::now() + self.patience();
        loop {
            let is_up = || -> Result<()> {
                self.served_version()?;
                self.get(self.ports.centre, "/healthz")?;
                self.settled_state().map(drop)
            };
            match is_up() {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > until => {
                    return Err(error.context("it does not come up"));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(30)),
            }
        }
    }

    /// A client that keeps no connections: making one anew for each question costs more than all else.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// The harness's own way through the front.
    pub fn clients(&self) -> &dyn Clients {
        self.clients.as_ref()
    }

    /// Waits for a future.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Where futures run by themselves.
    pub fn runtime(&self) -> &tokio::runtime::Handle {
        self.runtime.handle()
    }

    /// Asks the engine.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub fn ask(&self, request: &Request) -> Result<Answer> {
        let client = Client::new(&self.state_dir());
        let asked =
            async { tokio::time::timeout(Duration::from_secs(30), client.call(request)).await };
        self.block_on(asked)
            .context("the engine does not answer in time")?
            .map_err(failed)
    }

    /// The engine's state.
    ///
    /// # Errors
    /// It does not answer.
    pub fn state(&self) -> Result<State> {
        match self.ask(&Request::State)? {
            Answer::State(state) => Ok(*state),
            other => bail!("unexpected answer {other:?}"),
        }
    }

    /// The engine's state, if nothing runs and requests are let through.
    ///
    /// # Errors
    /// It is not settled.
    pub fn settled_state(&self) -> Result<State> {
        let state = self.state()?;
        if state.phase != Phase::Idle {
            bail!("the engine is at work: {:?}", state.phase);
        }
        if state.serving.is_none() {
            bail!("the engine says that nothing serves");
        }
        Ok(state)
    }

    /// Every event of the journal, as the file says.
    ///
    /// # Errors
    /// It does not read.
    pub fn events(&self) -> Result<Vec<Event>> {
        let text = std::fs::read_to_string(self.state_dir().join("journal.jsonl"))?;
        text.lines()
            .map(|line| {
                let (_, json) = line.split_once(' ').context("a line without a chain")?;
                Ok(serde_json::from_str(json)?)
            })
            .collect()
    }

    fn get(&self, port: u16, path: &str) -> Result<String> {
        self.block_on(async {
            let answer = self
                .http
                .get(format!("http://127.0.0.1:{port}{path}"))
                .send()
                .await?;
            Ok(answer.error_for_status()?.text().await?)
        })
    }

    /// What the application behind the front says its version is.
    ///
    /// # Errors
    /// It does not answer.
    pub fn served_version(&self) -> Result<String> {
        self.block_on(self.clients.read())
    }

    /// What the centre tells a Desktop.
    ///
    /// # Errors
    /// It does not answer.
    pub fn greeting(&self) -> Result<serde_json::Value> {
        Ok(serde_json::from_str(
            &self.get(self.ports.centre, "/desktop/v1/hello")?,
        )?)
    }

    /// Everything that must be exactly old or exactly new.
    ///
    /// # Errors
    /// Something cannot be read.
    pub fn contents(&self) -> Result<Contents> {
        let mut contents = Contents::new();
        let mut add = |what: &str, found: &Fingerprint| {
            for (name, value) in found.entries() {
                contents.insert(format!("{what} {name}"), value.to_owned());
            }
        };
        add("database:", &self.app.of().database(self)?);
        add(
            "file",
            &Fingerprint::of_tree(self.state_dir().join("data/files"))?,
        );
        let current = std::fs::canonicalize(self.state_dir().join("current"))?;
        add("program", &Fingerprint::of_tree(current)?);
        contents.insert("served".to_owned(), self.served_version()?);
        contents.insert("installed".to_owned(), self.state()?.installed.to_string());
        Ok(contents)
    }

    /// The process of a part, if it runs.
    pub fn pid(&self, who: Who) -> Option<i32> {
        match who {
            Who::Engine | Who::Centre | Who::Front => self.supervisor.pid(who),
            Who::Application => processes::recorded(&self.state_dir().join("service.json")),
            Who::Migration => processes::recorded(&self.state_dir().join("migration.json")),
            Who::Database => self.app.server_pid(&self.folder),
        }
    }

    /// Kills all of these that run (SIGKILL) and waits until they are gone. They are started again by the supervisor, as
    /// systemd would, or by the engine.
    ///
    /// # Errors
    /// One does not die.
    pub fn kill(&mut self, who: &[Who]) -> Result<()> {
        if who == [Who::Migration] && !self.stands_still {
            // It lives shortly: the moment is as random as its beginning.
            let until = Instant::now() + Duration::from_millis(1500);
            while self.pid(Who::Migration).is_none() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        let pids: Vec<i32> = who.iter().filter_map(|who| self.pid(*who)).collect();
        self.watch.note(&format!("-- kill {who:?}: {pids:?}"));
        processes::kill(&pids)
    }

    /// Kills every process of this life at once and starts none until [`World::power_on`]: what happens to processes when the
    /// power goes. What happens to the disk is another matter.
    ///
    /// # Errors
    /// One does not die.
    pub fn power_off(&mut self) -> Result<()> {
        self.supervisor.suspend();
        loop {
            let pids: Vec<i32> = processes::others()?.iter().map(|it| it.pid).collect();
            if pids.is_empty() {
                return Ok(());
            }
            processes::kill(&pids)?;
        }
    }

    /// Starts everything again after [`World::power_off`].
    pub fn power_on(&mut self) {
        self.supervisor.resume();
    }
}
