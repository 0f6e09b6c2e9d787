//! The conversation with the engine: its orders, and reports of what is under way.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use obnova_engine::api::{Answer, Request, TrafficMode, TrafficOrder, TrafficReport};
use obnova_engine::client::{Client, Conversation};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::gate::Numbers;
use crate::proxy::Front;

/// Pauses before connecting again.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Reports come at most this often; the one that nothing is in flight any more comes at once.
const REPORT_GAP: Duration = Duration::from_millis(20);
/// How often it is timed how long requests under way take to finish.
const SAMPLE_PAUSE: Duration = Duration::from_secs(20);
/// How long the engine may take to say what the product is called.
const NAME_TIME: Duration = Duration::from_secs(10);

/// Takes orders for ever, connecting again whenever the engine is gone. What was ordered last stays in force meanwhile.
pub(crate) async fn follow(front: Arc<Front>, engine: Client) {
    let mut pause = SHORTEST_PAUSE;
    let mut told = None;
    loop {
        let mut talk = Talk {
            front: &front,
            engine: &engine,
            last: None,
            next_sample: Instant::now() + SAMPLE_PAUSE,
        };
        let reason = match talk.run().await {
            Ok(()) => "the engine closed the connection".to_owned(),
            Err(reason) => reason,
        };
        if talk.last.is_some() {
            pause = SHORTEST_PAUSE;
            told = None;
        }
        // Once, not every second for as long as it is gone.
        if told.as_ref() != Some(&reason) {
            tracing::warn!(%reason, "no orders from the engine; the last one stays in force");
            told = Some(reason);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One connection to the engine.
struct Talk<'a> {
    front: &'a Arc<Front>,
    engine: &'a Client,
    last: Option<Reported>,
    next_sample: Instant,
}

/// The last report.
#[derive(Clone, Copy)]
struct Reported {
    sequence: u64,
    numbers: Numbers,
    at: Instant,
}

impl Talk<'_> {
    async fn run(&mut self) -> Result<(), String> {
        let mut conversation = self
            .engine
            .open(&Request::Traffic)
            .await
            .map_err(|problem| problem.detail.unwrap_or(problem.code))?;
        loop {
            let next = self.next_numbers();
            tokio::select! {
                order = conversation.receive::<TrafficOrder>() => {
                    match order.map_err(|error| error.to_string())? {
                        Some(order) => self.obey(&order, &mut conversation).await,
                        None => return Ok(()),
                    }
                }
                () = sleep_until(self.next_sample) => {
                    self.next_sample = Instant::now() + SAMPLE_PAUSE;
                    self.front.gate.begin_sample();
                    Ok(())
                }
                drained = self.front.gate.sampled() => self.report_drained(drained, &mut conversation).await,
                (sequence, numbers) = next => self.report(sequence, numbers, &mut conversation).await,
            }
            .map_err(|error| error.to_string())?;
        }
    }

    async fn obey(
        &mut self,
        order: &TrafficOrder,
        conversation: &mut Conversation,
    ) -> io::Result<()> {
        let numbers = self.front.gate.apply(order);
        match &order.mode {
            TrafficMode::Pass { upstream } => {
                tracing::info!(sequence = order.sequence, %upstream, held = numbers.held, "passing");
            }
            TrafficMode::Hold { .. } => {
                tracing::info!(
                    sequence = order.sequence,
                    in_flight = numbers.in_flight,
                    "holding"
                );
            }
        }
        if self.last.is_none() {
            tokio::spawn(learn_name(Arc::clone(self.front), self.engine.clone()));
        }
        self.report(order.sequence, numbers, conversation).await
    }

    /// Says how long holding would have had to wait just now. Before there is an order nobody would know what to make of it.
    async fn report_drained(
        &self,
        drained: Duration,
        conversation: &mut Conversation,
    ) -> io::Result<()> {
        let Some(last) = self.last else {
            return Ok(());
        };
        let numbers = self.front.gate.numbers();
        let report = TrafficReport {
            sequence: last.sequence,
            in_flight: numbers.in_flight,
            held: numbers.held,
            drain_ms: Some(u64::try_from(drained.as_millis()).unwrap_or(u64::MAX)),
        };
        conversation.send(&report).await
    }

    async fn report(
        &mut self,
        sequence: u64,
        numbers: Numbers,
        conversation: &mut Conversation,
    ) -> io::Result<()> {
        self.last = Some(Reported {
            sequence,
            numbers,
            at: Instant::now(),
        });
        conversation
            .send(&TrafficReport {
                sequence,
                in_flight: numbers.in_flight,
                held: numbers.held,
                drain_ms: None,
            })
            .await
    }

    /// Waits for numbers that have to be reported; for ever when there will be none.
    async fn next_numbers(&self) -> (u64, Numbers) {
        let gate = &self.front.gate;
        let Some(last) = self.last else {
            return std::future::pending().await;
        };
        match gate.holds() {
            true if last.numbers.in_flight > 0 => {}
            false if last.numbers.held > 0 => return (last.sequence, gate.all_let_go().await),
            _ => return std::future::pending().await,
        }
        loop {
            let numbers = gate.numbers();
            let changed = numbers != last.numbers;
            if changed && (numbers.in_flight == 0 || last.at.elapsed() >= REPORT_GAP) {
                return (last.sequence, numbers);
            }
            tokio::select! {
                () = gate.moved() => {}
                () = sleep_until(last.at + REPORT_GAP), if changed => {}
            }
        }
    }
}

/// Asks the engine what the product is called, for the maintenance page.
async fn learn_name(front: Arc<Front>, engine: Client) {
    if front.name.get().is_some() {
        return;
    }
    if let Ok(Ok(Answer::State(state))) = timeout(NAME_TIME, engine.call(&Request::State)).await {
        // Another connection may have been faster; the name is the same.
        let _ = front.name.set(state.name);
    }
}
