//! With a real user that owns nothing: `nobody`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use super::*;
use crate::database;

const NOBODY: u32 = 65534;

/// An installation with data and database; everything is root's.
fn installation(state: &Path, user: &str) -> Installation {
    fs::set_permissions(state, PermissionsExt::from_mode(0o755)).unwrap();
    for name in ["data", "database", "versions/1.0.0"] {
        fs::create_dir_all(state.join(name)).unwrap();
    }
    fs::write(state.join("database/app.db"), "").unwrap();
    fs::write(
        state.join("installation.toml"),
        format!(
            "product = \"crm\"\n[releases]\nsource = \"repository\"\n[database]\ndriver = \"sqlite\"\n\
             path = \"database/app.db\"\n[data]\ndirectories = [\"data\"]\n[service]\nuser = \"{user}\"\n\
             [front]\nlisten = \"127.0.0.1:0\"\n[center]\nlisten = \"127.0.0.1:0\"\n"
        ),
    )
    .unwrap();
    Installation::load(state).unwrap()
}

fn give_to_nobody(state: &Path) {
    for name in ["data", "database", "database/app.db"] {
        chown(state.join(name), Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

fn detail(installation: &Installation) -> String {
    let problem = check(installation, database::open(installation).as_ref()).unwrap_err();
    assert_eq!(problem.code, problem::ACCOUNT);
    problem.detail.unwrap()
}

#[test]
fn an_account_that_can_use_everything_is_fine() {
    let state = tempfile::tempdir().unwrap();
    let installation = installation(state.path(), "nobody");
    give_to_nobody(state.path());
    check(&installation, database::open(&installation).as_ref()).unwrap();
}

#[test]
fn what_an_account_cannot_write_is_named_with_what_helps() {
    let state = tempfile::tempdir().unwrap();
    let installation = installation(state.path(), "nobody");
    let detail = detail(&installation);
    for name in ["data", "database", "database/app.db"] {
        let path = state.path().join(name).display().to_string();
        assert!(
            detail.contains(&format!("chown -R nobody: {path}")),
            "{detail}"
        );
    }
}

#[test]
fn a_closed_directory_above_is_seen() {
    let state = tempfile::tempdir().unwrap();
    let installation = installation(state.path(), "nobody");
    give_to_nobody(state.path());
    fs::set_permissions(state.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let detail = detail(&installation);
    assert!(detail.contains("cannot read"), "{detail}");
}

#[test]
fn a_database_in_the_state_directory_is_to_move() {
    let state = tempfile::tempdir().unwrap();
    let mut installation = installation(state.path(), "nobody");
    give_to_nobody(state.path());
    installation.database = crate::installation::Database::Sqlite {
        path: state.path().join("app.db"),
    };
    let detail = detail(&installation);
    assert!(detail.contains("directory of its own"), "{detail}");
}

#[test]
fn a_user_or_group_that_does_not_exist_is_named() {
    let state = tempfile::tempdir().unwrap();
    let detail = detail(&installation(state.path(), "nobody-of-that-name"));
    assert!(detail.contains("nobody-of-that-name"), "{detail}");
    let error = Account::find("nobody", Some("no-such-group")).unwrap_err();
    assert!(error.to_string().contains("no-such-group"), "{error}");
}

#[test]
fn this_process_stays_what_it_is_when_it_asks_or_runs_something_as_another() {
    let state = tempfile::tempdir().unwrap();
    let installation = installation(state.path(), "nobody");
    let output = output(&installation.service, Command::new("id").arg("-u")).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("{NOBODY}\n")
    );
    let made = state.path().join("made");
    fs::write(&made, "").unwrap();
    assert_eq!(fs::metadata(&made).unwrap().uid(), geteuid().as_raw());
    give(&installation.service, &made).unwrap();
    assert_eq!(fs::metadata(&made).unwrap().uid(), NOBODY);
}

#[test]
fn secrets_open_to_everybody_are_refused_and_others_are_added() {
    let state = tempfile::tempdir().unwrap();
    installation(state.path(), "nobody");
    let file = state.path().join("installation.toml");
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace("[service]\n", "[service]\nsecrets = \"secrets.toml\"\n");
    fs::write(&file, text).unwrap();
    let secrets = state.path().join("secrets.toml");
    fs::write(&secrets, "KEY = \"value\"\n").unwrap();
    fs::set_permissions(&secrets, PermissionsExt::from_mode(0o644)).unwrap();
    let problem = Installation::load(state.path()).unwrap_err();
    assert!(problem.detail.unwrap().contains("chmod 600"));
    fs::set_permissions(&secrets, PermissionsExt::from_mode(0o600)).unwrap();
    let service = Installation::load(state.path()).unwrap().service;
    assert_eq!(service.env["KEY"], "value");
    fs::write(&secrets, "KEY = \"value\"\nSECOND = 12345678\n").unwrap();
    let detail = Installation::load(state.path())
        .unwrap_err()
        .detail
        .unwrap();
    assert!(
        detail.contains("line 2") && !detail.contains("1234"),
        "{detail}"
    );
}
