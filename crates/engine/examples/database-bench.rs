//! Measures, in one run, what protecting and returning a PostgreSQL database costs by every rung, beside pg_dump and pg_restore.
//! `cargo xtask bench database` runs it.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use obnova_engine::Installation;
use obnova_engine::database::{Database, open};
use obnova_testkit::postgres::{Postgres, tool};
use obnova_testkit::volume::{Kind, Volume};
use serde_json::{Value, json};

/// The account that servers run as when this runs as root.
const NOBODY: u32 = 65534;
/// A returning by rungs other than the dump takes at most this part of pg_restore's time, from so many bytes on.
const RETURN_RATIO: f64 = 0.01;
const RETURN_SIZE: u64 = 5 << 30;
/// Protecting by the file system or a standby takes at most this, whatever the size.
const PROTECT_SECONDS: f64 = 2.0;
/// Bytes that one insertion adds, roughly.
const BATCH: u64 = 64 << 20;
/// Bytes that one row and its place in the index take, roughly.
const ROW: u64 = 290;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (mut size, mut as_json) = (512 << 20, false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => as_json = true,
            "--size" => size = bytes(&arguments.next().context("--size needs a size")?)?,
            other => bail!("unknown: {other}"),
        }
    }
    let mut result = json!({ "size": size, "targets": {
        "restore_to_pg_restore": RETURN_RATIO, "protect_seconds": PROTECT_SECONDS,
    }, "baselines": [], "rungs": [] });
    for place in Place::all(size)? {
        place.measure(size, &mut result)?;
    }
    match as_json {
        true => println!("{result:#}"),
        false => print_table(&result),
    }
    Ok(())
}

fn bytes(text: &str) -> Result<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text[digits.len()..]
        .to_ascii_uppercase()
        .trim_end_matches('B')
    {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        other => bail!("no unit of sizes: {other}"),
    };
    Ok(digits.parse::<u64>()? * factor)
}

/// A server on one file system, and the rungs that are measured there.
struct Place {
    name: &'static str,
    rungs: &'static [&'static str],
    volume: Option<Volume>,
    is_subvolume: bool,
}

impl Place {
    fn all(size: u64) -> Result<Vec<Place>> {
        let room = 6 * size + (4 << 30);
        Ok(vec![
            Place {
                name: "xfs",
                rungs: &["file_system", "standby"],
                volume: Some(Volume::new(Kind::Xfs, room)?),
                is_subvolume: false,
            },
            Place {
                name: "btrfs",
                rungs: &["file_system"],
                volume: Some(Volume::new(Kind::Btrfs, room)?),
                is_subvolume: true,
            },
            Place {
                name: "here",
                rungs: &["standby", "copy", "dump"],
                volume: None,
                is_subvolume: false,
            },
        ])
    }

    /// Its server is gone when this returns.
    fn measure(&self, size: u64, result: &mut Value) -> Result<()> {
        let directory = match &self.volume {
            Some(volume) => volume.path(),
            None => std::env::temp_dir(),
        };
        let make = |data: &Path| match self.is_subvolume {
            true => run(Command::new("btrfs")
                .args(["--quiet", "subvolume", "create"])
                .arg(data)),
            false => Ok(()),
        };
        if self.volume.is_some() {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&directory, mode)?;
            if let Some(parent) = directory.parent() {
                std::fs::set_permissions(
                    parent,
                    std::os::unix::fs::PermissionsExt::from_mode(0o755),
                )?;
            }
        }
        let server = Postgres::start_in(&directory, None, &make)?;
        as_in_earnest(&server)?;
        let sql = |sql: &str| server.sql("postgres", "postgres", sql);
        sql("CREATE ROLE crm LOGIN CREATEDB PASSWORD 'tajne-heslo'")?;
        sql("CREATE DATABASE crm OWNER crm TEMPLATE template0")?;
        fill(&server, size)?;
        let scratch = tempfile::tempdir_in(&directory)?;
        let baseline = baseline(&server, scratch.path())?;
        eprintln!(
            "{}: pg_dump {:.2} s, pg_restore {:.2} s",
            self.name, baseline.0, baseline.1
        );
        push(
            result,
            "baselines",
            json!({
                "place": self.name, "pg_dump_seconds": baseline.0, "pg_restore_seconds": baseline.1,
            }),
        );
        for rung in self.rungs {
            // One that cannot be taken here does not keep the others from being measured.
            let mut measured = rung_costs(&server, &directory, rung)
                .unwrap_or_else(|error| json!({ "rung": rung, "problem": format!("{error:#}") }));
            if let Some(restore) = measured["restore_seconds"].as_f64() {
                measured["restore_to_pg_restore"] = json!(restore / baseline.1);
            }
            measured["place"] = json!(self.name);
            eprintln!("{measured}");
            push(result, "rungs", measured);
        }
        Ok(())
    }
}

fn push(result: &mut Value, list: &str, value: Value) {
    if let Some(list) = result[list].as_array_mut() {
        list.push(value);
    }
}

/// The tests' server does not sync. This one does, and has a usual amount of memory.
fn as_in_earnest(server: &Postgres) -> Result<()> {
    let options = format!(
        "-k {} -p {} -h 127.0.0.1 -c shared_buffers=256MB -c max_wal_size=4GB",
        server.socket().display(),
        server.port()
    );
    let mut restart = Command::new(tool("pg_ctl")?);
    if rustix::process::geteuid().is_root() {
        restart.uid(NOBODY).gid(NOBODY);
    }
    restart
        .args(["restart", "--wait", "--silent", "--mode=fast", "--pgdata"])
        .arg(server.data())
        .arg("--log")
        .arg(server.log())
        .args(["--options", &options])
        .current_dir(server.socket());
    run(&mut restart)
}

/// Rows like a business program's, with two indexes, until the database is as large as wanted.
fn fill(server: &Postgres, size: u64) -> Result<()> {
    let sql = |sql: &str| server.sql("crm", "crm", sql);
    sql("CREATE TABLE deal (id bigint PRIMARY KEY, person int, title text, note text, changed timestamptz);
         CREATE INDEX deal_person ON deal (person)")?;
    let mut rows = 0;
    loop {
        let there: u64 = sql("SELECT pg_database_size('crm')")?.trim().parse()?;
        if there >= size {
            break;
        }
        let more = BATCH.min(size - there) / ROW + 1000;
        let to = rows + more;
        sql(&format!(
            "INSERT INTO deal SELECT n, n % 50021, 'deal ' || md5(n::text), repeat(md5((n * 7)::text), 4), now() \
             FROM generate_series({}, {to}) n",
            rows + 1
        ))?;
        rows = to;
    }
    server.sql("postgres", "crm", "VACUUM ANALYZE; CHECKPOINT")?;
    Ok(())
}

/// What everybody has: a dump in the directory format and its return into a new database, two jobs each.
fn baseline(server: &Postgres, scratch: &Path) -> Result<(f64, f64)> {
    let dump = scratch.join("dump");
    let began = Instant::now();
    run(server
        .client("pg_dump", "postgres")?
        .args(["-Fd", "-j2", "-f"])
        .arg(&dump)
        .arg("crm"))?;
    let dumped = began.elapsed();
    server.sql(
        "postgres",
        "postgres",
        "CREATE DATABASE again OWNER crm TEMPLATE template0",
    )?;
    let began = Instant::now();
    run(server
        .client("pg_restore", "postgres")?
        .args(["-j2", "-d", "again"])
        .arg(&dump))?;
    let restored = began.elapsed();
    server.sql("postgres", "postgres", "DROP DATABASE again WITH (FORCE)")?;
    Ok((dumped.as_secs_f64(), restored.as_secs_f64()))
}

fn rung_costs(server: &Postgres, directory: &Path, rung: &str) -> Result<Value> {
    let state = tempfile::tempdir_in(directory)?;
    let database = driver(server, state.path(), rung)?;
    let before = sums(server)?;
    let to = state.path().join("protected/1");
    std::fs::create_dir_all(&to)?;
    database.check().map_err(failed)?;
    let timed = |act: &dyn Fn() -> Result<()>| -> Result<f64> {
        let began = Instant::now();
        act()?;
        Ok(began.elapsed().as_secs_f64())
    };
    let prepare = timed(&|| {
        database
            .prepare(&to, &mut |_, _| (), &|| true)
            .map(drop)
            .map_err(failed)
    })?;
    let mut how = String::new();
    let began = Instant::now();
    how += &database.protect(&to, &|| true).map_err(failed)?;
    let protect = began.elapsed().as_secs_f64();
    server.sql(
        "crm",
        "crm",
        "ALTER TABLE deal ADD COLUMN phone text; DELETE FROM deal WHERE id % 97 = 0; CREATE TABLE new (id int)",
    )?;
    ensure!(sums(server)? != before, "nothing was changed");
    let restore = timed(&|| database.restore(&to).map_err(failed))?;
    let after = patiently(|| sums(server))?;
    ensure!(
        after == before,
        "it came back as {after} instead of {before}"
    );
    database.forget(&to).map_err(failed)?;
    Ok(json!({
        "rung": rung, "how": how, "prepare_seconds": prepare, "protect_seconds": protect, "restore_seconds": restore,
    }))
}

fn driver(server: &Postgres, state: &Path, rung: &str) -> Result<Box<dyn Database>> {
    let cluster = match rung {
        "copy" | "dump" => String::new(),
        _ => format!(
            "[database.cluster]\ndata = \"{}\"\nreplication_user = \"postgres\"\nbase_backup_rate = \"1024M\"\n",
            server.data().display()
        ),
    };
    std::fs::write(
        state.join("installation.toml"),
        format!(
            "product = \"crm\"\n[releases]\nsource = \"repository\"\n[database]\ndriver = \"postgres\"\nurl = '{}'\n\
             rung = \"{rung}\"\n{cluster}[front]\nlisten = \"127.0.0.1:0\"\n[center]\nlisten = \"127.0.0.1:0\"\n",
            server.url("crm", "crm")
        ),
    )?;
    Ok(open(&Installation::load(state).map_err(failed)?))
}

/// Enough to see that it is the database from before.
fn sums(server: &Postgres) -> Result<String> {
    server.sql(
        "crm",
        "crm",
        "SELECT count(*), sum(id), (SELECT count(*) FROM pg_class WHERE relname = 'new') FROM deal",
    )
}

/// A server that was started again may need a moment.
fn patiently<T>(mut ask: impl FnMut() -> Result<T>) -> Result<T> {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        match ask() {
            Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(50)),
            answer => return answer,
        }
    }
}

fn run(command: &mut Command) -> Result<()> {
    let program = PathBuf::from(command.get_program());
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| program.display().to_string())?;
    ensure!(
        output.status.success(),
        "{}: {}",
        program.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn failed(problem: obnova_engine::api::Problem) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", problem.code, problem.detail.unwrap_or_default())
}

fn print_table(result: &Value) {
    let size = result["size"].as_f64().unwrap_or(0.0) / f64::from(1 << 20);
    println!("PostgreSQL, {size:.0} MiB; seconds\n");
    let list = |name: &str| result[name].as_array().cloned().unwrap_or_default();
    for it in list("baselines") {
        println!(
            "{:<8} pg_dump -Fd -j2 {:>8.2}   pg_restore -j2 {:>8.2}",
            it["place"].as_str().unwrap_or_default(),
            number(&it["pg_dump_seconds"]),
            number(&it["pg_restore_seconds"])
        );
    }
    println!(
        "\n{:<8} {:<12} {:>9} {:>9} {:>9} {:>14}  targets",
        "place", "rung", "prepare", "protect", "restore", "/ pg_restore"
    );
    for it in list("rungs") {
        println!(
            "{:<8} {:<12} {:>9.2} {:>9.2} {:>9.2} {:>14.4}  {}",
            it["place"].as_str().unwrap_or_default(),
            it["rung"].as_str().unwrap_or_default(),
            number(&it["prepare_seconds"]),
            number(&it["protect_seconds"]),
            number(&it["restore_seconds"]),
            number(&it["restore_to_pg_restore"]),
            verdict(&it, result["size"].as_u64().unwrap_or(0))
        );
    }
}

fn verdict(rung: &Value, size: u64) -> String {
    if let Some(problem) = rung["problem"].as_str() {
        return format!(
            "not measured: {}",
            problem.lines().next().unwrap_or_default()
        );
    }
    let name = rung["rung"].as_str().unwrap_or_default();
    let mut verdicts = Vec::new();
    if ["file_system", "standby"].contains(&name) {
        let held = number(&rung["protect_seconds"]) <= PROTECT_SECONDS;
        verdicts.push(format!("protect {}", word(held)));
    }
    if name != "dump" && size >= RETURN_SIZE {
        let held = number(&rung["restore_to_pg_restore"]) <= RETURN_RATIO;
        verdicts.push(format!("return {}", word(held)));
    }
    verdicts.join(", ")
}

fn word(held: bool) -> &'static str {
    if held { "held" } else { "MISSED" }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}
