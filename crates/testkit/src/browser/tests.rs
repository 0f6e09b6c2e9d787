use axum::Router;
use axum::http::HeaderMap;
use axum::response::Html;
use axum::routing::get;

use super::*;

/// A page that says what it knows of the browser, under a policy that allows no script.
async fn page(headers: HeaderMap) -> ([(&'static str, &'static str); 1], Html<String>) {
    let language = headers["accept-language"].to_str().unwrap();
    let html = format!(
        "<!doctype html><html lang=en><meta name=viewport content=width=device-width><title>Test</title>
        <style>body {{ color: black; background: white }} .pale {{ color: #eee }}
        #night {{ display: none }} @media (prefers-color-scheme: dark) {{ #night {{ display: block }} }}
        </style><main><h1>Asked for {language}</h1><p class=pale>Hard to read</p>
        <p id=night>It is dark</p><script>document.title = 'never'</script></main>"
    );
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    ([("content-security-policy", policy)], Html(html))
}

async fn serve() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().route("/", get(page));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}/")
}

#[tokio::test]
async fn a_page_is_seen_in_the_language_light_and_size_asked_for() {
    let options = BrowserOptions {
        language: "cs".to_owned(),
        dark: true,
        ..BrowserOptions::default()
    };
    let mut browser = Browser::start(options).await.unwrap();
    browser.goto(serve().await).await.unwrap();
    browser.wait_for_text("Asked for cs").await.unwrap();
    browser.wait_for_text("It is dark").await.unwrap();
    assert_eq!(browser.title().await.unwrap(), "Test");

    let console = browser.console().await.unwrap();
    assert!(
        console[0].contains("Content Security Policy"),
        "{console:?}"
    );
    assert!(browser.console().await.unwrap().is_empty());

    browser.set_dark(false).await.unwrap();
    let dark = browser.wait_for_text_within("It is dark", Duration::from_millis(300));
    let error = dark.await.unwrap_err().to_string();
    assert!(error.contains("Hard to read"), "{error}");

    browser.set_size(390, 844).await.unwrap();
    let width = browser.execute("return innerWidth", Vec::new()).await;
    assert_eq!(width.unwrap().json(), &json!(390));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("images/page.png");
    browser.screenshot_of_page(&file).await.unwrap();
    assert_eq!(&std::fs::read(&file).unwrap()[1..4], b"PNG");
    browser.close().await.unwrap();
}

#[tokio::test]
async fn axe_finds_a_text_that_is_hard_to_read() {
    let browser = Browser::start(BrowserOptions::default()).await.unwrap();
    browser.goto(serve().await).await.unwrap();
    let violations = browser.axe().await.unwrap();
    let serious: Vec<_> = violations.iter().filter(|v| v.is_serious()).collect();
    assert_eq!(serious.len(), 1, "{violations:?}");
    assert_eq!(serious[0].id, "color-contrast");
    let error = browser.expect_no_serious_violations().await.unwrap_err();
    assert!(error.to_string().contains("Hard to read"), "{error}");
}
