use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::app::App;
use crate::engine::Engine;
use crate::front::{Front, client, get, limits};

#[tokio::test]
async fn requests_under_way_are_answered_before_the_front_ends() {
    let mut front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    let app = App::start("A").await;
    engine.pass(&app).await;
    let asking = tokio::spawn(client().get(front.url("/gate")).send());
    app.has_seen(1).await;
    front.stop();
    sleep(Duration::from_millis(100)).await;
    assert!(client().get(front.url("/")).send().await.is_err());
    app.release();
    assert_eq!(asking.await.unwrap().unwrap().status(), 200);
    front.ended().await;
}

#[tokio::test]
async fn idle_connections_and_event_streams_do_not_delay_the_end() {
    let mut front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    let app = App::start("A").await;
    engine.pass(&app).await;
    let client = client();
    get(&client, front.url("/")).await;
    let mut stream = client.get(front.url("/events")).send().await.unwrap();
    let begun = Instant::now();
    front.stop();
    front.ended().await;
    assert!(begun.elapsed() < Duration::from_secs(2));
    while stream.chunk().await.unwrap().is_some() {}
}

#[tokio::test]
async fn requests_still_held_at_the_end_get_the_notice() {
    let mut front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    engine.hold(limits()).await;
    let asking = tokio::spawn(client().get(front.url("/")).send());
    sleep(Duration::from_millis(100)).await;
    front.stop();
    front.ended().await;
    assert_eq!(asking.await.unwrap().unwrap().status(), 503);
}
