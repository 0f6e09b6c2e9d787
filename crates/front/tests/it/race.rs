use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::app::App;
use crate::engine::Engine;
use crate::front::{Front, builder, client, limits};

const ROUNDS: usize = 250;

/// Asks without a pause until told to stop; counts the good answers and panics at any other.
async fn hammer(
    client: reqwest::Client,
    url: String,
    write: bool,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
) {
    while !stop.load(Ordering::Relaxed) {
        let request = match write {
            true => client.post(&url).body("x".repeat(2000)),
            false => client.get(&url),
        };
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap();
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_reaches_a_version_that_was_reported_to_have_none() {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    let apps = [App::start("A").await, App::start("B").await];
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    for number in 0..32 {
        let client = match number % 4 {
            0 => builder().http2_prior_knowledge().build().unwrap(),
            // A new connection for each request.
            1 => builder().pool_max_idle_per_host(0).build().unwrap(),
            _ => client(),
        };
        let path = ["/", "/slow?1", "/echo", "/bytes?100000"][number % 4];
        clients.spawn(hammer(
            client,
            front.url(path),
            number % 2 == 0,
            Arc::clone(&stop),
            Arc::clone(&answered),
        ));
    }
    for round in 0..ROUNDS {
        let (serving, resting) = (&apps[round % 2], &apps[(round + 1) % 2]);
        let rested = resting.seen();
        engine.pass(serving).await;
        tokio::time::sleep(Duration::from_millis(round as u64 % 4)).await;
        let acknowledged = engine.hold(limits()).await;
        engine.drained(acknowledged).await;
        let seen = serving.seen();
        // Time for a request that slipped through to arrive.
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(serving.seen(), seen, "round {round}");
        assert_eq!(resting.seen(), rested, "round {round}");
    }
    engine.pass(&apps[0]).await;
    stop.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    let seen: u64 = apps.iter().map(App::seen).sum();
    assert_eq!(seen, answered.load(Ordering::Relaxed), "each exactly once");
    assert!(seen > ROUNDS as u64);
}
