//! Databases, roles and addresses that do not do, and passwords.

use anyhow::{Context, Result, ensure};
use obnova_engine::api::Problem;
use obnova_testkit::postgres::Postgres;

use super::Server;
use crate::Case;
use crate::contract::{Subject, protect, restore, same};

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut add = |name: &str, case: fn(&Postgres) -> Result<()>| {
        cases.push((format!("postgres: {name}"), Box::new(case)));
    };
    add("a password in the address is refused", password_in_address);
    add(
        "the password comes from a file and goes nowhere else",
        password_file,
    );
    add("a wrong password is said", wrong_password);
    add("a server that is not there is said", no_server);
    add("a database that is not there is said", no_database);
    add(
        "a role that does not own the database is said",
        not_the_owner,
    );
    add("a role that may not create databases is said", no_createdb);
    add(
        "settings that the role cannot give to a copy are said",
        foreign_settings,
    );
    add("logical replication is said", replication);
    cases
}

fn problem(subject: &Server) -> Result<Problem> {
    let problem = subject
        .driver()?
        .check()
        .err()
        .context("it was found fit")?;
    ensure!(problem.code == "database-unusable", "{problem:?}");
    Ok(problem)
}

fn expect(subject: &Server, part: &str) -> Result<()> {
    let detail = problem(subject)?.detail.unwrap_or_default();
    ensure!(detail.contains(part), "{detail}");
    Ok(())
}

fn over_tcp(server: &Postgres, user: &str, database: &str) -> String {
    let port = server.port();
    format!("driver = \"postgres\"\nurl = \"postgres://{user}@127.0.0.1:{port}/{database}\"\n")
}

fn password_in_address(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    let section = over_tcp(server, "crm:tajne-heslo", "crm");
    let wrong = subject
        .configured(section)
        .driver()
        .err()
        .context("it was taken")?;
    let wrong = wrong.to_string();
    ensure!(
        wrong.contains("password_file") && !wrong.contains("tajne"),
        "{wrong}"
    );
    Ok(())
}

fn password_file(server: &Postgres) -> Result<()> {
    for rung in ["copy", "dump"] {
        let subject = Server::new(server, "crm", rung)?;
        let section = format!(
            "{}password_file = \"password\"\nrung = \"{rung}\"",
            over_tcp(server, "crm", "crm")
        );
        let subject = subject.configured(section);
        std::fs::write(subject.directory.path().join("password"), "tajne-heslo\n")?;
        let before = subject.now()?;
        let driver = subject.driver()?;
        driver.check().map_err(crate::failed)?;
        let detail = protect(&subject)?;
        subject.migrate()?;
        restore(&subject)?;
        same(&before, &subject.now()?)?;
        for text in [driver.url(), driver.describe(), driver.plan(), detail] {
            ensure!(!text.contains("tajne-heslo"), "{text}");
        }
        let expected = ("PGPASSWORD".to_owned(), "tajne-heslo".to_owned());
        ensure!(driver.env().contains(&expected), "{:?}", driver.env());
        ensure!(driver.secrets() == ["tajne-heslo"], "not known as a secret");
    }
    Ok(())
}

fn wrong_password(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    let section = over_tcp(server, "crm", "crm") + "password_file = \"password\"";
    let subject = subject.configured(section);
    std::fs::write(subject.directory.path().join("password"), "spatne-heslo")?;
    expect(&subject, "password authentication failed")?;
    let problem = problem(&subject)?;
    ensure!(
        !format!("{problem:?}").contains("spatne-heslo"),
        "{problem:?}"
    );
    std::fs::remove_file(subject.directory.path().join("password"))?;
    expect(&subject, "password")
}

fn no_server(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    let section = "driver = \"postgres\"\nurl = \"postgres://crm@127.0.0.1:1/crm\"";
    expect(&subject.configured(section.to_owned()), "refused")
}

fn no_database(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    let url = server.url("crm", "elsewhere");
    let section = format!("driver = \"postgres\"\nurl = '{url}'");
    expect(&subject.configured(section), "no such database")
}

fn not_the_owner(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    subject.as_superuser("GRANT CONNECT ON DATABASE crm TO nobody")?;
    let url = server.url("nobody", "crm");
    let subject = subject.configured(format!("driver = \"postgres\"\nurl = '{url}'"));
    expect(&subject, "does not own the database")?;
    expect(&subject, "may not create databases")
}

fn no_createdb(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    subject.as_superuser("ALTER ROLE crm NOCREATEDB")?;
    expect(&subject, "may not create databases")?;
    // Where no rung is asked for, a dump goes back into the same database, and that is said.
    let subject = subject.configured(format!(
        "driver = \"postgres\"\nurl = '{}'",
        server.url("crm", "crm")
    ));
    let driver = subject.driver()?;
    driver.check().map_err(crate::failed)?;
    let (plan, rights) = (driver.plan(), driver.rights().join("\n"));
    subject.as_superuser("ALTER ROLE crm CREATEDB")?;
    ensure!(plan.contains("into the same database"), "{plan}");
    ensure!(rights.contains("may NOT create databases"), "{rights}");
    Ok(())
}

/// Only a superuser could set these again, so a copy would lack them.
fn foreign_settings(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    let before = subject.now()?;
    subject.driver()?.check().map_err(crate::failed)?;
    same(&before, &subject.now()?)?;
    subject.as_superuser("ALTER ROLE \"Čtenář\" IN DATABASE crm SET work_mem TO '7MB'")?;
    let before = subject.now()?;
    problem(&subject)?;
    same(&before, &subject.now()?)
}

fn replication(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    // Without a connection: the server at the other end need not be there.
    subject.as_superuser("ALTER ROLE crm SUPERUSER")?;
    subject.sql(
        "CREATE SUBSCRIPTION theirs CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false)",
    )?;
    let found = expect(&subject, "subscriptions");
    subject.sql("ALTER SUBSCRIPTION theirs SET (slot_name = NONE); DROP SUBSCRIPTION theirs")?;
    subject.as_superuser("ALTER ROLE crm NOSUPERUSER")?;
    found
}
