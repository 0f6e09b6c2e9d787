//! Removes what nobody needs any more: protected copies that the rule does not keep, and trees of versions but the last two.

use std::path::Path;

use crate::api::{Problem, UpdateId};
use crate::database::Database;
use crate::durable;
use crate::installation::Installation;
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
        give_up(cx.database, &cx.laid_out())?;
        let staying = cx.keeping.with_newest(cx.update, cx.installation);
        keep_only(cx.installation, cx.database, &staying);
        Ok(None)
    }

    fn undo(&self, _cx: &Context) -> Result<(), Problem> {
        Ok(())
    }
}

/// Removes protected copies but those of these updates.
pub(crate) fn keep_only(
    installation: &Installation,
    database: &dyn Database,
    updates: &[UpdateId],
) {
    let names: Vec<String> = updates.iter().map(UpdateId::to_string).collect();
    let keep = |name: &str| names.iter().any(|kept| kept == name);
    forget_but(database, &installation.protected_root(), &keep);
}

/// Removes protected copies but those that `keep` says. One that cannot be removed stays until the next time.
pub(crate) fn forget_but(database: &dyn Database, root: &Path, keep: &dyn Fn(&str) -> bool) {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    for entry in entries {
        if !entry.file_name().to_str().is_some_and(keep) {
            forget(database, &entry.path());
        }
    }
}

/// Removes one protected copy, with what of it lies at the database's server.
pub(crate) fn forget(database: &dyn Database, protected: &Path) {
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
