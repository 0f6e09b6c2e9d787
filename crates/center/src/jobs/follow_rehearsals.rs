//! Looks now and then whether a rehearsal that began by itself has failed, and tells the groups once. Rehearsals are no events of
//! the journal, since they change nothing; the newest one stands in the engine's state.

use std::time::Duration;

use obnova_engine::api::{Answer, Rehearsal, RehearsalOutcome, Request, State};
use obnova_engine::client::Client;

use super::{Ended, or_ended, sleep};
use crate::mails::announce::announce_rehearsal;
use crate::pages::rehearsal::BY_ITSELF;
use crate::store::Store;

/// Time between two looks: a local socket, and nobody waits for this mail.
const LOOK: Duration = Duration::from_secs(10);

/// Runs until the centre ends.
pub(crate) async fn run(store: Store, engine: Client, mut ended: Ended) {
    loop {
        // Can be broken off anywhere: the mails and the mark that they were written are one transaction.
        if or_ended(&mut ended, look(&store, &engine)).await.is_none() {
            return;
        }
        if !sleep(&mut ended, LOOK).await {
            return;
        }
    }
}

async fn look(store: &Store, engine: &Client) {
    // An engine that is away has no rehearsal; the job that follows its events says that it is away.
    let Ok(Answer::State(state)) = engine.call(&Request::State).await else {
        return;
    };
    let Some(rehearsal) = failed_by_itself(&state) else {
        return;
    };
    if let Err(error) = announce_rehearsal(store, rehearsal).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "mails about a failed rehearsal could not be put into the outbox; trying again"
        );
    }
}

fn failed_by_itself(state: &State) -> Option<&Rehearsal> {
    let rehearsal = state.check.as_ref()?.offer.as_ref()?.rehearsal.as_ref()?;
    let is_told = rehearsal.outcome == RehearsalOutcome::Failed && rehearsal.actor == BY_ITSELF;
    is_told.then_some(rehearsal)
}
