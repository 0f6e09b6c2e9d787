//! Returns database and data files to the copy that was kept when the update was finished. Nothing is undone here: the state
//! that was left has been protected like that before any update, and undoing those steps returns it.

use crate::api::Problem;
use crate::copies;
use crate::database::Spare;
use crate::files::Files;
use crate::problem;
use crate::step::{Context, Step};

/// See the module.
pub(super) struct GoBack;

impl Step for GoBack {
    fn name(&self) -> &'static str {
        "go_back"
    }

    fn plan(&self, cx: &Context) -> String {
        copies::of_revert(cx).map_or_else(
            |_| "there is no copy to go back to".to_owned(),
            |kept| format!("to {}", kept.display()),
        )
    }

    fn run(&self, cx: &Context) -> Result<Option<String>, Problem> {
        let (kept, laid_out) = (copies::of_revert(cx)?, cx.laid_out());
        let system = |error: std::io::Error| {
            Problem::new(problem::SYSTEM)
                .arg("path", laid_out.display())
                .detail(error)
        };
        let spare = copies::spare(&laid_out).map_err(system)?;
        if spare == Spare::UsesUp {
            // On disk before the act: whatever happens, nobody takes what is left of it for a good copy.
            copies::set_used_up(&kept).map_err(system)?;
        }
        let except = cx.database.files();
        let files = Files {
            directories: &cx.installation.data.directories,
            except: &except,
        };
        // In this order, as a database that lies among the files is moved along with them.
        files.restore(&laid_out.join("files")).map_err(system)?;
        let database = match spare {
            Spare::Made => &laid_out,
            Spare::OnlyRead | Spare::UsesUp => &kept,
        };
        cx.database.restore(&database.join("database"))?;
        cx.database.keep_out(&cx.protected().join("database"))?;
        Ok(Some(format!("to {}", kept.display())))
    }

    fn undo(&self, _cx: &Context) -> Result<(), Problem> {
        Ok(())
    }
}
