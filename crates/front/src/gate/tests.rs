use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::*;

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
                    if let Attempt::Passed(flight) = gate.attempt(0, true) {
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
