use std::time::Duration;

use jiff::civil::date;
use serde_json::json;

use super::kept::{DesktopSettings, Kept};
use super::overview::{DesktopFilter, Standing, Totals};
use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn empty() -> (Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Store::open(dir.path()).await.unwrap(), dir)
}

fn desktop(number: u32, version: &str) -> Desktop {
    Desktop {
        installation: format!("{number:032x}"),
        platform: "linux-x86_64".to_owned(),
        version: Some(version.to_owned()),
    }
}

fn returned(at: &str, detail: &str) -> Report {
    Report {
        at: at.parse().unwrap(),
        version: "1.0.0".to_owned(),
        from: Some("1.1.0".to_owned()),
        event: "returned".to_owned(),
        reason: Some(json!({ "reason": "own_check", "detail": detail, "user": "anna" })),
    }
}

async fn allow(store: &Store, kept: Kept) {
    let mut settings = store.settings().await.unwrap();
    settings.desktops.kept = kept;
    store.save_settings(&settings).await.unwrap();
}

async fn reasons(store: &Store) -> Vec<String> {
    let query = "SELECT reason FROM desktop_reports ORDER BY installation, at";
    sqlx::query_scalar(query)
        .fetch_all(&store.read)
        .await
        .unwrap()
}

#[tokio::test]
async fn nothing_is_kept_beyond_what_the_settings_allow() {
    let (store, _dir) = empty().await;
    let report = || returned("2026-11-24T08:00:00Z", "/home/anna/x");
    store
        .keep_desktop(&desktop(1, "1.0.0"), &[report()])
        .await
        .unwrap();
    assert_eq!(reasons(&store).await, [r#"{"reason":"own_check"}"#]);

    allow(&store, Kept::Details).await;
    store
        .keep_desktop(&desktop(2, "1.0.0"), &[report()])
        .await
        .unwrap();
    assert!(reasons(&store).await[1].contains("/home/anna/x"));
    assert!(!reasons(&store).await[1].contains("user"));

    allow(&store, Kept::Reasons).await;
    assert!(reasons(&store).await.iter().all(|it| !it.contains("anna")));

    store.count_desktops(date(2026, 11, 24)).await.unwrap();
    allow(&store, Kept::Nothing).await;
    store
        .keep_desktop(&desktop(3, "1.0.0"), &[report()])
        .await
        .unwrap();
    store.count_desktops(date(2026, 11, 25)).await.unwrap();
    assert_eq!(reasons(&store).await, [""; 0]);
    let totals = store.desktop_totals(None, DAY).await.unwrap();
    assert_eq!(totals, Totals::default());
    assert!(
        store
            .desktop_days(date(2026, 1, 1))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn desktops_are_counted_and_found_by_how_they_stand() {
    let (store, _dir) = empty().await;
    for number in 0..3 {
        store
            .keep_desktop(&desktop(number, "1.1.0"), &[])
            .await
            .unwrap();
    }
    store.keep_desktop(&desktop(3, "1.0.0"), &[]).await.unwrap();
    let reports = [
        returned("2026-11-24T08:00:00Z", ""),
        returned("2026-11-24T07:00:00Z", ""),
    ];
    store
        .keep_desktop(&desktop(4, "1.0.0"), &reports)
        .await
        .unwrap();
    store.keep_desktop(&desktop(5, "1.0.0"), &[]).await.unwrap();
    sqlx::query("UPDATE desktops SET last_seen = 1000 WHERE installation = ?")
        .bind(desktop(5, "").installation)
        .execute(&store.write)
        .await
        .unwrap();
    let totals = store.desktop_totals(Some("1.1.0"), DAY).await.unwrap();
    let expected = Totals {
        known: 6,
        used: 5,
        matching: 3,
        returned: 1,
    };
    assert_eq!(totals, expected);
    let versions = store.desktop_versions(DAY, 10).await.unwrap();
    let counts: Vec<_> = versions
        .iter()
        .map(|it| (it.version.as_deref(), it.desktops))
        .collect();
    assert_eq!(counts, [(Some("1.1.0"), 3), (Some("1.0.0"), 2)]);
    let failures = store.desktop_failures(DAY, 10).await.unwrap();
    assert_eq!((failures.len(), failures[0].desktops), (1, 1));
    assert_eq!(failures[0].version, "1.1.0");

    for (standing, search, expected) in [
        (Standing::All, "", 6),
        (Standing::Matching, "", 3),
        (Standing::Other, "", 2),
        (Standing::Returned, "", 1),
        (Standing::Unused, "", 1),
        (Standing::All, "1.0.0", 3),
        (Standing::All, "LINUX", 6),
        (Standing::Matching, &desktop(2, "").installation, 1),
        (Standing::All, "nothing of this", 0),
    ] {
        let filter = DesktopFilter {
            search: search.to_owned(),
            standing,
            server: Some("1.1.0".to_owned()),
            used: DAY,
        };
        let found = store.desktops(&filter, 0, 2).await.unwrap();
        assert_eq!(found.total, expected, "{standing:?} {search}");
        assert_eq!(found.items.len() as u64, expected.min(2));
        let (mut after, mut all) = (String::new(), 0);
        while let Some(last) = {
            let next = store.desktops_after(&filter, &after, 2).await.unwrap();
            all += next.len() as u64;
            next.last().map(|it| it.installation.clone())
        } {
            after = last;
        }
        assert_eq!(all, expected, "{standing:?} {search}");
    }
}

#[tokio::test]
async fn what_was_put_right_later_does_not_count_as_a_failure() {
    let (store, _dir) = empty().await;
    let again = Report {
        at: "2026-11-24T09:00:00Z".parse().unwrap(),
        event: "installed".to_owned(),
        reason: None,
        ..returned("2026-11-24T08:00:00Z", "")
    };
    let reports = [returned("2026-11-24T08:00:00Z", ""), again];
    store
        .keep_desktop(&desktop(1, "1.2.0"), &reports)
        .await
        .unwrap();
    assert_eq!(store.desktop_totals(None, DAY).await.unwrap().returned, 0);
    assert!(store.desktop_failures(DAY, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn days_are_counted_anew_until_they_end_and_forgotten_after_their_time() {
    let (store, _dir) = empty().await;
    let mut settings = store.settings().await.unwrap();
    settings.desktops = DesktopSettings {
        keep_days: 10,
        used_days: 5,
        ..DesktopSettings::default()
    };
    store.save_settings(&settings).await.unwrap();
    store.keep_desktop(&desktop(1, "1.0.0"), &[]).await.unwrap();
    store.count_desktops(date(2026, 11, 1)).await.unwrap();
    store.count_desktops(date(2026, 11, 10)).await.unwrap();
    store.keep_desktop(&desktop(1, "1.1.0"), &[]).await.unwrap();
    store.keep_desktop(&desktop(2, "1.1.0"), &[]).await.unwrap();
    store.count_desktops(date(2026, 11, 10)).await.unwrap();
    let days = store.desktop_days(date(2026, 1, 1)).await.unwrap();
    let told: Vec<_> = days
        .iter()
        .map(|it| (it.day, it.version.as_deref().unwrap(), it.desktops))
        .collect();
    let (first, tenth) = (date(2026, 11, 1), date(2026, 11, 10));
    assert_eq!(told, [(first, "1.0.0", 1), (tenth, "1.1.0", 2)]);
    store.count_desktops(date(2026, 11, 12)).await.unwrap();
    let days = store.desktop_days(date(2026, 1, 1)).await.unwrap();
    assert_eq!(days.first().unwrap().day, tenth);
}

#[tokio::test]
async fn inventors_of_desktops_and_versions_do_not_fill_the_disk() {
    let (store, _dir) = empty().await;
    let mut write = store.begin().await.unwrap();
    sqlx::query(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
         INSERT INTO desktops SELECT printf('%032x', i), 'linux', printf('1.%d.0', i % 5000), ?1, ?1 FROM n",
    )
    .bind(millis(Timestamp::now()))
    .execute(&mut *write)
    .await
    .unwrap();
    write.commit().await.unwrap();
    store
        .keep_desktop(&desktop(200_000, "1.0.0"), &[])
        .await
        .unwrap();
    store.keep_desktop(&desktop(7, "2.0.0"), &[]).await.unwrap();
    let totals = store.desktop_totals(Some("2.0.0"), DAY).await.unwrap();
    assert_eq!((totals.known, totals.matching), (100_000, 1));
    store.count_desktops(date(2026, 11, 24)).await.unwrap();
    let days = store.desktop_days(date(2026, 1, 1)).await.unwrap();
    assert_eq!(days.len(), 100);
}
