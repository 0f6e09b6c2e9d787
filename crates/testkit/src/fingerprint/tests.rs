use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection};

use super::*;

fn tree() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("bin")).unwrap();
    fs::write(root.path().join("bin/app"), "one").unwrap();
    std::os::unix::fs::symlink("bin/app", root.path().join("app")).unwrap();
    root
}

#[test]
fn an_untouched_tree_is_the_same() {
    let root = tree();
    let before = Fingerprint::of_tree(root.path()).unwrap();
    let after = Fingerprint::of_tree(root.path()).unwrap();
    before.expect_same(&after).unwrap();
    assert_eq!(before.hash(), after.hash());
}

#[test]
fn content_mode_time_and_target_each_count() {
    let root = tree();
    let file = root.path().join("bin/app");
    let before = Fingerprint::of_tree(root.path()).unwrap();
    let time = fs::metadata(&file).unwrap().modified().unwrap();
    let set_time = |time: SystemTime| {
        let opened = fs::File::options().write(true).open(&file).unwrap();
        opened.set_modified(time).unwrap();
    };
    let changes = |expected: &str| {
        let difference = before.diff(&Fingerprint::of_tree(root.path()).unwrap());
        assert_eq!(difference.lines().len(), 1, "{difference}");
        assert!(difference.lines()[0].starts_with(expected), "{difference}");
    };

    fs::write(&file, "two").unwrap();
    set_time(time);
    changes("~ bin/app");
    fs::write(&file, "one").unwrap();
    set_time(time + Duration::from_nanos(1));
    changes("~ bin/app");
    set_time(time);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    changes("~ bin/app");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::remove_file(root.path().join("app")).unwrap();
    changes("- app");
    std::os::unix::fs::symlink("bin", root.path().join("app")).unwrap();
    changes("~ app");
}

#[tokio::test]
async fn a_database_in_use_is_read_without_touching_it() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("data.db");
    let mut connection = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .connect()
        .await
        .unwrap();
    let setup = "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'x'), (NULL, x'00ff');
        CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO w VALUES ('k', 1.0);";
    sqlx::raw_sql(setup).execute(&mut connection).await.unwrap();

    let files = Fingerprint::of_tree(root.path()).unwrap();
    let before = Fingerprint::of_sqlite(&path).await.unwrap();
    files
        .expect_same(&Fingerprint::of_tree(root.path()).unwrap())
        .unwrap();
    let rows: Vec<_> = before
        .entries()
        .filter(|(n, _)| n.contains(" row "))
        .collect();
    assert_eq!(rows[0], ("table t row      1", "1, 'x'"));
    assert_eq!(rows[1], ("table t row      2", "NULL, X'00FF'"));
    assert_eq!(rows[2].1, "'k', 1.0");

    sqlx::raw_sql("UPDATE t SET b = 'y' WHERE a = 1; CREATE INDEX i ON t (a)")
        .execute(&mut connection)
        .await
        .unwrap();
    let difference = before.diff(&Fingerprint::of_sqlite(&path).await.unwrap());
    assert_eq!(
        difference.lines(),
        [
            "~ table t row      1: 1, 'x' -> 1, 'y'",
            "+ index i: CREATE INDEX i ON t (a)"
        ]
    );
    connection.close().await.unwrap();
}
