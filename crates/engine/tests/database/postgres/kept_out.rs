//! Others, who connect again and again, are kept out from the copy on until all is over, and let in again then.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use obnova_testkit::postgres::Postgres;

use super::owned::{self, On};
use super::{OWNER, Server};
use crate::Case;
use crate::contract::{Subject, admit, protect, restore, same};

/// A role that was granted the right to connect, and nothing else.
const OTHER: &str = "Čtenář";

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for rung in ["copy", "dump", "dump in place"] {
        cases.push((
            format!("postgres {rung}: others are kept out in the whole change-over"),
            Box::new(move |server| kept_out(&Server::new(server, "crm", rung)?)),
        ));
    }
    for (name, on, rung) in [
        ("file_system", On::Xfs, "file_system"),
        ("standby", On::Here, "standby"),
    ] {
        cases.push((
            format!("postgres {name}: others are kept out in the whole change-over"),
            Box::new(move |_| kept_out(&owned::subject(on, rung)?)),
        ));
    }
    let mut add = |name: &str, case: fn(&Postgres) -> Result<()>| {
        cases.push((format!("postgres: {name}"), Box::new(case)));
    };
    add("what every database has is given back, too", built_in);
    add(
        "what a migration grants and revokes stays after a success",
        merged,
    );
    add(
        "kept out again after an older copy was returned to",
        kept_out_again,
    );
    add("further roles of the application are let in", further_roles);
    add(
        "privileges that somebody else granted are left alone",
        of_others,
    );
    cases
}

/// Connects again and again.
struct Caller<'a> {
    let_in: &'a AtomicU32,
    tried: &'a AtomicU32,
}

impl Caller<'_> {
    /// How often it was let in during some more tries that began from now on.
    fn let_in(&self) -> Result<u32> {
        let tried = self.tried.load(Ordering::SeqCst);
        self.wait(&|| self.tried.load(Ordering::SeqCst) > tried + 1)?;
        let (before, tried) = (
            self.let_in.load(Ordering::SeqCst),
            self.tried.load(Ordering::SeqCst),
        );
        self.wait(&|| self.tried.load(Ordering::SeqCst) > tried + 5)?;
        Ok(self.let_in.load(Ordering::SeqCst) - before)
    }

    fn wait(&self, until: &dyn Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !until() {
            ensure!(Instant::now() < deadline, "nobody tries any more");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

fn with_caller(subject: &Server, act: &dyn Fn(&Caller) -> Result<()>) -> Result<()> {
    let (let_in, tried, is_over) = (AtomicU32::new(0), AtomicU32::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                if subject.server.sql(OTHER, "crm", "SELECT 1").is_ok() {
                    let_in.fetch_add(1, Ordering::SeqCst);
                }
                tried.fetch_add(1, Ordering::SeqCst);
            }
        });
        let done = act(&Caller {
            let_in: &let_in,
            tried: &tried,
        });
        is_over.store(true, Ordering::SeqCst);
        done
    })
}

fn kept_out(subject: &Server) -> Result<()> {
    let before = subject.now()?;
    with_caller(subject, &|caller| {
        ensure!(caller.let_in()? > 0, "it was never let in");
        let how = protect(subject)?;
        ensure!(how.contains("others may not connect"), "{how}");
        ensure!(caller.let_in()? == 0, "let in after protecting");
        // The application is let in.
        subject.sql("CREATE TABLE sales.migrated ()")?;
        ensure!(caller.let_in()? == 0, "let in after migrating");
        restore(subject)?;
        ensure!(caller.let_in()? > 0, "kept out after the return");
        same(&before, &subject.now()?)?;

        protect(subject)?;
        ensure!(caller.let_in()? == 0, "let in after protecting again");
        admit(subject)?;
        admit(subject)?;
        ensure!(caller.let_in()? > 0, "kept out after a success");
        same(&before, &subject.now()?)?;

        // Whoever could not protect leaves nobody outside.
        if subject
            .driver()?
            .protect(&subject.protected(), &|| false)
            .is_err()
        {
            ensure!(
                caller.let_in()? > 0,
                "kept out after a protection that failed"
            );
        }
        Ok(())
    })
}

/// Nothing was ever granted or revoked: everybody may connect.
fn built_in(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "dump")?;
    subject.as_superuser("DROP DATABASE crm")?;
    server.sql(OWNER, "postgres", "CREATE DATABASE crm TEMPLATE template0")?;
    subject.sql("CREATE TABLE t (id int)")?;
    let before = subject.now()?;
    with_caller(&subject, &|caller| {
        for is_undone in [true, false] {
            protect(&subject)?;
            ensure!(caller.let_in()? == 0, "let in after protecting");
            match is_undone {
                true => restore(&subject)?,
                false => admit(&subject)?,
            }
            ensure!(caller.let_in()? > 0, "kept out afterwards");
            same(&before, &subject.now()?)?;
        }
        Ok(())
    })
}

fn further_roles(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    // As everybody, not by a grant of its own.
    subject.sql(
        "REVOKE CONNECT ON DATABASE crm FROM \"Čtenář\" CASCADE; GRANT CONNECT ON DATABASE crm TO PUBLIC",
    )?;
    let before = subject.now()?;
    let section = format!("{}\nroles = [\"{OTHER}\"]", subject.section);
    let subject = subject.configured(section);
    protect(&subject)?;
    server.sql(OTHER, "crm", "SELECT 1")?;
    let nobody = server.sql("nobody", "crm", "SELECT 1");
    ensure!(nobody.is_err(), "somebody else was let in");
    admit(&subject)?;
    server.sql("nobody", "crm", "SELECT 1")?;
    same(&before, &subject.now()?)
}

fn merged(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    let acl = "SELECT datacl FROM pg_database WHERE datname = 'crm'";
    let before = subject.as_superuser(acl)?;
    protect(&subject)?;
    subject.sql(
        "GRANT CONNECT ON DATABASE crm TO nobody; REVOKE CREATE ON DATABASE crm FROM accounting",
    )?;
    admit(&subject)?;
    let after = subject.as_superuser(acl)?;
    let expected = before.replace("accounting=CT/crm", "accounting=T/crm");
    ensure!(
        after.starts_with(expected.trim_end_matches('}')),
        "{before} became {after}"
    );
    ensure!(after.contains("nobody=c/crm"), "{after}");
    Ok(())
}

fn kept_out_again(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    let before = subject.now()?;
    protect(&subject)?;
    subject.migrate()?;
    admit(&subject)?;
    let migrated = subject.now()?;
    let driver = subject.driver()?;
    // A way back after a success: its own directory, and a second copy of the kept one.
    let directory = tempfile::tempdir()?;
    let (kept, own) = (subject.protected(), directory.path().join("8/database"));
    let laid_out = directory.path().join("8/back/database");
    with_caller(&subject, &|caller| {
        driver
            .spare(&kept, &laid_out, &|| true)
            .map_err(crate::failed)?;
        driver.protect(&own, &|| true).map_err(crate::failed)?;
        ensure!(caller.let_in()? == 0, "let in after protecting");
        driver.restore(&laid_out).map_err(crate::failed)?;
        driver.keep_out(&own).map_err(crate::failed)?;
        ensure!(
            caller.let_in()? == 0,
            "let in after the older copy was returned to"
        );
        driver.admit(&own).map_err(crate::failed)?;
        same(&before, &subject.now()?)?;

        // And undone instead.
        driver.restore(&own).map_err(crate::failed)?;
        same(&migrated, &subject.now()?)
    })?;
    for directory in [kept, own, laid_out] {
        driver.forget(&directory).map_err(crate::failed)?;
    }
    let left = subject.left_over()?;
    ensure!(left.is_empty(), "left over: {left}");
    same(&migrated, &subject.now()?)
}

fn of_others(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "dump")?;
    server.sql(OTHER, "crm", "GRANT CONNECT ON DATABASE crm TO nobody")?;
    let before = subject.now()?;
    let said = match protect(&subject) {
        Ok(how) => how,
        Err(error) => format!("{error:#}"),
    };
    ensure!(said.contains("not kept out"), "{said}");
    same(&before, &subject.now()?)
}
