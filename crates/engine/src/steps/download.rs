//! Downloads what is not here yet of the new version, verifies it, and lays its tree out beside the others.

use crate::api::{Problem, Unit};
use crate::durable;
use crate::problem;
use crate::step::{Context, Step};
use crate::steps::check::destination;

/// See the module.
pub(super) struct Download;

impl Step for Download {
    fn name(&self) -> &'static str {
        "download"
    }

    fn plan(&self, cx: &Context) -> String {
        let bytes = cx
            .release
            .map_or(0, |release| release.download_bytes(&destination(cx)));
        format!(
            "{bytes} bytes into {}",
            cx.installation.tree(cx.to).display()
        )
    }

    fn run(&self, cx: &Context) -> Result<Option<String>, Problem> {
        let release = cx
            .release
            .ok_or_else(|| Problem::new(problem::UNKNOWN_VERSION).arg("version", cx.to))?;
        let bytes = release.download_bytes(&destination(cx));
        cx.releases.download(
            release,
            &mut |done, total| (cx.progress)(done, total, Unit::Bytes),
            cx.cancelled,
        )?;
        let installed = cx.installed(cx.to)?;
        installed
            .verify(&cx.installation.versions())
            .map_err(|error| {
                Problem::new(problem::RELEASE_DAMAGED)
                    .arg("version", cx.to)
                    .detail(crate::step::chain(&error))
            })?;
        Ok(Some(format!("{bytes} bytes downloaded")))
    }

    /// The tree of a version that failed is not kept; its downloaded files are, for the next try.
    fn undo(&self, cx: &Context) -> Result<(), Problem> {
        let tree = cx.installation.tree(cx.to);
        let facts = tree.with_file_name(format!("{}.json", cx.to));
        durable::remove_dir_all(&tree)
            .and_then(|()| durable::remove_file(&facts))
            .map_err(|error| {
                Problem::new(problem::SYSTEM)
                    .arg("path", tree.display())
                    .detail(error)
            })
    }
}
