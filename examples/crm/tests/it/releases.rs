//! The story of the releases.

use reqwest::StatusCode;

use crate::database::DUPLICATES;
use crate::harness::{CONTACTS, Installation, told, tree};

#[tokio::test]
async fn version_1_1_moves_names_dates_and_letters() {
    let installation = Installation::filled();
    let before = installation.files();
    installation.must("1.1.0", &["migrate"]);
    let server = installation.serve("1.1.0");
    let contact = server.json("/api/contacts/2").await;
    assert_eq!(contact["lead_source"], "import");
    let name = contact["label"].as_str().expect("a name");
    assert!(name.ends_with(contact["last_name"].as_str().expect("a name")));
    let page = server.page("/today", "cs").await;
    assert!(page.contains("Po termínu") && page.contains("paní"));
    let after = installation.files();
    let moved = |path: &std::path::Path| path.to_string_lossy().contains("/attachments/20");
    assert_eq!(before.len(), after.len());
    assert!(after.iter().all(|(path, _)| moved(path)));
}

#[test]
fn version_1_2_fails_on_duplicates_after_changing_rows_and_files() {
    let installation = Installation::filled();
    installation.must("1.1.0", &["migrate"]);
    let files = installation.files();
    let dump = installation.dump();
    let output = installation.run("1.2.0", &["migrate"]);
    assert_eq!(output.status.code(), Some(1));
    let said = told(&output);
    assert!(said.contains("0007_unique_email failed"), "{said}");
    assert_eq!(said.matches(DUPLICATES).count(), 1, "{said}");
    // Half of the work is done: this is what somebody has to undo.
    assert_ne!(installation.files(), files);
    assert_ne!(installation.dump(), dump);
    let refused = installation.run("1.1.0", &["serve", "--listen", "127.0.0.1:0"]);
    assert!(told(&refused).contains("belongs to a newer version"));
}

#[tokio::test]
async fn version_1_3_marks_duplicates_instead() {
    let installation = Installation::filled();
    installation.must("1.1.0", &["migrate"]);
    installation.must("1.3.0", &["migrate"]);
    let server = installation.serve("1.3.0");
    assert_eq!(server.get("/health/deep").await.status(), StatusCode::OK);
    let page = server.page("/duplicates", "cs").await;
    assert!(page.contains("tatáž osoba") && page.contains("společná adresa"));
    let listing = server.json("/api/contacts?per_page=1").await;
    assert_eq!(listing["total"], CONTACTS);
    assert!(
        installation
            .files()
            .iter()
            .all(|(_, text)| text.starts_with("Č. j.: "))
    );
}

#[tokio::test]
async fn version_1_3_can_follow_a_1_2_that_worked() {
    let installation = Installation::empty("1.2.0");
    installation.must("1.3.0", &["migrate"]);
    let server = installation.serve("1.3.0");
    let contact = serde_json::json!({ "last_name": "Nová", "email": "Nova@firma.example" });
    let (_, first) = server.post("/api/contacts", &contact).await;
    let (status, second) = server.post("/api/contacts", &contact).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(second["duplicate_of"], first["id"]);
}

#[tokio::test]
async fn version_1_4_starts_and_is_not_healthy() {
    let installation = Installation::filled();
    installation.must("1.3.0", &["migrate"]);
    installation.must("1.4.0", &["migrate"]);
    let server = installation.serve("1.4.0");
    assert_eq!(server.get("/").await.status(), StatusCode::OK);
    assert_eq!(server.get("/health").await.status(), StatusCode::OK);
    let deep = server.get("/health/deep").await;
    assert_eq!(deep.status(), StatusCode::SERVICE_UNAVAILABLE);
    let text = deep.text().await.expect("text");
    assert!(
        text.contains("report pipeline") && text.contains("expected_close"),
        "{text}"
    );
}

#[test]
fn migrating_again_changes_nothing() {
    let installation = Installation::filled();
    installation.must("1.3.0", &["migrate"]);
    let before = (installation.dump(), installation.files());
    let said = installation.must("1.3.0", &["migrate"]);
    assert!(said.contains("up to date"));
    assert!(before == (installation.dump(), installation.files()));
}

#[test]
fn a_release_is_whole() {
    for version in ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"] {
        let tree = tree(version);
        let release = tree.parent().expect("a directory");
        let description = std::fs::read_to_string(release.join("release.toml")).expect("text");
        let description: toml::Table = description.parse().expect("TOML");
        assert_eq!(description["version"].as_str(), Some(version));
        for language in ["cs", "en"] {
            let notes = description["notes"][language].as_str().expect("notes");
            assert!(
                notes.contains("- **") || notes.contains("- "),
                "{version} {language}"
            );
        }
        let named = std::fs::read_to_string(tree.join("VERSION")).expect("text");
        assert_eq!(named.trim(), version);
        assert!(tree.join("bin/crm").is_file());
    }
    assert!(
        tree("1.2.0")
            .join("migrations/0007_unique_email.sql")
            .is_file()
    );
    assert!(
        !tree("1.3.0")
            .join("migrations/0007_unique_email.sql")
            .exists()
    );
}

#[test]
fn both_languages_have_the_same_texts() {
    let messages = tree("1.4.0").join("messages");
    let keys = |language: &str| {
        let mut keys = Vec::new();
        for entry in std::fs::read_dir(messages.join(language)).expect("a directory") {
            let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("text");
            let table: toml::Table = text.parse().expect("TOML");
            keys.extend(table.keys().cloned());
        }
        keys.sort();
        keys
    };
    assert_eq!(keys("cs"), keys("en"));
}
