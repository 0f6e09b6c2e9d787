//! What only units can get wrong.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::UNITS;
use crate::world::{Kind, World, call, failed, stop, wait_until};

type Case = (&'static str, fn() -> Result<()>);

pub const CASES: &[Case] = &[
    ("a_unit_that_is_not_there_is_refused", missing),
    ("a_unit_that_starts_with_the_machine_is_refused", enabled),
    ("a_unit_of_another_user_is_refused", other_user),
    (
        "a_unit_that_is_not_told_its_port_is_refused",
        no_environment,
    ),
    ("a_unit_started_by_hand_is_taken_over", by_hand),
    (
        "a_restarted_bus_and_a_reloaded_systemd_change_nothing",
        restarted,
    ),
    ("without_a_bus_it_is_not_known_whether_it_runs", without_bus),
    ("a_given_unit_may_tidy_up_after_its_end", tidies_up),
];

fn refused(world: &World, why: &str) -> Result<()> {
    let driver = world.driver()?;
    let problem = driver.start(&world.launch()?).err().context("it started")?;
    ensure!(problem.code == "start-failed", "{problem:?}");
    let detail = problem.detail.unwrap_or_default();
    ensure!(detail.contains(why), "it says: {detail}");
    world.expect_nobody()
}

fn units() -> Result<std::path::PathBuf> {
    Ok(std::env::var_os(UNITS).context("no systemd")?.into())
}

fn missing() -> Result<()> {
    let world = World::new(Kind::Given, None)?;
    std::fs::remove_file(units()?.join(world.unit()))?;
    call(&["Reload"])?;
    refused(&world, "not-found")
}

fn enabled() -> Result<()> {
    let world = World::new(Kind::Given, None)?;
    let (units, unit) = (units()?, world.unit());
    world.write_unit("[Install]\nWantedBy=default.target\n")?;
    let wants = units.join("../run/systemd/system/default.target.wants");
    std::fs::create_dir_all(&wants)?;
    std::os::unix::fs::symlink(units.join(&unit), wants.join(&unit))?;
    call(&["Reload"])?;
    let result = refused(&world, "systemctl disable");
    std::fs::remove_file(wants.join(&unit))?;
    result
}

fn other_user() -> Result<()> {
    let world = World::new(Kind::Given, None)?;
    world.write_unit("User=nobody\n")?;
    refused(&world, "runs as nobody, and [service] names no user")
}

fn no_environment() -> Result<()> {
    let world = World::new(Kind::Given, None)?;
    let path = units()?.join(world.unit());
    let unit = std::fs::read_to_string(&path)?;
    let line = |line: &&str| !line.starts_with("EnvironmentFile");
    let without: Vec<&str> = unit.lines().filter(line).collect();
    std::fs::write(&path, without.join("\n"))?;
    call(&["Reload"])?;
    refused(&world, "EnvironmentFile=")
}

fn by_hand() -> Result<()> {
    let world = World::new(Kind::Given, None)?;
    std::fs::write(world.state().join("service.env"), "")?;
    call(&["StartUnit", "ss", &world.unit(), "replace"])?;
    let by_hand = world.await_processes(1)?;
    let driver = world.driver()?;
    ensure!(driver.running().is_none(), "nobody knows what it is");
    driver.start(&world.launch()?).map_err(failed)?;
    ensure!(world.await_processes(1)? != by_hand, "it is not ours");
    driver.stop(&stop(5), Duration::MAX).map_err(failed)?;
    world.expect_nobody()
}

fn restarted() -> Result<()> {
    let world = World::new(Kind::Transient, None)?;
    let driver = world.start()?;
    let before = world.await_processes(1)?;
    call(&["Reload"])?;
    ensure!(driver.running().is_some(), "lost with a reload");
    call(&["RestartUnit", "ss", "dbus.service", "replace"])?;
    // The call above may be answered before the bus goes.
    for _ in 0..50 {
        ensure!(driver.running().is_some(), "lost with the bus");
        std::thread::sleep(Duration::from_millis(20));
    }
    ensure!(world.processes() == before, "it was started again");
    driver.stop(&stop(5), Duration::MAX).map_err(failed)?;
    world.expect_nobody()?;
    wait_until("the bus", || call(&["Reload"]).is_ok())
}

fn without_bus() -> Result<()> {
    let world = World::new(Kind::Transient, None)?;
    let driver = world.start()?;
    let before = world.await_processes(1)?;
    let bus = std::env::var("DBUS_SYSTEM_BUS_ADDRESS").context("no bus")?;
    let socket = Path::new(bus.strip_prefix("unix:path=").context("not a socket")?);
    let away = socket.with_extension("away");
    call(&["RestartUnit", "ss", "dbus.service", "replace"])?;
    // The call above may be answered before the bus goes, and with it the connection that the driver has.
    std::thread::sleep(Duration::from_millis(500));
    std::fs::rename(socket, &away)?;
    let result = unknown(driver.as_ref());
    std::fs::rename(&away, socket)?;
    result?;
    wait_until("the bus", || call(&["Reload"]).is_ok())?;
    ensure!(driver.running().is_some(), "it is not found again");
    ensure!(world.processes() == before, "it was started again");
    driver.stop(&stop(5), Duration::MAX).map_err(failed)?;
    world.expect_nobody()
}

/// Neither that it runs nor that it does not.
fn unknown(driver: &dyn obnova_engine::service::Service) -> Result<()> {
    let found = driver.look();
    let problem = found.err().context("it is said to be known")?;
    ensure!(problem.code == "system", "{problem:?}");
    ensure!(
        problem.detail.unwrap_or_default().contains("D-Bus"),
        "it does not say what is away"
    );
    Ok(())
}

fn tidies_up() -> Result<()> {
    let world = World::new(Kind::Given, None)?;
    let tidied = world.data().join("tidied");
    world.write_unit(&format!(
        "ExecStopPost=/bin/sh -c 'sleep 1; touch {}'\n",
        tidied.display()
    ))?;
    let driver = world.start()?;
    world.await_processes(1)?;
    driver.stop(&stop(20), Duration::MAX).map_err(failed)?;
    ensure!(Path::new(&tidied).exists(), "it was not waited for");
    world.expect_nobody()
}
