//! A rehearsal of an application that keeps its data on a MariaDB server, reached over loopback with a password.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use obnova_engine::api::{Outcome, Rehearsal, RehearsalOutcome};
use obnova_testkit::cases::Case;
use obnova_testkit::mariadb::{Mariadb, tool};
use obnova_testkit::volume::{Kind, Volume};

use crate::fixture::Try;
use crate::scripted::{PASSWORD, Scripted};
use crate::stage::{code, log, processes, rehearse_to};

/// The cases.
pub const CASES: &[Case] = &[
    (
        "a_mariadb_server_is_rehearsed_on_a_clone_of_its_files",
        on_a_clone,
    ),
    (
        "a_mariadb_database_is_rehearsed_from_a_dump_where_nothing_can_be_cloned",
        from_a_dump,
    ),
];

const VERSIONS: &[(&str, &str)] = &[
    (
        "1.0.0",
        "CREATE TABLE person (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) NOT NULL); \
         CREATE TABLE writes (id INT AUTO_INCREMENT PRIMARY KEY, at TIMESTAMP(6)); \
         CREATE TABLE old (a INT) ENGINE = MyISAM; INSERT INTO old VALUES (1); \
         INSERT INTO person (name) SELECT concat('Person ', seq) FROM seq_1_to_5000",
    ),
    (
        "2.0.0",
        "ALTER TABLE person ADD COLUMN upper VARCHAR(50); UPDATE person SET upper = upper(name); \
         CREATE INDEX upper ON person (upper); DELETE FROM writes; INSERT INTO old VALUES (2)",
    ),
    (
        "2.1.0",
        "ALTER TABLE person DROP COLUMN name; DROP TABLE old; SELECT * FROM nowhere",
    ),
];

fn on_a_clone() -> Result<String> {
    let volume = Volume::new(Kind::Xfs, 2 << 30)?;
    let server = Mariadb::start_in(&volume.path())?;
    let section = format!("[database.cluster]\ndata = '{}'", server.data().display());
    let (it, told) = rehearsed(&server, &volume.path(), &section)?;
    let said = log(&it, "2.0.0")?.join("\n");
    ensure!(said.contains("files, cloned while in use"), "{said}");
    ensure!(
        said.contains("rung file_system"),
        "the clone is protected in another way: {said}"
    );
    it.end()?;
    Ok(told)
}

fn from_a_dump() -> Result<String> {
    let server = Mariadb::start()?;
    let (it, told) = rehearsed(&server, &std::env::temp_dir(), "rung = \"dump\"")?;
    let said = log(&it, "2.0.0")?.join("\n");
    ensure!(said.contains("dumped in one transaction"), "{said}");
    it.end()?;
    Ok(told)
}

/// Two rehearsals, one good and one bad, while somebody writes; then the update that was foretold.
fn rehearsed(server: &Mariadb, place: &Path, section: &str) -> Result<(Try, String)> {
    let it = installed(server, place, section)?;
    let (before, pid) = (contents(server)?, server.pid()?);
    let writer = Writer::of(server)?;
    let good = rehearse_to(&it, "2.0.0", RehearsalOutcome::Passed)?;
    let bad = rehearse_to(&it, "2.1.0", RehearsalOutcome::Failed)?;
    let written = writer.end(server)?;
    ensure!(code(&bad) == "migration-failed", "{bad:?}");
    for version in ["2.0.0", "2.1.0"] {
        let said = log(&it, version)?.join("\n");
        ensure!(!said.contains(PASSWORD), "the log tells the password");
        // What the application has written down somewhere leads to the clone, in the clone's network.
        let port = format!("at 127.0.0.1:{}/crm", server.port());
        ensure!(said.contains(&port), "another port than {port}: {said}");
    }
    let after = contents(server)?;
    let changed: Vec<&str> = after
        .lines()
        .filter(|line| !before.contains(line))
        .collect();
    ensure!(after == before, "production was touched: {changed:?}");
    ensure!(server.pid()? == pid, "production was started again");
    ensure!(
        processes(&it)?.is_empty(),
        "{:?} still run",
        processes(&it)?
    );
    let foretold = forecast(&good)?;
    let update = it.update("2.0.0")?;
    ensure!(update.outcome == Outcome::Completed, "{update:?}");
    let actual = update.blackout_ms.context("no blackout")?;
    Ok((
        it,
        format!("{written} rows were written meanwhile; {foretold}, was {actual} ms"),
    ))
}

fn forecast(rehearsal: &Rehearsal) -> Result<String> {
    let forecast = rehearsal.forecast.as_ref().context("no forecast")?;
    Ok(format!(
        "foretold {} to {} ms, way back {} ms",
        forecast.blackout_min_ms, forecast.blackout_max_ms, forecast.way_back_ms
    ))
}

/// All but what the writer writes.
fn contents(server: &Mariadb) -> Result<String> {
    server.sql(
        "root",
        "crm",
        "SELECT * FROM person ORDER BY id; SELECT * FROM old; SHOW CREATE TABLE person; SHOW CREATE TABLE old; SHOW TABLES; \
         SHOW DATABASES; SELECT * FROM mysql.global_priv ORDER BY 1, 2; SELECT * FROM mysql.db ORDER BY 1, 2, 3",
    )
}

/// Version 1.0.0, installed and serving.
fn installed(server: &Mariadb, place: &Path, section: &str) -> Result<Try> {
    server.sql(
        "root",
        "",
        &format!(
            "CREATE DATABASE crm; CREATE USER crm@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'; \
             GRANT ALL ON crm.* TO crm@'127.0.0.1'; GRANT PROCESS, CONNECTION ADMIN ON *.* TO crm@'127.0.0.1'"
        ),
    )?;
    let client = tool("mariadb")?.display().to_string();
    // `mysql://crm@127.0.0.1:3306/crm?...`
    let place_of = "place=$(echo \"$1\" | sed 's,.*@,,; s,[?].*,,'); echo \"at $place\"; \
                    port=$(echo \"$place\" | sed 's,.*:,,; s,/.*,,')";
    let ask = format!(
        "{place_of}; echo 'SELECT count(*) FROM person' | \"{client}\" --no-defaults --protocol=tcp --host=127.0.0.1 \
         --port=\"$port\" --user=crm --skip-ssl crm"
    );
    let change = format!(
        "{place_of}; echo \"$2\" | \"{client}\" --no-defaults --protocol=tcp --host=127.0.0.1 --port=\"$port\" \
         --user=crm --skip-ssl crm"
    );
    let database = format!(
        "driver = \"mariadb\"\nurl = \"mysql://crm@127.0.0.1:{}/crm\"\n{section}",
        server.port()
    );
    Scripted {
        database: &database,
        ask: &ask,
        migrate: &["/bin/sh", "-c", &change, "sh", "${database}", "${sql}"],
        versions: VERSIONS,
    }
    .install(place)
}

/// Somebody who writes into production all the time.
struct Writer {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Result<u64>>,
}

impl Writer {
    fn of(server: &Mariadb) -> Result<Writer> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let mut client = server.client("mariadb", "root")?;
        client.arg("crm").stdin(std::process::Stdio::piped());
        let thread = std::thread::spawn(move || {
            use std::io::Write;
            let mut child = client.spawn()?;
            let mut input = child.stdin.take().context("no standard input")?;
            let mut written = 0;
            while !told.load(Ordering::Relaxed) {
                writeln!(input, "INSERT INTO writes (at) VALUES (NOW(6));")?;
                input.flush()?;
                written += 1;
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            drop(input);
            ensure!(child.wait()?.success(), "the writer was refused");
            Ok(written)
        });
        Ok(Writer { stop, thread })
    }

    /// How much was written; all of it must be there.
    fn end(self, server: &Mariadb) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let written = self
            .thread
            .join()
            .map_err(|_| anyhow::anyhow!("a panic"))??;
        let there: u64 = server
            .sql("root", "crm", "SELECT count(*) FROM writes")?
            .parse()?;
        ensure!(there == written, "{there} of {written} rows are there");
        Ok(written)
    }
}
