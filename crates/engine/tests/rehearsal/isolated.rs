//! Nothing that runs on a clone reaches the world, or the original data.

use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use obnova_engine::api::{Isolation, Outcome, RehearsalOutcome, RehearsalSettings};
use obnova_testkit::cases::Case;

use crate::fixture::{Release, Try};
use crate::stage::{NEWEST, code, log, rehearse_to, set, started};

/// The cases.
pub const CASES: &[Case] = &[
    ("a_clone_reaches_nobody", reaches_nobody),
    ("original_data_can_only_be_read", read_only),
    (
        "without_namespaces_there_is_no_rehearsal_unless_somebody_agreed",
        impossible,
    ),
];

/// Something of this machine that must not be reached: it counts who connects.
struct Server {
    port: u16,
    seen: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Result<Server> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                if let Ok(mut stream) = stream {
                    let _ = stream.read(&mut [0; 64]);
                }
            }
        });
        Ok(Server { port, seen })
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

fn reaches_nobody() -> Result<String> {
    // A web hook of this machine, and a mail server as lettre and sendmail would use it; by the migration.
    let (hook, mail) = (Server::start()?, Server::start()?);
    let act = format!(
        "for port in {} {}; do /bin/bash -c \"echo hello > /dev/tcp/127.0.0.1/$port\" \
         && echo reached $port || echo \"cannot reach $port\"; done; exec \"$@\"",
        hook.port, mail.port
    );
    let it = started(&Release {
        shell: Some(&act),
        ..NEWEST
    })?;
    rehearse_to(&it, "2.0.0", RehearsalOutcome::Passed)?;
    let said = log(&it, "2.0.0")?.join("\n");
    ensure!(
        said.contains(&format!("cannot reach {}", hook.port)),
        "{said}"
    );
    ensure!(
        said.contains(&format!("cannot reach {}", mail.port)),
        "{said}"
    );
    ensure!((hook.seen(), mail.seen()) == (0, 0), "something arrived");
    // The same release does reach them when it is installed: it was the isolation that kept it from them.
    let update = it.update("2.0.0")?;
    ensure!(update.outcome == Outcome::Completed, "{update:?}");
    ensure!(
        (hook.seen(), mail.seen()) == (1, 1),
        "the update did not reach them"
    );
    it.end()?;
    Ok("nothing arrived".to_owned())
}

fn read_only() -> Result<String> {
    let it = started(&NEWEST)?;
    // Paths that a product keeps in its own configuration lead to the originals.
    let (state, data) = (it.state_dir(), it.state_dir().join("data/first-own.txt"));
    let act = format!(
        "for file in '{}' '{}/app.db'; do echo x >> \"$file\" || echo \"cannot write $file\"; done; exec \"$@\"",
        data.display(),
        state.display()
    );
    it.publish(&Release {
        shell: Some(&act),
        version: "2.1.0",
        ..NEWEST
    })?;
    it.check()?;
    let before = it.now()?;
    rehearse_to(&it, "2.1.0", RehearsalOutcome::Passed)?;
    let said = log(&it, "2.1.0")?.join("\n");
    ensure!(said.matches("cannot write").count() == 2, "{said}");
    before
        .expect_same(&it.now()?)
        .context("production was touched")?;
    it.end()?;
    Ok("refused".to_owned())
}

fn impossible() -> Result<String> {
    let mut it = Try::new()?;
    it.publish(&NEWEST)?;
    // Without the tool that makes namespaces.
    it.start_with(&[("PATH", "/nowhere")])?;
    it.check()?;
    let rehearsal = rehearse_to(&it, "2.0.0", RehearsalOutcome::NotMade)?;
    ensure!(code(&rehearsal) == "not-isolated", "{rehearsal:?}");
    set(
        &it,
        RehearsalSettings {
            unisolated: true,
            ..RehearsalSettings::default()
        },
    )?;
    let rehearsal = rehearse_to(&it, "2.0.0", RehearsalOutcome::Passed)?;
    ensure!(rehearsal.isolation == Isolation::None, "{rehearsal:?}");
    let said = log(&it, "2.0.0")?.join("\n");
    ensure!(said.contains("WARNING: not cut off"), "{said}");
    it.end()?;
    Ok("refused, then agreed to".to_owned())
}
