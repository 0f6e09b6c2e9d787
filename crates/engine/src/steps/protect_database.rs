//! Puts the database in a safe place. Undoing returns it from there.

use crate::api::Problem;
use crate::step::{Context, Step};

/// See the module.
pub(super) struct ProtectDatabase;

impl Step for ProtectDatabase {
    fn name(&self) -> &'static str {
        "protect_database"
    }

    fn plan(&self, cx: &Context) -> String {
        cx.database.plan()
    }

    fn run(&self, cx: &Context) -> Result<Option<String>, Problem> {
        let go_on = || cx.may_go_on(self.name()).is_ok();
        match cx
            .database
            .protect(&cx.protected().join("database"), &go_on)
        {
            Ok(how) => Ok(Some(how)),
            // Broken off rather than failed, if so.
            Err(problem) => Err(cx.may_go_on(self.name()).err().unwrap_or(problem)),
        }
    }

    fn undo(&self, cx: &Context) -> Result<(), Problem> {
        cx.database.restore(&cx.protected().join("database"))
    }
}
