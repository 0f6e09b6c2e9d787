//! Pages.

use reqwest::StatusCode;

use crate::harness::Installation;

#[tokio::test]
async fn every_page_of_the_navigation_opens_in_both_languages() {
    let installation = Installation::filled();
    installation.must("1.3.0", &["migrate"]);
    let server = installation.serve("1.3.0");
    for path in [
        "/",
        "/today",
        "/companies",
        "/contacts",
        "/duplicates",
        "/deals",
        "/activities",
        "/contacts/7",
        "/companies/7",
        "/deals/7",
        "/activities/7",
        "/contacts/7/edit",
        "/deals/new?contact_id=7",
        "/contacts?q=novak&page=2&lead_source=import",
        "/activities?company_id=3",
    ] {
        let czech = server.page(path, "cs").await;
        let english = server.page(path, "en-GB,en;q=0.9").await;
        assert!(
            czech.contains("<html lang=\"cs\">") && czech.contains("Přehled"),
            "{path}"
        );
        assert!(
            english.contains("<html lang=\"en\">") && english.contains("Overview"),
            "{path}"
        );
        assert!(czech.contains("<strong>1.3.0</strong>"), "{path}");
    }
}

#[tokio::test]
async fn a_form_says_what_is_wrong_and_keeps_what_was_typed() {
    let installation = Installation::empty("1.0.0");
    let server = installation.serve("1.0.0");
    let fields = [
        ("last_name", ""),
        ("first_name", "Božena <b>"),
        ("email", "bozena"),
    ];
    let response = server.submit("/contacts/new", &fields).await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let page = response.text().await.expect("text");
    assert!(page.contains("Toto pole je potřeba vyplnit."));
    assert!(page.contains("To není e-mailová adresa."));
    assert!(page.contains("Božena &lt;b&gt;") && !page.contains("Božena <b>"));
}

#[tokio::test]
async fn a_record_is_added_changed_and_deleted_with_forms() {
    let installation = Installation::empty("1.1.0");
    let server = installation.serve("1.1.0");
    let fields = [("name", "Kov a.s."), ("city", "Brno")];
    let response = server.submit("/companies/new", &fields).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()["location"], "/companies/1");
    let fields = [
        ("last_name", "Malá"),
        ("company_id", "Kov a.s. #1"),
        ("follow_up_on", "2020-01-01"),
    ];
    let response = server.submit("/contacts/new", &fields).await;
    assert_eq!(response.headers()["location"], "/contacts/1");
    assert!(server.page("/today", "cs").await.contains("Malá"));
    let done = [("follow_up_on", ""), ("_back", "/today")];
    let response = server.submit("/contacts/1/set", &done).await;
    assert_eq!(response.headers()["location"], "/today");
    assert!(!server.page("/today", "cs").await.contains("Malá"));
    assert!(server.page("/companies/1", "cs").await.contains("Malá"));
    let response = server.submit("/contacts/1/delete", &[]).await;
    assert_eq!(response.headers()["location"], "/contacts");
    assert_eq!(
        server.get("/contacts/1").await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let installation = Installation::empty("1.0.0");
    let server = installation.serve("1.0.0");
    let request = server
        .client
        .post(server.at("/companies/new"))
        .form(&[("name", "Kov")]);
    let response = request
        .header("origin", "https://evil.example")
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(server.json("/api/companies").await["total"], 0);
}

#[tokio::test]
async fn the_chosen_language_stays() {
    let installation = Installation::empty("1.0.0");
    let server = installation.serve("1.0.0");
    let response = server.get("/language/en").await;
    let cookie = response.headers()["set-cookie"]
        .to_str()
        .expect("text")
        .to_owned();
    assert!(cookie.starts_with("language=en;"));
    let request = server
        .client
        .get(server.at("/"))
        .header("cookie", "language=en");
    let page = request
        .header("accept-language", "cs")
        .send()
        .await
        .expect("an answer");
    assert!(
        page.text()
            .await
            .expect("text")
            .contains("<html lang=\"en\">")
    );
}

#[tokio::test]
async fn files_outside_the_tree_are_not_served() {
    let installation = Installation::empty("1.0.0");
    let server = installation.serve("1.0.0");
    assert_eq!(server.get("/static/crm.css").await.status(), StatusCode::OK);
    for path in [
        "/static/..%2Fcrm.toml",
        "/static/..%2F..%2Fx.css",
        "/static/%2Fetc%2Fpasswd",
    ] {
        assert_eq!(
            server.get(path).await.status(),
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_uploaded_file_lies_where_the_version_wants_it_and_can_be_deleted() {
    let installation = Installation::empty("1.3.0");
    let server = installation.serve("1.3.0");
    server
        .submit("/contacts/new", &[("last_name", "Malá")])
        .await;
    let upload = |name: &'static str, text: &'static str| {
        let body = format!(
            "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{text}\r\n--x--\r\n"
        );
        let request = server
            .client
            .post(server.at("/contacts/1/attachments"))
            .body(body);
        request
            .header("content-type", "multipart/form-data; boundary=x")
            .send()
    };
    upload("../../Žádost.txt", "Prosím")
        .await
        .expect("an answer");
    upload("page.html", "<script>").await.expect("an answer");
    let files = installation.files();
    assert_eq!(files.len(), 2);
    assert!(
        files
            .iter()
            .any(|(path, text)| path.ends_with("Žádost-1.txt") && text.starts_with("Č. j.: 1/"))
    );
    let saved = server.get("/attachments/2/file").await;
    assert_eq!(saved.headers()["content-type"], "application/octet-stream");
    assert_eq!(saved.text().await.expect("text"), "<script>");
    assert_eq!(
        server.submit("/contacts/1/delete", &[]).await.status(),
        StatusCode::CONFLICT
    );
    for id in [1, 2] {
        server
            .submit(&format!("/attachments/{id}/delete"), &[])
            .await;
    }
    assert!(installation.files().is_empty());
    assert_eq!(
        server.submit("/contacts/1/delete", &[]).await.status(),
        StatusCode::SEE_OTHER
    );
}
