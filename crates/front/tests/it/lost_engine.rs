use std::time::Duration;

use tokio::time::sleep;

use crate::app::App;
use crate::engine::Engine;
use crate::front::{Front, client, get, limits};

#[tokio::test]
async fn a_front_that_starts_before_the_engine_holds_until_it_comes() {
    let front = Front::start().await;
    let asking = tokio::spawn(client().get(front.url("/")).send());
    sleep(Duration::from_millis(400)).await;
    assert!(!asking.is_finished());
    let mut engine = Engine::start(front.state_dir());
    let app = App::start("A").await;
    let report = engine.pass(&app).await;
    assert_eq!(report.held, 1);
    assert_eq!(asking.await.unwrap().unwrap().text().await.unwrap(), "A");
}

#[tokio::test]
async fn without_the_engine_the_front_goes_on_passing() {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    let app = App::start("A").await;
    engine.pass(&app).await;
    drop(engine);
    for _ in 0..5 {
        assert_eq!(get(&client(), front.url("/")).await, "A");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn without_the_engine_the_front_goes_on_holding_until_the_next_one_decides() {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    let (old, new) = (App::start("old").await, App::start("new").await);
    let client = client();
    engine.pass(&old).await;
    let under_way = tokio::spawn(client.get(front.url("/gate")).send());
    old.has_seen(1).await;
    engine.hold(limits()).await;
    let held = tokio::spawn(client.get(front.url("/")).send());
    sleep(Duration::from_millis(100)).await;
    drop(engine);
    sleep(Duration::from_millis(300)).await;
    assert!(!held.is_finished());

    // The next engine's own hold order is answered with the truth at once.
    let mut engine = Engine::start(front.state_dir());
    let report = engine.hold(limits()).await;
    assert_eq!((report.in_flight, report.held), (1, 1));
    old.release();
    engine.drained(report).await;
    assert_eq!(under_way.await.unwrap().unwrap().status(), 200);
    engine.pass(&new).await;
    assert_eq!(held.await.unwrap().unwrap().text().await.unwrap(), "new");
}

#[tokio::test]
async fn the_same_address_again_leaves_streams_alone() {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    let app = App::start("A").await;
    engine.pass(&app).await;
    let mut answer = client().get(front.url("/events")).send().await.unwrap();
    drop(engine);
    let mut engine = Engine::start(front.state_dir());
    engine.pass(&app).await;
    for _ in 0..5 {
        assert!(answer.chunk().await.unwrap().is_some());
    }
    assert_eq!(app.connections(), 1);
}
