//! Who gets in, and what a page of ours may do.

use reqwest::StatusCode;

use crate::centre::{Browser, Centre, EMAIL, PASSWORD, place};

#[tokio::test]
async fn a_form_on_another_site_is_refused_even_with_the_token() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let token = anna.token().await;
    let fields = [("_csrf", token.as_str()), ("name", "Shadow")];
    for header in [
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
        ("origin", "null"),
    ] {
        let answer = anna.post_bare("/groups", &fields, &[header]).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{header:?}");
    }
    assert!(!anna.page("/groups").await.contains("Shadow"));
    let header = ("origin", centre.base.as_str());
    let answer = anna.post_bare("/groups", &fields, &[header]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert!(anna.page("/groups").await.contains("Shadow"));
}

#[tokio::test]
async fn an_uploaded_file_needs_the_token_before_it_is_read() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let token = anna.token().await;
    let body = |token: &str| {
        format!(
            "--b\r\ncontent-disposition: form-data; name=\"_csrf\"\r\n\r\n{token}\r\n--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"u.csv\"\r\n\r\nname,email\r\nJan Novák,jan@example.com\r\n--b--\r\n"
        )
    };
    for (token, status) in [
        ("guessed", StatusCode::FORBIDDEN),
        (token.as_str(), StatusCode::OK),
    ] {
        let request = anna.client().post(centre.url("/users/import"));
        let answer = request
            .header("content-type", "multipart/form-data; boundary=b")
            .body(body(token))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(
            anna.page("/users").await.contains("jan@example.com"),
            status == StatusCode::OK
        );
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    for path in ["/", "/updates", "/nowhere", "/healthz"] {
        let answer = anna.get(path).await;
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(header("cache-control"), "no-store");
        assert!(answer.headers().contains_key("referrer-policy"));
        assert!(answer.headers().contains_key("permissions-policy"));
        let page = answer.text().await.unwrap();
        assert!(
            !page.contains(" style=") && !page.contains("<style") && !page.contains(" onclick"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn assets_are_kept_for_ever_under_an_address_that_changes_with_them() {
    let centre = Centre::start().await;
    let page = Browser::new(&centre, "en").page("/").await;
    let address = crate::centre::between(&page, "rel=\"stylesheet\" href=\"", "\"").to_owned();
    let answer = reqwest::get(centre.url(&address)).await.unwrap();
    assert!(
        answer.headers()["cache-control"]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    assert!(
        answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/css")
    );
    let old = reqwest::get(centre.url("/assets/0000000000000000/center.css"))
        .await
        .unwrap();
    assert_eq!(old.headers()["cache-control"], "no-cache");
}

#[tokio::test]
async fn the_set_up_needs_the_code_from_the_servers_disk_and_works_once() {
    use std::os::unix::fs::PermissionsExt;
    let centre = Centre::start().await;
    let mode = std::fs::metadata(centre.setup_code())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let browser = Browser::new(&centre, "cs");
    assert_eq!(place(&browser.get("/updates").await), "/setup");
    assert!(browser.page("/setup").await.contains("První správce"));
    assert_eq!(
        browser.set_up_with("wrong").await.status(),
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(browser.set_up().await.status(), StatusCode::SEE_OTHER);
    assert!(!centre.setup_code().exists());
    assert_eq!(browser.get("/updates").await.status(), StatusCode::OK);
    let second = Browser::new(&centre, "cs");
    assert_eq!(second.get("/setup").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(second.set_up_with("").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_code_for_the_set_up_cannot_be_tried_out() {
    let centre = Centre::start().await;
    let browser = Browser::new(&centre, "en");
    for _ in 0..5 {
        browser.set_up_with("wrong").await;
    }
    let answer = browser.set_up().await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text().await.unwrap().contains("Too many attempts"));
}

#[tokio::test]
async fn signing_in_makes_a_new_session_and_signing_out_ends_it() {
    let centre = Centre::start().await;
    centre.signed_in().await;
    let browser = Browser::new(&centre, "en");
    assert_eq!(
        browser.sign_in(EMAIL, "wrong").await.status(),
        StatusCode::UNAUTHORIZED
    );
    let answer = browser
        .post_bare(
            "/sign-in",
            &[
                ("email", EMAIL),
                ("password", PASSWORD),
                ("next", "/history"),
            ],
            &[],
        )
        .await;
    assert_eq!(
        (answer.status(), place(&answer)),
        (StatusCode::SEE_OTHER, "/history")
    );
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    let token = crate::centre::between(&cookie, "obnova_session=", ";").to_owned();
    assert_eq!(
        browser.post("/sign-out", &[]).await.status(),
        StatusCode::SEE_OTHER
    );
    // The token itself is worth nothing any more, wherever it was kept.
    let stolen = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let answer = stolen
        .get(centre.url("/updates"))
        .header("cookie", format!("obnova_session={token}"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_sign_in_never_leads_to_another_site() {
    let centre = Centre::start().await;
    centre.signed_in().await;
    for next in ["https://evil.example", "//evil.example", "/\\evil.example"] {
        let browser = Browser::new(&centre, "en");
        let answer = browser
            .post_bare(
                "/sign-in",
                &[("email", EMAIL), ("password", PASSWORD), ("next", next)],
                &[],
            )
            .await;
        assert_eq!(place(&answer), "/updates", "{next}");
    }
}

#[tokio::test]
async fn after_five_wrong_passwords_even_the_right_one_has_to_wait() {
    let centre = Centre::start().await;
    centre.signed_in().await;
    let browser = Browser::new(&centre, "en");
    for _ in 0..5 {
        assert_eq!(
            browser.sign_in(EMAIL, "wrong").await.status(),
            StatusCode::UNAUTHORIZED
        );
    }
    let answer = browser.sign_in(EMAIL, PASSWORD).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .contains("Too many failed attempts")
    );
}

#[tokio::test]
async fn an_administrator_gets_in_from_a_known_browser_while_others_guess() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    assert_eq!(
        anna.post("/sign-out", &[]).await.status(),
        StatusCode::SEE_OTHER
    );
    let guess = [("email", EMAIL), ("password", "wrong")];
    let stranger = Browser::new(&centre, "en");
    for number in 0..24 {
        // Each address guesses its five times, all behind the same proxy.
        for _ in 0..5 {
            let address = format!("203.0.113.{number}");
            let header = ("x-forwarded-for", address.as_str());
            stranger.post_bare("/sign-in", &guess, &[header]).await;
        }
    }
    let fresh = ("x-forwarded-for", "198.51.100.1");
    let answer = stranger.post_bare("/sign-in", &guess, &[fresh]).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let answer = anna.sign_in(EMAIL, PASSWORD).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let log = anna.page("/audit").await;
    assert!(log.contains("Sign-in failed") && log.contains("203.0.113.7"));
    assert!(log.contains("Sign-in refused after too many attempts"));
    assert!(log.contains("Signed in"));
}

#[tokio::test]
async fn what_a_stranger_types_does_not_get_into_the_audit_log() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let stranger = Browser::new(&centre, "en");
    stranger.sign_in("my-secret-password", "oops").await;
    stranger.sign_in(EMAIL, "another-secret").await;
    let log = anna.page("/audit").await;
    assert!(!log.contains("secret") && log.contains("unknown user"));
}

#[tokio::test]
async fn only_administrators_sign_in() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let fields = [
        ("name", "Petr Svoboda"),
        ("email", "petr@example.com"),
        ("language", "cs"),
        ("password", PASSWORD),
        ("again", PASSWORD),
    ];
    assert_eq!(
        place(&anna.post("/users", &fields).await),
        "/users?done=user-added"
    );
    let petr = Browser::new(&centre, "en");
    assert_eq!(
        petr.sign_in("petr@example.com", PASSWORD).await.status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn behind_a_proxy_with_https_cookies_go_over_https_only() {
    let centre = Centre::start().await;
    centre.signed_in().await;
    let form = [("email", EMAIL), ("password", PASSWORD)];
    for (scheme, is_secure) in [("https", true), ("http", false)] {
        let browser = Browser::new(&centre, "en");
        let header = ("x-forwarded-proto", scheme);
        let answer = browser.post_bare("/sign-in", &form, &[header]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{scheme}");
        let hsts = answer.headers().contains_key("strict-transport-security");
        assert_eq!(hsts, is_secure);
        for cookie in answer.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            assert_eq!(cookie.contains("; Secure"), is_secure, "{cookie}");
            assert_eq!(cookie.starts_with("__Host-"), is_secure, "{cookie}");
            assert!(cookie.contains("; HttpOnly") && cookie.contains("; Path=/"));
        }
    }
}

#[tokio::test]
async fn a_mail_servers_password_goes_to_no_other_server() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let with = |host, port, security, password| {
        [
            ("mail_from", "obnova@example.com"),
            ("smtp_host", host),
            ("smtp_port", port),
            ("smtp_security", security),
            ("smtp_username", "obnova"),
            ("smtp_password", password),
            ("default_language", "cs"),
        ]
    };
    let typed = with("mail.example.com", "465", "tls", "s3cret-pass");
    assert_eq!(
        anna.post("/settings", &typed).await.status(),
        StatusCode::SEE_OTHER
    );
    for kept in [
        with("evil.example", "465", "tls", ""),
        with("mail.example.com", "2525", "tls", ""),
        with("mail.example.com", "465", "none", ""),
    ] {
        let answer = anna.post("/settings", &kept).await;
        assert_eq!(
            answer.status(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "{kept:?}"
        );
        let page = answer.text().await.unwrap();
        assert!(
            page.contains("the password must be entered again"),
            "{page}"
        );
    }
    for taken in [
        with("MAIL.example.com", "465", "starttls", ""),
        with("other.example.com", "465", "tls", "another-pass"),
    ] {
        let answer = anna.post("/settings", &taken).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{taken:?}");
    }
}

#[tokio::test]
async fn what_a_client_says_about_its_address_changes_no_count() {
    // Not the loopback address, where a reverse proxy may be.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.1:9").expect(
        "this machine needs an address besides 127.0.0.1: ip address add 198.18.0.1/32 dev lo",
    );
    let centre = Centre::start_at(socket.local_addr().unwrap().ip()).await;
    centre.signed_in().await;
    let stranger = Browser::new(&centre, "en");
    let mut answers = Vec::new();
    for number in 0..6 {
        let address = format!("203.0.113.{number}");
        let headers = [
            ("x-forwarded-for", address.as_str()),
            ("forwarded", address.as_str()),
            ("x-real-ip", address.as_str()),
            ("x-forwarded-proto", "https"),
        ];
        let guess = [("email", EMAIL), ("password", "wrong")];
        let answer = stranger.post_bare("/sign-in", &guess, &headers).await;
        assert!(!answer.headers().contains_key("strict-transport-security"));
        answers.push(answer.status());
    }
    assert_eq!(answers[..5], [StatusCode::UNAUTHORIZED; 5]);
    assert_eq!(answers[5], StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn one_address_guesses_for_twenty_accounts_and_then_for_none() {
    let centre = Centre::start().await;
    centre.signed_in().await;
    let stranger = Browser::new(&centre, "en");
    for number in 0..20 {
        let email = format!("user{number}@example.com");
        let answer = stranger.sign_in(&email, "wrong").await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{number}");
    }
    let answer = stranger.sign_in("user99@example.com", "wrong").await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn many_guesses_at_once_are_no_more_than_one_after_the_other() {
    let centre = Centre::start().await;
    centre.signed_in().await;
    let stranger = Browser::new(&centre, "en");
    let guesses = (0..30).map(|_| stranger.sign_in(EMAIL, "wrong"));
    let answers = futures_util::future::join_all(guesses).await;
    let tried = answers
        .iter()
        .filter(|answer| answer.status() == StatusCode::UNAUTHORIZED)
        .count();
    assert_eq!(tried, 5);
}

#[tokio::test]
async fn a_new_password_ends_every_session_of_its_user_at_once() {
    let centre = Centre::start().await;
    let anna = centre.signed_in().await;
    let elsewhere = Browser::new(&centre, "en");
    elsewhere.sign_in(EMAIL, PASSWORD).await;
    assert_eq!(elsewhere.get("/users").await.status(), StatusCode::OK);
    let new = [
        ("password", "another long one"),
        ("again", "another long one"),
    ];
    let answer = anna.post("/users/1/password", &new).await;
    assert_eq!(place(&answer), "/sign-in");
    for browser in [&anna, &elsewhere] {
        assert_eq!(browser.get("/users").await.status(), StatusCode::SEE_OTHER);
    }
    let answer = elsewhere.sign_in(EMAIL, PASSWORD).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}
