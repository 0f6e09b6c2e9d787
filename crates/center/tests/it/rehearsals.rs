//! Rehearsals, protected copies and the way back, as pages.

use std::time::Duration;

use jiff::Timestamp;
use obnova_engine::api::*;
use reqwest::StatusCode;
use semver::Version;

use crate::centre::{Browser, Centre, place};
use crate::engine::{forecast, found, offer, rehearsal};

/// Until the pretended rehearsal has ended.
async fn ends(centre: &Centre) {
    for _ in 0..400 {
        if centre.engine().facts().state.rehearsing.is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the rehearsal does not end");
}

async fn offered() -> (Centre, Browser) {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    anna.fragment("/updates/offer").await;
    (centre, anna)
}

#[tokio::test]
async fn a_rehearsal_is_started_followed_and_its_forecast_shown() {
    let (centre, anna) = offered().await;
    let page = anna.page("/updates").await;
    assert!(page.contains("Rehearse 1.1.0"), "{page}");
    centre
        .engine()
        .change(|facts| facts.pace = Duration::from_millis(150));
    let answer = anna
        .post("/updates/rehearsal", &[("version", "1.1.0")])
        .await;
    assert_eq!(place(&answer), "/updates");
    let page = anna.page("/updates?known=yes").await;
    for part in [
        "Rehearsing version 1.1.0",
        "Cancel the rehearsal",
        "sse-connect=\"/updates/live?rehearsing=yes\"",
        "content=\"3; url=/updates?known=yes\"",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    ends(&centre).await;
    let part = anna.fragment("/updates/offer?known=yes").await;
    for text in [
        "Rehearsal passed",
        "The rehearsal of version 1.1.0 passed.",
        "2.0\u{a0}s",
        "probably 1.6–3.2\u{a0}s",
        "a short wait",
        "850\u{a0}ms",
        "after 10\u{a0}s everything is undone",
        "started by Anna",
        "on a copy of 1.2\u{a0}GB of data",
        "Rehearse again",
        "According to the rehearsal, requests will wait about 2.0",
        "Install 1.1.0",
    ] {
        assert!(part.contains(text), "{text} in {part}");
    }
    let plan = anna.page("/updates/install?version=1.1.0").await;
    assert!(
        plan.contains("Forecast") && plan.contains("210\u{a0}MB"),
        "{plan}"
    );
    assert!(anna.page("/audit").await.contains("Rehearsal started"));
}

#[tokio::test]
async fn an_open_page_sees_somebody_else_s_rehearsal_begin_go_on_and_end() {
    let (centre, anna) = offered().await;
    centre
        .engine()
        .change(|facts| facts.pace = Duration::from_millis(700));
    let other = Browser::new(&centre, "en");
    other
        .sign_in(crate::centre::EMAIL, crate::centre::PASSWORD)
        .await;
    let mut live = anna.get("/updates/live").await;
    anna.post("/updates/rehearsal", &[("version", "1.1.0")])
        .await;
    let mut seen = String::new();
    let all = async {
        while seen.matches("event: turned").count() < 2 {
            let chunk = live.chunk().await.unwrap().expect("the stream has ended");
            seen += &String::from_utf8_lossy(&chunk);
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all)
        .await
        .unwrap();
    assert!(seen.contains("event: rehearsal"), "{seen}");
    assert!(seen.contains("event: status"), "{seen}");
}

#[tokio::test]
async fn a_failed_rehearsal_takes_the_button_away_and_insisting_is_in_the_audit_log() {
    let (centre, anna) = offered().await;
    centre
        .engine()
        .change(|facts| facts.rehearsals = RehearsalOutcome::Failed);
    anna.post("/updates/rehearsal", &[("version", "1.1.0")])
        .await;
    ends(&centre).await;
    let part = anna.fragment("/updates/offer?known=yes").await;
    for text in [
        "Rehearsal failed",
        "The rehearsal ran on a copy.",
        "UNIQUE constraint failed",
        "/updates/rehearsal/1.1.0",
        "Install anyway",
        "The rehearsal of this version on a copy of your data failed.",
    ] {
        assert!(part.contains(text), "{text} in {part}");
    }
    assert!(!part.contains("Install 1.1.0</a>"), "{part}");
    assert!(!part.contains("<script>alert"));
    let details = anna.page("/updates/rehearsal/1.1.0").await;
    for text in [
        "Why the rehearsal failed",
        "migrating contacts",
        "The rehearsal ran on a copy.",
    ] {
        assert!(details.contains(text), "{text} in {details}");
    }
    assert!(!details.contains("<script>alert"));
    assert_eq!(
        anna.get("/updates/rehearsal/9.0.0").await.status(),
        StatusCode::NOT_FOUND
    );
    anna.post(
        "/updates/install",
        &[("version", "1.1.0"), ("insist", "yes")],
    )
    .await;
    let audit = anna.page("/audit").await;
    assert!(
        audit.contains("Update started although its rehearsal had failed"),
        "{audit}"
    );
}

#[tokio::test]
async fn a_rehearsal_can_be_cancelled() {
    let (centre, anna) = offered().await;
    centre
        .engine()
        .change(|facts| facts.pace = Duration::from_secs(20));
    anna.post("/updates/rehearsal", &[("version", "1.1.0")])
        .await;
    let answer = anna
        .post("/updates/rehearsal/cancel", &[("version", "1.1.0")])
        .await;
    assert_eq!(place(&answer), "/updates");
    assert!(centre.engine().facts().state.rehearsing.is_none());
    assert!(anna.page("/audit").await.contains("Rehearsal cancelled"));
}

#[tokio::test]
async fn what_makes_a_rehearsal_count_less_is_said() {
    let (centre, anna) = offered().await;
    let mut known = rehearsal(RehearsalOutcome::Passed, "obnova");
    known.expired = Some(Expired::Growth);
    known.isolation = Isolation::None;
    known.forecast = Some(Forecast {
        traffic: ForecastTraffic::MaintenancePage,
        ..forecast()
    });
    centre.engine().change(|facts| {
        let mut offer = offer();
        offer.rehearsal = Some(known);
        facts.finds = found(Some(offer));
    });
    let part = anna.fragment("/updates/offer").await;
    for text in [
        "Rehearsal expired",
        "The data has grown too much since.",
        "The copy was not cut off from the network.",
        "the maintenance page",
        "made automatically",
    ] {
        assert!(part.contains(text), "{text} in {part}");
    }
    assert!(
        !part.contains("According to the rehearsal"),
        "what does not count is not promised"
    );
}

#[tokio::test]
async fn the_forecast_stands_beside_what_it_came_to() {
    let (centre, anna) = offered().await;
    anna.post("/updates/rehearsal", &[("version", "1.1.0")])
        .await;
    ends(&centre).await;
    centre
        .engine()
        .change(|facts| facts.pace = Duration::from_millis(40));
    anna.post("/updates/install", &[("version", "1.1.0")]).await;
    let live = tokio::time::timeout(Duration::from_secs(30), anna.page("/updates/live?update=1"))
        .await
        .unwrap();
    assert!(live.contains("forecast wait 2.0\u{a0}s"), "{live}");
    let difference = "actually 340\u{a0}ms (17\u{a0}%) longer";
    let page = anna.page("/updates").await;
    assert!(page.contains(difference), "{page}");
    let list = anna.page("/history").await;
    for text in [
        "How good the forecasts were",
        difference,
        "In one update",
        "17\u{a0}%",
    ] {
        assert!(list.contains(text), "{text} in {list}");
    }
    assert!(anna.page("/history/1").await.contains(difference));
}

#[tokio::test]
async fn a_walk_through_several_versions_is_told_version_after_version() {
    let (centre, anna) = offered().await;
    let mut known = rehearsal(RehearsalOutcome::Passed, "Anna");
    let stops = [Version::new(1, 0, 5), known.version.clone()];
    let hop = |version: &Version| Hop {
        version: version.clone(),
        steps: known.steps.clone(),
        forecast: Some(Forecast {
            drain_ms: 700,
            ..forecast()
        }),
    };
    known.walk = stops.iter().map(hop).collect();
    known.forecast = known.walk[0].forecast.clone();
    let mut failed = rehearsal(RehearsalOutcome::Failed, "Anna");
    failed.walk = known.walk.clone();
    failed.walk[0].forecast = None;
    failed.walk[1].steps.clear();
    failed.failed = Some(stops[0].clone());
    let show = async |known: Rehearsal| {
        centre.engine().change(|facts| {
            let mut offer = offer();
            offer.route = stops.to_vec();
            offer.rehearsal = Some(known);
            facts.finds = found(Some(offer));
        });
        anna.fragment("/updates/offer").await
    };
    let part = show(known).await;
    for text in [
        "goes through several versions",
        "of it 700\u{a0}ms until requests under way have finished",
        "1.0.5",
    ] {
        assert!(part.contains(text), "{text} in {part}");
    }
    let part = show(failed).await;
    assert!(
        part.contains("failed here") && part.contains("not reached"),
        "{part}"
    );
}

#[tokio::test]
async fn settings_of_rehearsals_and_copies_are_kept_and_changed() {
    let (centre, anna) = offered().await;
    let before = Settings {
        rehearsal: RehearsalSettings {
            automatic: true,
            daily_at: Some(jiff::civil::time(2, 30, 0, 0)),
            valid_days: 3,
            growth_percent: 15,
            disk_bytes: Some(1_500_000_000),
            unisolated: true,
            limit_seconds: 90 * 60,
            neutralise_seconds: 45,
        },
        keep: KeepRule {
            copies: 4,
            days: 12,
        },
        blackout_deadline_s: None,
        ..centre.engine().facts().settings.clone()
    };
    centre
        .engine()
        .change(|facts| facts.settings = before.clone());
    let page = anna.page("/settings").await;
    for part in [
        "value=\"02:30\"",
        "value=\"1.5\"",
        "send e-mails, make payments",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let mut form = vec![
        ("has_engine", "yes"),
        ("channel", "stable"),
        ("smtp_port", "587"),
        ("blackout_deadline", ""),
        ("hold_requests", "10000"),
        ("hold_mib", "64"),
        ("hold_seconds", "60"),
        ("drain_seconds", "10"),
        ("rehearsal_automatic", "yes"),
        ("rehearsal_daily_at", "02:30"),
        ("rehearsal_valid_days", "3"),
        ("rehearsal_growth", "15"),
        ("rehearsal_limit", "90"),
        ("rehearsal_neutralise", "45"),
        ("rehearsal_disk", "1.5"),
        ("rehearsal_unisolated", "yes"),
        ("keep_copies", "4"),
        ("keep_days", "12"),
    ];
    let answer = anna.post("/settings", &form).await;
    assert_eq!(place(&answer), "/settings?done=settings-saved");
    assert_eq!(centre.engine().facts().settings, before);
    form.retain(|(name, _)| !["keep_copies", "rehearsal_daily_at"].contains(name));
    form.extend([("keep_copies", "0"), ("rehearsal_daily_at", "soon")]);
    let answer = anna.post("/settings", &form).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let text = answer.text().await.unwrap();
    assert!(
        text.contains("hours:minutes") && text.contains("out of range"),
        "{text}"
    );
    assert_eq!(centre.engine().facts().settings, before);
}

fn copy(update: u64, version: Version, to: Version, is_last: bool) -> ProtectedCopy {
    ProtectedCopy {
        update,
        version,
        to,
        at: Timestamp::now(),
        bytes: 1_200_000_000,
        is_last,
        can_revert: is_last,
    }
}

/// Copies are kept, and update 1 can be taken back.
pub fn can_go_back(centre: &Centre) {
    centre.engine().change(|facts| {
        facts.copies = vec![
            copy(1, Version::new(1, 0, 0), Version::new(1, 1, 0), true),
            copy(7, Version::new(0, 9, 0), Version::new(1, 0, 0), false),
        ];
        facts.revert_plan = Some(RevertPlan {
            update: 1,
            from: Version::new(1, 1, 0),
            to: Version::new(1, 0, 0),
            since: Timestamp::now(),
            written: Some(vec![TableChange {
                table: "contact".into(),
                inserted: Some(1_234),
                updated: None,
                deleted: Some(2),
            }]),
            files_changed: 17,
            obstacles: vec![],
        });
    });
}

/// An installation whose update 1 led from 1.0.0 to 1.1.0 and can be taken back.
async fn updated() -> (Centre, Browser) {
    let (centre, anna) = offered().await;
    anna.post("/updates/install", &[("version", "1.1.0")]).await;
    tokio::time::timeout(Duration::from_secs(30), anna.page("/updates/live?update=1"))
        .await
        .unwrap();
    anna.post("/updates/seen", &[("update", "1")]).await;
    can_go_back(&centre);
    (centre, anna)
}

#[tokio::test]
async fn a_copy_is_deleted_after_a_question_and_the_only_good_one_never() {
    let (centre, anna) = updated().await;
    let page = anna.page("/history/copies").await;
    assert!(
        page.contains("the only good one") && page.contains("2.4\u{a0}GB in all"),
        "{page}"
    );
    assert!(
        page.contains("/history/copies/7/delete") && !page.contains("/history/copies/1/delete")
    );
    assert_eq!(
        anna.get("/history/copies/1/delete").await.status(),
        StatusCode::NOT_FOUND
    );
    let refused = anna.post("/history/copies/1/delete", &[]).await;
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    let question = anna.page("/history/copies/7/delete").await;
    assert!(
        question.contains("Delete the copy of version 0.9.0?"),
        "{question}"
    );
    let answer = anna.post("/history/copies/7/delete", &[]).await;
    assert_eq!(place(&answer), "/history/copies?done=copy-deleted");
    assert_eq!(centre.engine().facts().copies.len(), 1);
    assert!(anna.page("/audit").await.contains("Protected copy deleted"));
}

#[tokio::test]
async fn going_back_says_first_what_is_lost_and_wants_the_version_typed() {
    let (centre, anna) = updated().await;
    assert!(
        !anna.page("/history").await.contains("/revert"),
        "never prominent"
    );
    let entry = anna.page("/history/1").await;
    assert!(
        entry.contains("Danger zone") && entry.contains("/history/1/revert"),
        "{entry}"
    );
    let page = anna.page("/history/1/revert").await;
    for text in [
        "contact",
        "1,234",
        "Data files changed, added or removed: 17",
        "exports/1.1.0-",
    ] {
        assert!(page.contains(text), "{text} in {page}");
    }
    assert_eq!(
        anna.get("/history/9/revert").await.status(),
        StatusCode::NOT_FOUND
    );
    let fields = [("version", "1.0.0"), ("confirm", "yes")];
    let wrong = anna.post("/history/1/revert", &fields).await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(centre.engine().facts().reverts.is_empty());
    let fields = [("directory", "exports")];
    let relative = anna.post("/history/1/revert/export", &fields).await;
    assert_eq!(relative.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let fields = [("directory", "/srv/aside")];
    let exported = anna.post("/history/1/revert/export", &fields).await;
    let text = exported.text().await.unwrap();
    assert!(
        text.contains("The data has been put aside") && text.contains("/srv/aside"),
        "{text}"
    );
    centre
        .engine()
        .change(|facts| facts.pace = Duration::from_millis(200));
    let fields = [("version", "1.0.0"), ("confirm", "1.0.0")];
    let answer = anna.post("/history/1/revert", &fields).await;
    assert_eq!(place(&answer), "/updates");
    assert_eq!(
        centre.engine().facts().reverts,
        [(1, "Anna Nováková".to_owned())]
    );
    let page = anna.page("/updates").await;
    assert!(
        page.contains("Going back to version 1.0.0") && !page.contains("Installing"),
        "{page}"
    );
    assert!(
        anna.page("/")
            .await
            .contains("returning to the previous version")
    );
    tokio::time::timeout(Duration::from_secs(30), anna.page("/updates/live?update=2"))
        .await
        .unwrap();
    let page = anna.page("/updates").await;
    assert!(page.contains("Returned to version 1.0.0"), "{page}");
    assert!(!page.contains("The installation is complete"), "{page}");
    assert!(anna.page("/history").await.contains("return</span>"));
    let audit = anna.page("/audit").await;
    for text in ["Return to the previous version started", "Data put aside"] {
        assert!(audit.contains(text), "{text} in {audit}");
    }
}

#[tokio::test]
async fn a_database_that_cannot_tell_what_was_written_is_not_taken_for_one_without_changes() {
    let (centre, anna) = updated().await;
    centre.engine().change(|facts| {
        let plan = facts.revert_plan.as_mut().unwrap();
        plan.written = None;
        plan.files_changed = 0;
    });
    let untold = |table: &str| TableChange {
        table: table.into(),
        inserted: Some(0),
        updated: None,
        deleted: Some(0),
    };
    let page = anna.page("/history/1/revert").await;
    assert!(page.contains("cannot tell"), "{page}");
    assert!(!page.contains("Nothing will be lost"), "{page}");
    // SQLite knows of rows added and removed only.
    centre.engine().change(|facts| {
        facts.revert_plan.as_mut().unwrap().written =
            Some(vec![untold("deal"), untold("activity")]);
    });
    let page = anna.page("/history/1/revert").await;
    assert!(page.contains("Whether rows were changed"), "{page}");
    assert!(
        !page.contains("Nothing will be lost") && !page.contains("<td class=\"title mono\">deal"),
        "{page}"
    );
}

#[tokio::test]
async fn an_export_that_takes_long_is_followed_on_its_page_and_not_overtaken_by_the_way_back() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    can_go_back(&centre);
    centre
        .engine()
        .change(|facts| facts.export_takes = Duration::from_secs(5));
    let fields = [("directory", "/srv/aside")];
    let answer = anna.post("/history/1/revert/export", &fields).await;
    assert_eq!(place(&answer), "/history/1/revert");
    let page = anna.page("/history/1/revert").await;
    assert!(
        page.contains("The data is being put aside") && page.contains("/srv/aside"),
        "{page}"
    );
    let part = anna.fragment("/history/1/revert/export").await;
    assert!(
        part.contains("every 2s") && !part.contains("<html"),
        "{part}"
    );
    // A second click begins no second one.
    let answer = anna.post("/history/1/revert/export", &fields).await;
    assert_eq!(place(&answer), "/history/1/revert");
    let fields = [("version", "1.0.0"), ("confirm", "1.0.0")];
    let early = anna.post("/history/1/revert", &fields).await;
    assert_eq!(early.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(centre.engine().facts().reverts.is_empty());
    for _ in 0..400 {
        if !anna
            .page("/history/1/revert")
            .await
            .contains("is being put")
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let page = anna.page("/history/1/revert").await;
    assert!(page.contains("The data has been put aside"), "{page}");
    assert_eq!(centre.engine().facts().exports.len(), 1);
    assert!(anna.page("/audit").await.contains("/srv/aside"));
}
