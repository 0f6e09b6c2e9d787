//! A customer whose vendor has published a Desktop, and the engine and the centre that offer it: each its own process, as shipped.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use obnova_demo::programs::{self, Programs};
use obnova_engine::api::{DESKTOPS_NAME, Request};
use obnova_engine::client::Client;
use rand::{Rng, SeedableRng, rngs::SmallRng};

const VERSION: &str = "1.0.0";
const PLATFORM: &str = "linux-x86_64";
/// How long the engine may take to copy what the vendor has published, and the centre to answer.
const PATIENCE: Duration = Duration::from_secs(120);
/// The files of a Desktop: how many of which part of its size. A program, its libraries, pictures and texts, as in real ones.
const SHAPE: [(u64, f64); 5] = [(1, 0.38), (2, 0.25), (6, 0.19), (40, 0.12), (200, 0.06)];

/// See the module. Both processes end when it is dropped.
pub(crate) struct Customer {
    state_dir: PathBuf,
    engine: Child,
    centre: Child,
    pub(crate) address: SocketAddr,
}

impl Customer {
    /// A Desktop of this size, in bytes, published, copied and offered.
    pub(crate) fn make(folder: &Path, size: u64) -> Result<Self> {
        let programs = Programs::find()?;
        let vendor = folder.join("vendor");
        let repository = vendor.join("repository");
        publish(&programs, &vendor, size)?;
        let state_dir = folder.join("customer");
        fs::create_dir_all(state_dir.join("data/files"))?;
        fs::copy(
            repository.join("metadata/1.root.json"),
            state_dir.join("root.json"),
        )?;
        let (front, address) = (super::free_address()?, super::free_address()?);
        let text = format!(
            "product = \"vzor-crm\"\n[releases]\nsource = {:?}\n[database]\ndriver = \"sqlite\"\npath = \"data/crm.db\"\n\
             [data]\ndirectories = [\"data/files\"]\n[front]\nlisten = \"{front}\"\n[center]\nlisten = \"{address}\"\n",
            repository.display().to_string(),
        );
        fs::write(state_dir.join("installation.toml"), text)?;
        let obnova = |role: &str| {
            let mut command = Command::new(&programs.obnova);
            command.arg(role).arg("--state").arg(&state_dir);
            command.env("LANG", "en");
            command
        };
        programs::run(obnova("setup").args(["--version", VERSION]))?;
        let start = |role: &str| -> Result<Child> {
            let log = fs::File::create(folder.join(format!("{role}.log")))?;
            let mut command = obnova(role);
            command.stdin(Stdio::null()).stdout(Stdio::null());
            Ok(command.stderr(log).spawn()?)
        };
        let engine = start("engine")?;
        let customer = Self {
            centre: start("center")?,
            engine,
            address,
            state_dir,
        };
        customer.wait()?;
        Ok(customer)
    }

    fn wait(&self) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        // The timestamp is the last that is copied.
        let is_copied = || self.copy().join("metadata/timestamp.json").is_file();
        let answers = || std::net::TcpStream::connect(self.address).is_ok();
        while !(is_copied() && answers()) {
            ensure!(Instant::now() < until, "the Desktop is not offered");
            if !is_copied() {
                let asked = Client::new(&self.state_dir);
                // The engine may not listen yet.
                let _ = super::wait_for(async move { asked.call(&Request::Check).await })?;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// The repository that Desktops see.
    pub(crate) fn copy(&self) -> PathBuf {
        self.state_dir.join(DESKTOPS_NAME)
    }

    /// The centre's process.
    pub(crate) fn process(&self) -> u32 {
        self.centre.id()
    }
}

impl Drop for Customer {
    fn drop(&mut self) {
        super::end(&mut self.centre);
        let engine = Client::new(&self.state_dir);
        let stop = Request::Shutdown {
            stop_application: true,
        };
        // What does not listen is ended otherwise.
        let _ = super::wait_for(async move { engine.call(&stop).await });
        super::end(&mut self.engine);
    }
}

fn publish(programs: &Programs, folder: &Path, size: u64) -> Result<()> {
    let at = |name: &str| folder.join(name);
    fs::create_dir_all(folder)?;
    let release = |command: &str| {
        let mut program = Command::new(&programs.obnova);
        program.args(["release", command]);
        program
    };
    programs::run(
        release("init")
            .arg("--repository")
            .arg(at("repository"))
            .arg("--keys")
            .arg(at("online"))
            .arg("--offline-keys")
            .arg(at("offline")),
    )?;
    programs::run(
        Command::new(&programs.crm)
            .args(["assemble", "--version", VERSION, "--out"])
            .arg(at("work")),
    )?;
    let description = at("work").join("release.toml");
    let mut text = fs::read_to_string(&description).context("release.toml")?;
    text.push_str(&format!(
        "\n[desktop.platforms.{PLATFORM}]\nstart = [\"${{tree}}/0-0\"]\n"
    ));
    fs::write(&description, text)?;
    fill(&at("work").join("desktop"), size)?;
    let mut files = std::ffi::OsString::from(format!("{PLATFORM}="));
    files.push(at("work").join("desktop"));
    programs::run(
        release("build")
            .arg("--description")
            .arg(&description)
            .arg("--tree")
            .arg(at("work").join("tree"))
            .arg("--desktop")
            .arg(files)
            .arg("--out")
            .arg(at("built")),
    )?;
    programs::run(
        release("publish")
            .arg(at("built"))
            .arg("--repository")
            .arg(at("repository"))
            .arg("--keys")
            .arg(at("online"))
            .arg("--keys")
            .arg(at("offline")),
    )?;
    Ok(())
}

/// Files that cannot be made smaller, so that as much is downloaded as is said.
fn fill(folder: &Path, size: u64) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir_all(folder)?;
    let mut noise = SmallRng::seed_from_u64(1);
    for (kind, (count, part)) in SHAPE.into_iter().enumerate() {
        let length = size as f64 * part / count as f64;
        for number in 0..count {
            let mut content = vec![0; length as usize];
            noise.fill(&mut content[..]);
            let file = folder.join(format!("{kind}-{number}"));
            fs::write(&file, content)?;
            fs::set_permissions(&file, PermissionsExt::from_mode(0o755))?;
        }
    }
    Ok(())
}
