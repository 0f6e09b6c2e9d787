use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use obnova_engine::api::TrafficMode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::app::{App, eventually};
use crate::engine::Engine;
use crate::front::{Front, builder, client, get};

async fn passing() -> (Front, Engine, App) {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    let app = App::start("A").await;
    engine.pass(&app).await;
    (front, engine, app)
}

async fn seen_headers(request: reqwest::RequestBuilder) -> BTreeMap<String, String> {
    let text = request.send().await.unwrap().text().await.unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn a_request_reaches_the_application_and_its_answer_comes_back() {
    let (front, _engine, _app) = passing().await;
    let request = client().post(front.url("/echo")).body("written");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), "written");
}

#[tokio::test]
async fn the_application_is_told_who_asked_and_by_which_name() {
    let (front, _engine, _app) = passing().await;
    let request = client()
        .get(front.url("/headers?a=1&a=%20"))
        .header("x-forwarded-for", "198.51.100.7")
        .header("connection", "x-private")
        .header("x-private", "1");
    let seen = seen_headers(request).await;
    assert_eq!(seen["x-forwarded-for"], "198.51.100.7, 127.0.0.1");
    assert_eq!(seen["x-forwarded-proto"], "http");
    assert_eq!(seen["x-forwarded-host"], front.address.to_string());
    assert_eq!(seen["host"], front.address.to_string());
    assert_eq!(seen[":uri"], "/headers?a=1&a=%20");
    assert!(!seen.contains_key("x-private"));
}

#[tokio::test]
async fn answers_keep_their_headers_except_those_of_the_connection() {
    let (front, _engine, _app) = passing().await;
    let answer = client().get(front.url("/cookies")).send().await.unwrap();
    let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert!(!answer.headers().contains_key("x-private"));
    assert!(!answer.headers().contains_key("server"));
}

#[tokio::test]
async fn clients_may_speak_http2_without_tls() {
    let (front, _engine, _app) = passing().await;
    let client = builder().http2_prior_knowledge().build().unwrap();
    let request = client
        .post(front.url("/headers"))
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .body("x");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_2);
    let seen: BTreeMap<String, String> =
        serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(seen[":version"], "HTTP/1.1");
    assert_eq!(seen["host"], front.address.to_string());
    assert_eq!(seen["cookie"], "a=1; b=2");
    let answers =
        futures_util::future::join_all((0..50).map(|_| get(&client, front.url("/slow?20"))));
    assert!(answers.await.iter().all(|answer| answer == "A"));
}

#[tokio::test]
async fn answers_without_a_body_end_and_their_connection_is_used_again() {
    let (front, _engine, app) = passing().await;
    let client = client();
    for _ in 0..5 {
        let answer = client.head(front.url("/bytes?1000")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let answer = client.get(front.url("/nothing")).send().await.unwrap();
        assert_eq!(answer.status(), 204);
        get(&client, front.url("/")).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(app.connections() <= 2, "{}", app.connections());
}

#[tokio::test]
async fn unused_connections_are_closed_before_the_application_would() {
    let (front, _engine, app) = passing().await;
    get(&client(), front.url("/")).await;
    assert_eq!(app.open(), 1);
    eventually(|| app.open() == 0).await;
}

#[tokio::test]
async fn an_application_that_comes_up_a_little_late_is_waited_for() {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    // A port that is free again: nobody listens there for now.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    drop(listener);
    engine.order(TrafficMode::Pass { upstream }).await;
    let client = client();
    let asking = tokio::spawn(get_owned(client, front.url("/")));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let _app = App::listen("late", TcpListener::bind(upstream).await.unwrap());
    assert_eq!(asking.await.unwrap(), "late");
}

async fn get_owned(client: reqwest::Client, url: String) -> String {
    get(&client, url).await
}

/// An application that reads a request and closes without a word.
async fn closing_app() -> (std::net::SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&requests);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                // The first request of a connection is answered, so that the second finds a connection in use before.
                let mut buffer = [0; 4096];
                assert!(stream.read(&mut buffer).await.unwrap() > 0);
                counted.fetch_add(1, Ordering::SeqCst);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).await.unwrap();
                if stream.read(&mut buffer).await.unwrap() > 0 {
                    counted.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    (address, requests)
}

#[tokio::test]
async fn a_request_that_may_have_been_received_is_not_sent_again() {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    let (upstream, requests) = closing_app().await;
    engine.order(TrafficMode::Pass { upstream }).await;
    let client = client();
    let answer = client.get(front.url("/")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    tokio::time::sleep(Duration::from_millis(20)).await;
    for sent in [
        client.post(front.url("/")).body("x"),
        client.get(front.url("/")),
    ] {
        let before = requests.load(Ordering::SeqCst);
        let answer = sent.send().await.unwrap();
        // The first finds the used connection, the second a new one: one request each, answered or not.
        assert!([200, 502].contains(&answer.status().as_u16()));
        assert_eq!(requests.load(Ordering::SeqCst), before + 1);
    }
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_for_its_body_is_asked() {
    let (front, _engine, _app) = passing().await;
    let mut stream = TcpStream::connect(front.address).await.unwrap();
    let head = "POST /count HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut buffer = [0; 1024];
    let length = stream.read(&mut buffer).await.unwrap();
    assert!(buffer[..length].starts_with(b"HTTP/1.1 100 Continue"));
    stream.write_all(b"12345").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("\r\n5"), "{answer}");
}

#[tokio::test]
async fn a_change_to_http2_is_answered_in_http1() {
    let (front, _engine, _app) = passing().await;
    let request = client()
        .get(front.url("/headers"))
        .header("connection", "Upgrade, HTTP2-Settings")
        .header("upgrade", "h2c")
        .header("http2-settings", "AAMAAABkAAQAAP__");
    let seen = seen_headers(request).await;
    assert!(!seen.contains_key("upgrade"));
    assert!(!seen.contains_key("http2-settings"));
}

#[tokio::test]
async fn tunnels_to_anywhere_are_refused() {
    let (front, _engine, app) = passing().await;
    let mut stream = TcpStream::connect(front.address).await.unwrap();
    let head = "CONNECT internal.example:25 HTTP/1.1\r\nhost: internal.example:25\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut buffer = [0; 1024];
    let length = stream.read(&mut buffer).await.unwrap();
    assert!(buffer[..length].starts_with(b"HTTP/1.1 405"));
    assert_eq!(app.seen(), 0);
}

/// Sends raw bytes and reads until the front closes.
async fn raw(front: &Front, request: &str) -> String {
    let mut stream = TcpStream::connect(front.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

#[tokio::test]
async fn a_second_request_cannot_be_hidden_in_a_body() {
    let (front, _engine, app) = passing().await;
    let hidden = "0\r\n\r\nGET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";
    let lengths = format!(
        "content-length: {}\r\ntransfer-encoding: chunked",
        hidden.len()
    );
    let answer = raw(
        &front,
        &format!("POST /count HTTP/1.1\r\nhost: a\r\n{lengths}\r\n\r\n{hidden}"),
    )
    .await;
    // Whoever believes the other length sees one more request than was answered; the front believes one and says only that one.
    assert_eq!(answer.matches("HTTP/1.1").count() as u64, app.seen().max(1));

    for lengths in [
        "content-length: 3\r\ncontent-length: 4",
        "content-length: +3",
        "content-length: 3\r\ntransfer-encoding: xchunked",
    ] {
        let before = app.seen();
        let request = format!("POST /count HTTP/1.1\r\nhost: a\r\n{lengths}\r\n\r\nabc");
        let answer = raw(&front, &request).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{lengths}: {answer}");
        assert_eq!(app.seen(), before, "{lengths}");
    }
}
