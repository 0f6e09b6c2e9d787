//! Lays out what a revert returns, while the version that is to go still serves: a second copy of the kept one, so that this
//! stays good if the way back fails.

use crate::api::{Problem, Unit};
use crate::copies;
use crate::durable;
use crate::files::Files;
use crate::problem;
use crate::step::{Context, Step, chain};
use crate::steps::clean;

/// See the module.
pub(super) struct LayOut;

impl Step for LayOut {
    fn name(&self) -> &'static str {
        "lay_out"
    }

    fn plan(&self, cx: &Context) -> String {
        format!("in {}", cx.laid_out().display())
    }

    fn run(&self, cx: &Context) -> Result<Option<String>, Problem> {
        // The program that is to serve again, before anybody is made to wait for it.
        cx.installed(cx.to)?
            .verify(&cx.installation.versions())
            .map_err(|error| {
                Problem::new(problem::RELEASE_DAMAGED)
                    .arg("version", cx.to)
                    .detail(chain(&error))
            })?;
        let (kept, laid_out) = (copies::of_revert(cx)?, cx.laid_out());
        let failed = |error: std::io::Error| {
            Problem::new(problem::PROTECTION_FAILED)
                .arg("path", laid_out.display())
                .detail(error)
        };
        clean::give_up(cx.database, &laid_out)?;
        durable::create_dir_all(&laid_out).map_err(failed)?;
        let go_on = || cx.may_go_on(self.name()).is_ok();
        let broken_off = |problem| cx.may_go_on(self.name()).err().unwrap_or(problem);
        let spare = cx
            .database
            .spare(&kept.join("database"), &laid_out.join("database"), &go_on)
            .map_err(broken_off)?;
        let except = cx.database.files();
        let files = Files {
            directories: &cx.installation.data.directories,
            except: &except,
        };
        let mut progress = |files, _| (cx.progress)(files, 0, Unit::Files);
        let (count, bytes) = files
            .copy_protected(
                &kept.join("files"),
                &laid_out.join("files"),
                &go_on,
                &mut progress,
            )
            .map_err(|error| broken_off(failed(error)))?;
        copies::set_spare(&laid_out, spare).map_err(failed)?;
        Ok(Some(format!(
            "database: {spare:?}; {count} files, {bytes} bytes"
        )))
    }

    fn undo(&self, cx: &Context) -> Result<(), Problem> {
        // Where it got further, `hold` has moved it away with all of this revert's.
        clean::give_up(cx.database, &cx.laid_out())
    }
}
