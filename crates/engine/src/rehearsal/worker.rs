//! The process that rehearses. It ends with its engine, which kills it and deletes all of the clone whatever it comes to.
//!
//! `work <state directory>` copies, with the network that a database server may need; then it becomes `inside`, cut off from the
//! world, where all that is not Obnova's own runs.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use obnova_release::Stop;
use semver::Version;

use crate::api::{HoldLimits, Isolation, Problem, Unit, UpdateKind};
use crate::database::{self, Database};
use crate::installation::{self, Installation, ServiceDriver};
use crate::rehearsal::course::{self, End, milliseconds};
use crate::rehearsal::neutralise::{self, Copy};
use crate::rehearsal::words::{Speaker, Task, Word};
use crate::rehearsal::{self, CLONE, Place, isolation};
use crate::releases::Releases;
use crate::service::{self, Service};
use crate::step::Context;
use crate::traffic::Traffic;
use crate::{account, application, durable, problem};

/// First argument: copy, then go inside.
const WORK: &str = "work";
/// First argument: cut off from the world already.
const INSIDE: &str = "inside";
/// First argument: not cut off, which an administrator has agreed to.
const OPEN: &str = "open";
/// First argument: only look whether one can be.
const PROBE: &str = "probe";

/// The lowest priority.
const NICE: i32 = 19;
/// A step that hangs must end some day; the engine's limit for all of it is shorter.
const LONGEST: Duration = Duration::from_secs(86_400);
/// Kept of the engine's own environment, for the database's tools; the application gets none of it but what it always does.
pub(crate) const KEPT_VARIABLES: [&str; 8] = [
    "PATH",
    "HOME",
    "LANG",
    "TZ",
    "TMPDIR",
    "PGPASSFILE",
    "PGSERVICEFILE",
    "PGSYSCONFDIR",
];
/// How many of them, the first ones, are for what runs inside too.
const INSIDE_VARIABLES: usize = 4;

/// Arguments after the words that run this: begins a rehearsal.
pub(crate) fn arguments(state_dir: &Path) -> [String; 2] {
    [WORK.to_owned(), state_dir.display().to_string()]
}

/// What tries whether a rehearsal can be cut off, run by these words.
pub(crate) fn probe(worker: &[String]) -> Vec<String> {
    worker.iter().cloned().chain([PROBE.to_owned()]).collect()
}

/// Is a worker.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = arguments.collect();
    let first = words.first().and_then(|word| word.to_str());
    let result = match (first, words.get(1)) {
        (Some(PROBE), _) => isolation::bring_loopback_up().map_err(|error| error.to_string()),
        (Some(WORK), Some(state)) => work(Path::new(state)),
        (Some(INSIDE), Some(state)) => inside(Path::new(state), Isolation::Network),
        (Some(OPEN), Some(state)) => inside(Path::new(state), Isolation::None),
        _ => Err("what shall be rehearsed?".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What both halves have.
struct Work {
    installation: Installation,
    place: Place,
    task: Task,
    speaker: Speaker,
}

impl Work {
    fn open(state_dir: &Path) -> Result<Work, String> {
        let installation = Installation::load(state_dir)
            .map_err(|problem| problem.detail.unwrap_or(problem.code))?;
        let place = Place::of(&installation);
        Ok(Work {
            task: Task::read(&place.task()).map_err(|error| error.to_string())?,
            speaker: Speaker::open(&place.words()).map_err(|error| error.to_string())?,
            installation,
            place,
        })
    }

    fn started(&self, step: &str) {
        self.speaker.say(&Word::Started {
            step: step.to_owned(),
        });
    }

    fn note(&self, text: String) {
        self.speaker.say(&Word::Note { text });
    }

    fn not_made(&self, problem: Problem) -> End {
        self.speaker.say(&Word::Failed {
            step: CLONE.to_owned(),
            problem: problem.clone(),
        });
        End::not_made(problem)
    }

    fn end(&self, end: End) {
        self.speaker.say(&Word::End {
            outcome: end.outcome,
            problem: end.problem,
            failed: end.failed,
        });
    }

    /// The installed version, and those to be tried.
    fn versions(&self) -> impl Iterator<Item = &Version> {
        std::iter::once(&self.task.from).chain(&self.task.route)
    }

    fn system(path: &Path) -> impl Fn(io::Error) -> Problem {
        let path = path.display().to_string();
        move |error| {
            Problem::new(problem::SYSTEM)
                .arg("path", &path)
                .detail(error)
        }
    }
}

fn work(state_dir: &Path) -> Result<(), String> {
    lower_priority();
    let work = Work::open(state_dir)?;
    work.started(CLONE);
    let worker = &work.task.worker;
    let probe = probe(worker);
    // Before anything is copied: it is not worth it if nothing can come of it.
    let way = match isolation::way(&probe) {
        Ok(way) => Some(way),
        Err(why) if work.task.unisolated => {
            work.note(format!("WARNING: not cut off from the network: {why}"));
            None
        }
        Err(why) => {
            let problem = Problem::new(problem::NOT_ISOLATED).detail(why);
            work.end(work.not_made(problem));
            return Ok(());
        }
    };
    if let Err(problem) = work.copy() {
        work.end(work.not_made(problem));
        return Ok(());
    }
    let (words, what) = match way {
        Some(way) => (way, INSIDE),
        None => (vec![], OPEN),
    };
    let words: Vec<&String> = words.iter().chain(worker).collect();
    let Some((program, first)) = words.split_first() else {
        return Err("no worker is configured".to_owned());
    };
    let mut command = Command::new(program);
    command.args(first).arg(what).arg(state_dir);
    // Secrets and files of the home directory are for this half only.
    for name in KEPT_VARIABLES.iter().skip(INSIDE_VARIABLES) {
        command.env_remove(name);
    }
    if let installation::Database::Postgres {
        service: Some(service),
        ..
    } = &work.installation.database
        && let Some(file) = database::service_file(service)
    {
        // It leads to the original, and holds no secrets.
        command.env("PGSERVICEFILE", file);
    }
    let error = command.env("HOME", work.place.home()).exec();
    let problem = Problem::new(problem::SYSTEM)
        .arg("path", program)
        .detail(error);
    work.end(work.not_made(problem));
    Ok(())
}

/// Inherited by all that it starts. Best effort: where it is refused, it runs on all the same.
fn lower_priority() {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        eprintln!("nice: {error}");
    }
    // Memory that runs short is taken from here first.
    let first = File::options()
        .write(true)
        .open("/proc/self/oom_score_adj")
        .and_then(|mut file| file.write_all(b"1000"));
    if let Err(error) = first {
        eprintln!("oom_score_adj: {error}");
    }
    in_idle_class(true);
}

/// Puts this thread, and what it starts from here on, into the idle class of I/O or into none, best effort.
pub(crate) fn in_idle_class(idle: bool) {
    let own = rustix::thread::gettid().as_raw_nonzero().to_string();
    // Part of util-linux as unshare is.
    let ionice = Command::new("ionice")
        .args(["-c", if idle { "3" } else { "0" }, "-p", &own])
        .stdin(Stdio::null())
        .status();
    match ionice {
        Ok(status) if status.success() => {}
        other => tracing::debug!(?other, "ionice"),
    }
}

impl Work {
    /// Copies database, data directories and both versions' trees, while the application works with the originals.
    fn copy(&self) -> Result<(), Problem> {
        let database = database::open(&self.installation);
        let directories = &self.installation.data.directories;
        let bytes = course::data_bytes(database.as_ref(), directories);
        self.check_room(bytes)?;
        let how = database.snapshot(&self.place.snapshot(), &|| true)?;
        self.note(format!("database: {how}"));
        let except = database.files();
        give_as(except.first(), &self.place.snapshot()).map_err(Self::system(self.place.root()))?;
        let skip = |path: &Path| except.iter().any(|file| file == path);
        let (mut files, mut copied) = (0_u64, 0_u64);
        let told = std::cell::Cell::new(Instant::now());
        let mut count = |length: u64| {
            files += 1;
            copied += length;
            if told.get().elapsed() > Duration::from_millis(200) {
                told.set(Instant::now());
                self.speaker.say(&Word::Progress {
                    done: copied,
                    total: 0,
                    unit: Unit::Bytes,
                });
            }
        };
        let copies = self.data_directories();
        for (directory, copy) in directories.iter().zip(&copies) {
            let Ok(directory) = std::fs::canonicalize(directory) else {
                continue;
            };
            let parent = copy.parent().unwrap_or(copy);
            // What kept others from the original may be a directory above it.
            std::fs::create_dir_all(parent)
                .and_then(|()| durable::set_mode_unsynced(parent, 0o700))
                .and_then(|()| account::give(&self.installation.service, parent))
                .map_err(Self::system(parent))?;
            durable::copy_live_tree(&directory, copy, &skip, &mut count)
                .map_err(Self::system(&directory))?;
        }
        let clone = self.clone_installation();
        let (home, temporary) = (self.place.home(), self.place.temporary());
        for directory in [&home, &temporary, &clone.versions(), &clone.logs()] {
            std::fs::create_dir_all(directory).map_err(Self::system(directory))?;
        }
        // Whoever the application runs as.
        for directory in [&home, &temporary] {
            durable::set_mode_unsynced(directory, 0o1777).map_err(Self::system(directory))?;
        }
        // Copies: a version may write into its own tree.
        for version in self.versions() {
            let (tree, copy) = (self.installation.tree(version), clone.tree(version));
            let facts = format!("{version}.json");
            let link = |path: &Path| path.with_file_name(&facts);
            durable::copy_live_tree(&tree, &copy, &|_| false, &mut |_| ())
                .and_then(|()| durable::copy_unsynced(&link(&tree), &link(&copy), 0o644))
                .map_err(Self::system(&tree))?;
        }
        self.note(format!("data files: {files}, {copied} bytes"));
        self.speaker.say(&Word::Data { bytes });
        Ok(())
    }

    /// The data, once more for the way back from each version on the clone, and the trees. Where blocks are shared nearly none of it
    /// is taken.
    fn check_room(&self, bytes: u64) -> Result<(), Problem> {
        let trees = self
            .versions()
            .map(|version| crate::files::size(&self.installation.tree(version)))
            .sum::<u64>();
        let copies = self.task.route.len() as u64 + 1;
        let needed = bytes.saturating_mul(copies).saturating_add(trees);
        let shares = durable::shares_blocks(self.place.root());
        if needed <= self.task.disk_bytes || shares {
            return Ok(());
        }
        Err(Problem::new(problem::DISK_SPACE)
            .arg("needed", needed)
            .arg("free", self.task.disk_bytes)
            .arg("path", self.place.root().display()))
    }

    fn data_directories(&self) -> Vec<PathBuf> {
        let directories = self.installation.data.directories.iter().enumerate();
        directories
            .map(|(number, directory)| {
                let name = directory.file_name().unwrap_or("data".as_ref());
                self.place.data(number).join(name)
            })
            .collect()
    }

    /// The installation, as it is on the clone.
    fn clone_installation(&self) -> Installation {
        let mut clone = self.installation.clone();
        let rehearsal = &self.installation.rehearsal;
        clone.state_dir = self.place.state_dir();
        clone.is_clone = true;
        clone.data.directories = self.data_directories();
        clone.service.driver = ServiceDriver::Process;
        clone
            .service
            .env
            .retain(|name, _| !rehearsal.withhold.contains(name));
        let home = self.place.home().display().to_string();
        clone.service.env.insert("HOME".to_owned(), home);
        clone.service.env.extend(rehearsal.env.clone());
        clone
    }
}

/// Gives the copy of a database that is a file, and the directory around it, to whom the original and its directory belong: the
/// application need not run as the user that copies.
fn give_as(original: Option<&PathBuf>, copy: &Path) -> io::Result<()> {
    let Some((file, parent)) = original.and_then(|file| Some((file, file.parent()?))) else {
        return Ok(());
    };
    if !file.exists() || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let give = |path: &Path, as_of: &Path| {
        let metadata = std::fs::metadata(as_of)?;
        chown(path, Some(metadata.uid()), Some(metadata.gid()))
    };
    give(copy, parent)?;
    for entry in std::fs::read_dir(copy)? {
        give(&entry?.path(), file)?;
    }
    Ok(())
}

fn inside(state_dir: &Path, isolation: Isolation) -> Result<(), String> {
    let work = Work::open(state_dir)?;
    if isolation == Isolation::Network {
        isolation::bring_loopback_up().map_err(|error| format!("loopback: {error}"))?;
        database::cut_off();
        if let Err(problem) = work.seal() {
            work.end(work.not_made(problem));
            return Ok(());
        }
        isolation::drop_rights();
    }
    work.speaker.say(&Word::Isolation { isolation });
    let end = work.rehearse();
    work.end(end);
    Ok(())
}

impl Work {
    /// Without it a program that finds the original data by a path of its own would change them, and one that has a socket's
    /// would reach their server: nothing is rehearsed then, unless an administrator has agreed to that.
    fn seal(&self) -> Result<(), Problem> {
        let installation = &self.installation;
        let database = database::open(installation);
        let real = |path: &PathBuf| std::fs::canonicalize(path).ok();
        let files = database.files();
        let beside = files
            .first()
            .and_then(|file| file.parent().map(Path::to_owned))
            .filter(|directory| directory.parent().is_some());
        let originals: BTreeSet<PathBuf> = std::iter::once(&installation.state_dir)
            .chain(&installation.data.directories)
            .chain(&beside)
            .filter_map(real)
            .collect();
        let programs = [&self.task.launcher, &self.task.worker]
            .into_iter()
            .filter_map(|words| words.first().map(PathBuf::from));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let needed: Vec<PathBuf> = originals
            .iter()
            .cloned()
            .chain(programs)
            .chain(std::env::split_paths(&path))
            .collect();
        let own = installation.state_dir.join(crate::api::SOCKET_NAME);
        // It may lie outside the places that are hidden.
        let sockets: Vec<PathBuf> = [own].into_iter().chain(database.socket()).collect();
        let originals: Vec<PathBuf> = originals.into_iter().collect();
        let sealed = isolation::seal(
            &originals,
            self.place.root(),
            &self.place.temporary(),
            &sockets,
            &needed,
        );
        match sealed {
            Ok(done) => self.note(done.join("; ")),
            Err(error) if self.task.unisolated => {
                self.note(format!("WARNING: original data is not sealed: {error}"));
            }
            Err(error) => {
                let why = format!("original data cannot be sealed: {error}");
                return Err(Problem::new(problem::NOT_ISOLATED).detail(why));
            }
        }
        Ok(())
    }

    fn rehearse(&self) -> End {
        let clone = self.clone_installation();
        let began = Instant::now();
        let database =
            match database::open(&self.installation).stage(&self.place.snapshot(), &|| true) {
                Ok(database) => database,
                Err(problem) => return self.not_made(problem),
            };
        let service = service::open(&clone, self.task.launcher.clone());
        if let Err(problem) = self.bring_up(&clone, database.as_ref(), service.as_ref()) {
            if problem.code == problem::NEUTRALISE_TOO_LONG {
                return self.not_made(problem);
            }
            let why = Problem::new(problem::REHEARSAL_IMPOSSIBLE)
                .arg("database", database.describe())
                .detail(format!(
                    "the installed version does not come up on the copy: {}: {}",
                    problem.code,
                    problem.detail.unwrap_or_default()
                ));
            return self.not_made(why);
        }
        self.speaker.say(&Word::Finished {
            step: CLONE.to_owned(),
            took_ms: milliseconds(began),
            detail: Some(database.describe()),
        });
        if let Some(rung) = rehearsal::chosen(database.rungs(false)) {
            self.speaker.say(&Word::Rung { rung: rung.rung });
        }
        let end = match self.course(&clone, database.as_ref(), service.as_ref()) {
            Ok(end) => end,
            Err(problem) => End::not_made(problem),
        };
        if let Err(problem) = service.stop(&Stop::default(), Duration::from_secs(5)) {
            eprintln!("{problem:?}");
        }
        end
    }

    /// Neutralises the data, then has the installed version serve.
    fn bring_up(
        &self,
        clone: &Installation,
        database: &dyn Database,
        service: &dyn Service,
    ) -> Result<(), Problem> {
        let from = &self.task.from;
        // The new version's where the installed one has none, as was so before there was such a command.
        for version in self.versions() {
            let description = crate::step::installed(clone, version)?.description;
            if let Some(words) = &description.server.neutralise {
                let seconds = self.task.neutralise_seconds;
                let limit = Duration::from_secs(seconds.into());
                let copy = Copy { clone, database };
                self.note(neutralise::run(
                    &copy,
                    &description,
                    words,
                    limit,
                    &self.task.launcher,
                )?);
                break;
            }
        }
        let target = Path::new("versions").join(from.to_string());
        durable::symlink_swap(&clone.current(), &target).map_err(Self::system(&clone.current()))?;
        application::set_installed(clone, from)?;
        application::ensure_running(clone, database, service, from)?;
        Ok(())
    }

    fn course(
        &self,
        clone: &Installation,
        database: &dyn Database,
        service: &dyn Service,
    ) -> Result<End, Problem> {
        let releases = Releases::open(&self.installation)?;
        let limits = HoldLimits::default();
        let progress = |done, total, unit| self.speaker.say(&Word::Progress { done, total, unit });
        let traffic = Traffic::holding(limits);
        let cancelled = AtomicBool::new(false);
        let both = self.versions().zip(&self.task.route);
        let hops: Vec<Context> = (1..)
            .zip(both)
            .map(|(update, (from, to))| Context {
                installation: clone,
                update,
                kind: UpdateKind::Install,
                from,
                to,
                release: None,
                releases: &releases,
                database,
                service,
                traffic: &traffic,
                hold: limits,
                keeping: Default::default(),
                data_files: Default::default(),
                deadline: Some(Instant::now() + LONGEST),
                progress: &progress,
                cancelled: &cancelled,
            })
            .collect();
        Ok(course::run(&hops, &self.speaker))
    }
}
