//! Points `current` at the new version's tree.

use std::path::Path;

use semver::Version;

use crate::api::Problem;
use crate::durable;
use crate::problem;
use crate::step::{Context, Step};

/// See the module.
pub(super) struct Switch;

impl Step for Switch {
    fn name(&self) -> &'static str {
        "switch"
    }

    fn plan(&self, cx: &Context) -> String {
        format!("{} -> {}", cx.installation.current().display(), cx.to)
    }

    fn run(&self, cx: &Context) -> Result<Option<String>, Problem> {
        point(cx, cx.to).map(|()| None)
    }

    fn undo(&self, cx: &Context) -> Result<(), Problem> {
        point(cx, cx.from)
    }
}

fn point(cx: &Context, version: &Version) -> Result<(), Problem> {
    let current = cx.installation.current();
    durable::symlink_swap(&current, &Path::new("versions").join(version.to_string())).map_err(
        |error| {
            Problem::new(problem::SYSTEM)
                .arg("path", current.display())
                .detail(error)
        },
    )
}
