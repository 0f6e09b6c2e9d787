//! `obnova release prove` with two versions before and two kinds of database: a vendor proves the CRM, and a customer's engine,
//! which believes only what is signed, says what was proven.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use obnova_testkit::postgres::Postgres;
use serde_json::Value;

/// The versions before, and the one that is proven: it can be installed over both.
const BEFORE: [&str; 2] = ["1.0.0", "1.1.0"];
const PROVEN: &str = "1.3.0";
/// Moments of each version and database. All of them take minutes; `prove.rs` tries more of them.
const ROUNDS: u64 = 2;
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that lies beside the tests.
fn program(name: &str) -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let path = here.ancestors().nth(2).unwrap().join(name);
    assert!(
        path.is_file(),
        "{} is not built; run: cargo build --workspace --bins",
        path.display()
    );
    path
}

/// A directory with all of a vendor and a customer in it; words that begin with `@` are names in it.
struct Desk {
    directory: tempfile::TempDir,
    engine: Option<Child>,
}

impl Desk {
    fn new() -> Desk {
        let directory = tempfile::tempdir().unwrap();
        let desk = Desk {
            directory,
            engine: None,
        };
        desk.obnova("release init --repository @repo --keys @keys");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn run(&self, program: PathBuf, line: &str) -> String {
        let words = line.split(' ').map(|word| match word.strip_prefix('@') {
            Some(name) => self.path(name).display().to_string(),
            None => word.to_owned(),
        });
        let output = Command::new(program)
            .args(words)
            .env("LANG", "en")
            .env("TMPDIR", self.directory.path())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn obnova(&self, line: &str) -> String {
        self.run(env!("CARGO_BIN_EXE_obnova").into(), line)
    }

    fn build(&self, version: &str) {
        let assemble = format!("assemble --version {version} --out @work-{version}");
        self.run(program("crm"), &assemble);
        // The program is in every release, and symbols are most of it; where they cannot be taken out, all takes longer.
        let crm = self.path(&format!("work-{version}/tree/bin/crm"));
        let _ = Command::new("strip").arg(crm).status();
        self.obnova(&format!(
            "release build --description @work-{version}/release.toml --tree @work-{version}/tree --out @built-{version}"
        ));
    }

    fn publish(&self, version: &str) {
        self.obnova(&format!(
            "release publish @built-{version} --repository @repo --keys @keys"
        ));
    }

    /// An installation file, with a section for its database.
    fn installation(&self, source: &str, database: &str) -> String {
        format!(
            "product = \"vzor-crm\"\n[releases]\nsource = \"{source}\"\n\n{database}\n[data]\ndirectories = [\"data\"]\n\
             [front]\nlisten = \"127.0.0.1:0\"\n[center]\nlisten = \"127.0.0.1:0\"\n"
        )
    }

    /// A customer with the first version, whose engine runs.
    fn customer(&mut self) {
        let state = self.path("state");
        std::fs::create_dir_all(&state).unwrap();
        let text = self.installation("../repo", SQLITE);
        std::fs::write(state.join("installation.toml"), text).unwrap();
        let root = self.path("repo/metadata/1.root.json");
        std::fs::copy(root, state.join("root.json")).unwrap();
        self.obnova(&format!("--state @state setup --version {}", BEFORE[0]));
        let log = std::fs::File::create(self.path("engine.log")).unwrap();
        let engine = Command::new(env!("CARGO_BIN_EXE_obnova"))
            .arg("--state")
            .arg(&state)
            .arg("engine")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.engine = Some(engine);
        let until = Instant::now() + PATIENCE;
        while !state.join("engine.sock").exists() {
            assert!(Instant::now() < until, "the engine does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the customer is told after a look at the vendor's repository: the same words as on the page *Updates*.
    fn told(&self) -> String {
        self.obnova("--state @state check")
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let Some(mut engine) = self.engine.take() else {
            return;
        };
        // In order: the application goes with it.
        if let Some(pid) = rustix::process::Pid::from_raw(engine.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = engine.wait();
        let record = std::fs::read(self.path("state/service.json")).unwrap_or_default();
        let record: Value = serde_json::from_slice(&record).unwrap_or_default();
        let pid = record["pid"].as_i64().and_then(|it| i32::try_from(it).ok());
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

const SQLITE: &str = "[database]\ndriver = \"sqlite\"\npath = \"crm.db\"\n";

#[test]
fn two_versions_on_two_databases_are_proven_and_customers_are_told_so_and_told_when_nothing_was() {
    let postgres = Postgres::start().unwrap();
    postgres
        .sql(
            "postgres",
            "postgres",
            "CREATE ROLE crm LOGIN CREATEDB; CREATE DATABASE crm OWNER crm",
        )
        .unwrap();
    let mut desk = Desk::new();
    for version in BEFORE {
        desk.build(version);
        desk.publish(version);
    }
    desk.customer();
    let told = desk.told();
    assert!(told.contains(BEFORE[1]), "{told}");
    assert!(
        told.contains("The vendor has not proven the way back from this version."),
        "{told}"
    );

    let files = [
        ("sqlite.toml", SQLITE.to_owned()),
        (
            "postgres.toml",
            format!(
                "[database]\ndriver = \"postgres\"\nurl = \"{}\"\n",
                postgres.url("crm", "crm")
            ),
        ),
    ];
    for (name, database) in files {
        let text = desk.installation("elsewhere", &database);
        std::fs::write(desk.path(name), text).unwrap();
    }
    desk.build(PROVEN);
    let printed = desk.obnova(&format!(
        "release prove @built-{PROVEN} --repository @repo --installation @postgres.toml --installation @sqlite.toml --from {} --from {} --rounds {ROUNDS} --json",
        BEFORE[0], BEFORE[1]
    ));
    let proof: Value = serde_json::from_str(&printed).unwrap();
    let trials = proof["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 4, "{proof}");
    for trial in trials {
        let count = |name: &str| trial[name].as_u64().unwrap();
        assert_eq!(count("rounds"), ROUNDS, "{trial}");
        assert_eq!(count("ended_before") + count("ended_after"), ROUNDS);
        assert!(count("worst_blackout_ms") > 0, "{trial}");
    }
    // Nothing of it is left in the server, which is the vendor's and not the trials'.
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    let databases = "SELECT datname FROM pg_database WHERE datname NOT LIKE 'template%' ORDER BY 1";
    assert_eq!(postgres.sql("crm", "crm", tables).unwrap().trim(), "0");
    assert_eq!(
        postgres
            .sql("postgres", "postgres", databases)
            .unwrap()
            .trim(),
        "crm\npostgres"
    );

    desk.publish(PROVEN);
    let told = desk.told();
    let database = trials[0]["database"].as_str().unwrap();
    assert!(database.starts_with("PostgreSQL "), "{database}");
    assert!(
        told.contains(&format!(
            "Way back proven from 1.0.0, 1.1.0 on {database}, SQLite."
        )),
        "{told}"
    );
    assert!(!told.contains("Not proven from"), "{told}");
    assert!(told.contains(&format!("{} times", 4 * ROUNDS)), "{told}");
}
