use std::time::Duration;

use futures_util::future::join_all;
use obnova_engine::api::HoldLimits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::app::App;
use crate::engine::Engine;
use crate::front::{Front, builder, client, get, limits};

async fn holding(limits: HoldLimits) -> (Front, Engine) {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    engine.hold(limits).await;
    (front, engine)
}

#[tokio::test]
async fn held_requests_go_to_the_version_that_serves_next_and_none_is_lost() {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    let (old, new) = (App::start("old").await, App::start("new").await);
    let client = client();
    engine.pass(&old).await;
    assert_eq!(get(&client, front.url("/")).await, "old");
    let report = engine.hold(limits()).await;
    assert_eq!((report.in_flight, report.held), (0, 0));
    let asking: Vec<_> = (0..200)
        .map(|_| {
            let request = client.post(front.url("/slow?1")).body("x".repeat(1000));
            tokio::spawn(request.send())
        })
        .collect();
    sleep(Duration::from_millis(300)).await;
    assert_eq!((old.seen(), new.seen()), (1, 0));
    engine.pass(&new).await;
    for answer in join_all(asking).await {
        assert_eq!(answer.unwrap().unwrap().text().await.unwrap(), "new");
    }
    assert_eq!((old.seen(), new.seen()), (1, 200));
}

#[tokio::test]
async fn an_application_that_has_just_started_is_not_asked_by_all_at_once() {
    let (front, mut engine) = holding(limits()).await;
    let client = client();
    let asking: Vec<_> = (0..400)
        .map(|_| tokio::spawn(client.get(front.url("/slow?30")).send()))
        .collect();
    // Those that come later than that do not wait, and are in nobody's way.
    while engine.hold(limits()).await.held < 400 {
        sleep(Duration::from_millis(50)).await;
    }
    let app = App::start("A").await;
    engine.pass(&app).await;
    for answer in join_all(asking).await {
        assert_eq!(answer.unwrap().unwrap().text().await.unwrap(), "A");
    }
    assert_eq!(app.seen(), 400);
    // Some may take longer than the next one waits, on a busy machine.
    assert!(app.most() < 200, "{} at once", app.most());
}

#[tokio::test]
async fn an_acknowledgement_of_passing_says_how_many_were_held() {
    let (front, mut engine) = holding(limits()).await;
    let app = App::start("A").await;
    let asking = tokio::spawn(client().get(front.url("/")).send());
    sleep(Duration::from_millis(100)).await;
    assert_eq!(engine.pass(&app).await.held, 1);
    assert_eq!(asking.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn the_engine_is_told_when_nobody_waits_any_more() {
    let (front, mut engine) = holding(limits()).await;
    let client = client();
    let asking: Vec<_> = (0..200)
        .map(|_| tokio::spawn(client.get(front.url("/slow?30")).send()))
        .collect();
    while engine.hold(limits()).await.held < 200 {
        sleep(Duration::from_millis(50)).await;
    }
    let app = App::start("A").await;
    // They go a few at a time, so some still wait when the order is in force.
    let mut last = engine.pass(&app).await;
    assert!(last.held > 0, "{last:?}");
    let began = Instant::now();
    while last.held > 0 {
        last = engine.report().await;
    }
    // Not by the report of how long requests take, which comes every 20 s.
    assert!(began.elapsed() < Duration::from_secs(10), "{last:?}");
    for answer in join_all(asking).await {
        assert_eq!(answer.unwrap().unwrap().status(), 200);
    }
}

#[tokio::test]
async fn connections_to_the_old_version_are_closed_when_holding_begins() {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    let app = App::start("A").await;
    engine.pass(&app).await;
    get(&client(), front.url("/")).await;
    engine.hold(limits()).await;
    let begun = Instant::now();
    crate::app::eventually(|| app.open() == 0).await;
    assert!(begun.elapsed() < Duration::from_millis(500));
}

#[tokio::test]
async fn requests_over_http2_are_held_too() {
    let (front, mut engine) = holding(limits()).await;
    let app = App::start("A").await;
    let client = builder().http2_prior_knowledge().build().unwrap();
    let asking: Vec<_> = (0..20)
        .map(|_| tokio::spawn(client.get(front.url("/")).send()))
        .collect();
    sleep(Duration::from_millis(200)).await;
    assert_eq!(app.seen(), 0);
    engine.pass(&app).await;
    for answer in join_all(asking).await {
        assert_eq!(answer.unwrap().unwrap().status(), 200);
    }
}

#[tokio::test]
async fn more_requests_than_allowed_get_the_notice_at_once() {
    let (front, mut engine) = holding(HoldLimits {
        requests: 3,
        ..limits()
    })
    .await;
    let client = client();
    let held: Vec<_> = (0..3)
        .map(|_| tokio::spawn(client.get(front.url("/")).send()))
        .collect();
    sleep(Duration::from_millis(200)).await;
    let answer = client.get(front.url("/")).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    let app = App::start("A").await;
    engine.pass(&app).await;
    for answer in join_all(held).await {
        assert_eq!(answer.unwrap().unwrap().status(), 200);
    }
}

#[tokio::test]
async fn more_bytes_of_bodies_than_allowed_get_the_notice_at_once() {
    let (front, mut engine) = holding(HoldLimits {
        bytes: 100_000,
        ..limits()
    })
    .await;
    let client = client();
    let first = tokio::spawn(
        client
            .post(front.url("/count"))
            .body(vec![0; 90_000])
            .send(),
    );
    sleep(Duration::from_millis(100)).await;
    let answer = client
        .post(front.url("/count"))
        .body(vec![0; 20_000])
        .send();
    assert_eq!(answer.await.unwrap().status(), 503);
    // One without a body takes no room.
    let second = tokio::spawn(client.get(front.url("/")).send());
    sleep(Duration::from_millis(100)).await;
    let app = App::start("A").await;
    engine.pass(&app).await;
    let answer = first.await.unwrap().unwrap().text().await.unwrap();
    assert_eq!(answer, "90000");
    assert_eq!(second.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_request_is_held_no_longer_than_allowed() {
    let (front, _engine) = holding(HoldLimits {
        seconds: 1,
        ..limits()
    })
    .await;
    let begun = Instant::now();
    let answer = client().get(front.url("/")).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn no_time_to_hold_means_the_notice_at_once() {
    let (front, _engine) = holding(HoldLimits {
        seconds: 0,
        ..limits()
    })
    .await;
    let begun = Instant::now();
    let answer = client().get(front.url("/")).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(begun.elapsed() < Duration::from_millis(500));
}

#[tokio::test]
async fn a_client_that_gives_up_makes_room() {
    let (front, mut engine) = holding(HoldLimits {
        requests: 1,
        ..limits()
    })
    .await;
    let client = client();
    let impatient = client
        .get(front.url("/"))
        .timeout(Duration::from_millis(100));
    assert!(impatient.send().await.unwrap_err().is_timeout());
    sleep(Duration::from_millis(100)).await;
    let patient = tokio::spawn(client.get(front.url("/")).send());
    sleep(Duration::from_millis(100)).await;
    let app = App::start("A").await;
    engine.pass(&app).await;
    assert_eq!(patient.await.unwrap().unwrap().status(), 200);
    assert_eq!(app.seen(), 1);
}

#[tokio::test]
async fn a_held_clients_body_is_not_asked_for() {
    let (front, mut engine) = holding(limits()).await;
    let mut stream = TcpStream::connect(front.address).await.unwrap();
    let head =
        "POST /count HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut buffer = [0; 1024];
    let early = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut buffer));
    assert!(early.await.is_err(), "nothing may come while it is held");
    let app = App::start("A").await;
    engine.pass(&app).await;
    let length = stream.read(&mut buffer).await.unwrap();
    assert!(buffer[..length].starts_with(b"HTTP/1.1 100 Continue"));
}
