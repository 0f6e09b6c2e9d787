//! Removes what nobody needs any more: protected copies but the newest, and trees of versions but the last two.

use std::path::Path;

use crate::api::Problem;
use crate::durable;
use crate::problem;
use crate::step::{Context, Step};

/// See the module.
pub(super) struct Clean;

impl Step for Clean {
    fn name(&self) -> &'static str {
        "clean"
    }

    fn plan(&self, cx: &Context) -> String {
        format!(
            "keeps the protected copy of this update in {}",
            cx.protected().display()
        )
    }

    fn run(&self, cx: &Context) -> Result<Option<String>, Problem> {
        let keep = [cx.from.to_string(), cx.to.to_string()];
        remove_but(&cx.installation.versions(), &|name| {
            keep.iter()
                .any(|version| name == version || name == format!("{version}.json"))
        })?;
        let update = cx.update.to_string();
        remove_but(&cx.installation.protected_root(), &|name| name == update)?;
        Ok(None)
    }

    fn undo(&self, _cx: &Context) -> Result<(), Problem> {
        Ok(())
    }
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
