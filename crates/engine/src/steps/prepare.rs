//! Does what makes protecting the database short while the application still works with it: a standby is made, for instance.
//! Undone last but for what came before it, when whatever was returned to is no longer needed.

use crate::api::{Problem, Unit};
use crate::durable;
use crate::problem;
use crate::step::{Context, Step};

/// See the module.
pub(super) struct Prepare;

impl Step for Prepare {
    fn name(&self) -> &'static str {
        "prepare"
    }

    fn plan(&self, _cx: &Context) -> String {
        "what can be done for protecting the database before requests are held".to_owned()
    }

    fn run(&self, cx: &Context) -> Result<Option<String>, Problem> {
        let go_on = || cx.may_go_on(self.name()).is_ok();
        let mut progress = |done, total| (cx.progress)(done, total, Unit::Bytes);
        let to = cx.protected().join("database");
        match cx.database.prepare(&to, &mut progress, &go_on) {
            Ok(how) => Ok(how),
            // Broken off rather than failed, if so.
            Err(problem) => Err(cx.may_go_on(self.name()).err().unwrap_or(problem)),
        }
    }

    /// Where requests were held already, `hold` has moved the protected copies away, and they go from there.
    fn undo(&self, cx: &Context) -> Result<(), Problem> {
        let prepared = cx.protected().join("database");
        cx.database.forget(&prepared)?;
        durable::remove_dir_all(&prepared).map_err(|error| {
            Problem::new(problem::SYSTEM)
                .arg("path", prepared.display())
                .detail(error)
        })
    }
}
