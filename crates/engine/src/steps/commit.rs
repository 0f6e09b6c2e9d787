//! Writes down that the new version is the installed one.

use crate::api::Problem;
use crate::application;
use crate::step::{Context, Step};

/// See the module.
pub(super) struct Commit;

impl Step for Commit {
    fn name(&self) -> &'static str {
        "commit"
    }

    fn plan(&self, cx: &Context) -> String {
        format!("{} is the installed version", cx.to)
    }

    fn run(&self, cx: &Context) -> Result<Option<String>, Problem> {
        application::set_installed(cx.installation, cx.to).map(|()| None)
    }

    fn undo(&self, cx: &Context) -> Result<(), Problem> {
        application::set_installed(cx.installation, cx.from)
    }
}
