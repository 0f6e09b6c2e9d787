//! The JSON API.

use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{CONTACTS, Installation};

#[tokio::test]
async fn records_are_created_read_changed_and_deleted() {
    let installation = Installation::empty("1.0.0");
    let server = installation.serve("1.0.0");
    let (status, company) = server
        .post("/api/companies", &json!({ "name": "Řemeslo s.r.o." }))
        .await;
    assert_eq!(status, StatusCode::CREATED);
    let contact = json!({ "last_name": "Žák", "first_name": "Jan", "company_id": company["id"], "phone": "+420 012 345 678" });
    let (status, contact) = server.post("/api/contacts", &contact).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(contact["company"], "Řemeslo s.r.o.");
    let path = format!("/api/contacts/{}", contact["id"]);

    let patch = server
        .client
        .patch(server.at(&path))
        .json(&json!({ "position": "technik" }));
    assert_eq!(
        patch.send().await.expect("an answer").status(),
        StatusCode::OK
    );
    let read = server.json(&path).await;
    assert_eq!(
        (&read["position"], &read["phone"]),
        (&json!("technik"), &json!("+420 012 345 678"))
    );

    let put = server
        .client
        .put(server.at(&path))
        .json(&json!({ "last_name": "Žáková" }));
    assert_eq!(
        put.send().await.expect("an answer").status(),
        StatusCode::OK
    );
    let read = server.json(&path).await;
    assert_eq!(
        (&read["last_name"], &read["phone"]),
        (&json!("Žáková"), &json!(null))
    );

    let delete = || server.client.delete(server.at(&path)).send();
    assert_eq!(
        delete().await.expect("an answer").status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        delete().await.expect("an answer").status(),
        StatusCode::NOT_FOUND
    );
    assert_eq!(server.get(&path).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_wrong_is_said_by_field() {
    let installation = Installation::empty("1.0.0");
    let server = installation.serve("1.0.0");
    let wrong = json!({ "name": "x", "amount": -5, "stage": "dreamt" });
    let (status, answer) = server.post("/api/deals", &wrong).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer["fields"]["amount"]["code"], "error-negative");
    assert_eq!(answer["fields"]["stage"]["code"], "error-choice");
    let (status, answer) = server
        .post("/api/contacts", &json!({ "email": "nic" }))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer["fields"]["last_name"]["code"], "error-required");
    assert!(
        answer["fields"]["email"]["message"]
            .as_str()
            .expect("text")
            .contains("jana@firma.example")
    );
}

#[tokio::test]
async fn references_must_lead_somewhere() {
    let installation = Installation::empty("1.0.0");
    let server = installation.serve("1.0.0");
    let (status, answer) = server
        .post(
            "/api/contacts",
            &json!({ "last_name": "x", "company_id": 99 }),
        )
        .await;
    assert_eq!(
        (status, &answer["error"]),
        (StatusCode::CONFLICT, &json!("referred"))
    );
}

#[tokio::test]
async fn a_client_id_is_taken_once_and_references_are_listed_as_often_as_stored() {
    let installation = Installation::empty("1.0.0");
    let server = installation.serve("1.0.0");
    let contact = json!({ "last_name": "x", "client_id": "load-1" });
    assert_eq!(
        server.post("/api/contacts", &contact).await.0,
        StatusCode::CREATED
    );
    assert_eq!(
        server.post("/api/contacts", &contact).await.0,
        StatusCode::CONFLICT
    );
    for reference in ["run7-1", "run7-2", "run7-2", "run8-1"] {
        let activity = json!({ "subject": "x", "reference": reference });
        assert_eq!(
            server.post("/api/activities", &activity).await.0,
            StatusCode::CREATED
        );
    }
    let stored = server.json("/api/activities/references?prefix=run7-").await;
    assert_eq!(stored["references"], json!(["run7-1", "run7-2", "run7-2"]));
}

#[tokio::test]
async fn lists_are_searched_and_paged() {
    let installation = Installation::filled();
    let server = installation.serve("1.0.0");
    let first = server.json("/api/contacts?per_page=100").await;
    let last = server.json("/api/contacts?per_page=100&page=20").await;
    assert_eq!(
        (&first["total"], &first["pages"]),
        (&json!(CONTACTS), &json!(20))
    );
    assert_eq!(last["items"].as_array().map(Vec::len), Some(100));
    assert_ne!(first["items"], last["items"]);
    // Without diacritics and in any case; every word must occur; wildcards are letters.
    let found = server.json("/api/contacts?per_page=500&q=RIHOVA").await;
    let items = found["items"].as_array().expect("a list");
    assert!(!items.is_empty() && items.iter().all(|item| item["last_name"] == "Říhová"));
    assert_eq!(server.json("/api/contacts?q=%25").await["total"], 0);
    assert_eq!(
        server.json("/api/contacts?q=rihova+neexistuje").await["total"],
        0
    );
    let won = server.json("/api/deals?stage=won").await;
    assert!(
        won["items"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|item| item["stage"] == "won")
    );
}

#[tokio::test]
async fn malformed_and_unknown_requests_get_json() {
    let installation = Installation::empty("1.0.0");
    let server = installation.serve("1.0.0");
    let request = server
        .client
        .post(server.at("/api/contacts"))
        .body("{")
        .header("content-type", "application/json");
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(
        response.json::<serde_json::Value>().await.expect("JSON")["error"],
        "malformed"
    );
    let response = server.get("/api/nothing").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        response.json::<serde_json::Value>().await.expect("JSON")["error"],
        "missing"
    );
}

#[tokio::test]
async fn a_desktop_of_a_version_that_the_server_does_not_work_with_is_refused_and_told_which_does()
{
    let installation = Installation::empty("1.1.0");
    let server = installation.serve("1.1.0");
    let ask = |version: &'static str| {
        let request = server.client.get(server.at("/api/contacts"));
        request.header("x-crm-desktop", version).send()
    };
    assert_eq!(
        ask("1.0.0").await.expect("an answer").status(),
        StatusCode::OK
    );
    assert_eq!(
        ask("new").await.expect("an answer").status(),
        StatusCode::BAD_REQUEST
    );
    let refused = ask("1.2.0").await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::UPGRADE_REQUIRED);
    let body: serde_json::Value = refused.json().await.expect("JSON");
    assert_eq!(
        (&body["server"], &body["desktop"]),
        (&json!("1.1.0"), &json!(">=1.0.0, <1.2.0"))
    );
    assert_eq!(
        server.get("/api/contacts").await.status(),
        StatusCode::OK,
        "a browser"
    );
}
