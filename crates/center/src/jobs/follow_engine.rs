//! Follows the engine's events from where the store says, and turns them into mails. Connects again for ever.

use std::time::Duration;

use obnova_engine::api::{Answer, Line, Problem, Request};
use obnova_engine::client::Client;

use super::{Ended, or_ended, sleep};
use crate::mails::MailError;
use crate::mails::announce::announce;
use crate::store::{Store, StoreError};

/// Time between two attempts to reach an engine that does not answer. It is a local socket, so trying is cheap.
const RETRY: Duration = Duration::from_secs(1);

/// Why following ended; it begins again.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error("the engine does not answer: {}", .0.detail.as_deref().unwrap_or(&.0.code))]
    Engine(Problem),
    #[error("the connection to the engine broke")]
    Connection(#[from] std::io::Error),
    #[error("mails could not be put into the outbox")]
    Announce(#[from] MailError),
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Runs until the centre ends.
pub(crate) async fn run(store: Store, engine: Client, mut ended: Ended) {
    let mut last = String::new();
    loop {
        // Can be broken off anywhere: an event is dealt with in one transaction.
        let Some(result) = or_ended(&mut ended, follow(&store, &engine)).await else {
            return;
        };
        if let Err(error) = result {
            let text = error.to_string();
            // An engine that is away is said once, not every second.
            if text != last {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the engine's events are not followed; trying again"
                );
            }
            last = text;
        }
        if !sleep(&mut ended, RETRY).await {
            return;
        }
    }
}

/// Follows until the engine ends.
async fn follow(store: &Store, engine: &Client) -> Result<(), Interrupted> {
    let state = match engine.call(&Request::State).await {
        Ok(Answer::State(state)) => state,
        Ok(_) => return Ok(()),
        Err(problem) => return Err(Interrupted::Engine(problem)),
    };
    store.set_product_name(&state.name).await?;
    let known = store.cursor().await?.number;
    if state.last_event < known {
        tracing::warn!(
            known,
            last_event = state.last_event,
            "the engine's journal is another one than before; its events so far are announced to nobody"
        );
        store.begin_journal(state.last_event).await?;
    }
    let cursor = store.cursor().await?;
    let mut events = engine
        .events(cursor.number, true)
        .await
        .map_err(Interrupted::Engine)?;
    while let Some(line) = events.next().await? {
        if let Line::Event(event) = line {
            announce(store, &event).await?;
        }
    }
    Ok(())
}
