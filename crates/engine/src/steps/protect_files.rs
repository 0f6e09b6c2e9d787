//! Puts the data files in a safe place. Undoing returns them from there.

use std::sync::atomic::Ordering;

use crate::api::{Problem, Unit};
use crate::files::Files;
use crate::problem;
use crate::step::{Context, Step};

/// See the module.
pub(super) struct ProtectFiles;

impl Step for ProtectFiles {
    fn name(&self) -> &'static str {
        "protect_files"
    }

    fn plan(&self, cx: &Context) -> String {
        let directories = cx
            .installation
            .data
            .directories
            .iter()
            .map(|directory| directory.display().to_string());
        directories.collect::<Vec<_>>().join(", ")
    }

    fn run(&self, cx: &Context) -> Result<Option<String>, Problem> {
        // Counted a while ago: others may have been added.
        let counted = cx.data_files.load(Ordering::Relaxed);
        let mut progress = |files: u64, _| {
            let total = if counted == 0 { 0 } else { counted.max(files) };
            (cx.progress)(files, total, Unit::Files);
        };
        let except = cx.database.files();
        let go_on = || cx.may_go_on(self.name()).is_ok();
        let (files, bytes) = files(cx, &except)
            .protect(&cx.protected().join("files"), &go_on, &mut progress)
            .map_err(|error| {
                let failed = Problem::new(problem::PROTECTION_FAILED)
                    .arg("path", self.plan(cx))
                    .detail(error);
                // Broken off rather than failed, if so.
                cx.may_go_on(self.name()).err().unwrap_or(failed)
            })?;
        Ok(Some(format!("{files} files, {bytes} bytes")))
    }

    fn undo(&self, cx: &Context) -> Result<(), Problem> {
        let except = cx.database.files();
        files(cx, &except)
            .restore(&cx.protected().join("files"))
            .map_err(|error| {
                Problem::new(problem::SYSTEM)
                    .arg("path", self.plan(cx))
                    .detail(error)
            })
    }
}

fn files<'a>(cx: &'a Context, except: &'a [std::path::PathBuf]) -> Files<'a> {
    Files {
        directories: &cx.installation.data.directories,
        except,
    }
}
