//! What could go wrong at a real MariaDB server.

use anyhow::{Result, ensure};
use obnova_engine::problem;
use obnova_testkit::mariadb::PASSWORD;
use obnova_testkit::volume::Kind;

use super::{Server, ordinary};
use crate::Case;
use crate::contract::{Subject, protect, restore, same};

pub(super) fn cases() -> Vec<Case> {
    type Check = fn() -> Result<()>;
    const CASES: &[(&str, Check)] = &[
        ("a session in the database is cut off", a_session_is_cut_off),
        ("nobody gets in while it is filled", nobody_gets_in),
        (
            "values that a dump would round are found before",
            rounded_values,
        ),
        ("what runs as somebody else is found before", other_definers),
        (
            "a row that could not be put back is found before",
            a_huge_row,
        ),
        ("the fastest possible way is taken", the_fastest_way),
        (
            "the password is nowhere but in its file",
            the_password_is_hidden,
        ),
        ("a wrong password says so", a_wrong_password),
        (
            "a private server ends with its value",
            a_private_server_ends,
        ),
        ("the server is killed while it is returned", killed_server),
    ];
    CASES
        .iter()
        .map(|(name, check)| -> Case { (format!("mariadb: {name}"), Box::new(move |_| check())) })
        .collect()
}

fn sleeper(subject: &Server, seconds: u32) -> Result<std::process::Child> {
    let mut client = subject.server.client("mariadb", "crm")?;
    let child = client
        .args(["--execute", &format!("SELECT SLEEP({seconds})")])
        .arg(&subject.name)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    Ok(child)
}

fn a_session_is_cut_off() -> Result<()> {
    let subject = Server::dumped("crm")?;
    let before = subject.now()?;
    let mut guest = sleeper(&subject, 300)?;
    protect(&subject)?;
    ensure!(!guest.wait()?.success(), "it was not cut off");
    let mut guest = sleeper(&subject, 300)?;
    restore(&subject)?;
    ensure!(!guest.wait()?.success(), "it was not cut off");
    same(&before, &subject.now()?)
}

fn nobody_gets_in() -> Result<()> {
    let subject = Server::dumped("crm")?;
    subject.sql("CREATE TABLE big (id INT AUTO_INCREMENT PRIMARY KEY, fill BLOB); INSERT INTO big (fill) SELECT repeat('x', 60000) FROM seq_1_to_400; ALTER TABLE big AUTO_INCREMENT = 401")?;
    let before = subject.now()?;
    protect(&subject)?;
    subject.migrate()?;
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        // They would go on working in a database that is half there: whoever gets in is ended before this does any harm.
        let guests = scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = subject
                    .sql("SELECT SLEEP(2); TRUNCATE person; INSERT INTO old (b) VALUES ('lost')");
            }
        });
        std::thread::sleep(std::time::Duration::from_millis(500));
        let restored = restore(&subject);
        // Only now everybody may come in again.
        let now = subject.now();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        let _ = guests.join();
        restored.and_then(|()| same(&before, &now?))
    })
}

fn rounded_values() -> Result<()> {
    let subject = Server::dumped("crm")?;
    subject.sql("UPDATE person SET rate = 16777217 WHERE id = 1")?;
    let problem = subject.driver()?.check().err();
    let detail = problem
        .and_then(|problem| problem.detail)
        .unwrap_or_default();
    ensure!(detail.contains("person.rate"), "{detail}");
    Ok(())
}

fn other_definers() -> Result<()> {
    let subject = Server::dumped("crm")?;
    subject.as_root("CREATE DEFINER = root@localhost VIEW crm.secret AS SELECT 1")?;
    let problem = subject.driver()?.check().err();
    let detail = problem
        .and_then(|problem| problem.detail)
        .unwrap_or_default();
    ensure!(detail.contains("root@localhost"), "{detail}");
    subject.as_root("GRANT SET USER ON *.* TO crm")?;
    subject.driver()?.check().map_err(crate::failed)?;
    let before = subject.now()?;
    protect(&subject)?;
    subject.migrate()?;
    restore(&subject)?;
    same(&before, &subject.now()?)
}

fn a_huge_row() -> Result<()> {
    let subject = Server::dumped("crm")?;
    // Written in pieces, as an application may; a dump has it in one statement, and twice as long.
    subject.sql("UPDATE person SET photo = repeat('x', 9000000) WHERE id = 2")?;
    let refused = subject.driver()?.protect(&subject.protected(), &|| true);
    let detail = refused
        .err()
        .and_then(|problem| problem.detail)
        .unwrap_or_default();
    ensure!(detail.contains("max_allowed_packet"), "{detail}");
    Ok(())
}

fn the_fastest_way() -> Result<()> {
    let mut subject = Server::cloned(Kind::Xfs)?;
    subject.section = subject.section.replace("rung = \"file_system\"\n", "");
    let plan = subject.driver()?.plan();
    ensure!(plan.contains("rung file_system"), "{plan}");
    let mut subject = Server::dumped("crm")?;
    let data = ordinary()?.data();
    subject.section = subject.section.replace(
        "rung = \"dump\"",
        &format!("[database.cluster]\ndata = '{}'", data.display()),
    );
    // Whether temporary files can be cloned is this machine's business; there is one way at least, and a reason.
    let plan = subject.driver()?.plan();
    let reasons = ["rung file_system", "cannot be cloned", "other databases"];
    ensure!(reasons.iter().any(|reason| plan.contains(reason)), "{plan}");
    subject.section = subject
        .section
        .replace(&data.display().to_string(), "/var/empty");
    let plan = subject.driver()?.plan();
    ensure!(
        plan.contains("rung dump") && plan.contains("/var/empty"),
        "{plan}"
    );
    Ok(())
}

fn the_password_is_hidden() -> Result<()> {
    let subject = Server::dumped("crm")?;
    let driver = subject.driver()?;
    ensure!(driver.secrets() == [PASSWORD], "not told");
    ensure!(
        driver.env() == [("MYSQL_PWD".to_owned(), PASSWORD.to_owned())],
        "not given to the application"
    );
    let answer = protect(&subject)?;
    for text in [driver.url(), driver.describe(), driver.plan(), answer] {
        ensure!(!text.contains(PASSWORD), "{text}");
    }
    for entry in std::fs::read_dir(subject.protected())? {
        let bytes = std::fs::read(entry?.path())?;
        let found = bytes
            .windows(PASSWORD.len())
            .any(|part| part == PASSWORD.as_bytes());
        ensure!(!found, "it is in the protected directory");
    }
    Ok(())
}

fn a_wrong_password() -> Result<()> {
    let subject = Server::dumped("crm")?;
    std::fs::write(subject.directory.path().join("password"), "wrong-one")?;
    let problem = subject.driver()?.check().err();
    let is_it = |it: &obnova_engine::api::Problem| it.code == problem::DATABASE_UNUSABLE;
    ensure!(problem.as_ref().is_some_and(is_it), "{problem:?}");
    let detail = problem
        .and_then(|problem| problem.detail)
        .unwrap_or_default();
    ensure!(
        detail.contains("Access denied") && !detail.contains("wrong-one"),
        "{detail}"
    );
    Ok(())
}

fn a_private_server_ends() -> Result<()> {
    let subject = Server::dumped("crm")?;
    let directory = tempfile::tempdir()?;
    // Where an account without rights does not get.
    std::fs::set_permissions(
        directory.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )?;
    let to = directory.path().join("snapshot");
    let driver = subject.driver()?;
    driver.snapshot(&to, &|| true).map_err(crate::failed)?;
    let staged = driver.stage(&to, &|| true).map_err(crate::failed)?;
    let pid = std::fs::read_to_string(to.join("server/pid"))?
        .trim()
        .to_owned();
    let running = || {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|words| words.contains("mariadbd"))
    };
    ensure!(running(), "it does not run");
    drop(staged);
    ensure!(!running(), "it still runs");
    Ok(())
}

/// Whoever kills the server, the way back starts it again.
fn killed_server() -> Result<()> {
    let subject = Server::cloned(Kind::Xfs)?;
    let before = subject.now()?;
    protect(&subject)?;
    subject.migrate()?;
    let pid = rustix_pid(subject.server.pid()?)?;
    rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
    restore(&subject)?;
    same(&before, &subject.now()?)
}

fn rustix_pid(pid: i32) -> Result<rustix::process::Pid> {
    rustix::process::Pid::from_raw(pid).ok_or_else(|| anyhow::anyhow!("no process"))
}
