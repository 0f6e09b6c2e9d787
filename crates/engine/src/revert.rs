//! The way back after an update was finished: what it would lose, and saving that before.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use semver::Version;

use crate::api::{Exported, Problem, RevertPlan, UpdateId};
use crate::copies;
use crate::database::Database;
use crate::durable;
use crate::installation::Installation;
use crate::problem;
use crate::since::{self, Change, Data, Each};
use crate::state::History;

/// In an export: what is in it and what is not.
const CONTENTS: &str = "contents.json";

/// What can be taken back: the last finished update.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The update.
    pub(crate) update: UpdateId,
    /// The version that it led to, which is installed.
    pub(crate) from: Version,
    /// The version before.
    pub(crate) to: Version,
    /// When it was finished.
    finished: Timestamp,
}

/// The last finished update. `None` when there was none.
pub(crate) fn target(history: &History) -> Option<Target> {
    let last = history.last_completed()?;
    Some(Target {
        update: last.id,
        from: last.to.clone(),
        to: last.from.clone(),
        finished: last.finished.unwrap_or(last.started),
    })
}

/// What stands in the way, but for what is going on.
pub(crate) fn obstacles(
    target: &Target,
    installation: &Installation,
    installed: &Version,
) -> Vec<Problem> {
    let copy = installation.protected(target.update);
    let nothing = |detail: String| vec![Problem::new(problem::NOTHING_TO_REVERT).detail(detail)];
    if *installed != target.from {
        return nothing(format!("update {} led to {}", target.update, target.from));
    }
    if !copies::is_good(&copy) {
        return nothing(format!("there is no copy in {}", copy.display()));
    }
    match crate::step::installed(installation, &target.to) {
        Ok(_) => Vec::new(),
        Err(damaged) => nothing(damaged.detail.unwrap_or_default()),
    }
}

/// What going back would lose. `obstacles` are put into it.
///
/// # Errors
/// `system`, `database-unusable`: it cannot be told.
pub(crate) fn plan(
    target: &Target,
    installation: &Installation,
    database: &dyn Database,
    obstacles: Vec<Problem>,
) -> Result<RevertPlan, Problem> {
    let copy = installation.protected(target.update);
    let since = since::read(&copy).map_err(|error| system(&copy, error))?;
    let (at, written) = match since {
        Some(since) if since.counters.is_null() => (since.at, None),
        Some(since) => (since.at, database.written_since(&since.counters)?),
        None => (target.finished, None),
    };
    let mut files_changed = 0;
    let except = database.files();
    let data = data(installation, &except);
    since::changes(&copy, at, data, &mut |_, _, _| {
        files_changed += 1;
        Ok(())
    })
    .map_err(|error| system(&copy, error))?;
    Ok(RevertPlan {
        update: target.update,
        from: target.from.clone(),
        to: target.to.clone(),
        since: at,
        written,
        files_changed,
        obstacles,
    })
}

/// Copies what going back would lose, the whole database and the data files written since, into a new directory. It appears
/// under its name when it is complete.
///
/// # Errors
/// `bad-request`: the directory exists already, or its path says nothing to another program; `disk-space`; `system`.
pub(crate) fn export(
    plan: &RevertPlan,
    installation: &Installation,
    database: &dyn Database,
    directory: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<Exported, Problem> {
    let refuse = |detail: String| Err(Problem::new(problem::BAD_REQUEST).detail(detail));
    let (Some(parent), Some(name)) = (directory.parent(), directory.file_name()) else {
        return refuse(format!("{} is no new directory", directory.display()));
    };
    if !directory.is_absolute() {
        return refuse(format!("{} does not begin with /", directory.display()));
    }
    if std::fs::symlink_metadata(directory).is_ok() {
        return refuse(format!("{} exists already", directory.display()));
    }
    let mut unfinished = std::ffi::OsString::from(durable::TEMPORARY_PREFIX);
    unfinished.push(name);
    let unfinished = parent.join(unfinished);
    let exporting = Exporting {
        plan,
        installation,
        database,
        to: &unfinished,
    };
    let made = exporting.run(go_on).and_then(|bytes| {
        durable::rename_new(&unfinished, directory)
            .map(|()| bytes)
            .map_err(|error| system(directory, error))
    });
    match made {
        Ok(bytes) => Ok(Exported {
            directory: directory.to_owned(),
            bytes,
        }),
        Err(problem) => {
            if let Err(error) = durable::remove_dir_all(&unfinished) {
                tracing::warn!(%error, "an unfinished export could not be removed");
            }
            Err(problem)
        }
    }
}

struct Exporting<'a> {
    plan: &'a RevertPlan,
    installation: &'a Installation,
    database: &'a dyn Database,
    to: &'a Path,
}

impl Exporting<'_> {
    fn run(&self, go_on: &dyn Fn() -> bool) -> Result<u64, Problem> {
        let wrong = |error| system(self.to, error);
        durable::remove_dir_all(self.to).map_err(wrong)?;
        durable::create_dir_all(self.to)
            .and_then(|()| durable::set_mode(self.to, 0o700))
            .map_err(wrong)?;
        self.check_room()?;
        self.database.export(&self.to.join("database"), go_on)?;
        self.files(go_on).map_err(wrong)?;
        let contents = serde_json::to_vec_pretty(self.plan).map_err(|error| wrong(error.into()))?;
        durable::write(&self.to.join(CONTENTS), &contents, 0o600)
            .and_then(|()| durable::sync_file_system(self.to))
            .map_err(wrong)?;
        Ok(crate::files::size(self.to))
    }

    fn check_room(&self) -> Result<(), Problem> {
        let mut files = 0;
        self.changes(&mut |_, _, length| {
            files += length;
            Ok(())
        })
        .map_err(|error| system(self.to, error))?;
        let needed = self.database.size() + files;
        let free = crate::files::free(self.to).map_err(|error| system(self.to, error))?;
        match needed > free {
            true => Err(Problem::new(problem::DISK_SPACE)
                .arg("needed", needed)
                .arg("free", free)
                .arg("path", self.to.display())),
            false => Ok(()),
        }
    }

    /// Copies data files written since into `files/<number of their directory>`, counted from 0 as in the installation file.
    fn files(&self, go_on: &dyn Fn() -> bool) -> io::Result<()> {
        let directories = &self.installation.data.directories;
        self.changes(&mut |(number, inside), change, _| {
            if change == Change::Removed {
                return Ok(());
            }
            let base = std::fs::canonicalize(&directories[*number])?;
            let to = self.to.join("files").join(number.to_string()).join(inside);
            durable::create_dir_all(to.parent().unwrap_or(self.to))?;
            match durable::copy_entry(&base.join(inside), &to, go_on) {
                // Gone since it was found.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            }
        })
    }

    fn changes(&self, each: Each) -> io::Result<()> {
        let except = self.database.files();
        let copy = self.installation.protected(self.plan.update);
        let data = data(self.installation, &except);
        since::changes(&copy, self.plan.since, data, each)
    }
}

fn data<'a>(installation: &'a Installation, except: &'a [PathBuf]) -> Data<'a> {
    Data {
        directories: &installation.data.directories,
        except,
    }
}

fn system(path: &Path, error: io::Error) -> Problem {
    Problem::new(problem::SYSTEM)
        .arg("path", path.display())
        .detail(error)
}
