//! The same without a mouse.

use anyhow::{Result, bail, ensure};
use obnova_demo::world::World;
use obnova_testkit::browser::Key;

use crate::installing::{has_finished, install_text};
use crate::person::Person;

/// Nobody presses Tab more often than that.
const MOST_TABS: usize = 40;

/// What has the focus, and whether it is in the window.
const FOCUS: &str = "
    const focused = document.activeElement;
    const words = focused && focused !== document.body ? focused.textContent : '';
    return [words.replace(/\\s+/g, ' ').trim(), Boolean(focused && focused.closest('dialog:modal'))];
";

/// 1.3.0, with Tab, Enter and Escape only.
pub(crate) async fn installs_without_a_mouse(admin: &mut Person, world: &World) -> Result<()> {
    admin.browser.refresh().await?;
    let found = admin.t.with("updates-found", &[("version", "1.3.0")]);
    admin.sees(&found).await?;
    let install = install_text(admin, "1.3.0");
    tabs_to(admin, &install).await?;
    presses(admin, Key::Enter).await?;
    stays_in_the_window(admin).await?;
    presses(admin, Key::Escape).await?;
    admin.sees_no_window().await?;
    let (focused, _) = focus(admin).await?;
    ensure!(focused == install, "the focus went to “{focused}”");
    presses(admin, Key::Enter).await?;
    let (focused, _) = focus(admin).await?;
    ensure!(
        focused == admin.says("install-start")?,
        "the window begins at “{focused}”"
    );
    presses(admin, Key::Enter).await?;
    has_finished(admin, "1.3.0").await?;
    let (focused, inside) = focus(admin).await?;
    ensure!(
        inside && focused == admin.says("verdict-ok")?,
        "the last window begins at “{focused}”"
    );
    presses(admin, Key::Enter).await?;
    admin.sees_text("updates-nothing-newer").await?;
    admin.sees_no_window().await?;
    let served = world.served_version().await?;
    ensure!(served == "1.3.0", "{served} is served");
    Ok(())
}

async fn presses(admin: &Person, key: Key) -> Result<()> {
    let keys = admin.browser.action_chain().send_keys(key);
    Ok(keys.perform().await?)
}

async fn focus(admin: &Person) -> Result<(String, bool)> {
    let focus = admin.browser.execute(FOCUS, Vec::new()).await?;
    Ok(focus.convert()?)
}

async fn tabs_to(admin: &Person, text: &str) -> Result<()> {
    let mut passed = Vec::new();
    for _ in 0..MOST_TABS {
        presses(admin, Key::Tab).await?;
        let (focused, _) = focus(admin).await?;
        if focused == text {
            return Ok(());
        }
        passed.push(focused);
    }
    bail!("Tab does not reach “{text}”, but {passed:?}")
}

/// Tab goes round in the open window and never to the page below.
async fn stays_in_the_window(admin: &Person) -> Result<()> {
    admin.sees_a_window().await?;
    let mut reached = Vec::new();
    for _ in 0..6 {
        let (focused, inside) = focus(admin).await?;
        // Between the last and the first the browser's own controls come, which belong to no page.
        ensure!(inside || focused.is_empty(), "Tab leaves to “{focused}”");
        reached.push(focused);
        presses(admin, Key::Tab).await?;
    }
    for key in ["install-start", "cancel"] {
        let text = admin.says(key)?;
        ensure!(reached.contains(&text), "Tab reaches {reached:?}");
    }
    Ok(())
}
