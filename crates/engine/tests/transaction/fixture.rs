//! An installation of the test application with its vendor, and the engine as a process.

// Named, since the tests of rehearsals have this file too.
#[path = "fixture/deeds.rs"]
mod deeds;
#[path = "fixture/releases.rs"]
mod releases;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use obnova_engine::api::{
    Answer, Outcome, Phase, ProtectedCopy, Request, RevertPlan, State, UpdateSummary,
};
use obnova_engine::client::Client;
use obnova_engine::{Engine, Installation, Moment, Options, setup};
use obnova_release::publish::{InitOptions, init};
use obnova_testkit::fingerprint::Fingerprint;

pub use deeds::{Deed, TAKEN, kill_recorded};
use deeds::{left_over, processes_naming};
pub use releases::Release;
use releases::{RELEASES, publish_release, vendor};
#[allow(unused_imports)] // for the tests of rehearsals
pub use releases::{release, test_app};

/// An engine that is idle for so long has nothing more to do.
const SETTLED: Duration = Duration::from_millis(700);
/// How long anything may take before it is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A prepared installation of 1.0.0, made once and copied for every try.
fn prepared() -> Result<&'static Path> {
    static PREPARED: OnceLock<Result<tempfile::TempDir, String>> = OnceLock::new();
    let made = PREPARED.get_or_init(|| prepare().map_err(|error| format!("{error:#}")));
    made.as_ref()
        .map(tempfile::TempDir::path)
        .map_err(|error| anyhow::anyhow!("{error}"))
}

fn prepare() -> Result<tempfile::TempDir> {
    let dir = tempfile::tempdir()?;
    let (keys, vendor) = (dir.path().join("keys"), vendor(dir.path()));
    let options = InitOptions {
        online_keys: keys.clone(),
        offline_keys: keys,
        root: (1, 1),
        targets: (1, 1),
    };
    let initialised = init(&vendor, &options)?;
    for release in &RELEASES {
        publish_release(dir.path(), &vendor, release)?;
    }
    let state = dir.path().join("state");
    std::fs::create_dir_all(state.join("data/letters"))?;
    std::fs::copy(initialised.root, state.join("root.json"))?;
    std::fs::write(state.join("data/letters/first.txt"), "kept\n")?;
    std::fs::write(
        state.join("installation.toml"),
        "product = \"test-app\"\n[releases]\nsource = \"../repository\"\n\
         [database]\ndriver = \"sqlite\"\npath = \"app.db\"\n[data]\ndirectories = [\"data\"]\n\
         [front]\nlisten = \"127.0.0.1:0\"\n[center]\nlisten = \"127.0.0.1:0\"\n",
    )?;
    let installation = Installation::load(&state).map_err(failed)?;
    setup::install(&installation, Some("1.0.0".parse()?), &mut |_, _| ()).map_err(failed)?;
    Ok(dir)
}

fn failed(problem: obnova_engine::api::Problem) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", problem.code, problem.detail.unwrap_or_default())
}

/// One try: a copy of the prepared installation.
pub struct Try {
    dir: tempfile::TempDir,
    engine: Option<Child>,
    runtime: tokio::runtime::Runtime,
}

/// Everything that must be as before after an update was undone.
#[derive(Debug, PartialEq)]
pub struct Was {
    database: Fingerprint,
    files: Fingerprint,
    program: Fingerprint,
    version: String,
}

impl Was {
    /// Without what users wrote, where they went on writing.
    pub fn without_writes(mut self) -> Was {
        self.database = self
            .database
            .without(|name| name.starts_with("table writes row"));
        self
    }

    /// Without a database's own files among the data: what is in it is compared as such.
    pub fn without_database_files(mut self) -> Was {
        self.files = self.files.without(|name| name.starts_with("app.db"));
        self
    }

    /// Compares, and says what differs.
    pub fn expect_same(&self, later: &Was) -> Result<()> {
        self.database
            .expect_same(&later.database)
            .context("the database")?;
        self.files
            .expect_same(&later.files)
            .context("the data files")?;
        self.program
            .expect_same(&later.program)
            .context("the program")?;
        ensure!(
            self.version == later.version,
            "it serves {} instead of {}",
            later.version,
            self.version
        );
        Ok(())
    }
}

impl Try {
    /// Copies the prepared installation; nothing runs yet.
    pub fn new() -> Result<Try> {
        Try::new_in(&std::env::temp_dir())
    }

    /// The same in a folder of this one.
    pub fn new_in(place: &Path) -> Result<Try> {
        let dir = tempfile::tempdir_in(place)?;
        let status = Command::new("cp")
            .arg("-a")
            .arg(prepared()?.join("."))
            .arg(dir.path())
            .status()?;
        ensure!(status.success(), "cp failed");
        Try::of(dir)
    }

    /// One of an installation that lies in `state` of this directory.
    pub fn of(dir: tempfile::TempDir) -> Result<Try> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Try {
            dir,
            engine: None,
            runtime,
        })
    }

    /// The state directory.
    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// The repository, to be damaged.
    pub fn repository(&self) -> PathBuf {
        self.dir.path().join("repository")
    }

    /// Adds a release to the repository.
    pub fn publish(&self, release: &Release) -> Result<()> {
        publish_release(self.dir.path(), &vendor(self.dir.path()), release)
    }

    /// Starts an engine that kills itself at this moment, or at none.
    pub fn start(&mut self, kill: Option<Moment>) -> Result<()> {
        self.start_to(kill.map(|moment| (moment, Deed::Die)))
    }

    /// Starts an engine with these variables in its environment besides.
    #[allow(dead_code)] // for the tests of rehearsals
    pub fn start_with(&mut self, env: &[(&str, &str)]) -> Result<()> {
        self.start_in(&[], env, None)
    }

    /// Starts an engine as the user `nobody`, to whom all of this is given.
    #[allow(dead_code)] // for the tests of rehearsals
    pub fn start_as_nobody(&mut self) -> Result<()> {
        let program = self.dir.path().join("engine");
        std::fs::copy(std::env::current_exe()?, &program)?;
        let given = Command::new("chown")
            .args(["-R", "65534:65534"])
            .arg(self.dir.path())
            .status()?;
        ensure!(given.success(), "chown failed");
        let program = program.display().to_string();
        let words = [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            &program,
        ];
        self.start_in(&words, &[], None)
    }

    /// Starts an engine that does this at this moment, or nothing.
    pub fn start_to(&mut self, deed: Option<(Moment, Deed)>) -> Result<()> {
        self.start_in(&[], &[], deed)
    }

    fn start_in(
        &mut self,
        words: &[&str],
        env: &[(&str, &str)],
        deed: Option<(Moment, Deed)>,
    ) -> Result<()> {
        let mut command = match words.split_first() {
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments);
                command
            }
            None => Command::new(std::env::current_exe()?),
        };
        command.arg("engine").arg(self.state_dir());
        command.envs(env.iter().copied());
        if let Some((moment, deed)) = deed {
            let (when, number) = match moment {
                Moment::Before(number) => ("before", number),
                Moment::After(number) => ("after", number),
            };
            command.args([when, &number.to_string(), deed.name()]);
        }
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.path().join("engine.log"))?;
        self.engine = Some(
            command
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                .spawn()?,
        );
        Ok(())
    }

    /// Asks the engine, waiting until it listens.
    pub fn ask(&self, request: &Request) -> Result<Answer> {
        let client = Client::new(&self.state_dir());
        let until = Instant::now() + PATIENCE;
        loop {
            match self.runtime.block_on(client.call(request)) {
                Err(problem) if problem.code == "engine-unreachable" && Instant::now() < until => {
                    sleep(Duration::from_millis(10))
                }
                other => return other.map_err(failed),
            }
        }
    }

    /// The state.
    pub fn state(&self) -> Result<State> {
        match self.ask(&Request::State)? {
            Answer::State(state) => Ok(*state),
            other => bail!("unexpected answer {other:?}"),
        }
    }

    /// Looks for releases, so that one can be installed.
    pub fn check(&self) -> Result<State> {
        match self.ask(&Request::Check)? {
            Answer::State(state) => Ok(*state),
            other => bail!("unexpected answer {other:?}"),
        }
    }

    /// Asks for an update; the engine may be dead before it can answer.
    pub fn install(&self, version: &str) -> Result<()> {
        let request = Request::Install {
            version: Some(version.parse()?),
            actor: "test".to_owned(),
            insist: true,
        };
        let client = Client::new(&self.state_dir());
        match self.runtime.block_on(client.call(&request)) {
            Ok(_) => Ok(()),
            Err(problem) if problem.code == "engine-unreachable" => Ok(()),
            Err(problem) => Err(failed(problem)),
        }
    }

    /// What going back would lose.
    pub fn revert_plan(&self) -> Result<RevertPlan> {
        match self.ask(&Request::RevertPlan)? {
            Answer::RevertPlan(plan) => Ok(*plan),
            other => bail!("unexpected answer {other:?}"),
        }
    }

    /// Asks for the way back to before an update; the engine may be dead before it can answer.
    pub fn ask_back(&self, update: u64) -> Result<()> {
        let request = Request::Revert {
            update,
            actor: "test".to_owned(),
        };
        let client = Client::new(&self.state_dir());
        match self.runtime.block_on(client.call(&request)) {
            Ok(_) => Ok(()),
            Err(problem) if problem.code == "engine-unreachable" => Ok(()),
            Err(problem) => Err(failed(problem)),
        }
    }

    /// Goes back to before an update, to its end.
    pub fn revert(&self, update: u64) -> Result<UpdateSummary> {
        self.ask_back(update)?;
        let last = self.settled()?.last_update.context("no update")?;
        ensure!(last.outcome != Outcome::Running, "it still runs");
        Ok(last)
    }

    /// Protected copies that are kept.
    pub fn copies(&self) -> Result<Vec<ProtectedCopy>> {
        match self.ask(&Request::Copies)? {
            Answer::Copies { copies } => Ok(copies),
            other => bail!("unexpected answer {other:?}"),
        }
    }

    /// Waits until nothing runs and requests are let through.
    pub fn settled(&self) -> Result<State> {
        let until = Instant::now() + PATIENCE;
        loop {
            let state = self.state()?;
            if state.phase == Phase::Idle && state.serving.is_some() {
                return Ok(state);
            }
            if Instant::now() > until {
                bail!("it did not settle: {state:?}\n{}", self.engine_log());
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Runs an update to its end, through all versions of the click.
    pub fn update(&self, version: &str) -> Result<UpdateSummary> {
        self.check()?;
        self.install(version)?;
        let until = Instant::now() + PATIENCE;
        loop {
            let last = self.settled()?.last_update.context("no update")?;
            ensure!(last.outcome != Outcome::Running, "it still runs");
            // Between two versions it is idle for a moment.
            if last.outcome != Outcome::Completed || last.then.is_empty() {
                return Ok(last);
            }
            ensure!(
                Instant::now() < until,
                "what follows is not begun: {last:?}"
            );
            sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the engine has killed itself; `false` when it has nothing more to do and lives.
    pub fn killed(&mut self) -> Result<bool> {
        let engine = self.engine.as_mut().context("no engine")?;
        let until = Instant::now() + PATIENCE;
        let mut idle_since = None::<Instant>;
        loop {
            if engine.try_wait()?.is_some() {
                self.engine = None;
                return Ok(true);
            }
            // An engine that dies while it is asked is no failure here.
            let client = Client::new(&self.dir.path().join("state"));
            let idle = matches!(
                self.runtime.block_on(client.call(&Request::State)),
                Ok(Answer::State(state)) if state.phase == Phase::Idle && state.last_update.is_some() && state.serving.is_some()
            );
            // Between two versions of one click it is idle for a moment, too.
            match (idle, idle_since) {
                (true, Some(since)) if since + SETTLED < Instant::now() => return Ok(false),
                (true, None) => idle_since = Some(Instant::now()),
                (true, Some(_)) => {}
                (false, _) => idle_since = None,
            }
            ensure!(
                Instant::now() < until,
                "neither killed nor done\n{}",
                self.engine_log()
            );
            sleep(Duration::from_millis(10));
        }
    }

    /// What users wrote, as the application knows it.
    pub fn written(&self) -> Result<Vec<String>> {
        let address = self.settled()?.serving.context("it does not serve")?;
        let ids = self.runtime.block_on(async {
            let answer = reqwest::get(format!("http://{address}/ids")).await?;
            answer.error_for_status()?.json().await
        })?;
        Ok(ids)
    }

    /// Ends the engine and its application as `obnova up` does when it is told to end.
    pub fn stop_engine(&mut self) -> Result<()> {
        self.ask(&Request::Shutdown {
            stop_application: true,
        })?;
        let mut engine = self.engine.take().context("no engine")?;
        let status = engine.wait()?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }

    /// Kills the engine from outside.
    pub fn kill_engine(&mut self) -> Result<()> {
        let mut engine = self.engine.take().context("no engine")?;
        engine.kill()?;
        engine.wait()?;
        Ok(())
    }

    /// What is there now; the application must serve.
    pub fn now(&self) -> Result<Was> {
        let state = self.settled()?;
        let address = state.serving.context("it does not serve")?;
        let body: serde_json::Value = self.runtime.block_on(async {
            reqwest::get(format!("http://{address}/health"))
                .await?
                .error_for_status()?
                .json()
                .await
        })?;
        let current = std::fs::canonicalize(self.state_dir().join("current"))?;
        Ok(Was {
            database: self
                .runtime
                .block_on(Fingerprint::of_sqlite(std::fs::canonicalize(
                    self.state_dir().join("app.db"),
                )?))?,
            files: Fingerprint::of_tree(self.state_dir().join("data"))?,
            program: Fingerprint::of_tree(current)?,
            version: body["version"].as_str().unwrap_or_default().to_owned(),
        })
    }

    /// Writes a row through the application.
    pub fn write(&self, id: &str) -> Result<()> {
        let address = self.settled()?.serving.context("it does not serve")?;
        self.runtime.block_on(async {
            let client = reqwest::Client::new();
            let request = client
                .post(format!("http://{address}/write"))
                .json(&serde_json::json!({ "id": id }));
            request.send().await?.error_for_status()
        })?;
        Ok(())
    }

    /// Ends engine and application, and looks that nothing is left of them.
    pub fn end(mut self) -> Result<()> {
        self.ask(&Request::Shutdown {
            stop_application: true,
        })?;
        let mut engine = self.engine.take().context("no engine")?;
        let status = engine.wait()?;
        ensure!(
            status.success(),
            "the engine ended with {status}\n{}",
            self.engine_log()
        );
        let left = processes_naming(&self.state_dir())?;
        ensure!(left.is_empty(), "still running: {left:?}");
        let root = self.state_dir().join("protected");
        let mode = std::fs::metadata(&root)?.permissions().mode();
        ensure!(mode & 0o077 == 0, "others can read protected copies");
        let protected = std::fs::read_dir(root).into_iter().flatten().count();
        ensure!(protected <= 1, "{protected} protected copies are left over");
        let reserved = std::fs::read_dir(self.state_dir().join("reserved"));
        let reserved = reserved.into_iter().flatten().flatten();
        let reserved: Vec<_> = reserved.filter(|it| it.file_name() != "last").collect();
        ensure!(reserved.is_empty(), "still reserved: {reserved:?}");
        let left = left_over(&self.state_dir());
        ensure!(left.is_empty(), "left over: {left:?}");
        Ok(())
    }

    /// What the engine said.
    pub fn engine_log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("engine.log")).unwrap_or_default()
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        if let Some(mut engine) = self.engine.take() {
            let _ = engine.kill();
            let _ = engine.wait();
        }
        // A failed try must not leave its application running.
        for pid in processes_naming(&self.state_dir()).unwrap_or_default() {
            if let Some(pid) = rustix::process::Pid::from_raw(pid) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

/// Becomes the application.
pub fn launch() -> ExitCode {
    if let Some(plan) = obnova_engine::launch::parse(std::env::args_os().skip(2)) {
        eprintln!("{}", obnova_engine::launch::run(&plan));
    }
    ExitCode::FAILURE
}

/// Is the engine: `STATE [before|after NUMBER DEED]`.
pub fn engine(arguments: &[String]) -> ExitCode {
    match run_engine(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_engine(arguments: &[String]) -> Result<()> {
    let installation = Installation::load(Path::new(&arguments[0])).map_err(failed)?;
    let moment = match arguments.get(1).map(String::as_str) {
        Some("before") => Some(Moment::Before(arguments[2].parse()?)),
        Some("after") => Some(Moment::After(arguments[2].parse()?)),
        _ => None,
    };
    let deed = Deed::ALL
        .into_iter()
        .find(|deed| arguments.get(3).is_some_and(|name| name == deed.name()));
    let state = installation.state_dir.clone();
    let observer = move |now: Moment| {
        if let Some(deed) = deed.filter(|_| Some(now) == moment) {
            deed.act(&state);
        }
    };
    let launcher = vec![
        std::env::current_exe()?.display().to_string(),
        "launch".to_owned(),
    ];
    let engine = Engine::open(
        installation,
        Options {
            launcher,
            worker: vec![
                std::env::current_exe()?.display().to_string(),
                "rehearse".to_owned(),
            ],
            observer: Some(Box::new(observer)),
        },
    )
    .map_err(failed)?;
    obnova_engine::server::run(&engine).map_err(failed)
}
