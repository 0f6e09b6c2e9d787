use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::app::App;
use crate::engine::Engine;
use crate::front::{Front, client, get, limits};

async fn passing() -> (Front, Engine, App) {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    let app = App::start("A").await;
    engine.pass(&app).await;
    (front, engine, app)
}

#[tokio::test]
async fn requests_under_way_are_reported_until_they_are_answered() {
    let (front, mut engine, app) = passing().await;
    let client = client();
    let asking: Vec<_> = (0..3)
        .map(|_| tokio::spawn(client.get(front.url("/gate")).send()))
        .collect();
    app.has_seen(3).await;
    let report = engine.hold(limits()).await;
    assert_eq!((report.in_flight, report.held), (3, 0));
    app.release();
    assert_eq!(engine.report().await.in_flight, 2);
    app.release();
    app.release();
    engine.drained(report).await;
    for answer in asking {
        let answer = answer.await.unwrap().unwrap();
        assert_eq!(answer.text().await.unwrap(), "A");
    }
}

#[tokio::test]
async fn held_requests_are_reported_while_others_are_under_way() {
    let (front, mut engine, app) = passing().await;
    let client = client();
    let under_way = tokio::spawn(client.get(front.url("/gate")).send());
    app.has_seen(1).await;
    let report = engine.hold(limits()).await;
    let held = tokio::spawn(client.get(front.url("/")).send());
    let next = engine.report().await;
    assert_eq!((next.in_flight, next.held), (1, 1));
    app.release();
    let last = engine.drained(report).await;
    assert_eq!((last.in_flight, last.held), (0, 1));
    assert_eq!(under_way.await.unwrap().unwrap().status(), 200);
    engine.pass(&app).await;
    assert_eq!(held.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_request_is_under_way_until_the_whole_answer_has_come() {
    let (front, mut engine, app) = passing().await;
    let mut answer = client().get(front.url("/half")).send().await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "first");
    let report = engine.hold(limits()).await;
    assert_eq!(report.in_flight, 1);
    assert!(engine.is_silent(Duration::from_millis(200)).await);
    app.release();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), " second");
    engine.drained(report).await;
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_request() {
    let (front, mut engine, app) = passing().await;
    let request = client().get(front.url("/gate"));
    let asking = tokio::spawn(request.send());
    app.has_seen(1).await;
    let report = engine.hold(limits()).await;
    assert_eq!(report.in_flight, 1);
    asking.abort();
    engine.drained(report).await;
    crate::app::eventually(|| app.open() == 0).await;
}

#[tokio::test]
async fn an_application_that_dies_ends_its_requests() {
    let (front, mut engine, app) = passing().await;
    let asking = tokio::spawn(client().get(front.url("/gate")).send());
    app.has_seen(1).await;
    let report = engine.hold(limits()).await;
    drop(app);
    engine.drained(report).await;
    assert_eq!(asking.await.unwrap().unwrap().status(), 502);
}

#[tokio::test]
async fn nothing_is_reported_when_nothing_is_under_way() {
    let (front, mut engine, _app) = passing().await;
    get(&client(), front.url("/")).await;
    assert!(engine.is_silent(Duration::from_millis(100)).await);
    engine.hold(limits()).await;
    tokio::spawn(client().get(front.url("/")).send());
    assert!(engine.is_silent(Duration::from_millis(200)).await);
}

#[tokio::test]
async fn reports_come_at_most_every_twenty_milliseconds_but_the_last_one_at_once() {
    let (front, mut engine, app) = passing().await;
    let client = client();
    let asking: Vec<_> = (0..100)
        .map(|_| tokio::spawn(client.get(front.url("/gate")).send()))
        .collect();
    app.has_seen(100).await;
    let mut report = engine.hold(limits()).await;
    assert_eq!(report.in_flight, 100);
    let begun = Instant::now();
    let releasing = async {
        for _ in 0..100 {
            app.release();
            sleep(Duration::from_millis(2)).await;
        }
    };
    let counting = async {
        let mut reports = 0;
        while report.in_flight > 0 {
            report = engine.report().await;
            reports += 1;
        }
        reports
    };
    let ((), reports) = tokio::join!(releasing, counting);
    let most = begun.elapsed().as_millis() / 20 + 1;
    assert!(reports <= most, "{reports} reports, {most} allowed");
    for answer in asking {
        assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    }
}

#[tokio::test]
async fn event_streams_end_when_holding_begins() {
    let (front, mut engine, app) = passing().await;
    let client = client();
    let mut answer = client.get(front.url("/events")).send().await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "data: A 0\n\n");
    let begun = Instant::now();
    let report = engine.hold(limits()).await;
    engine.drained(report).await;
    assert!(begun.elapsed() < Duration::from_millis(500));
    // A proper end, after which a browser connects again by itself.
    while answer.chunk().await.unwrap().is_some() {}
    crate::app::eventually(|| app.open() == 0).await;
    let again = tokio::spawn(client.get(front.url("/events")).send());
    let new = App::start("B").await;
    engine.pass(&new).await;
    let mut answer = again.await.unwrap().unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "data: B 0\n\n");
}
