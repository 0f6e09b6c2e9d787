//! Writes down that the new version is the installed one.

use crate::api::Problem;
use crate::application;
use crate::since;
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
        application::set_installed(cx.installation, cx.to)?;
        let except = cx.database.files();
        let data = since::Data {
            directories: &cx.installation.data.directories,
            except: &except,
        };
        if let Err(error) = since::list(&cx.protected(), data) {
            tracing::warn!(%error, "it will not be known which data files are removed from now on");
        }
        Ok(None)
    }

    fn undo(&self, cx: &Context) -> Result<(), Problem> {
        application::set_installed(cx.installation, cx.from)
    }
}
