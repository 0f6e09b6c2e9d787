//! `cargo xtask screenshots`: the pictures of the documentation, taken by the end-to-end tests as they click through.

use anyhow::Result;

use crate::{run, tools};

const PLACE: &str = "docs/images";

pub(crate) fn run() -> Result<()> {
    tools::ensure_browser()?;
    tools::ensure_screen()?;
    let axe = tools::ensure_axe()?;
    run::run(&mut run::cargo(["build", "--workspace", "--bins"]))?;
    let place = run::root().join(PLACE);
    std::fs::create_dir_all(&place)?;
    let mut test = run::cargo(["test", "-p", "obnova-demo", "--test", "e2e"]);
    test.env("OBNOVA_SCREENSHOTS", &place)
        .env("OBNOVA_AXE", axe);
    run::run(&mut test)?;
    let mut windows = run::cargo([
        "test",
        "-p",
        "obnova-desktop-gui",
        "--test",
        "it",
        "pictures",
    ]);
    run::run(windows.env("OBNOVA_SCREENSHOTS", &place))
}
