//! The other pages: welcome, users, groups, notifications, settings.

use reqwest::StatusCode;

use crate::centre::{Browser, Centre, between, place};

#[tokio::test]
async fn the_welcome_page_is_for_everybody_in_their_language() {
    let centre = Centre::start().await;
    let czech = Browser::new(&centre, "cs-CZ,cs;q=0.9").page("/").await;
    assert!(
        czech.contains("<html lang=\"cs\"")
            && czech.contains("Kontakt CRM")
            && czech.contains("1.0.0"),
        "{czech}"
    );
    assert!(
        czech.contains("V provozu") && czech.contains("href=\"http://127.0.0.1:8080\""),
        "{czech}"
    );
    let english = Browser::new(&centre, "en").page("/").await;
    assert!(
        english.contains("<html lang=\"en\"") && english.contains("In service"),
        "{english}"
    );
}

#[tokio::test]
async fn the_welcome_page_is_there_without_the_engine() {
    let centre = Centre::start_without_engine().await;
    let page = Browser::new(&centre, "en").page("/").await;
    assert!(page.contains("State unknown"), "{page}");
    centre.stop().await;
}

#[tokio::test]
async fn a_language_chosen_stays_chosen() {
    let centre = Centre::start().await;
    let browser = Browser::new(&centre, "en");
    let answer = browser
        .post_bare(
            "/preferences",
            &[("lang", "cs"), ("theme", "dark"), ("back", "/sign-in")],
            &[],
        )
        .await;
    assert_eq!(place(&answer), "/sign-in");
    let page = browser.page("/").await;
    assert!(
        page.contains("<html lang=\"cs\" data-theme=\"dark\""),
        "{page}"
    );
    let answer = browser
        .post_bare(
            "/preferences",
            &[("lang", "en"), ("back", "https://evil.example")],
            &[],
        )
        .await;
    assert_eq!(place(&answer), "/");
}

#[tokio::test]
async fn every_page_of_the_contents_opens_in_both_languages() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    for lang in ["en", "cs"] {
        let token = anna.token().await;
        anna.post_bare("/preferences", &[("lang", lang), ("_csrf", &token)], &[])
            .await;
        for path in [
            "/updates",
            "/history",
            "/users",
            "/users/new",
            "/users/1",
            "/groups",
            "/users/import",
            "/notifications",
            "/settings",
            "/audit",
        ] {
            let page = anna.page(path).await;
            assert!(page.contains(&format!("<html lang=\"{lang}\"")), "{path}");
            assert_eq!(page.matches("<h1").count(), 1, "{path} has one heading");
            assert!(page.contains("class=\"skip\""), "{path}");
        }
        let missing = anna.get("/nowhere").await;
        assert_eq!(missing.status(), StatusCode::NOT_FOUND);
        assert!(missing.text().await.unwrap().contains("<h1>"));
    }
}

#[tokio::test]
async fn users_are_added_found_changed_and_removed() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    anna.post(
        "/users",
        &[
            ("name", "Jiří <b>Šimek</b>"),
            ("email", "jiri@example.com"),
            ("language", "cs"),
        ],
    )
    .await;
    let list = anna.page("/users?search=simek").await;
    assert!(
        list.contains("jiri@example.com") && !list.contains("<b>Šimek"),
        "{list}"
    );
    assert!(!list.contains("anna@example.com</td>"), "{list}");
    let taken = anna
        .post(
            "/users",
            &[
                ("name", "Other"),
                ("email", "JIRI@example.com"),
                ("language", "cs"),
            ],
        )
        .await;
    assert_eq!(taken.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        taken
            .text()
            .await
            .unwrap()
            .contains("Another user has this e-mail address.")
    );
    let changed = anna
        .post(
            "/users/2",
            &[
                ("name", "Jiří Šimek"),
                ("email", "jiri@example.com"),
                ("language", "en"),
            ],
        )
        .await;
    assert_eq!(place(&changed), "/users?done=user-changed");
    assert!(
        anna.page("/users/2")
            .await
            .contains("<option value=\"en\" lang=\"en\" selected>")
    );
    assert!(
        anna.page("/users/2/remove")
            .await
            .contains("Remove Jiří Šimek?")
    );
    assert_eq!(
        place(&anna.post("/users/2/remove", &[]).await),
        "/users?done=user-removed"
    );
    assert_eq!(anna.get("/users/2").await.status(), StatusCode::NOT_FOUND);
    let last = anna.post("/users/1/remove", &[]).await;
    assert_eq!(last.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        last.text()
            .await
            .unwrap()
            .contains("At least one administrator")
    );
}

#[tokio::test]
async fn groups_of_ones_own_come_and_go_and_the_built_in_ones_stay() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    anna.post("/groups", &[("name", "Managers")]).await;
    let page = anna.page("/groups").await;
    let id = between(&page, "action=\"/groups/", "\"").to_owned();
    anna.post(&format!("/groups/{id}"), &[("name", "Heads")])
        .await;
    assert!(anna.page("/groups").await.contains("Heads"));
    anna.post(&format!("/groups/{id}/remove"), &[]).await;
    let page = anna.page("/groups").await;
    assert!(
        !page.contains("Heads")
            && page.contains("Administrator")
            && page.contains("Everyone")
            && page.contains("System")
    );
    let builtin = between(&page, "href=\"/users?group=", "\"").to_owned();
    let answer = anna.post(&format!("/groups/{builtin}/remove"), &[]).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn settings_are_saved_in_centre_and_engine_and_secrets_are_never_shown() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let mut fields = vec![
        ("notify_groups", "Administrator"),
        ("notify_groups", "Everyone"),
        ("mail_from", "Obnova <obnova@example.com>"),
        ("smtp_host", "mail.example.com"),
        ("smtp_port", "465"),
        ("smtp_security", "tls"),
        ("smtp_username", "obnova"),
        ("smtp_password", "s3cret-pass"),
        ("default_language", "cs"),
        ("public_url", "https://centre.example.com/"),
        ("has_engine", "yes"),
        ("channel", "beta"),
        ("blackout_deadline", "90"),
        ("hold_requests", "500"),
        ("hold_mib", "32"),
        ("hold_seconds", "20"),
        ("drain_seconds", "5"),
        ("rehearsal_valid_days", "7"),
        ("rehearsal_growth", "20"),
        ("rehearsal_limit", "360"),
        ("rehearsal_neutralise", "600"),
        ("keep_copies", "1"),
        ("keep_days", "30"),
        ("import_url", "postgres://u:dbpass@db/crm"),
        ("import_query", "SELECT name, email FROM people"),
    ];
    let answer = anna.post("/settings", &fields).await;
    assert_eq!(
        answer.status(),
        StatusCode::SEE_OTHER,
        "{}",
        answer.text().await.unwrap()
    );
    let page = anna.page("/settings").await;
    assert!(
        page.contains("mail.example.com") && page.contains("value=\"https://centre.example.com\""),
        "{page}"
    );
    assert!(
        !page.contains("s3cret-pass") && !page.contains("dbpass"),
        "secrets are write-only"
    );
    {
        let facts = centre.engine().facts();
        assert_eq!(
            (
                facts.settings.channel.as_str(),
                facts.settings.blackout_deadline_s
            ),
            ("beta", Some(90))
        );
        assert_eq!(
            (facts.settings.hold.requests, facts.settings.hold.bytes),
            (500, 32 << 20)
        );
    }
    fields.retain(|(name, _)| !matches!(*name, "smtp_port" | "blackout_deadline"));
    fields.extend([("smtp_port", "0"), ("blackout_deadline", "1")]);
    let answer = anna.post("/settings", &fields).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let page = answer.text().await.unwrap();
    assert!(
        page.contains("The port must be a number") && page.contains("One of the limits"),
        "{page}"
    );
    assert_eq!(
        centre.engine().facts().settings.blackout_deadline_s,
        Some(90)
    );
}

#[tokio::test]
async fn a_test_mail_is_in_the_outbox_with_its_text_and_html() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let answer = anna.post("/notifications/test", &[("to", "nobody")]).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let answer = anna
        .post("/notifications/test", &[("to", "petr@example.com")])
        .await;
    let shown = place(&answer).to_owned();
    let page = anna.page(&shown).await;
    assert!(
        page.contains("petr@example.com") && page.contains("<iframe class=\"mail\" sandbox"),
        "{page}"
    );
    let path = shown.split('?').next().unwrap();
    let html = anna.get(&format!("{path}/html")).await;
    let policy = html.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.contains("default-src 'none'") && policy.contains("sandbox"),
        "{policy}"
    );
    assert!(
        anna.page("/notifications?state=waiting")
            .await
            .contains("petr@example.com")
    );
    let again = anna.post(&format!("{path}/resend"), &[]).await;
    assert_eq!(again.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_centre_can_be_prepared_without_a_person_once() {
    let centre = Centre::start().await;
    let anna = obnova_center::Administrator {
        name: "Anna Nováková".into(),
        email: crate::centre::EMAIL.into(),
        password: crate::centre::PASSWORD.into(),
        language: obnova_text::Lang::Cs,
    };
    let first = obnova_center::FirstSettings {
        mail_from: "obnova@example.com".into(),
        local_smtp: Some(("127.0.0.1".into(), 2525)),
        ..Default::default()
    };
    let prepare = || obnova_center::prepare(centre.folder.path(), &anna, &first);
    assert!(prepare().await.unwrap());
    assert!(!prepare().await.unwrap());
    assert!(!centre.setup_code().exists());
    let browser = Browser::new(&centre, "en");
    let answer = browser
        .sign_in(crate::centre::EMAIL, crate::centre::PASSWORD)
        .await;
    assert_eq!(place(&answer), "/updates");
    assert!(browser.page("/settings").await.contains("value=\"2525\""));
}

#[tokio::test]
async fn settings_warn_of_what_would_go_wrong_quietly() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let nobody = "There is no active user in the selected groups";
    let openly = "crosses the network unencrypted";
    let page = anna.page("/settings").await;
    assert!(!page.contains(nobody) && !page.contains(openly));
    for (host, is_warned) in [
        ("mail.example.com", true),
        ("localhost", false),
        ("127.0.0.1", false),
    ] {
        let fields = [
            ("default_language", "en"),
            ("smtp_host", host),
            ("smtp_port", "25"),
            ("smtp_security", "none"),
            ("smtp_username", "obnova"),
            ("smtp_password", "hunter2"),
        ];
        assert_eq!(
            place(&anna.post("/settings", &fields).await),
            "/settings?done=settings-saved"
        );
        let page = anna.page("/settings").await;
        assert!(page.contains(nobody));
        assert_eq!(page.contains(openly), is_warned, "{host}");
        assert!(!page.contains("hunter2"));
    }
}
