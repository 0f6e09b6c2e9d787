use obnova_engine::api::{HoldLimits, TrafficMode};
use reqwest::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::engine::Engine;
use crate::front::{Front, client};

/// Nobody is held.
const SHUT: HoldLimits = HoldLimits {
    requests: 0,
    bytes: 0,
    seconds: 0,
    drain_seconds: 0,
};
const BROWSER: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";

async fn shut() -> (Front, Engine) {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    engine.hold(SHUT).await;
    (front, engine)
}

async fn browse(front: &Front, language: &str) -> Response {
    let request = client().get(front.url("/"));
    let request = request.header("accept", BROWSER);
    request
        .header("accept-language", language)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_browser_gets_a_page_that_reloads_itself() {
    let (front, _engine) = shut().await;
    let answer = browse(&front, "en-GB,en;q=0.9").await;
    assert_eq!(answer.status(), 503);
    let headers = answer.headers().clone();
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["retry-after"], "5");
    assert_eq!(headers["content-language"], "en");
    let page = answer.text().await.unwrap();
    assert!(page.contains(r#"<html lang="en">"#), "{page}");
    assert!(page.contains(r#"<meta http-equiv="refresh" content="5">"#));
    assert!(page.contains("<h1>Example CRM is being updated</h1>"));
    assert!(page.contains("Version 1.2.0 is being installed"));
    assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("href="));
}

#[tokio::test]
async fn a_czech_browser_gets_it_in_czech() {
    let (front, _engine) = shut().await;
    let answer = browse(&front, "cs-CZ,cs;q=0.9,en;q=0.8").await;
    assert_eq!(answer.headers()["content-language"], "cs");
    let page = answer.text().await.unwrap();
    assert!(page.contains(r#"<html lang="cs">"#), "{page}");
    assert!(page.contains("Example CRM se právě aktualizuje"));
    assert!(page.contains("Instaluje se verze 1.2.0"));
}

#[tokio::test]
async fn a_form_that_was_not_taken_says_so_and_does_not_reload() {
    let (front, _engine) = shut().await;
    let request = client().post(front.url("/contacts")).body("name=x");
    let answer = request.header("accept", BROWSER).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    let page = answer.text().await.unwrap();
    assert!(page.contains("was not saved"), "{page}");
    assert!(!page.contains("http-equiv"));
}

#[tokio::test]
async fn a_program_gets_json() {
    let (front, _engine) = shut().await;
    let request = client().get(front.url("/api")).header("accept", "*/*");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.headers()["retry-after"], "5");
    let json: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(json["error"], "updating");
    assert_eq!(json["retry_after"], 5);
}

#[tokio::test]
async fn an_application_that_refuses_connections_is_said_to_be_unreachable() {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    let upstream = "127.0.0.1:1".parse().unwrap();
    engine.order(TrafficMode::Pass { upstream }).await;
    let answer = browse(&front, "en").await;
    assert_eq!(answer.status(), 502);
    assert!(answer.text().await.unwrap().contains("is not responding"));
}

#[tokio::test]
async fn the_name_of_the_product_comes_from_the_engine_when_it_was_not_given() {
    let front = Front::named(None).await;
    let mut engine = Engine::start(front.state_dir());
    engine.hold(SHUT).await;
    let client = client();
    for _ in 0..100 {
        let request = client.get(front.url("/")).header("accept", BROWSER);
        let page = request.send().await.unwrap().text().await.unwrap();
        if page.contains("Example CRM is being updated") {
            return;
        }
        assert!(page.contains("The application is being updated"));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the name never came");
}

#[tokio::test]
async fn a_client_that_is_sending_a_large_body_can_read_the_notice() {
    let (front, _engine) = shut().await;
    let request = client().post(front.url("/")).body(vec![0; 800_000]);
    assert_eq!(request.send().await.unwrap().status(), 503);
}

#[tokio::test]
async fn a_name_is_text_and_not_markup() {
    let front = Front::named(Some("<b>A & B</b>")).await;
    let mut engine = Engine::start(front.state_dir());
    engine.hold(SHUT).await;
    let page = browse(&front, "en").await.text().await.unwrap();
    assert!(!page.contains("<b>"), "{page}");
}

#[tokio::test]
async fn a_connection_after_a_notice_can_be_used_again() {
    let (front, _engine) = shut().await;
    let mut stream = TcpStream::connect(front.address).await.unwrap();
    let ask = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc";
    let mut buffer = vec![0; 16384];
    for _ in 0..3 {
        stream.write_all(ask).await.unwrap();
        let length = stream.read(&mut buffer).await.unwrap();
        assert!(buffer[..length].starts_with(b"HTTP/1.1 503"));
    }
}

#[tokio::test]
async fn an_application_that_is_not_being_updated_is_said_to_be_starting() {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    let hold = TrafficMode::Hold {
        limits: SHUT,
        to: None,
    };
    engine.order(hold).await;
    let answer = browse(&front, "cs").await;
    assert_eq!(answer.status(), 503);
    assert!(answer.text().await.unwrap().contains("se spouští"));
}
