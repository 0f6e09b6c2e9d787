//! Installations that lives are copies of: made once for an application, with a vendor, users, mail server and data.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use obnova_demo::admin::Admin;
use obnova_demo::programs::{Programs, run};
use obnova_engine::api::Request;
use obnova_testkit::volume::Volume;
use serde::{Deserialize, Serialize};

use crate::app::{App, Makings, Sources};
use crate::place;
use crate::postgres;
use crate::round::Scenario;
use crate::world::{Ports, Who, World};

/// In the prepared directory: the installation before the update.
pub const BASE: &str = "base";
/// In the prepared directory: the installation after it, to be taken back.
pub const UPDATED: &str = "updated";
const EMAIL: &str = "spravce@firma.example";

/// What a process that prepares is told.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    /// Which application.
    pub app: App,
    /// Where it goes.
    pub directory: PathBuf,
    /// Where logs go.
    pub out: PathBuf,
    /// What it is made of.
    pub sources: Sources,
}

impl Order {
    fn makings<'a>(&'a self, programs: &'a Programs) -> Makings<'a> {
        Makings {
            directory: &self.directory,
            programs,
            sources: &self.sources,
        }
    }
}

/// Has the vendor publish all versions, and prepares the rest in a place of its own, without a network.
///
/// # Errors
/// Something could not be made.
pub fn prepare(order: &Order) -> Result<()> {
    let programs = Programs::find()?;
    order.app.of().publish(&order.makings(&programs))?;
    let mut command = place::command(&["prepare", &serde_json::to_string(order)?])?;
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "preparing {} failed: {}{}; logs are in {}",
        order.app.name(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        order.out.display()
    );
    Ok(())
}

/// Prepares here.
///
/// # Errors
/// Something could not be made.
pub fn work(order: &Order) -> Result<()> {
    let work = order.directory.join("work");
    std::fs::create_dir_all(&work)?;
    let needs = order.app.needs();
    let of_world = needs.volume.is_none().then_some(work.as_path());
    place::enter(of_world, &order.out, &order.directory)?;
    let volume = match needs.volume {
        Some((kind, bytes)) => Some(Volume::new_at(kind, bytes, &place::world())?),
        None => None,
    };
    let programs = Programs::find()?;
    let (makings, app) = (order.makings(&programs), order.app.of());
    let root = makings.vendor().join("repository/metadata/1.root.json");
    let (folder, ports) = (place::world(), Ports::default());
    let state = folder.join("state");
    std::fs::create_dir_all(state.join("data"))?;
    std::fs::copy(root, state.join("root.json"))?;
    std::fs::write(
        state.join("installation.toml"),
        World::configuration(&order.app, &folder, &ports),
    )?;
    order.app.make(&folder)?;
    for (name, secret) in app.secrets() {
        let file = state.join(name);
        std::fs::write(&file, secret)?;
        place::run(Command::new("chmod").arg("600").arg(&file))?;
    }
    let mut world = World::new(order.app.clone(), volume, None)?;
    world.start_outside()?;
    world.start_database()?;
    if order.app.has_server() {
        postgres::make_database(&folder, &ports)?;
    }
    run(Command::new(&programs.obnova)
        .arg("--state")
        .arg(world.state_dir())
        .args(["setup", "--version", app.version(Scenario::Revert)]))?;
    app.fill(&world, &makings)?;
    world.start()?;
    world.wait_until_up()?;
    app.furnish(&world)?;
    set_up(&world)?;
    stop(&world)?;
    keep(&folder, &order.directory.join(BASE))?;
    again(&mut world)?;
    update(&world, app.version(Scenario::Good))?;
    stop(&world)?;
    keep(&folder, &order.directory.join(UPDATED))?;
    world.supervisor.end();
    std::fs::remove_file(order.out.join("changes.sock"))?;
    Ok(())
}

/// Sets the centre up as its first administrator would.
fn set_up(world: &World) -> Result<()> {
    world.block_on(async {
        let centre = ([127, 0, 0, 1], world.ports.centre).into();
        let admin = Admin::new(centre, "cs")?;
        let password = "heslo pro zkoušku pádů";
        admin
            .set_up(
                &world.state_dir().join("center"),
                "Alena Správcová",
                EMAIL,
                password,
            )
            .await?;
        let page = admin.open("/settings").await?;
        let address = format!("http://127.0.0.1:{}/", world.ports.centre);
        let (port, import) = (
            world.ports.smtp.0.to_string(),
            world.app.of().import_url(&world.folder, &world.ports),
        );
        let fields = [
            ("public_url", address.as_str()),
            ("smtp_host", "127.0.0.1"),
            ("smtp_port", port.as_str()),
            ("smtp_security", "none"),
            ("mail_from", "Vzor CRM <crm@firma.example>"),
            ("import_url", import.as_str()),
            ("import_query", world.app.of().people()),
            ("import_enabled", "yes"),
        ];
        admin.send(&page, "/settings", &fields).await?;
        let page = admin.open("/users/import").await?;
        admin.send(&page, "/users/import/now", &[]).await?;
        Ok(())
    })
}

fn update(world: &World, version: &str) -> Result<()> {
    world.ask(&Request::Check)?;
    let before = world.state()?.last_update.map_or(0, |update| update.update);
    world.ask(&Request::Install {
        version: Some(version.parse()?),
        actor: "harness".to_owned(),
        insist: true,
    })?;
    let until = Instant::now() + world.patience();
    loop {
        let state = world.settled_state().ok();
        let last = state.and_then(|state| state.last_update);
        if let Some(last) = last.filter(|last| last.update > before) {
            ensure!(last.to.to_string() == version, "it ended as {last:?}");
            break;
        }
        ensure!(Instant::now() < until, "the update does not end");
        std::thread::sleep(Duration::from_millis(100));
    }
    let installed = world.state()?.installed.to_string();
    ensure!(installed == version, "{installed} is installed");
    // Mails that are under way are not to be lost by the copying, nor clean-ups.
    std::thread::sleep(Duration::from_secs(4));
    Ok(())
}

/// Ends all in order; the application, too.
fn stop(world: &World) -> Result<()> {
    for who in [Who::Front, Who::Centre, Who::Engine] {
        world.supervisor.stop(who);
    }
    world.ask(&Request::Shutdown {
        stop_application: true,
    })?;
    let until = Instant::now() + world.patience();
    while world.pid(Who::Engine).is_some() {
        ensure!(Instant::now() < until, "the engine does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    for who in [Who::Front, Who::Centre] {
        end(world, who, rustix::process::Signal::TERM)?;
    }
    world.supervisor.stop(Who::Database);
    end(world, Who::Database, rustix::process::Signal::INT)
}

fn end(world: &World, who: Who, signal: rustix::process::Signal) -> Result<()> {
    let until = Instant::now() + world.patience();
    while let Some(pid) = world.pid(who) {
        if let Some(pid) = rustix::process::Pid::from_raw(pid) {
            let _ = rustix::process::kill_process(pid, signal);
        }
        ensure!(Instant::now() < until, "{who:?} does not end");
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn again(world: &mut World) -> Result<()> {
    if world.app.has_server() {
        // It was stopped in order, so nobody else starts it.
        let mut server = world
            .app
            .server(&world.folder, &world.ports)?
            .context("a server")?;
        server
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        server.spawn()?;
        postgres::wait(&world.folder, &world.ports)?;
    }
    for who in [Who::Engine, Who::Centre, Who::Front] {
        world.supervisor.start(who);
    }
    world.wait_until_up()
}

fn keep(folder: &Path, to: &Path) -> Result<()> {
    copy(folder, to)
}

/// Copies an installation at rest, with all that files have.
///
/// # Errors
/// `cp` fails.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    place::run(
        Command::new("cp")
            .args(["-a", "--reflink=auto"])
            .arg(from.join("."))
            .arg(to),
    )
}
