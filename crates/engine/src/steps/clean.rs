//! Removes what nobody needs any more: protected copies that the rule does not keep, and trees of versions but the last two.
//!
//! A copy may hold so many files that removing it takes minutes, and nobody is to wait for that. So it is thrown away here, which is
//! one rename, and removed when the update has ended (`engine/trash.rs`), by the next engine if this one does not come to it.

use std::path::Path;

use crate::api::{Problem, UpdateId};
use crate::database::Database;
use crate::durable;
use crate::installation::{Installation, TRASH};
use crate::problem;
use crate::step::{Context, LAID_OUT, Step};

/// See the module.
pub(super) struct Clean;

impl Step for Clean {
    fn name(&self) -> &'static str {
        "clean"
    }

    fn plan(&self, cx: &Context) -> String {
        format!(
            "keeps the protected copy of this update in {}, and {} in all",
            cx.protected().display(),
            cx.keeping.rule.copies.max(1)
        )
    }

    fn run(&self, cx: &Context) -> Result<Option<String>, Problem> {
        let keep = [cx.from.to_string(), cx.to.to_string()];
        remove_but(&cx.installation.versions(), &|name| {
            keep.iter()
                .any(|version| name == version || name == format!("{version}.json"))
        })?;
        // What was left of it when a revert had returned it.
        let name = format!("{}-{LAID_OUT}", cx.update);
        let root = cx.installation.protected_root();
        throw_away_as(cx.database, &cx.laid_out(), &root.join(name));
        let staying = cx.keeping.with_newest(cx.update, cx.installation);
        keep_only(cx.installation, cx.database, &staying);
        Ok(None)
    }

    fn undo(&self, _cx: &Context) -> Result<(), Problem> {
        Ok(())
    }
}

/// Throws protected copies away but those of these updates.
pub(crate) fn keep_only(
    installation: &Installation,
    database: &dyn Database,
    updates: &[UpdateId],
) {
    let names: Vec<String> = updates.iter().map(UpdateId::to_string).collect();
    let keep = |name: &str| names.iter().any(|kept| kept == name);
    throw_away_but(database, &installation.protected_root(), &keep);
}

/// Throws protected copies away but those that `keep` says, and what was thrown away already.
pub(crate) fn throw_away_but(database: &dyn Database, root: &Path, keep: &dyn Fn(&str) -> bool) {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let stays = |name: &str| name.ends_with(TRASH) || keep(name);
        if !name.to_str().is_some_and(stays) {
            throw_away(database, &entry.path());
        }
    }
}

/// Puts a protected copy out of everybody's reach, for ever; what it holds is removed later.
pub(crate) fn throw_away(database: &dyn Database, protected: &Path) {
    throw_away_as(database, protected, protected);
}

fn throw_away_as(database: &dyn Database, protected: &Path, name: &Path) {
    if !protected.exists() {
        return;
    }
    let trash = (0..).map(|number| {
        let mut trash = name.as_os_str().to_owned();
        trash.push(format!(".{number}{TRASH}"));
        std::path::PathBuf::from(trash)
    });
    let free = trash.into_iter().find(|path| !path.exists());
    let thrown = free.map(|path| durable::rename(protected, &path));
    if let Some(Err(error)) = thrown {
        tracing::warn!(%error, "a protected copy is removed where it is");
        forget(database, protected);
    }
}

/// Removes everything that was thrown away, at once: there is no room otherwise.
pub(crate) fn empty_trash(database: &dyn Database, root: &Path) {
    for path in trash(root) {
        forget(database, &path);
    }
}

/// What was thrown away and is still there.
pub(crate) fn trash(root: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| {
            path.as_os_str()
                .as_encoded_bytes()
                .ends_with(TRASH.as_bytes())
        })
        .collect()
}

/// Removes one protected copy, with what of it lies at the database's server.
fn forget(database: &dyn Database, protected: &Path) {
    let removed =
        give_up(database, &protected.join(LAID_OUT)).and_then(|()| give_up(database, protected));
    if let Err(problem) = removed {
        tracing::warn!(
            path = %protected.display(),
            detail = problem.detail,
            "the protected copy could not be removed"
        );
    }
}

/// Removes a directory with a copy in it, with what of that lies at the database's server. Repeatable.
pub(crate) fn give_up(database: &dyn Database, copy: &Path) -> Result<(), Problem> {
    database.forget(&copy.join("database"))?;
    durable::remove_dir_all(copy).map_err(|error| {
        Problem::new(problem::SYSTEM)
            .arg("path", copy.display())
            .detail(error)
    })
}

/// Removes everything from a directory but what `keep` says.
pub(crate) fn remove_but(directory: &Path, keep: &dyn Fn(&str) -> bool) -> Result<(), Problem> {
    let system = |error| {
        Problem::new(problem::SYSTEM)
            .arg("path", directory.display())
            .detail(error)
    };
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry.map_err(system)?;
        if entry.file_name().to_str().is_some_and(keep) {
            continue;
        }
        match entry.file_type().map_err(system)?.is_dir() {
            true => durable::remove_dir_all(&entry.path()).map_err(system)?,
            false => durable::remove_file(&entry.path()).map_err(system)?,
        }
    }
    Ok(())
}
