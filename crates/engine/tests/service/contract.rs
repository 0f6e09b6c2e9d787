//! What every driver must do.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use obnova_engine::service::Running;
use obnova_release::Signal;

use crate::world::{Kind, NOBODY, World, failed, stop, wait_until};

type Case = (&'static str, fn(&World) -> Result<()>);

pub const CASES: &[Case] = &[
    ("it_starts_is_found_and_stops", starts),
    ("nothing_to_stop_is_no_error", nothing_to_stop),
    ("daemons_in_sessions_of_their_own_are_ended_too", daemons),
    ("who_ignores_the_signal_is_killed_in_time", ignores),
    ("it_gets_its_releases_signal_and_its_time", graceful),
    ("a_second_engine_adopts_it", adopted),
    ("an_end_by_itself_is_seen_and_nobody_is_left", crash),
    ("a_start_takes_the_place_of_whatever_runs", replaces),
    ("a_program_that_is_not_there_is_told", no_program),
    (
        "a_program_that_ends_at_once_is_told_with_its_last_words",
        ends_at_once,
    ),
    ("what_it_says_goes_to_the_log", output),
    ("a_large_log_is_put_aside_while_it_runs", large_log),
    ("its_environment_is_exactly_what_was_given", environment),
    ("its_arguments_are_exactly_what_was_given", arguments),
    ("its_secrets_are_not_for_others_to_see", secret),
    ("another_driver_ends_what_this_one_started", other_driver),
];

fn starts(world: &World) -> Result<()> {
    let driver = world.driver()?;
    ensure!(driver.running().is_none(), "it runs before it was started");
    let launch = world.launch()?;
    let expected = Running {
        version: launch.version.clone(),
        port: launch.port,
    };
    let running = driver.start(&launch).map_err(failed)?;
    ensure!(running == expected, "started as {running:?}");
    ensure!(driver.running() == Some(expected), "it is not found");
    world.await_processes(1)?;
    driver.stop(&stop(5), Duration::MAX).map_err(failed)?;
    ensure!(driver.running().is_none(), "it runs after it was stopped");
    world.expect_nobody()
}

fn nothing_to_stop(world: &World) -> Result<()> {
    let driver = world.driver()?;
    driver.stop(&stop(5), Duration::MAX).map_err(failed)?;
    driver.stop(&stop(5), Duration::MAX).map_err(failed)
}

/// Two of them: one as daemons do it, and one that will not hear.
fn daemons(world: &World) -> Result<()> {
    world.app(
        "setsid sh -c 'sleep MARK & exit' \n\
         setsid sh -c 'trap \"\" TERM INT QUIT; sleep MARK & wait; sleep MARK' &\n\
         sleep 1\n exec sleep MARK",
    )?;
    let driver = world.start()?;
    // The second one's shell has the mark in its arguments too.
    world.await_processes(4)?;
    let began = Instant::now();
    driver.stop(&stop(60), Duration::MAX).map_err(failed)?;
    world.expect_nobody()?;
    let took = began.elapsed();
    ensure!(
        took < Duration::from_secs(40),
        "daemons were waited for: {took:?}"
    );
    Ok(())
}

fn ignores(world: &World) -> Result<()> {
    world.app("trap '' TERM\n echo deaf\n sleep MARK; sleep MARK; sleep MARK")?;
    let driver = world.start()?;
    wait_until("the trap", || world.log().contains("deaf"))?;
    let began = Instant::now();
    driver.stop(&stop(1), Duration::MAX).map_err(failed)?;
    let took = began.elapsed();
    world.expect_nobody()?;
    ensure!(
        took >= Duration::from_secs(1),
        "it was not given its time: {took:?}"
    );
    ensure!(
        took < Duration::from_secs(25),
        "it was given more: {took:?}"
    );
    Ok(())
}

fn graceful(world: &World) -> Result<()> {
    let (signal, name) = match world.kind {
        // The unit says it itself.
        Kind::Given => (Signal::Term, "TERM"),
        _ => (Signal::Int, "INT"),
    };
    world.app(&format!(
        "trap 'sleep 1; echo got {name}; exit 0' {name}\n echo ready\n while true; do sleep 0.1; done # MARK"
    ))?;
    let driver = world.driver()?;
    let mut launch = world.launch()?;
    launch.stop.signal = signal;
    driver.start(&launch).map_err(failed)?;
    wait_until("the trap", || world.log().contains("ready"))?;
    driver.stop(&launch.stop, Duration::MAX).map_err(failed)?;
    let log = world.log();
    ensure!(log.contains(&format!("got {name}")), "the log: {log}");
    Ok(())
}

fn adopted(world: &World) -> Result<()> {
    let first = world.start()?;
    let found = world.await_processes(1)?;
    drop(first);
    let second = world.driver()?;
    let running = second.running().context("it is not found")?;
    ensure!(running.port == world.launch()?.port, "found as {running:?}");
    ensure!(world.processes() == found, "it was started again");
    second.stop(&stop(5), Duration::MAX).map_err(failed)?;
    world.expect_nobody()
}

fn crash(world: &World) -> Result<()> {
    world.app(
        "setsid sh -c 'trap \"\" TERM; sleep MARK' &\n\
         while [ ! -e DATA/end ]; do sleep 0.05; done\n exit 3",
    )?;
    let driver = world.start()?;
    world.await_processes(2)?;
    std::fs::write(world.data().join("end"), "")?;
    wait_until("the end to be seen", || driver.running().is_none())?;
    world.app("exec sleep MARK")?;
    driver.start(&world.launch()?).map_err(failed)?;
    world
        .await_processes(1)
        .context("the one before left somebody")?;
    ensure!(driver.running().is_some(), "it does not run");
    Ok(())
}

fn replaces(world: &World) -> Result<()> {
    let driver = world.start()?;
    let before = world.await_processes(1)?;
    let mut launch = world.launch()?;
    launch.version = "1.0.1".parse()?;
    driver.start(&launch).map_err(failed)?;
    let after = world.await_processes(1)?;
    ensure!(before != after, "the old one still runs");
    let running = driver.running().context("it does not run")?;
    ensure!(running.version == launch.version, "found as {running:?}");
    Ok(())
}

fn no_program(world: &World) -> Result<()> {
    let driver = world.driver()?;
    let mut launch = world.launch()?;
    if world.kind == Kind::Given {
        std::fs::remove_file(launch.directory.join("app"))?;
    } else {
        launch.command[0] = "/nowhere/crm".to_owned();
    }
    let problem = driver.start(&launch).err().or_else(|| {
        wait_until("its end", || driver.running().is_none())
            .err()
            .map(|_| unreachable())
    });
    if let Some(problem) = problem {
        ensure!(problem.code == "start-failed", "{problem:?}");
        let detail = problem.detail.unwrap_or_default();
        ensure!(!detail.is_empty(), "it does not say why");
    }
    ensure!(driver.running().is_none(), "it is said to run");
    Ok(())
}

fn unreachable() -> obnova_engine::api::Problem {
    obnova_engine::api::Problem::new("it-runs")
}

/// Whether the driver sees it before or after it calls it started is chance; that the engine can tell why is not.
fn ends_at_once(world: &World) -> Result<()> {
    world.app("echo the last words >&2; exit 3")?;
    let driver = world.driver()?;
    if let Err(problem) = driver.start(&world.launch()?) {
        ensure!(problem.code == "start-failed", "{problem:?}");
    }
    wait_until("its end", || driver.running().is_none())?;
    ensure!(
        world.log().contains("the last words"),
        "the log: {}",
        world.log()
    );
    Ok(())
}

fn output(world: &World) -> Result<()> {
    world.app("echo to out; echo to err >&2; exec sleep MARK")?;
    let driver = world.start()?;
    wait_until("its words", || world.log().contains("to err"))?;
    driver.stop(&stop(5), Duration::MAX).map_err(failed)?;
    driver.start(&world.launch()?).map_err(failed)?;
    wait_until("more words", || world.log().matches("to err").count() == 2)?;
    ensure!(
        world.log().matches("to out").count() == 2,
        "{}",
        world.log()
    );
    Ok(())
}

fn large_log(world: &World) -> Result<()> {
    world.app(
        "head -c 11000000 /dev/zero; echo\n touch DATA/written\n\
         while [ ! -e DATA/more ]; do sleep 0.05; done\n echo afterwards; exec sleep MARK",
    )?;
    let driver = world.start()?;
    wait_until("much to say", || world.data().join("written").exists())?;
    driver.tend();
    let aside = world.state().join("log/application.log.1");
    ensure!(
        aside.metadata()?.len() >= 11_000_000,
        "it was not put aside"
    );
    std::fs::write(world.data().join("more"), "")?;
    wait_until("more words", || world.log().contains("afterwards"))?;
    ensure!(world.log().len() < 1000, "the log is not small");
    Ok(())
}

fn environment(world: &World) -> Result<()> {
    world.app("cat /proc/$$/environ > DATA/env; exec sleep MARK")?;
    let mut launch = world.launch()?;
    let hard = [
        ("EMPTY", ""),
        ("QUOTES", "it's \"so\" `so`"),
        ("DOLLAR", "$HOME ${PATH} $$ %n %% %h"),
        ("BACKSLASH", "C:\\new\\table\\ \\\" \\"),
        ("LINES", "first\nsecond = 2\n# third\n\tfourth\r\n"),
        ("SPACE", "  around  "),
        ("HASH", "#not a comment; neither this"),
        ("CZECH", "Příliš žluťoučký kůň"),
        ("CONTROL", "\u{1b}[1m\u{7}\u{7f}"),
        ("EQUALS", "a=b=c"),
        ("_9", "a name"),
    ];
    launch
        .env
        .extend(hard.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let driver = world.driver()?;
    driver.start(&launch).map_err(failed)?;
    world.await_processes(1)?;
    let all = String::from_utf8(std::fs::read(world.data().join("env"))?)?;
    let mut found: BTreeMap<&str, &str> = all
        .split('\0')
        .filter_map(|line| line.split_once('='))
        .collect();
    for (name, value) in &launch.env {
        let there = found.remove(name.as_str());
        ensure!(
            there == Some(value),
            "{name} is {there:?} instead of {value:?}"
        );
    }
    // What belongs to the driver, or to the unit that is given.
    found.retain(|name, _| !name.starts_with("OBNOVA_") && world.kind != Kind::Given);
    ensure!(found.is_empty(), "there is more: {found:?}");
    Ok(())
}

fn arguments(world: &World) -> Result<()> {
    if world.kind == Kind::Given {
        // The unit's own.
        return Ok(());
    }
    world.app("printf '%s\\0' \"$@\" > DATA/args; exec sleep MARK")?;
    let mut launch = world.launch()?;
    let hard = [
        "",
        "two words",
        "$HOME",
        "${PATH}",
        "$$",
        "%n %h %%",
        "it's \"so\"",
        "C:\\new\\",
        "a\nb",
        "-x",
        "@",
        ";",
        "ž",
    ];
    launch.command.extend(hard.map(str::to_owned));
    let driver = world.driver()?;
    driver.start(&launch).map_err(failed)?;
    world.await_processes(1)?;
    let all = String::from_utf8(std::fs::read(world.data().join("args"))?)?;
    let found: Vec<&str> = all.split_terminator('\0').collect();
    ensure!(found == hard, "it was given {found:?}");
    Ok(())
}

fn secret(world: &World) -> Result<()> {
    let secret = format!("secret-{}", world.mark());
    let mut launch = world.launch()?;
    launch.env.push(("KEY".to_owned(), secret.clone()));
    world.app("exec sleep 1000")?;
    let driver = world.driver()?;
    driver.start(&launch).map_err(failed)?;
    let bus = std::env::var("DBUS_SYSTEM_BUS_ADDRESS")?;
    // All that somebody without rights gets to see: files, processes, and what systemd tells.
    let look = format!(
        "grep -rsl {secret} {state}; grep -asl {secret} /proc/[0-9]*/cmdline /proc/[0-9]*/environ\n\
         export DBUS_SYSTEM_BUS_ADDRESS='{bus}'\n\
         for unit in $(busctl tree --list org.freedesktop.systemd1 | grep /unit/); do\n\
             busctl introspect --full org.freedesktop.systemd1 $unit\n\
         done 2>&1",
        state = world.state().display()
    );
    let seen = as_nobody(&look)?;
    // The question itself has it in its arguments.
    let seen: String = seen
        .lines()
        .filter(|line| !line.starts_with("/proc/") || !line.ends_with("/cmdline"))
        .collect::<Vec<_>>()
        .join("\n");
    let told = seen
        .lines()
        .find(|line| line.contains(&secret) || line.starts_with("/"));
    ensure!(told.is_none(), "others see: {told:?}");
    if world.kind != Kind::Process {
        ensure!(
            seen.contains("EnvironmentFiles"),
            "systemd told nothing: {seen:.500}"
        );
    }
    Ok(())
}

fn as_nobody(script: &str) -> Result<String> {
    let mut child = Command::new("sh")
        .uid(NOBODY)
        .gid(NOBODY)
        .current_dir("/")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    // Not among its arguments, where it would find itself.
    child
        .stdin
        .take()
        .context("no input")?
        .write_all(script.as_bytes())?;
    Ok(String::from_utf8_lossy(&child.wait_with_output()?.stdout).into_owned())
}

/// The administrator changes the installation file while the application runs.
fn other_driver(world: &World) -> Result<()> {
    world.start()?;
    let before = world.await_processes(1)?;
    let other = match world.kind {
        Kind::Process => Kind::Transient,
        _ => Kind::Process,
    };
    world.write_installation(other)?;
    let driver = world.driver()?;
    ensure!(
        driver.running().is_none(),
        "it is adopted by another driver"
    );
    driver.start(&world.launch()?).map_err(failed)?;
    let after = world.await_processes(1).context("both run")?;
    ensure!(before != after, "the old one still runs");
    world.write_installation(world.kind)?;
    world
        .driver()?
        .stop(&stop(5), Duration::MAX)
        .map_err(failed)?;
    world.expect_nobody()
}
