//! What somebody hostile would try, from outside and from within.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use obnova_engine::api::{Outcome, Problem, StepState, StepStatus, UpdateSummary};
use reqwest::header::{ALLOW, COOKIE};
use reqwest::{Method, StatusCode};
use semver::Version;

use crate::centre::{Browser, Centre, EMAIL, PASSWORD, between, place};

/// Would run in a text, in an attribute of either quotes, and in an address.
const HOSTILE: &str = "\"'><img src=x onerror=alert(1)><script>alert(2)</script>";

/// Nothing of it is there as an element.
fn assert_harmless(page: &str, place: &str) {
    for bad in ["<img", "<script>alert", "\"'>", "onerror=alert(1)>"] {
        assert!(!page.contains(bad), "{bad} on {place}");
    }
}

#[tokio::test]
async fn names_of_users_and_groups_are_text_wherever_they_are_shown() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    anna.post("/groups", &[("name", HOSTILE)]).await;
    let user = [
        ("name", HOSTILE),
        ("email", "eve@example.com"),
        ("language", "en"),
        ("active", "yes"),
    ];
    let added = anna.post("/users", &user).await;
    assert_eq!(place(&added), "/users?done=user-added");
    let mail = anna
        .post("/notifications/test", &[("to", "eve@example.com")])
        .await;
    let mail = place(&mail).to_owned();
    for path in [
        "/users",
        "/users?search=onerror",
        "/users/2",
        "/users/2/remove",
        "/groups",
        "/settings",
        "/audit",
        "/notifications",
        &mail,
        "/users?search=%22'%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
        "/notifications?search=%22'%3E%3Cimg%20src%3Dx%3E&state=%22'%3E%3Cscript%3Ealert(2)",
    ] {
        assert_harmless(&anna.page(path).await, path);
    }
    let list = anna.page("/users").await;
    assert!(list.contains("&#60;script&#62;alert(2)") || list.contains("&lt;script&gt;alert(2)"));
}

#[tokio::test]
async fn what_the_machine_said_about_a_problem_is_text() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let problem = Problem::new("migration-failed")
        .arg("version", HOSTILE)
        .arg("status", HOSTILE)
        .detail(HOSTILE);
    let summary = UpdateSummary {
        update: 1,
        from: Version::new(1, 0, 0),
        to: Version::new(1, 1, 0),
        then: vec![],
        started: Timestamp::now(),
        finished: Some(Timestamp::now()),
        outcome: Outcome::RolledBack,
        blackout_ms: None,
        actor: HOSTILE.to_owned(),
        problem: Some(problem),
        steps: vec![StepState {
            step: HOSTILE.to_owned(),
            status: StepStatus::Undone,
            failed: false,
            took_ms: None,
        }],
        kind: Default::default(),
        forecast: None,
    };
    centre.engine().change(|facts| {
        facts.state.name = HOSTILE.to_owned();
        facts.state.last_update = Some(summary.clone());
        facts.history = vec![summary];
    });
    for path in ["/", "/updates", "/history", "/history/1"] {
        assert_harmless(&anna.page(path).await, path);
    }
    assert_harmless(&anna.fragment("/updates/offer").await, "the offer");
}

#[tokio::test]
async fn a_sessions_token_confirms_no_other_sessions_form() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let other = Browser::new(&centre, "en");
    other.sign_in(EMAIL, PASSWORD).await;
    let token = other.token().await;
    assert_ne!(token, anna.token().await);
    let fields = [("_csrf", token.as_str()), ("name", "Shadow")];
    let answer = anna.post_bare("/groups", &fields, &[]).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let header = [("x-csrf-token", token.as_str())];
    let answer = anna.post_bare("/groups", &fields[1..], &header).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(!anna.page("/groups").await.contains("Shadow"));
}

#[tokio::test]
async fn a_session_that_somebody_else_chose_is_not_taken_over() {
    let centre = Centre::start().await;
    centre.signed_in().await;
    let form = [("email", EMAIL), ("password", PASSWORD)];
    let planted = "obnova_session=planted-by-somebody; obnova_device=planted-too";
    let victim = Browser::new(&centre, "en");
    let answer = victim
        .post_bare("/sign-in", &form, &[("cookie", planted)])
        .await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let mut names = BTreeSet::new();
    for cookie in answer.headers().get_all("set-cookie") {
        let (name, value) = cookie.to_str().unwrap().split_once('=').unwrap();
        let token = value.split(';').next().unwrap();
        assert!(token.len() >= 43 && !token.contains("planted"), "{value}");
        names.insert(name.to_owned());
    }
    assert_eq!(
        names,
        BTreeSet::from(["obnova_device".into(), "obnova_session".into()])
    );
    let thief = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let request = thief.get(centre.url("/updates")).header(COOKIE, planted);
    assert_eq!(
        request.send().await.unwrap().status(),
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn signing_out_many_times_at_once_is_no_error() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let token = anna.token().await;
    let fields = [("_csrf", token.as_str())];
    let outs = (0..12).map(|_| anna.post_bare("/sign-out", &fields, &[]));
    for answer in futures_util::future::join_all(outs).await {
        assert_eq!(
            (answer.status(), place(&answer)),
            (StatusCode::SEE_OTHER, "/sign-in")
        );
    }
    assert_eq!(anna.get("/users").await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn nothing_outside_the_assets_is_served() {
    let centre = Centre::start().await;
    for path in [
        "/assets/x/..%2f..%2f..%2fetc%2fpasswd",
        "/assets/x/%2e%2e/%2e%2e/center.db",
        "/assets/..%2fcenter.db/center.db",
        "/assets/x/center.db",
        "/assets/x/setup-code",
        "/assets/x/center.css%00.svg",
        "/assets/",
        "/center.db",
        "/..%2fsetup-code",
    ] {
        let answer = reqwest::get(centre.url(path)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn other_methods_change_nothing() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let token = anna.token().await;
    for path in [
        "/users/1",
        "/settings",
        "/updates/install",
        "/sign-out",
        "/groups",
    ] {
        for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::TRACE] {
            let request = anna.client().request(method.clone(), centre.url(path));
            let answer = request.header("x-csrf-token", &token).send().await.unwrap();
            assert_eq!(
                answer.status(),
                StatusCode::METHOD_NOT_ALLOWED,
                "{method} {path}"
            );
            assert!(answer.headers().contains_key(ALLOW), "{method} {path}");
        }
    }
    // What changes something is no link.
    for path in [
        "/sign-out",
        "/users/1/password",
        "/updates/seen",
        "/preferences",
    ] {
        assert_eq!(
            anna.get(path).await.status(),
            StatusCode::METHOD_NOT_ALLOWED,
            "{path}"
        );
    }
    assert_eq!(anna.get("/users").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_is_too_much_or_makes_no_sense_is_an_answer_and_no_failure() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let long = "a".repeat(100_000);
    let address = format!("{long}@example.com");
    for (name, email) in [
        (long.as_str(), "x@example.com"),
        ("X", address.as_str()),
        ("X\r\nBcc: y", "x@example.com"),
        ("X", "x@example.com\r\nBcc: y@example.com"),
        ("", ""),
    ] {
        let answer = anna
            .post("/users", &[("name", name), ("email", email)])
            .await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
    let huge = "a".repeat(3 << 20);
    let answer = anna.post("/users", &[("name", huge.as_str())]).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let stranger = Browser::new(&centre, "en");
    let answer = stranger.sign_in(EMAIL, &huge).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .contains("The request is too large")
    );
    assert_eq!(
        stranger.sign_in(EMAIL, &long).await.status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        stranger.sign_in(&long, "x").await.status(),
        StatusCode::UNAUTHORIZED
    );
    for path in [
        "/users?page=4294967295",
        "/users?page=-1",
        "/users?page=0",
        "/users?group=99999999999999999999",
        "/users/-1",
        "/users/99999999999999999999",
        "/users/9223372036854775807",
        "/history/18446744073709551615",
        "/history/x",
        "/notifications/0",
        "/notifications?update=-5",
        "/notifications?page=4294967295&state=nonsense",
        "/audit?before=-9223372036854775808",
        "/audit?before=x",
        "/updates/install?version=nonsense",
        "/updates/report/99",
        "/updates?done=%00",
        "/updates/live?update=x",
        "/%ff%fe",
    ] {
        let status = anna.get(path).await.status();
        assert!(!status.is_server_error(), "{path}: {status}");
    }
    let search = format!("/users?search={}", "%C5%A1".repeat(5_000));
    assert!(!anna.get(&search).await.status().is_server_error());
}

#[tokio::test]
async fn a_preference_leads_back_to_pages_of_ours_only() {
    let centre = Centre::start().await;
    let browser = Browser::new(&centre, "en");
    for back in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "",
    ] {
        let answer = browser
            .post_bare("/preferences", &[("theme", "dark"), ("back", back)], &[])
            .await;
        assert_eq!(place(&answer), "/", "{back}");
    }
    let answer = browser
        .post_bare(
            "/preferences",
            &[("theme", "\"; x=y"), ("lang", "de\r\nset-cookie: a=b")],
            &[],
        )
        .await;
    assert!(!answer.headers().contains_key("set-cookie"));
}

#[tokio::test]
async fn a_mail_is_shown_where_it_can_do_nothing() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let mail = anna
        .post("/notifications/test", &[("to", "eve@example.com")])
        .await;
    let mail = place(&mail).split('?').next().unwrap().to_owned();
    let page = anna.page(&mail).await;
    let frame = between(&page, "<iframe", ">");
    assert!(
        frame.contains(" sandbox ") && !frame.contains("allow-"),
        "{frame}"
    );
    let html = anna.get(&format!("{mail}/html")).await;
    let policy = html.headers()["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("script"),
        "{policy}"
    );
}

#[tokio::test]
async fn a_form_that_never_ends_is_given_up() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let centre = Centre::start().await;
    centre.signed_in().await;
    let address = centre.base.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let begun = "POST /sign-in HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 1000\r\n\r\nemail=";
    stream.write_all(begun.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    let read = stream.read_exact(&mut answer);
    tokio::time::timeout(Duration::from_secs(15), read)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400");
}

#[tokio::test]
async fn a_connection_is_not_kept_for_somebody_who_says_nothing() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let centre = Centre::start().await;
    let address = centre.base.trim_start_matches("http://");
    let mut waiting = Vec::new();
    for said in ["", "GET / HTTP/1.1\r\nhost: x\r\nx-long: "] {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        waiting.push(async move {
            let mut answer = Vec::new();
            let read = stream.read_to_end(&mut answer);
            let closed = tokio::time::timeout(Duration::from_secs(15), read).await;
            closed.map(|_| said)
        });
    }
    let closed = futures_util::future::join_all(waiting).await;
    assert!(closed.iter().all(Result::is_ok), "{closed:?}");
    let answer = Browser::new(&centre, "en").get("/").await;
    assert_eq!(answer.status(), StatusCode::OK);
}
