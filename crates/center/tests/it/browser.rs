//! The pages in a real browser: keyboard, live parts, both themes, a phone.

use std::time::Duration;

use obnova_testkit::browser::{Browser, BrowserOptions, By, Key};
use semver::Version;
use serde_json::Value;

use crate::centre::{Centre, EMAIL, PASSWORD};

async fn signed_in(centre: &Centre, language: &str) -> Browser {
    centre.signed_in().await;
    let options = BrowserOptions {
        language: language.to_owned(),
        ..BrowserOptions::default()
    };
    let browser = Browser::start(options).await.unwrap();
    browser.goto(centre.url("/sign-in")).await.unwrap();
    let find = async |id: &str| browser.find(By::Id(id)).await.unwrap();
    find("email").await.send_keys(EMAIL).await.unwrap();
    let password = find("password").await;
    password.send_keys(PASSWORD).await.unwrap();
    password.send_keys(Key::Enter + "").await.unwrap();
    browser.wait_for_text("1.1.0").await.unwrap();
    browser
}

async fn value(browser: &Browser, script: &str) -> Value {
    let script = format!("return {script}");
    browser
        .execute(script, Vec::new())
        .await
        .unwrap()
        .json()
        .clone()
}

/// Waits for a value: htmx exchanges a part first and settles it a moment later.
async fn becomes(browser: &Browser, script: &str, wanted: &str) {
    for _ in 0..100 {
        if value(browser, script).await == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{script} is {}", value(browser, script).await);
}

/// Presses a key wherever the focus is.
async fn press(browser: &Browser, key: Key) {
    let focused = browser.active_element().await.unwrap();
    focused.send_keys(key + "").await.unwrap();
}

#[tokio::test]
async fn every_page_can_be_read_by_everybody_and_fits_a_phone() {
    let centre = Centre::start().await;
    crate::rehearsals::can_go_back(&centre);
    crate::fleet::report(&centre).await;
    let mut browser = signed_in(&centre, "en").await;
    for path in [
        "/",
        "/updates",
        "/updates/install?version=1.1.0",
        "/updates/rehearsal/1.1.0",
        "/history",
        "/history/copies",
        "/history/copies/7/delete",
        "/history/1/revert",
        "/desktops",
        "/desktops?standing=returned&days=365",
        "/users",
        "/users/new",
        "/users/1",
        "/groups",
        "/users/import",
        "/notifications",
        "/settings",
        "/audit",
    ] {
        browser.goto(centre.url(path)).await.unwrap();
        for dark in [false, true] {
            browser.set_dark(dark).await.unwrap();
            browser.expect_no_serious_violations().await.unwrap();
        }
        browser.set_size(360, 740).await.unwrap();
        let width = value(&browser, "document.documentElement.scrollWidth").await;
        assert_eq!(width, 360, "{path} is wider than a phone");
        browser.set_size(1280, 800).await.unwrap();
        let said = browser.console().await.unwrap();
        assert!(said.is_empty(), "{path}: {said:?}");
    }
    browser.close().await.unwrap();
}

#[tokio::test]
async fn an_update_is_installed_and_followed_with_the_keyboard_alone() {
    let centre = Centre::start().await;
    let browser = signed_in(&centre, "en").await;
    centre
        .engine()
        .change(|facts| facts.pace = Duration::from_millis(200));
    browser.wait_for_text("is available").await.unwrap();
    browser
        .execute("document.querySelector('[data-opens]').focus()", Vec::new())
        .await
        .unwrap();
    press(&browser, Key::Enter).await;
    browser
        .wait_for_text("Install version 1.1.0?")
        .await
        .unwrap();
    press(&browser, Key::Escape).await;
    let focused = value(&browser, "document.activeElement.dataset.opens").await;
    assert_eq!(focused, "confirm", "the focus is back where it was");
    press(&browser, Key::Enter).await;
    browser
        .wait_for_text("Install version 1.1.0?")
        .await
        .unwrap();
    press(&browser, Key::Enter).await;
    browser
        .wait_for_text("Installing version 1.1.0")
        .await
        .unwrap();
    browser.expect_no_serious_violations().await.unwrap();
    browser
        .wait_for_text("The installation is complete")
        .await
        .unwrap();
    browser.expect_no_serious_violations().await.unwrap();
    let modal = value(
        &browser,
        "document.querySelector('#verdict').matches(':modal')",
    )
    .await;
    assert_eq!(modal, true);
    press(&browser, Key::Enter).await;
    browser
        .wait_for_text("You have the latest version.")
        .await
        .unwrap();
    while value(&browser, "!!document.querySelector('#verdict')").await == true {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    browser.close().await.unwrap();
}

#[tokio::test]
async fn a_failure_is_told_in_a_window_that_survives_a_reload() {
    let centre = Centre::start().await;
    let browser = signed_in(&centre, "en").await;
    centre.engine().change(|facts| {
        facts.pace = Duration::from_millis(300);
        facts.fails = Some(Version::new(1, 1, 0));
    });
    browser
        .goto(centre.url("/updates/install?version=1.1.0"))
        .await
        .unwrap();
    let install = browser
        .find(By::Css("form[action='/updates/install'] button"))
        .await
        .unwrap();
    install.click().await.unwrap();
    browser
        .wait_for_text("Going back to version 1.0.0")
        .await
        .unwrap();
    browser.refresh().await.unwrap();
    browser
        .wait_for_text("Version 1.1.0 could not be installed")
        .await
        .unwrap();
    browser.expect_no_serious_violations().await.unwrap();
    browser.refresh().await.unwrap();
    browser
        .wait_for_text("Version 1.1.0 could not be installed")
        .await
        .unwrap();
    browser.close().await.unwrap();
}

#[tokio::test]
async fn without_script_an_update_is_found_installed_and_followed_to_its_end() {
    let centre = Centre::start().await;
    centre
        .engine()
        .change(|facts| facts.pace = Duration::from_millis(600));
    centre.signed_in().await;
    let browser = Browser::start(BrowserOptions::default()).await.unwrap();
    let no_scripts = serde_json::json!({ "value": true });
    browser
        .devtools("Emulation.setScriptExecutionDisabled", no_scripts)
        .await
        .unwrap();
    browser.goto(centre.url("/sign-in")).await.unwrap();
    fill(&browser, "email", EMAIL).await;
    fill(&browser, "password", PASSWORD).await;
    click(&browser, "form[action='/sign-in'] button").await;
    browser
        .wait_for_text("Version 1.1.0 is available.")
        .await
        .unwrap();
    click(&browser, "a.button.main").await;
    browser
        .wait_for_text("Install version 1.1.0?")
        .await
        .unwrap();
    click(&browser, "form[action='/updates/install'] button").await;
    browser
        .wait_for_text("Installing version 1.1.0")
        .await
        .unwrap();
    browser
        .wait_for_text("The installation is complete")
        .await
        .unwrap();
    let top = browser.find(By::Id("verdict")).await.unwrap();
    let offer = browser.find(By::Id("offer")).await.unwrap();
    assert!(top.rect().await.unwrap().y < offer.rect().await.unwrap().y);
    click(&browser, "#verdict form button").await;
    browser
        .wait_for_text("You have the latest version.")
        .await
        .unwrap();
    let said = browser.console().await.unwrap();
    assert!(said.is_empty(), "{said:?}");
    browser.close().await.unwrap();
}

#[tokio::test]
async fn a_new_check_is_announced_and_leaves_the_focus_where_it_was() {
    let centre = Centre::start().await;
    let browser = signed_in(&centre, "en").await;
    browser.wait_for_text("is available").await.unwrap();
    let said = "document.querySelector('[role=status][data-said]').textContent";
    becomes(&browser, said, "Version 1.1.0 is available.").await;
    centre
        .engine()
        .change(|facts| facts.finds = crate::engine::found(None));
    let focus = "document.getElementById('refresh').focus()";
    browser.execute(focus, Vec::new()).await.unwrap();
    let region = "window.region = document.querySelector('[data-said]')";
    browser.execute(region, Vec::new()).await.unwrap();
    press(&browser, Key::Enter).await;
    browser
        .wait_for_text("There is no newer version.")
        .await
        .unwrap();
    becomes(&browser, said, "There is no newer version.").await;
    let same = "window.region === document.querySelector('[data-said]')";
    assert_eq!(value(&browser, same).await, true, "the region has stayed");
    becomes(&browser, "document.activeElement.id", "refresh").await;
    browser.close().await.unwrap();
}

#[tokio::test]
async fn at_large_zoom_nothing_covers_what_is_read_and_all_can_be_reached() {
    let centre = Centre::start().await;
    let mut browser = signed_in(&centre, "en").await;
    // A window of 1280 by 800 at 200 % and at 400 %.
    for (width, height) in [(640, 400), (320, 200)] {
        for path in ["/updates", "/settings", "/users", "/history", "/groups"] {
            browser.set_size(width, height).await.unwrap();
            browser.goto(centre.url(path)).await.unwrap();
            let wide = value(&browser, "document.documentElement.scrollWidth").await;
            assert!(wide.as_u64() <= Some(width.into()), "{path}: {wide}");
            let fixed = "[...document.querySelectorAll('body *')].some(e => ['sticky', 'fixed'].includes(getComputedStyle(e).position))";
            assert_eq!(value(&browser, fixed).await, false, "{path}");
            click(&browser, ".menu > summary").await;
            click(&browser, ".menu .contents a[href='/audit']").await;
            browser.wait_for_text("Audit log").await.unwrap();
        }
    }
    browser.close().await.unwrap();
}

#[tokio::test]
async fn nothing_moves_for_those_who_want_it_still() {
    let centre = Centre::start().await;
    centre
        .engine()
        .change(|facts| facts.pace = Duration::from_secs(2));
    let browser = signed_in(&centre, "en").await;
    let install = "/updates/install?version=1.1.0";
    browser.goto(centre.url(install)).await.unwrap();
    click(&browser, "form[action='/updates/install'] button").await;
    browser
        .wait_for_text("Installing version 1.1.0")
        .await
        .unwrap();
    // The browser of the tests prefers reduced motion.
    assert_eq!(value(&browser, "document.getAnimations().length").await, 0);
    browser.close().await.unwrap();
}

#[tokio::test]
async fn a_mails_html_is_shown_in_its_frame() {
    let centre = Centre::start().await;
    let browser = signed_in(&centre, "en").await;
    browser.goto(centre.url("/notifications")).await.unwrap();
    click(&browser, "form[action='/notifications/test'] button").await;
    browser.wait_for_text("on its way").await.unwrap();
    let frame = browser.find(By::Css("iframe.mail")).await.unwrap();
    frame.scroll_into_view().await.unwrap();
    frame.enter_frame().await.unwrap();
    let heading = browser.find(By::Tag("h1")).await.unwrap();
    assert_eq!(heading.text().await.unwrap(), "It works");
    browser.enter_default_frame().await.unwrap();
    let said = browser.console().await.unwrap();
    assert!(said.is_empty(), "{said:?}");
    browser.close().await.unwrap();
}

async fn fill(browser: &Browser, id: &str, text: &str) {
    let field = browser.find(By::Id(id)).await.unwrap();
    field.send_keys(text).await.unwrap();
}

async fn click(browser: &Browser, selector: &str) {
    let element = browser.find(By::Css(selector)).await.unwrap();
    element.click().await.unwrap();
}
