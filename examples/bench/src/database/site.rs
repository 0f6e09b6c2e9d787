//! A customer who runs the CRM on that server, and its vendor.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use obnova_demo::programs::{self, Programs};
use obnova_demo::vendor::Vendor;
use obnova_engine::api::{Answer, Outcome, Phase, Request, State, UpdateSummary};
use obnova_engine::client::Client;
use rustix::process::{Pid, Signal, kill_process};

use super::place::{Ground, PASSWORD, run};
use super::rungs::section;

/// What is installed, and what it is updated to.
pub(crate) const OLD: &str = "1.0.0";
pub(crate) const NEW: &str = "1.1.0";
/// Contacts in the CRM's own tables.
const CONTACTS: &str = "20000";
/// How long anything may take that is not measured.
const PATIENCE: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(10);

/// See the module.
pub(crate) struct Site {
    programs: Programs,
    vendor: Vendor,
    folder: tempfile::TempDir,
    front: SocketAddr,
    center: SocketAddr,
    database: String,
    client: reqwest::Client,
}

impl Site {
    /// The installation with the old version and its data; nothing of it runs.
    pub(crate) fn make(ground: &Ground) -> Result<Site> {
        let programs = Programs::find()?;
        let folder = tempfile::tempdir_in(&ground.directory)?;
        let vendor = Vendor::make(&programs, &folder.path().join("vendor"))?;
        vendor.publish(OLD)?;
        let site = Site {
            programs,
            vendor,
            front: free_address()?,
            center: free_address()?,
            database: format!("postgres://crm@127.0.0.1:{}/crm", ground.server.port()),
            folder,
            client: reqwest::Client::builder().no_proxy().build()?,
        };
        std::fs::create_dir_all(site.state_dir().join("data"))?;
        site.configure(ground, "file_system")?;
        programs::run(site.obnova().args(["setup", "--version", OLD]))?;
        programs::run(
            site.crm("seed", &site.state_dir().join("versions").join(OLD))
                .args(["--contacts", CONTACTS]),
        )?;
        site.vendor.publish(NEW)?;
        run(Command::new("cp")
            .args(["-a", "--reflink=auto"])
            .args([site.state_dir(), site.folder.path().join("template")]))?;
        Ok(site)
    }

    /// Its state directory.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.folder.path().join("customer")
    }

    /// Where people find it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.front)
    }

    fn configure(&self, ground: &Ground, rung: &str) -> Result<()> {
        let state = self.state_dir();
        std::fs::copy(self.vendor.root(), state.join("root.json"))?;
        let password = state.join("database-password");
        std::fs::write(&password, PASSWORD)?;
        std::fs::set_permissions(&password, PermissionsExt::from_mode(0o600))?;
        let text = format!(
            "product = \"vzor-crm\"\n[releases]\nsource = {:?}\n{}[data]\ndirectories = [\"data/files\"]\n\
             [front]\nlisten = \"{}\"\n[center]\nlisten = \"{}\"\n",
            self.vendor.repository().display().to_string(),
            section(
                ground,
                rung,
                &self.database,
                "password_file = \"database-password\"\n"
            ),
            self.front,
            self.center
        );
        Ok(std::fs::write(state.join("installation.toml"), text)?)
    }

    /// Makes the installation what it was before any update, protected by this rung from now on.
    pub(crate) fn reset(&self, ground: &Ground, rung: &str) -> Result<()> {
        let state = self.state_dir();
        std::fs::remove_dir_all(&state)?;
        run(Command::new("cp")
            .args(["-a", "--reflink=auto"])
            .args([&self.folder.path().join("template"), &state]))?;
        self.configure(ground, rung)
    }

    fn obnova(&self) -> Command {
        let mut command = Command::new(&self.programs.obnova);
        command
            .arg("--state")
            .arg(self.state_dir())
            .env("LANG", "en");
        command
    }

    /// The CRM as its tree has it, for this installation's data.
    fn crm(&self, what: &str, tree: &Path) -> Command {
        let mut command = Command::new(tree.join("bin/crm"));
        command
            .arg(what)
            .arg("--tree")
            .arg(tree)
            .args(["--database", &self.database])
            .arg("--files")
            .arg(self.state_dir().join("data/files"))
            .env("PGPASSWORD", PASSWORD);
        command
    }

    /// The tree of a version as the vendor made it.
    pub(crate) fn tree(&self, version: &str) -> PathBuf {
        self.folder
            .path()
            .join("vendor/work")
            .join(version)
            .join("tree")
    }

    /// Starts the CRM without Obnova.
    pub(crate) fn serve(&self, version: &str) -> Result<Server> {
        let address = free_address()?;
        let child = self
            .crm("serve", &self.tree(version))
            .args(["--listen", &address.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Server { child, address })
    }

    /// Runs the CRM's own migration without Obnova.
    pub(crate) fn migrate(&self, version: &str) -> Result<()> {
        programs::run(&mut self.crm("migrate", &self.tree(version))).map(drop)
    }

    /// Waits until it answers as the release's probes want it.
    pub(crate) async fn wait_healthy(&self, address: SocketAddr, version: &str) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        let probes = [("/health", version), ("/health/deep", "ok")];
        'again: loop {
            ensure!(Instant::now() < until, "{version} does not come up");
            for (path, text) in probes {
                if !self.answers(address, path, text).await {
                    tokio::time::sleep(POLL).await;
                    continue 'again;
                }
            }
            return Ok(());
        }
    }

    async fn answers(&self, address: SocketAddr, path: &str, text: &str) -> bool {
        let Ok(answer) = self
            .client
            .get(format!("http://{address}{path}"))
            .send()
            .await
        else {
            return false;
        };
        let is_good = answer.status().is_success();
        is_good && answer.text().await.is_ok_and(|body| body.contains(text))
    }

    /// Starts engine, centre and front, and waits until the old version serves.
    pub(crate) async fn up(&self) -> Result<Up> {
        let log = std::fs::File::create(self.folder.path().join("up.log"))?;
        let child = self
            .obnova()
            .arg("up")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let up = Up(Some(child));
        self.wait_healthy(self.front, OLD)
            .await
            .with_context(|| self.log())?;
        Ok(up)
    }

    /// Installs the new version and waits for the end.
    pub(crate) async fn update(&self) -> Result<UpdateSummary> {
        self.state(&Request::Check).await?;
        let request = Request::Install {
            version: Some(NEW.parse()?),
            actor: "cli:bench".to_owned(),
            insist: true,
        };
        self.ask(&request).await?;
        let until = Instant::now() + PATIENCE;
        loop {
            let state = self.state(&Request::State).await?;
            if let (Phase::Idle, Some(last)) = (&state.phase, &state.last_update)
                && last.outcome != Outcome::Running
            {
                ensure!(
                    last.outcome == Outcome::Completed,
                    "it was undone: {:?}",
                    last.problem
                );
                return Ok(last.clone());
            }
            ensure!(
                Instant::now() < until,
                "the update does not end: {}",
                self.log()
            );
            tokio::time::sleep(POLL).await;
        }
    }

    async fn state(&self, request: &Request) -> Result<State> {
        match self.ask(request).await? {
            Answer::State(state) => Ok(*state),
            other => bail!("unexpected answer {other:?}"),
        }
    }

    async fn ask(&self, request: &Request) -> Result<Answer> {
        match Client::new(&self.state_dir()).call(request).await {
            Ok(answer) => Ok(answer),
            Err(problem) => bail!("{}: {}", problem.code, problem.detail.unwrap_or_default()),
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("up.log")).unwrap_or_default()
    }
}

/// The CRM without Obnova.
pub(crate) struct Server {
    child: Child,
    /// Where it serves.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Has it end as its release says, and waits for that.
    pub(crate) fn stop(mut self) -> Result<()> {
        end(&mut self.child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended, unless something went wrong before it was to.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Engine, centre and front.
pub(crate) struct Up(Option<Child>);

impl Up {
    /// Ends all of it, the application too.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.0.take().map_or(Ok(()), |mut child| end(&mut child))
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take()
            && let Err(error) = end(&mut child)
        {
            eprintln!("{error:#}");
        }
    }
}

fn end(child: &mut Child) -> Result<()> {
    let pid = Pid::from_raw(child.id().cast_signed()).context("a process number")?;
    // It may have ended by itself, and waits for being asked how.
    let _ = kill_process(pid, Signal::TERM);
    let status = child.wait()?;
    ensure!(status.success(), "it ended with {status}");
    Ok(())
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
