use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::*;
use crate::pace;

const ROUNDS: u64 = 500;

fn pass() -> TrafficOrder {
    let upstream = "127.0.0.1:9".parse().unwrap();
    TrafficOrder {
        sequence: 1,
        mode: TrafficMode::Pass { upstream },
    }
}

fn hold(limits: HoldLimits) -> TrafficOrder {
    TrafficOrder {
        sequence: 2,
        mode: TrafficMode::Hold { limits, to: None },
    }
}

/// The application may be asked only while it is not said to have nothing in flight. Plain threads that do nothing but
/// enter and leave come as close to the instants of the orders as anything can.
#[test]
fn nobody_is_inside_after_nothing_was_reported_in_flight() {
    let gate = Gate::new();
    let forbidden = AtomicBool::new(false);
    let over = AtomicBool::new(false);
    let entered = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let attempt = gate.attempt(0, false, &mut None);
                    if let Attempt::Waits { .. } = attempt {
                        // It does not wait.
                        drop(Place {
                            gate: Arc::clone(&gate),
                            bytes: 0,
                        });
                    }
                    if let Attempt::Passed(flight) = attempt {
                        entered.fetch_add(1, Ordering::Relaxed);
                        if forbidden.load(Ordering::SeqCst) {
                            over.store(true, Ordering::Relaxed);
                            panic!("a request slipped through");
                        }
                        drop(flight);
                    }
                }
            });
        }
        for _ in 0..ROUNDS {
            gate.apply(&pass());
            thread::yield_now();
            let mut numbers = gate.apply(&hold(HoldLimits::default()));
            while numbers.in_flight > 0 {
                numbers = gate.numbers();
            }
            forbidden.store(true, Ordering::SeqCst);
            thread::yield_now();
            forbidden.store(false, Ordering::SeqCst);
            if over.load(Ordering::Relaxed) {
                break;
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(entered.load(Ordering::Relaxed) > ROUNDS);
    assert_eq!(gate.numbers(), Numbers::default());
}

#[tokio::test]
async fn places_are_given_back_whatever_becomes_of_the_request() {
    let gate = Gate::new();
    gate.apply(&hold(HoldLimits::default()));
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let gate = Arc::clone(&gate);
            tokio::spawn(async move { gate.enter(1000).await })
        })
        .collect();
    while gate.numbers().held < 10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(gate.lock().held_bytes, 10_000);
    waiting[0].abort();
    while gate.numbers().held > 9 {
        tokio::task::yield_now().await;
    }
    gate.apply(&pass());
    let mut flights = Vec::new();
    for passed in waiting.into_iter().skip(1) {
        flights.push(passed.await.unwrap().ok().unwrap());
    }
    assert_eq!(gate.numbers().in_flight, 9);
    drop(flights);
    assert_eq!(gate.numbers(), Numbers::default());
    assert_eq!(gate.lock().held_bytes, 0);
}

#[tokio::test]
async fn another_hold_does_not_start_the_time_again() {
    let gate = Gate::new();
    let limits = HoldLimits {
        seconds: 1,
        ..HoldLimits::default()
    };
    gate.apply(&hold(limits));
    let begun = Instant::now();
    let entering = gate.enter(0);
    let ordering = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        gate.apply(&hold(limits));
    };
    let (entered, ()) = tokio::join!(entering, ordering);
    assert!(entered.is_err());
    assert!(begun.elapsed() < Duration::from_millis(1500));
}

#[tokio::test]
async fn a_closed_gate_keeps_nobody() {
    let gate = Gate::new();
    let waiting = tokio::spawn({
        let gate = Arc::clone(&gate);
        async move { gate.enter(0).await.err() }
    });
    while gate.numbers().held == 0 {
        tokio::task::yield_now().await;
    }
    gate.close();
    assert_eq!(waiting.await.unwrap(), Some(Refusal::Starting));
    assert_eq!(gate.enter(0).await.err(), Some(Refusal::Starting));
}

async fn entered(gate: &Arc<Gate>) -> Flight {
    gate.enter(0).await.ok().unwrap()
}

#[tokio::test]
async fn those_that_were_held_go_a_few_at_a_time_and_the_others_at_once() {
    let gate = Gate::new();
    let (sender, mut flights) = tokio::sync::mpsc::unbounded_channel();
    let held = pace::AT_ONCE as u64 + 10;
    for _ in 0..held {
        let (gate, sender) = (Arc::clone(&gate), sender.clone());
        tokio::spawn(async move { sender.send(entered(&gate).await).ok() });
    }
    while gate.numbers().held < held {
        tokio::task::yield_now().await;
    }
    gate.apply(&pass());
    let mut under_way = Vec::new();
    for _ in 0..pace::AT_ONCE {
        under_way.push(flights.recv().await.unwrap());
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(flights.try_recv().is_err(), "more than a few went");
    assert_eq!(gate.numbers().held, 10);
    // Whoever did not have to wait.
    drop(entered(&gate).await);
    // One that is answered makes room for another, and so does a stream without end.
    drop(under_way.pop());
    under_way.push(flights.recv().await.unwrap());
    under_way[0].set_endless();
    under_way.push(flights.recv().await.unwrap());
    assert_eq!(gate.numbers().held, 8);
    // Those that take long are not waited for.
    for _ in 0..8 {
        under_way.push(flights.recv().await.unwrap());
    }
    assert_eq!(gate.numbers().in_flight, held - 1);
    drop(under_way);
    assert_eq!(gate.numbers(), Numbers::default());
}

#[tokio::test]
async fn those_that_queue_are_held_by_the_next_order() {
    let gate = Gate::new();
    let held = pace::AT_ONCE as u64 + 10;
    let (sender, mut flights) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..held {
        let (gate, sender) = (Arc::clone(&gate), sender.clone());
        tokio::spawn(async move { sender.send(entered(&gate).await).ok() });
    }
    while gate.numbers().held < held {
        tokio::task::yield_now().await;
    }
    gate.apply(&pass());
    let mut under_way = Vec::new();
    for _ in 0..pace::AT_ONCE {
        under_way.push(flights.recv().await.unwrap());
    }
    gate.apply(&hold(HoldLimits::default()));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(flights.try_recv().is_err(), "one slipped through");
    gate.apply(&pass());
    for _ in 0..10 {
        under_way.push(flights.recv().await.unwrap());
    }
    assert_eq!(gate.numbers().in_flight, held);
}

#[tokio::test]
async fn it_is_timed_how_long_holding_would_have_to_wait() {
    let gate = Gate::new();
    gate.begin_sample();
    assert!(gate.lock().drained.is_none(), "nothing passes");
    gate.apply(&pass());
    gate.begin_sample();
    assert!(gate.sampled().await < Duration::from_secs(1));
    let (quick, slow) = (entered(&gate).await, entered(&gate).await);
    let mut endless = entered(&gate).await;
    gate.begin_sample();
    endless.set_endless();
    // It was not under way then.
    let later = entered(&gate).await;
    drop(quick);
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(slow);
    assert!(gate.sampled().await >= Duration::from_millis(200));
    // Streams are cut, so nobody waits for them; what takes longer than until the next look is what it has come to.
    gate.begin_sample();
    tokio::time::sleep(Duration::from_millis(300)).await;
    gate.begin_sample();
    assert!(gate.sampled().await >= Duration::from_millis(300));
    drop((later, endless));
    gate.sampled().await;
    assert_eq!(gate.numbers(), Numbers::default());
}
