use std::os::unix::fs::PermissionsExt;

use obnova_testkit::volume::{Kind, Volume};
use obnova_text::Lang;

use super::groups::{ADMINISTRATOR, EVERYONE};
use super::settings::{CenterSettings, Secret};
use super::users::{Source, UserData, UserFilter};
use super::*;

async fn empty() -> (Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Store::open(dir.path()).await.unwrap(), dir)
}

fn person(name: &str, email: &str) -> UserData {
    UserData {
        name: name.to_owned(),
        email: email.to_owned(),
        language: Lang::Cs,
    }
}

async fn first_administrator(store: &Store) -> i64 {
    store
        .add_first_administrator(&person("Alena", "alena@example.com"), "hash")
        .await
        .unwrap()
        .unwrap()
}

async fn group(store: &Store, identifier: &str) -> i64 {
    let groups = store.groups().await.unwrap();
    let found = groups.iter().find(|g| g.identifier == identifier);
    found.unwrap().id
}

#[tokio::test]
async fn only_the_centre_may_read_its_database() {
    let (store, dir) = empty().await;
    first_administrator(&store).await;
    for name in ["center.db", "center.db-wal", "center.db-shm"] {
        let mode = std::fs::metadata(dir.path().join(name)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_reopened_store_has_everything() {
    let (store, dir) = empty().await;
    let id = first_administrator(&store).await;
    store.close().await;
    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(store.user(id).await.unwrap().unwrap().name, "Alena");
}

#[tokio::test]
async fn what_a_full_disk_broke_off_can_be_written_when_there_is_room_again() {
    let volume = Volume::new(Kind::Ext4, 64 << 20).unwrap();
    let store = Store::open(&volume.path().join("center")).await.unwrap();
    let write = async |pool: &SqlitePool| -> sqlx::Result<()> {
        let mut write = pool.begin_with("BEGIN IMMEDIATE").await?;
        // More than is kept in memory.
        sqlx::query("CREATE TABLE big AS SELECT zeroblob(8000000) AS bytes")
            .execute(&mut *write)
            .await?;
        sqlx::query("DROP TABLE big").execute(&mut *write).await?;
        write.commit().await
    };
    let ballast = volume.fill().unwrap();
    for pool in [&store.write, &store.marks] {
        write(pool).await.unwrap_err();
        write(pool).await.unwrap_err();
    }
    drop(ballast);
    for pool in [&store.write, &store.marks] {
        write(pool).await.unwrap();
    }
    first_administrator(&store).await;
    store.close().await;
}

#[tokio::test]
async fn there_is_one_first_administrator_however_many_ask_at_once() {
    let (store, _dir) = empty().await;
    let ask = |email: &'static str| {
        let store = store.clone();
        async move {
            store
                .add_first_administrator(&person("A", email), "hash")
                .await
                .unwrap()
        }
    };
    let (a, b, c) = tokio::join!(
        ask("a@example.com"),
        ask("b@example.com"),
        ask("c@example.com")
    );
    assert_eq!([a, b, c].iter().flatten().count(), 1);
    assert_eq!(store.administrator_count().await.unwrap(), 1);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let (store, _dir) = empty().await;
    let id = first_administrator(&store).await;
    let refused = [
        store.delete_user(id).await,
        store.set_user_active(id, false).await,
        store.set_password_hash(id, None).await,
        store.set_groups_of(id, &[]).await,
    ];
    for result in refused {
        assert!(matches!(result, Err(StoreError::LastAdministrator)));
    }
    assert!(store.is_administrator(id).await.unwrap());
    let other = store
        .add_user(&person("Bob", "bob@example.com"))
        .await
        .unwrap();
    let administrator = group(&store, ADMINISTRATOR).await;
    store.set_groups_of(other, &[administrator]).await.unwrap();
    // Who cannot sign in administers nothing.
    assert!(store.delete_user(id).await.is_err());
    store.set_password_hash(other, Some("hash")).await.unwrap();
    store.delete_user(id).await.unwrap();
}

#[tokio::test]
async fn addresses_differ_by_more_than_case() {
    let (store, _dir) = empty().await;
    store
        .add_user(&person("Š", "Simek@Example.com"))
        .await
        .unwrap();
    let again = store.add_user(&person("S", " simek@example.COM ")).await;
    assert!(matches!(again, Err(StoreError::EmailTaken)));
    let (user, hash) = store
        .user_by_email("SIMEK@example.com")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(user.email, "Simek@Example.com");
    assert_eq!(hash, None);
}

#[tokio::test]
async fn names_and_addresses_with_line_breaks_are_refused() {
    let (store, _dir) = empty().await;
    for (name, email) in [
        ("", "a@example.com"),
        ("A\r\nBcc: b@example.com", "a@example.com"),
        ("A", "a@example.com\r\nBcc: b@example.com"),
        ("A", "a"),
        ("A", "a@example.com, b@example.com"),
        ("A", "<a@example.com>"),
    ] {
        let result = store.add_user(&person(name, email)).await;
        assert!(result.is_err(), "{name:?} {email:?}");
    }
}

#[tokio::test]
async fn people_are_found_without_diacritics_and_case() {
    let (store, _dir) = empty().await;
    for (name, email) in [
        ("Šimon Žďárský", "simon@example.com"),
        ("Jiří Řehoř", "jiri@example.com"),
    ] {
        store.add_user(&person(name, email)).await.unwrap();
    }
    for (search, expected) in [
        ("zdarsky", 1),
        ("ŽĎÁR", 1),
        ("rehor", 1),
        ("example", 2),
        ("%", 0),
        ("", 2),
    ] {
        let filter = UserFilter {
            search: search.to_owned(),
            ..UserFilter::default()
        };
        let page = store.users(&filter).await.unwrap();
        assert_eq!(page.items.len(), expected, "{search}");
        assert_eq!(page.total, expected as u64);
    }
}

#[tokio::test]
async fn everyone_is_all_active_people_and_has_no_list() {
    let (store, _dir) = empty().await;
    let alena = first_administrator(&store).await;
    let robot = store
        .add_user(&person("Robot", "robot@example.com"))
        .await
        .unwrap();
    let gone = store
        .add_user(&person("Gone", "gone@example.com"))
        .await
        .unwrap();
    let (system, everyone) = (group(&store, "System").await, group(&store, EVERYONE).await);
    store
        .set_groups_of(robot, &[system, everyone])
        .await
        .unwrap();
    store.set_user_active(gone, false).await.unwrap();
    assert_eq!(store.groups_of(robot).await.unwrap(), [system]);
    let filter = UserFilter {
        group: Some(everyone),
        ..UserFilter::default()
    };
    let members = store.users(&filter).await.unwrap().items;
    assert_eq!(members.iter().map(|u| u.id).collect::<Vec<_>>(), [alena]);
    let groups = store.groups().await.unwrap();
    let everyone = groups.iter().find(|g| g.is_everyone()).unwrap();
    assert_eq!(everyone.members, 1);
}

#[tokio::test]
async fn built_in_groups_stay_and_own_ones_can_be_renamed_in_the_settings_too() {
    let (store, _dir) = empty().await;
    let administrator = group(&store, ADMINISTRATOR).await;
    assert!(matches!(
        store.delete_group(administrator).await,
        Err(StoreError::GroupBuiltin)
    ));
    assert!(matches!(
        store.rename_group(administrator, "X").await,
        Err(StoreError::GroupBuiltin)
    ));
    assert!(matches!(
        store.add_group("everyone").await,
        Err(StoreError::GroupTaken)
    ));
    assert!(store.add_group("a, b").await.is_err());
    let own = store.add_group("Sklad").await.unwrap();
    let mut settings = store.settings().await.unwrap();
    settings.notify_groups = vec!["Sklad".to_owned(), ADMINISTRATOR.to_owned()];
    store.save_settings(&settings).await.unwrap();
    store.rename_group(own, "Obchod").await.unwrap();
    let settings = store.settings().await.unwrap();
    assert_eq!(settings.notify_groups, ["Obchod", ADMINISTRATOR]);
    store.delete_group(own).await.unwrap();
}

#[tokio::test]
async fn a_session_ends_with_its_time_its_user_and_its_password() {
    let (store, _dir) = empty().await;
    let id = first_administrator(&store).await;
    let hour = Duration::from_secs(3600);
    store.add_session(b"a", id, hour).await.unwrap();
    let session = store.session(b"a").await.unwrap().unwrap();
    assert!(session.is_administrator && session.user.id == id);
    assert!(store.session(b"b").await.unwrap().is_none());
    store.set_password_hash(id, Some("other")).await.unwrap();
    assert!(store.session(b"a").await.unwrap().is_none());
    store.add_session(b"c", id, Duration::ZERO).await.unwrap();
    assert!(store.session(b"c").await.unwrap().is_none());
    assert_eq!(store.remove_ended_sessions().await.unwrap(), 1);
    store.add_session(b"d", id, hour).await.unwrap();
    store.end_session(b"d").await.unwrap();
    assert!(store.session(b"d").await.unwrap().is_none());
}

#[tokio::test]
async fn failed_sign_ins_are_counted_and_forgotten() {
    let (store, _dir) = empty().await;
    let minute = Duration::from_secs(60);
    let limit = |key: &str| attempts::Limit {
        key: key.to_owned(),
        most: 2,
    };
    let limits = [limit("here"), limit("there")];
    let first = store.count_sign_in(&limits, minute).await.unwrap().unwrap();
    assert!(
        store
            .count_sign_in(&limits[..1], minute)
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        store
            .count_sign_in(&limits, minute)
            .await
            .unwrap()
            .is_none()
    );
    store.forget_sign_ins(&first, "here").await.unwrap();
    assert!(
        store
            .count_sign_in(&limits, minute)
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(store.remove_old_sign_ins(minute).await.unwrap(), 0);
    assert_eq!(store.remove_old_sign_ins(Duration::ZERO).await.unwrap(), 2);
}

#[tokio::test]
async fn sign_ins_that_a_clock_in_the_future_counted_keep_nobody_out() {
    let (store, _dir) = empty().await;
    let minute = Duration::from_secs(60);
    let limits = [attempts::Limit {
        key: "here".to_owned(),
        most: 1,
    }];
    let may = async || {
        let counted = store.count_sign_in(&limits, minute).await.unwrap();
        counted.is_some()
    };
    assert!(may().await);
    assert!(!may().await);
    sqlx::query("UPDATE sign_in_attempts SET at = at + 3600000")
        .execute(&store.write)
        .await
        .unwrap();
    assert!(may().await);
    assert_eq!(store.remove_old_sign_ins(minute).await.unwrap(), 1);
}

#[tokio::test]
async fn strangers_cannot_fill_the_audit_log() {
    let (store, _dir) = empty().await;
    for number in 0..200 {
        for detail in ["192.0.2.1".to_owned(), format!("10.0.0.{number}")] {
            let written = store
                .audit_stranger("a@b.cz", "sign-in-failed", &detail)
                .await;
            written.unwrap();
        }
    }
    let lines = store.audit_log(None, 1000).await.unwrap();
    assert_eq!(lines.len(), 61);
    assert_eq!(lines[0].action, "sign-in-failed-often");
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.detail == "192.0.2.1")
            .count(),
        5
    );
}

#[tokio::test]
async fn the_audit_log_is_append_only() {
    let (store, _dir) = empty().await;
    store
        .audit("alena@example.com", "user.added", "Bob")
        .await
        .unwrap();
    store
        .audit("alena@example.com", "user.removed", "Bob")
        .await
        .unwrap();
    for statement in ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"] {
        assert!(sqlx::query(statement).execute(&store.write).await.is_err());
    }
    let log = store.audit_log(None, 10).await.unwrap();
    assert_eq!(log[0].action, "user.removed");
    assert_eq!(store.audit_log(Some(log[0].id), 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn settings_come_back_as_they_were_and_new_ones_have_defaults() {
    let (store, _dir) = empty().await;
    assert_eq!(store.settings().await.unwrap(), CenterSettings::default());
    let mut settings = CenterSettings::default();
    settings.smtp.password = Secret::new("hunter2");
    settings.default_language = Lang::Cs;
    store.save_settings(&settings).await.unwrap();
    assert_eq!(store.settings().await.unwrap(), settings);
    sqlx::query("DELETE FROM settings WHERE key = 'notify_groups'")
        .execute(&store.write)
        .await
        .unwrap();
    assert_eq!(
        store.settings().await.unwrap().notify_groups,
        [ADMINISTRATOR]
    );
}

#[test]
fn secrets_are_not_in_debug_output() {
    let mut settings = CenterSettings::default();
    settings.smtp.password = Secret::new("hunter2");
    settings.import.database_url = Secret::new("postgres://u:hunter2@h/d");
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_user_changed_by_hand_is_kept_by_hand() {
    let (store, _dir) = empty().await;
    let mut write = store.begin().await.unwrap();
    let data = person("Imported", "i@example.com");
    let id = users::insert(&mut write, &data, Source::Import)
        .await
        .unwrap();
    write.commit().await.unwrap();
    store.change_user(id, &data).await.unwrap();
    assert_eq!(
        store.user(id).await.unwrap().unwrap().source,
        Source::Manual
    );
}
