//! Nothing that runs on a clone reaches the world, or the original data.

use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use obnova_engine::api::{Isolation, Outcome, RehearsalOutcome, RehearsalSettings};
use obnova_testkit::cases::Case;

use crate::fixture::{Release, Try, release};
use crate::stage::{NEWEST, begin, code, gone, log, processes, reached, rehearse_to, set, started};

/// The cases.
pub const CASES: &[Case] = &[
    ("a_clone_reaches_nobody", reaches_nobody),
    ("original_data_can_only_be_read", read_only),
    (
        "sockets_and_temporary_files_of_the_machine_are_not_there",
        hidden,
    ),
    ("it_is_as_isolated_when_the_engine_is_not_root", not_root),
    ("all_of_it_has_the_lowest_priority", priority),
    ("the_clone_runs_as_the_applications_own_user", own_user),
    (
        "where_processes_have_no_namespace_the_network_still_has_and_the_next_engine_ends_them",
        network_only,
    ),
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

fn not_root() -> Result<String> {
    let server = Server::start()?;
    let act = format!(
        "/bin/bash -c 'echo hello > /dev/tcp/127.0.0.1/{}' || echo 'cannot reach it'; \
         echo \"user $(id -u)\"; grep CapEff /proc/self/status; exec \"$@\"",
        server.port
    );
    let mut it = Try::new()?;
    it.publish(&Release {
        shell: Some(&act),
        ..NEWEST
    })?;
    it.start_as_nobody()?;
    it.write("one")?;
    it.check()?;
    let before = it.now()?;
    let rehearsal = rehearse_to(&it, "2.0.0", RehearsalOutcome::Passed)?;
    before
        .expect_same(&it.now()?)
        .context("production was touched")?;
    ensure!(rehearsal.isolation == Isolation::Network, "{rehearsal:?}");
    let said = log(&it, "2.0.0")?.join("\n");
    ensure!(
        said.contains("cannot reach it") && server.seen() == 0,
        "{said}"
    );
    ensure!(said.contains("can only be read"), "{said}");
    ensure!(said.contains("user 65534"), "{said}");
    ensure!(said.contains("0000000000000000"), "it kept rights: {said}");
    it.end()?;
    Ok("in a user namespace".to_owned())
}

fn priority() -> Result<String> {
    let it = started(&release("2.0.0", 2, &["--slow", "1500"], &[]))?;
    begin(&it, "2.0.0")?;
    reached(&it, "migrate")?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    let mut seen = 0;
    for pid in processes(&it)?.into_keys() {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}"));
        let stat = read("stat")?;
        // proc(5): the nineteenth field.
        let after_name = stat.rsplit_once(')').context("stat")?.1;
        let nice = after_name.split_whitespace().nth(16).context("nice")?;
        ensure!(nice == "19", "{pid} has nice value {nice}");
        ensure!(
            read("oom_score_adj")?.trim() == "1000",
            "memory is taken from others first"
        );
        let output = std::process::Command::new("ionice")
            .args(["-p", &pid.to_string()])
            .output()?;
        let class = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        ensure!(class == "idle", "{pid} has the I/O class {class}");
        seen += 1;
    }
    ensure!(seen >= 1, "no process was seen");
    gone(&it)?;
    it.end()?;
    Ok(format!("{seen} processes"))
}

fn own_user() -> Result<String> {
    let mut it = Try::new()?;
    let tell = "echo \"user $(id -u), $(touch \"$HOME/own\" && echo home)\"; exec \"$@\"";
    it.publish(&Release {
        shell: Some(tell),
        ..NEWEST
    })?;
    let state = it.state_dir();
    let file = state.join("installation.toml");
    let text = std::fs::read_to_string(&file)?;
    // A database in a directory of its own, which belongs to that user as the data does.
    let text = text.replace("app.db", "own/app.db");
    std::fs::write(&file, format!("{text}[service]\nuser = \"nobody\"\n"))?;
    std::fs::create_dir(state.join("own"))?;
    for entry in std::fs::read_dir(&state)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("app.db") {
            std::fs::rename(entry.path(), state.join("own").join(&name))?;
        }
    }
    open_ways_to(&state)?;
    let given = std::process::Command::new("chown")
        .args(["-R", "nobody"])
        .args([state.join("own"), state.join("data")])
        .status()?;
    ensure!(given.success(), "chown failed");
    it.start(None)?;
    it.check()?;
    rehearse_to(&it, "2.0.0", RehearsalOutcome::Passed)?;
    let said = log(&it, "2.0.0")?.join("\n");
    ensure!(said.contains("user 65534, home"), "{said}");
    it.end()?;
    Ok("nobody".to_owned())
}

/// Temporary directories are nobody's to pass through but their owner's.
fn open_ways_to(state: &std::path::Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let parent = state.parent().context("a parent")?;
    for directory in [parent, state] {
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn network_only() -> Result<String> {
    use std::os::unix::fs::PermissionsExt;
    let mut it = Try::new()?;
    it.publish(&release("2.0.0", 2, &["--slow", "1500"], &[]))?;
    // As in a container that hides parts of /proc.
    let tools = tempfile::tempdir()?;
    let tool = tools.path().join("unshare");
    let real = "for word; do [ \"$word\" = --pid ] && { echo 'not here' >&2; exit 1; }; done; \
                exec /usr/bin/unshare \"$@\"";
    std::fs::write(&tool, format!("#!/bin/sh\n{real}\n"))?;
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755))?;
    let path = format!("{}:/usr/bin:/bin", tools.path().display());
    it.start_with(&[("PATH", &path)])?;
    it.check()?;
    let before = it.now()?;
    let rehearsal = rehearse_to(&it, "2.0.0", RehearsalOutcome::Passed)?;
    ensure!(rehearsal.isolation == Isolation::Network, "{rehearsal:?}");
    begin(&it, "2.0.0")?;
    reached(&it, "migrate")?;
    it.kill_engine()?;
    it.start_with(&[("PATH", &path)])?;
    gone(&it)?;
    before
        .expect_same(&it.now()?)
        .context("production was touched")?;
    it.end()?;
    Ok("cut off, and ended".to_owned())
}

fn hidden() -> Result<String> {
    // A service of this machine, on a socket of the kind that database servers, mail systems and container engines have.
    let run = tempfile::tempdir_in("/run")?;
    let socket = run.path().join("service.sock");
    let _service = std::os::unix::net::UnixListener::bind(&socket)?;
    let stray = tempfile::NamedTempFile::new()?;
    let mark = format!("/tmp/obnova-mark-{}", std::process::id());
    let look = format!(
        "[ -e {} ] && echo 'socket there' || echo 'no socket'; [ -e {} ] && echo 'file there' || echo 'no file'; \
         echo x > {mark} && echo written; exec \"$@\"",
        socket.display(),
        stray.path().display(),
    );
    // Not among the temporary files, as those of real installations.
    let program = std::env::current_exe()?;
    let mut it = Try::new_in(program.parent().context("a directory")?)?;
    it.publish(&Release {
        shell: Some(&look),
        ..NEWEST
    })?;
    it.start(None)?;
    it.check()?;
    rehearse_to(&it, "2.0.0", RehearsalOutcome::Passed)?;
    let said = log(&it, "2.0.0")?.join("\n");
    for expected in ["no socket", "no file", "written"] {
        ensure!(said.contains(expected), "{said}");
    }
    ensure!(!std::path::Path::new(&mark).exists(), "it came out");
    it.end()?;
    Ok("hidden".to_owned())
}
