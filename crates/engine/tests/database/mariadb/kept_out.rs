//! Others, who connect again and again, are kept out from the copy on until all is over, and let in again then.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use obnova_testkit::volume::Kind;

use super::Server;
use crate::Case;
use crate::contract::{Subject, admit, protect, restore, same};

/// How long anything may take before it is a failure.
const PATIENCE: Duration = Duration::from_secs(60);
/// Tries from then on that must all be in vain, or one of which must not be.
const TRIES: u32 = 5;

pub(super) fn cases() -> Vec<Case> {
    vec![
        (
            "mariadb dump: others are kept out in the whole change-over".to_owned(),
            Box::new(|_| kept_out(&Server::dumped("crm")?)),
        ),
        (
            "mariadb file_system: others are kept out in the whole change-over".to_owned(),
            Box::new(|_| kept_out(&Server::cloned(Kind::Xfs)?)),
        ),
        (
            "mariadb: where accounts cannot be locked, that is said".to_owned(),
            Box::new(|_| told()),
        ),
    ]
}

/// `by_role` may do something by a role only, and `locked` is locked before. `keeper` administers the server. Every case has `ctenar` besides.
const ACCOUNTS: &str = "
    DROP USER IF EXISTS writer, by_role, locked, keeper; DROP ROLE IF EXISTS sellers;
    GRANT CREATE USER, PROCESS, CONNECTION ADMIN ON *.* TO crm; GRANT SELECT ON mysql.* TO crm;
    CREATE USER writer IDENTIFIED BY 'tajne-heslo', by_role IDENTIFIED BY 'tajne-heslo', locked IDENTIFIED BY 'tajne-heslo', keeper;
    CREATE ROLE sellers; GRANT SELECT ON crm.deal TO sellers; GRANT sellers TO by_role; SET DEFAULT ROLE sellers FOR by_role;
    GRANT INSERT, SELECT ON crm.person TO writer; GRANT ALL ON crm.* TO locked; ALTER USER locked ACCOUNT LOCK;
    GRANT ALL ON *.* TO keeper WITH GRANT OPTION";
const GONE: &str =
    "DROP USER IF EXISTS writer, by_role, locked, keeper; DROP ROLE IF EXISTS sellers";
const KNOWN: &str = "SHOW CREATE USER writer; SHOW GRANTS FOR writer; SHOW CREATE USER by_role; SHOW GRANTS FOR by_role; \
    SHOW CREATE USER locked; SHOW GRANTS FOR locked; SHOW CREATE USER keeper; SHOW CREATE USER crm; SHOW CREATE USER root@localhost";

/// Those who connect again and again.
struct Callers<'a> {
    subject: &'a Server,
    done: AtomicBool,
    let_in: AtomicU32,
    tried: AtomicU32,
}

impl Callers<'_> {
    fn call(&self) {
        while !self.done.load(Ordering::Relaxed) {
            for user in ["writer", "by_role"] {
                let answer = self.subject.server.sql(user, "crm", "SELECT 1");
                self.let_in
                    .fetch_add(u32::from(answer.is_ok()), Ordering::SeqCst);
                self.tried.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// How often somebody was let in during tries that began from now on.
    fn let_in_from_now_on(&self) -> Result<u32> {
        let until = Instant::now() + PATIENCE;
        let wait = |tries: u32| -> Result<()> {
            let from = self.tried.load(Ordering::SeqCst);
            while self.tried.load(Ordering::SeqCst) < from + tries {
                ensure!(Instant::now() < until, "nobody tries any more");
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(())
        };
        // One may be under way.
        wait(2)?;
        let before = self.let_in.load(Ordering::SeqCst);
        wait(TRIES)?;
        Ok(self.let_in.load(Ordering::SeqCst) - before)
    }
}

fn kept_out(subject: &Server) -> Result<()> {
    subject.as_root(ACCOUNTS)?;
    let known = subject.as_root(KNOWN)?;
    let callers = Callers {
        subject,
        done: AtomicBool::new(false),
        let_in: AtomicU32::new(0),
        tried: AtomicU32::new(0),
    };
    let result = std::thread::scope(|scope| {
        scope.spawn(|| callers.call());
        let result = both_ends(subject, &callers, &known);
        callers.done.store(true, Ordering::Relaxed);
        result
    });
    subject.as_root(GONE)?;
    result
}

fn both_ends(subject: &Server, callers: &Callers, known: &str) -> Result<()> {
    ensure!(callers.let_in_from_now_on()? > 0, "they never got in");
    for returned in [true, false] {
        let told = protect(subject)?;
        ensure!(told.contains("3 other accounts are locked"), "{told}");
        ensure!(callers.let_in_from_now_on()? == 0, "in after the copy");
        // Whoever looks after the server is.
        subject.server.sql("root", "crm", "SELECT 1")?;
        if returned {
            subject.migrate()?;
            ensure!(callers.let_in_from_now_on()? == 0, "in after the migration");
            restore(subject)?;
            restore(subject)?;
        } else {
            admit(subject)?;
            admit(subject)?;
        }
        ensure!(callers.let_in_from_now_on()? > 0, "not let in again");
        same(known, &subject.as_root(KNOWN)?)?;
    }
    subject
        .driver()?
        .forget(&subject.protected())
        .map_err(crate::failed)?;
    same(known, &subject.as_root(KNOWN)?)
}

fn told() -> Result<()> {
    let subject = Server::dumped("crm")?;
    let told = protect(&subject)?;
    ensure!(
        told.contains("not kept out") && told.contains("CREATE USER"),
        "{told}"
    );
    let rights = subject.driver()?.rights().join("\n");
    ensure!(rights.contains("may not lock other accounts"), "{rights}");
    Ok(())
}
