//! Servers that are reached over TCP with TLS and a password from a file, as on another machine: by the driver itself and by the
//! programs that it starts.

use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, anyhow, ensure};
use obnova_testkit::mariadb::{self, Mariadb};
use obnova_testkit::postgres::Postgres;
use obnova_testkit::tls::Authority;

use crate::contract::{Subject, protect, restore, same};
use crate::postgres::owned::THIS;
use crate::{Case, failed, postgres};

/// The password of the application's role at PostgreSQL.
const PASSWORD: &str = "tajne-heslo";

pub fn cases() -> Vec<Case> {
    type Check = fn() -> Result<()>;
    const CASES: &[(&str, Check)] = &[
        (
            "postgres over TLS: protected and returned with the certificate verified, the password in no arguments",
            postgres_verified,
        ),
        (
            "postgres over TLS: the certificate of a wrong authority is refused, and so is going without TLS",
            postgres_refused,
        ),
        (
            "postgres over TLS: a service file and a password file lead there",
            postgres_by_files,
        ),
        (
            "mariadb over TLS: protected and returned with the certificate verified, the password in no arguments",
            mariadb_verified,
        ),
        (
            "mariadb over TLS: the certificate of a wrong authority is refused, and so is going without TLS",
            mariadb_refused,
        ),
    ];
    CASES
        .iter()
        .map(|(name, check)| -> Case { ((*name).to_owned(), Box::new(move |_| check())) })
        .collect()
}

/// Files that the cases name: the authority's certificate, that of another one, and the password.
struct Files(tempfile::TempDir);

impl Files {
    fn make(authority: &Authority, password: &str) -> Result<Files> {
        let directory = tempfile::tempdir()?;
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text);
        write("right.pem", authority.certificate_pem())?;
        write("wrong.pem", Authority::make()?.certificate_pem())?;
        write("password", password)?;
        Ok(Files(directory))
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

/// Ends with this process. Over TCP it lets nobody in without TLS.
fn postgres_server() -> Result<&'static (Postgres, Files)> {
    static SERVER: OnceLock<Result<(Postgres, Files), String>> = OnceLock::new();
    let make = || {
        let authority = Authority::make()?;
        let server = Postgres::start()?;
        let (certificate, key) = authority.issue()?;
        server.use_tls(&certificate.pem(), &key.serialize_pem())?;
        Ok((server, Files::make(&authority, PASSWORD)?))
    };
    SERVER
        .get_or_init(|| make().map_err(|error: anyhow::Error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow!("{error}"))
}

fn postgres_subject(rung: &str, query: &str) -> Result<postgres::Server<'static>> {
    let (server, files) = postgres_server()?;
    let section = format!(
        "driver = \"postgres\"\nurl = 'postgres://crm@localhost:{}/crm?{query}'\npassword_file = '{}'\nrung = \"{rung}\"",
        server.port(),
        files.path("password")
    );
    Ok(postgres::Server::new(server, "crm", rung)?.configured(section))
}

fn postgres_verified() -> Result<()> {
    let (_, files) = postgres_server()?;
    let verified = format!(
        "sslmode=verify-full&sslrootcert={}",
        files.path("right.pem")
    );
    for (rung, query) in [
        ("copy", verified.as_str()),
        ("dump", verified.as_str()),
        ("dump", "sslmode=require"),
    ] {
        round(&postgres_subject(rung, query)?, PASSWORD)?;
    }
    Ok(())
}

/// All that a driver does on the way there and back, while somebody looks for the password among the arguments of all processes.
fn round(subject: &dyn Subject, password: &str) -> Result<()> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let seen = scope.spawn(|| {
            let mut seen = None;
            while !done.load(Ordering::Relaxed) {
                seen = seen.or_else(|| find_in_arguments(password));
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            seen
        });
        let tried = there_and_back(subject);
        done.store(true, Ordering::Relaxed);
        let seen = seen.join().map_err(|_| anyhow!("a panic"))?;
        ensure!(seen.is_none(), "the password is in {seen:?}");
        tried
    })
}

fn there_and_back(subject: &dyn Subject) -> Result<()> {
    let driver = subject.driver()?;
    driver.check().map_err(failed)?;
    ensure!(
        !driver.url().contains(PASSWORD) && !driver.plan().contains(PASSWORD),
        "the password is told"
    );
    let (before, print) = (subject.now()?, driver.fingerprint().map_err(failed)?);
    protect(subject)?;
    subject.migrate()?;
    restore(subject)?;
    same(&before, &subject.now()?)?;
    same(&print, &driver.fingerprint().map_err(failed)?)?;
    driver.forget(&subject.protected()).map_err(failed)
}

fn find_in_arguments(word: &str) -> Option<String> {
    let entries = std::fs::read_dir("/proc").ok()?;
    entries.flatten().find_map(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(word).then_some(line)
    })
}

fn refused(subject: &dyn Subject, because: &str) -> Result<()> {
    let problem = subject.driver()?.check().err();
    let detail = problem
        .and_then(|problem| problem.detail)
        .unwrap_or_default();
    ensure!(detail.contains(because), "it was not refused so: {detail}");
    Ok(())
}

fn postgres_refused() -> Result<()> {
    let (_, files) = postgres_server()?;
    for mode in ["verify-full", "verify-ca"] {
        let query = format!("sslmode={mode}&sslrootcert={}", files.path("wrong.pem"));
        refused(&postgres_subject("copy", &query)?, "certificate")?;
    }
    refused(&postgres_subject("copy", "sslmode=disable")?, "pg_hba.conf")
}

fn postgres_by_files() -> Result<()> {
    let (server, files) = postgres_server()?;
    let subject = postgres::Server::new(server, "crm", "dump")?;
    let (service, passwords) = (files.path("service"), files.path("passwords"));
    std::fs::write(
        &service,
        format!(
            "[crm]\nhost=localhost\nport={}\nuser=crm\ndbname=crm\nsslmode=verify-full\nsslrootcert={}\n",
            server.port(),
            files.path("right.pem")
        ),
    )?;
    std::fs::write(&passwords, format!("localhost:*:*:crm:{PASSWORD}\n"))?;
    std::fs::set_permissions(
        &passwords,
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )?;
    let state = tempfile::tempdir()?;
    let place = state.path().join("protected/7/database");
    // Here no file is named, and the service is not known.
    let known = crate::driver(
        state.path(),
        "driver = \"postgres\"\nservice = \"crm\"\nrung = \"dump\"",
    );
    ensure!(
        known
            .err()
            .is_some_and(|error| format!("{error:#}").contains("no service crm")),
        "a service that is not there is no error"
    );
    let drive = |verb: &str| -> Result<()> {
        let output = Command::new(THIS)
            .args(["drive", verb])
            .args([state.path(), &place])
            .env("PGSERVICEFILE", &service)
            .env("PGPASSFILE", &passwords)
            .output()?;
        ensure!(
            output.status.success(),
            "{verb}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    };
    let before = subject.now()?;
    drive("protect")?;
    subject.migrate()?;
    drive("restore")?;
    same(&before, &subject.now()?)?;
    drive("forget")
}

/// Ends with this process.
fn mariadb_server() -> Result<&'static (Mariadb, Files)> {
    static SERVER: OnceLock<Result<(Mariadb, Files), String>> = OnceLock::new();
    let make = || {
        let authority = Authority::make()?;
        let (certificate, key) = authority.issue()?;
        let server = Mariadb::start_with_tls(&certificate.pem(), &key.serialize_pem())?;
        Ok((server, Files::make(&authority, mariadb::PASSWORD)?))
    };
    SERVER
        .get_or_init(|| make().map_err(|error: anyhow::Error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow!("{error}"))
}

fn mariadb_subject(query: &str) -> Result<crate::mariadb::Server> {
    crate::mariadb::Server::over_tls(&mariadb_server()?.0, query)
}

fn mariadb_verified() -> Result<()> {
    let right = mariadb_server()?.1.path("right.pem");
    for mode in ["VERIFY_IDENTITY", "VERIFY_CA"] {
        let query = format!("ssl-mode={mode}&ssl-ca={right}");
        round(&mariadb_subject(&query)?, mariadb::PASSWORD)?;
    }
    round(&mariadb_subject("ssl-mode=REQUIRED")?, mariadb::PASSWORD)
}

fn mariadb_refused() -> Result<()> {
    let wrong = mariadb_server()?.1.path("wrong.pem");
    for mode in ["VERIFY_IDENTITY", "VERIFY_CA"] {
        let query = format!("ssl-mode={mode}&ssl-ca={wrong}");
        refused(&mariadb_subject(&query)?, "certificate")?;
    }
    refused(&mariadb_subject("ssl-mode=DISABLED")?, "Access denied")
}
