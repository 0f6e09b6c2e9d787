//! The Updates page in each of its states, in both languages.

use std::time::Duration;

use obnova_engine::api::{Phase, Problem, Proof};
use obnova_engine::problem;
use reqwest::StatusCode;
use semver::Version;
use serde_json::json;

use crate::centre::{Browser, Centre, place};
use crate::engine::{found, migration_failed, notes, offer};

async fn in_czech(anna: &Browser) {
    let token = anna.token().await;
    anna.post_bare(
        "/preferences",
        &[("lang", "cs"), ("back", "/updates"), ("_csrf", &token)],
        &[],
    )
    .await;
}

#[tokio::test]
async fn opening_the_page_shows_what_is_known_and_then_the_fresh_answer() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let page = anna.page("/updates").await;
    assert!(
        page.contains("hx-get=\"/updates/offer\" hx-trigger=\"load\""),
        "it asks by itself"
    );
    assert!(page.contains("Checking for a newer"));
    assert!(!page.contains("Install 1.1.0"));
    let part = anna.fragment("/updates/offer").await;
    assert!(
        part.contains("Install 1.1.0") && part.contains("Version 1.1.0 is available."),
        "{part}"
    );
    assert!(
        part.contains("1.0.1") && part.contains("1.1.0"),
        "notes of every version"
    );
    assert!(
        anna.page("/updates").await.contains("Install 1.1.0"),
        "and is known from now on"
    );
    in_czech(&anna).await;
    let part = anna.fragment("/updates/offer").await;
    assert!(
        part.contains("Nainstalovat 1.1.0")
            && part.contains("<strong>Fulltextové hledání</strong>"),
        "{part}"
    );
}

#[tokio::test]
async fn script_in_release_notes_does_not_reach_the_browser() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let part = anna.fragment("/updates/offer").await;
    assert!(part.contains("<strong>Full-text search</strong>"));
    assert!(
        !part.contains("<script") && !part.contains("alert("),
        "{part}"
    );
}

#[tokio::test]
async fn what_the_vendor_has_proven_of_the_way_back_is_shown_and_that_it_has_not() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let part = anna.fragment("/updates/offer").await;
    assert!(
        part.contains("The vendor has not proven the way back from this version."),
        "{part}"
    );
    let trial = |from: &str, database: &str| {
        json!({
            "from": from, "database": database, "rounds": 60, "ended_before": 50, "ended_after": 10,
            "worst_blackout_ms": 340, "worst_way_back_ms": 900,
        })
    };
    let trials = [
        trial("1.0.0", "SQLite"),
        trial("0.9.0", "SQLite"),
        trial("1.0.0", "PostgreSQL 15"),
    ];
    let digest = "0".repeat(64);
    let proof: Proof = serde_json::from_value(json!({
        "description": digest, "files": digest, "at": "2026-10-12T00:00:00Z", "obnova": "0.1.0", "trials": trials,
    }))
    .unwrap();
    let prove = |proof: Proof| {
        centre.engine().change(|facts| {
            let mut offer = offer();
            offer.proof = Some(proof);
            facts.finds = found(Some(offer));
        });
    };
    prove(proof.clone());
    let part = anna.fragment("/updates/offer").await;
    assert!(
        part.contains("Way back proven from 0.9.0, 1.0.0 on PostgreSQL 15, SQLite."),
        "{part}"
    );
    assert!(
        part.contains("180 times") && !part.contains("Not proven from"),
        "{part}"
    );
    let mut of_another = proof;
    of_another.trials.retain(|trial| trial.from.minor == 9);
    prove(of_another);
    let part = anna.fragment("/updates/offer").await;
    assert!(part.contains("Not proven from 1.0.0"), "{part}");
    in_czech(&anna).await;
    let part = anna.fragment("/updates/offer").await;
    assert!(
        part.contains("Cesta zpět je prokázána z 0.9.0 na SQLite.")
            && part.contains("Z verze 1.0.0, kterou máte, prokázána není."),
        "{part}"
    );
}

#[tokio::test]
async fn without_anything_newer_there_is_no_button() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    centre.engine().change(|facts| facts.finds = found(None));
    let part = anna.fragment("/updates/offer").await;
    assert!(part.contains("There is no newer version."), "{part}");
    assert!(!part.contains("action=\"/updates/install\""));
    in_czech(&anna).await;
    assert!(
        anna.fragment("/updates/offer")
            .await
            .contains("Novější verze není k dispozici.")
    );
    assert!(
        anna.page("/updates?check=now")
            .await
            .contains("Novější verze není k dispozici."),
        "without script too"
    );
}

#[tokio::test]
async fn an_unreachable_repository_is_a_message_beside_what_was_known() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    centre.engine().change(|facts| {
        let unreachable = Problem::new(problem::REPOSITORY_UNREACHABLE)
            .arg("source", "https://r.example")
            .detail("timed out");
        facts.finds.problem = Some(unreachable);
    });
    let part = anna.fragment("/updates/offer").await;
    assert!(
        part.contains("The check failed.") && part.contains("timed out"),
        "{part}"
    );
    assert!(part.contains("1.1.0"), "what was known stays");
    in_czech(&anna).await;
    assert!(
        anna.fragment("/updates/offer")
            .await
            .contains("Kontrola se nezdařila.")
    );
}

#[tokio::test]
async fn an_obstacle_takes_the_button_away_unless_one_may_insist() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let disk = Problem::new(problem::DISK_SPACE)
        .arg("needed", 5_000_000_000_u64)
        .arg("free", 1_000_000_000_u64)
        .arg("path", "/srv");
    centre.engine().change(|facts| {
        let mut offer = offer();
        offer.obstacles = vec![disk];
        facts.finds = found(Some(offer));
    });
    let part = anna.fragment("/updates/offer").await;
    assert!(part.contains("It cannot be installed now:"), "{part}");
    assert!(!part.contains("action=\"/updates/install\""));
    centre.engine().change(|facts| {
        let mut offer = offer();
        offer.obstacles = vec![Problem::new(problem::FAILED_BEFORE).arg("version", "1.1.0")];
        offer.may_insist = true;
        facts.finds = found(Some(offer));
    });
    let part = anna.fragment("/updates/offer").await;
    assert!(
        part.contains("Install anyway") && part.contains("name=\"insist\" value=\"yes\""),
        "{part}"
    );
    anna.post(
        "/updates/install",
        &[("version", "1.1.0"), ("insist", "yes")],
    )
    .await;
    assert_eq!(
        centre.engine().facts().installs,
        [(
            Some(Version::new(1, 1, 0)),
            "Anna Nováková".to_owned(),
            true
        )]
    );
}

#[tokio::test]
async fn required_stops_are_shown() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    centre.engine().change(|facts| {
        let mut offer = offer();
        offer.version = Version::new(3, 0, 0);
        offer.route = vec![Version::new(2, 0, 0), Version::new(3, 0, 0)];
        offer
            .notes
            .insert(0, notes(Version::new(3, 0, 0), "2026-11-01"));
        facts.finds = found(Some(offer));
    });
    let part = anna.fragment("/updates/offer").await;
    assert!(
        part.contains("<li>1.0.0</li><li><b>2.0.0</b></li><li><b>3.0.0</b></li>"),
        "{part}"
    );
}

#[tokio::test]
async fn the_dry_run_lists_the_steps() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    anna.fragment("/updates/offer").await;
    let page = anna.page("/updates/install?version=1.1.0").await;
    assert!(
        page.contains("Migrating the database")
            && page.contains("by reflink")
            && page.contains("52.0"),
        "{page}"
    );
    assert!(page.contains("action=\"/updates/install\""));
}

#[tokio::test]
async fn an_installation_is_followed_live_to_the_window_at_its_end() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    anna.fragment("/updates/offer").await;
    centre
        .engine()
        .change(|facts| facts.pace = Duration::from_millis(120));
    assert_eq!(
        place(&anna.post("/updates/install", &[("version", "1.1.0")]).await),
        "/updates"
    );
    let page = anna.page("/updates").await;
    assert!(
        page.contains("Installing version 1.1.0")
            && page.contains("sse-connect=\"/updates/live?update=1\""),
        "{page}"
    );
    let live = tokio::time::timeout(Duration::from_secs(30), anna.page("/updates/live?update=1"))
        .await
        .unwrap();
    assert!(
        live.contains("event: progress") && live.contains("<progress"),
        "{live}"
    );
    assert!(
        live.contains("event: status\ndata: Step 1 of 15")
            || live.contains("event: status\ndata: Step 2 of 15"),
        "{live}"
    );
    assert!(
        live.trim_end().ends_with("event: changed\ndata: now"),
        "{live}"
    );
    let page = anna.page("/updates").await;
    assert!(
        page.contains("The installation is complete") && page.contains("<dialog open data-raise"),
        "{page}"
    );
    // Another computer sees the window too; this one no more, once it was closed.
    anna.post("/updates/seen", &[("update", "1")]).await;
    assert!(
        !anna
            .page("/updates")
            .await
            .contains("The installation is complete")
    );
    let other = Browser::new(&centre, "en");
    other
        .sign_in(crate::centre::EMAIL, crate::centre::PASSWORD)
        .await;
    assert!(
        other
            .page("/updates")
            .await
            .contains("The installation is complete")
    );
    assert!(anna.page("/history").await.contains("Completed"));
    assert!(anna.page("/audit").await.contains("Update started"));
}

#[tokio::test]
async fn a_failed_installation_says_what_happened_the_state_of_the_data_and_what_to_do() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    anna.fragment("/updates/offer").await;
    centre
        .engine()
        .change(|facts| facts.fails = Some(Version::new(1, 1, 0)));
    anna.post("/updates/install", &[("version", "1.1.0")]).await;
    tokio::time::timeout(Duration::from_secs(30), anna.page("/updates/live?update=1"))
        .await
        .unwrap();
    let page = anna.page("/updates").await;
    for part in [
        "Version 1.1.0 could not be installed",
        "What happened",
        "The state of your data",
        "What to do",
        "UNIQUE constraint failed",
        "/updates/report/1/download",
        "Send to technical support",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(
        !page.contains("<script>alert"),
        "what the machine said is text"
    );
    in_czech(&anna).await;
    let page = anna.page("/updates").await;
    assert!(
        page.contains("Verzi 1.1.0 se nepodařilo nainstalovat") && page.contains("Stav vašich dat"),
        "{page}"
    );
    let details = anna.page("/history/1").await;
    assert!(
        details.contains("Vráceno do předchozího stavu") && details.contains("selhalo"),
        "{details}"
    );
    assert_eq!(
        anna.get("/history/77").await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_report_is_shown_before_it_is_sent_and_can_be_downloaded() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    anna.fragment("/updates/offer").await;
    centre
        .engine()
        .change(|facts| facts.fails = Some(Version::new(1, 1, 0)));
    anna.post("/updates/install", &[("version", "1.1.0")]).await;
    tokio::time::timeout(Duration::from_secs(30), anna.page("/updates/live?update=1"))
        .await
        .unwrap();
    let page = anna.page("/updates/report/1").await;
    assert!(
        page.contains("Debian GNU/Linux 12") && page.contains("support@vendor.example"),
        "{page}"
    );
    let answer = anna.get("/updates/report/1/download").await;
    let name = answer.headers()["content-disposition"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(name, "attachment; filename=\"obnova-report-crm-1.json\"");
    let report: obnova_engine::api::Report = answer.json().await.unwrap();
    assert_eq!(
        report.update.unwrap().problem,
        Some(migration_failed(&Version::new(1, 1, 0)))
    );
    let answer = anna.post("/updates/report/1/send", &[]).await;
    assert_eq!(place(&answer), "/updates/report/1?done=report-sent");
    assert!(
        anna.page("/notifications")
            .await
            .contains("support@vendor.example")
    );
    assert_eq!(
        anna.get("/updates/report/9").await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn an_open_page_learns_that_somebody_else_has_started_an_update() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    anna.fragment("/updates/offer").await;
    let live = anna.page("/updates/live");
    let start = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        anna.post("/updates/install", &[("version", "1.1.0")]).await;
    };
    centre
        .engine()
        .change(|facts| facts.pace = Duration::from_secs(1));
    let (live, ()) = tokio::join!(tokio::time::timeout(Duration::from_secs(10), live), start);
    assert!(live.unwrap().contains("event: changed"));
    assert!(matches!(
        centre.engine().facts().state.phase,
        Phase::Updating(_)
    ));
}

#[tokio::test]
async fn while_the_engine_is_away_the_page_says_so_and_goes_on_afterwards() {
    let mut centre = Centre::start().await;
    let anna = centre.signed_in().await;
    anna.fragment("/updates/offer").await;
    drop(centre.engine.take());
    let answer = anna.get("/history").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .contains("The update service is not responding")
    );
    let page = anna.page("/updates").await;
    assert!(
        page.contains("sse-connect=\"/updates/live?update=0\""),
        "{page}"
    );
    let live = anna.page("/updates/live?update=0");
    let folder = centre.folder.path().to_owned();
    let back = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        crate::engine::Engine::start(&folder)
    };
    let (live, _engine) = tokio::join!(tokio::time::timeout(Duration::from_secs(20), live), back);
    let live = live.unwrap();
    assert!(
        live.contains("The update service is not responding right now"),
        "{live}"
    );
    assert!(live.contains("event: changed"), "{live}");
}
