use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::app::{App, eventually};
use crate::engine::Engine;
use crate::front::{Front, client, get, limits};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(address: std::net::SocketAddr) -> Socket {
    let url = format!("ws://{address}/socket");
    connect_async(url).await.unwrap().0
}

async fn say(socket: &mut Socket, text: &str) -> String {
    socket.send(Message::text(text)).await.unwrap();
    socket
        .next()
        .await
        .unwrap()
        .unwrap()
        .into_text()
        .unwrap()
        .to_string()
}

#[tokio::test]
async fn websockets_pass_through() {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    let app = App::start("A").await;
    engine.pass(&app).await;
    let mut socket = connect(front.address).await;
    assert_eq!(say(&mut socket, "hello").await, "A: hello");
    let long = "x".repeat(1 << 20);
    assert_eq!(say(&mut socket, &long).await.len(), long.len() + 3);
    socket.close(None).await.unwrap();
    eventually(|| app.open() == 0).await;
}

#[tokio::test]
async fn websockets_are_closed_when_holding_begins_and_held_when_they_come_again() {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    let (old, new) = (App::start("old").await, App::start("new").await);
    engine.pass(&old).await;
    let mut socket = connect(front.address).await;
    assert_eq!(say(&mut socket, "1").await, "old: 1");
    let begun = Instant::now();
    let report = engine.hold(limits()).await;
    engine.drained(report).await;
    assert!(begun.elapsed() < Duration::from_millis(500));
    // From here on the old version hears nothing, whatever the client says.
    let seen = old.seen();
    let _ = socket.send(Message::text("2")).await;
    assert!(!matches!(socket.next().await, Some(Ok(_))));
    sleep(Duration::from_millis(50)).await;
    assert_eq!(old.seen(), seen);

    let again = tokio::spawn(connect(front.address));
    sleep(Duration::from_millis(200)).await;
    assert!(!again.is_finished());
    engine.pass(&new).await;
    let mut socket = again.await.unwrap();
    assert_eq!(say(&mut socket, "3").await, "new: 3");
}

#[tokio::test]
async fn an_application_may_decline_the_change_of_protocol() {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    let app = App::start("A").await;
    engine.pass(&app).await;
    let request = client()
        .get(front.url("/"))
        .header("connection", "upgrade")
        .header("upgrade", "websocket");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "A");
    let report = engine.hold(limits()).await;
    assert_eq!(report.in_flight, 0);
    engine.pass(&app).await;
    assert_eq!(get(&client(), front.url("/")).await, "A");
}
