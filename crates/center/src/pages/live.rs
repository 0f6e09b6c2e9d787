//! What happens, as it happens, over server-sent events. Each time something does, the whole picture is drawn again from the
//! engine's state, so that nothing depends on having seen what came before.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use obnova_engine::api::{self, Phase};
use obnova_engine::client::Events;
use obnova_text::{Lang, Text};
use serde::Deserialize;
use tokio::sync::mpsc::{self, Sender};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;

use super::progress::Live;
use super::rehearsal;
use crate::app::Centre;
use crate::page::Page;

/// The picture is drawn again at least this often while an update runs: its clock goes on.
const TICK: Duration = Duration::from_secs(1);
/// A page that waits for an update to start is woken by its first event. Rehearsals are no events: for them it looks again
/// this often.
const IDLE_TICK: Duration = Duration::from_secs(3);
/// A picture is drawn at most this often, however fast a download counts.
const GAP: Duration = Duration::from_millis(200);
/// A stream ends after this long and the browser opens another, so that an ended session is noticed.
const LASTS: Duration = Duration::from_secs(600);
/// Between the stops of one click the engine is idle for a moment.
const BETWEEN_STOPS: Duration = Duration::from_secs(10);

/// Which update the page shows (0: it waits for the engine); none: the page waits for an update to start.
#[derive(Deserialize)]
pub struct Shown {
    update: Option<u64>,
    /// The page shows a rehearsal that runs.
    rehearsing: Option<String>,
}

/// `GET /updates/live`: events `progress` and `rehearsal` (HTML), `status` (a sentence), `turned` (a rehearsal has begun or
/// ended: fetch the offer again) and `changed` (fetch the page again).
pub async fn stream(
    page: Page,
    State(centre): State<Centre>,
    Query(shown): Query<Shown>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (sender, receiver) = mpsc::channel(4);
    let follower = Follower {
        centre,
        lang: page.lang,
        shown: shown.update,
        rehearsing: shown.rehearsing.is_some(),
        sender,
        last: Sent::default(),
    };
    tokio::spawn(follower.follow());
    Sse::new(ReceiverStream::new(receiver))
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

/// What the browser has been sent, so that nothing is sent twice.
#[derive(Default)]
struct Sent {
    progress: String,
    said: String,
}

struct Follower {
    centre: Centre,
    lang: Lang,
    shown: Option<u64>,
    /// Whether the page shows a rehearsal that runs.
    rehearsing: bool,
    sender: Sender<Result<Event, Infallible>>,
    last: Sent,
}

/// What stands in the place of the steps while the engine does not answer.
#[derive(Template)]
#[template(path = "lost.html")]
pub struct Lost {
    /// The texts.
    pub t: &'static Text,
}

/// Whether there is more to come.
enum Next {
    More,
    Done,
}

impl Follower {
    async fn follow(mut self) {
        let began = Instant::now();
        let mut ended = self.centre.ended();
        let mut idle_since: Option<Instant> = None;
        let mut events: Option<Events> = None;
        while began.elapsed() < LASTS {
            let state = self.centre.state().await;
            let next = match &state {
                Err(_) => self.lost().await,
                Ok(state) => self.draw(state, &mut idle_since).await,
            };
            if matches!(next, Next::Done) {
                return;
            }
            match &state {
                Err(_) => events = None,
                Ok(state) if events.is_none() => {
                    events = self
                        .centre
                        .engine()
                        .events(state.last_event, true)
                        .await
                        .ok();
                }
                Ok(_) => {}
            }
            let drawn = Instant::now();
            let tick = match (&events, self.shown) {
                (Some(_), None) if !self.rehearsing => IDLE_TICK,
                _ => TICK,
            };
            tokio::select! {
                _ = ended.wait_for(|ended| *ended) => return,
                () = self.sender.closed() => return,
                alive = next_event(events.as_mut()) => if !alive { events = None },
                () = tokio::time::sleep(tick) => {}
            }
            tokio::time::sleep(GAP.saturating_sub(drawn.elapsed())).await;
        }
    }

    async fn draw(&mut self, state: &api::State, idle_since: &mut Option<Instant>) -> Next {
        match (&state.phase, self.shown) {
            (Phase::Idle, None) => self.rehearsal(state).await,
            (_, None) => self.changed().await,
            (Phase::Idle, Some(_)) => {
                let since = *idle_since.get_or_insert_with(Instant::now);
                match stops_follow(state) && since.elapsed() < BETWEEN_STOPS {
                    true => Next::More,
                    false => self.changed().await,
                }
            }
            (_, Some(_)) => {
                *idle_since = None;
                self.progress(state).await
            }
        }
    }

    async fn progress(&mut self, state: &api::State) -> Next {
        let Some(live) = Live::of(Text::of(self.lang), state) else {
            return Next::More;
        };
        let Ok(picture) = live.render() else {
            return Next::Done;
        };
        if live.said != self.last.said {
            self.last.said.clone_from(&live.said);
            if let Next::Done = self.send("status", &live.said).await {
                return Next::Done;
            }
        }
        self.picture("progress", picture).await
    }

    /// A page without an update: a rehearsal begins, goes on or ends.
    async fn rehearsal(&mut self, state: &api::State) -> Next {
        if self.rehearsing != state.rehearsing.is_some() {
            self.rehearsing = state.rehearsing.is_some();
            return self.send("turned", "now").await;
        }
        let Some(running) = &state.rehearsing else {
            return Next::More;
        };
        let t = Text::of(self.lang);
        let said = rehearsal::step_said(t, running);
        if said != self.last.said {
            self.last.said.clone_from(&said);
            if let Next::Done = self.send("status", &said).await {
                return Next::Done;
            }
        }
        match rehearsal::picture(t, running) {
            Ok(picture) => self.picture("rehearsal", picture).await,
            Err(_) => Next::Done,
        }
    }

    async fn lost(&mut self) -> Next {
        if self.shown.is_none() {
            return Next::More;
        }
        let picture = Lost {
            t: Text::of(self.lang),
        }
        .render()
        .unwrap_or_default();
        self.picture("progress", picture).await
    }

    async fn picture(&mut self, name: &str, picture: String) -> Next {
        if picture == self.last.progress {
            return Next::More;
        }
        let next = self.send(name, &picture).await;
        self.last.progress = picture;
        next
    }

    async fn changed(&mut self) -> Next {
        self.send("changed", "now").await;
        Next::Done
    }

    async fn send(&self, name: &str, data: &str) -> Next {
        match self
            .sender
            .send(Ok(Event::default().event(name).data(data)))
            .await
        {
            Ok(()) => Next::More,
            Err(_) => Next::Done,
        }
    }
}

/// Whether the newest update is one of several stops of one click, and not the last.
fn stops_follow(state: &api::State) -> bool {
    state
        .last_update
        .as_ref()
        .is_some_and(|update| update.outcome == api::Outcome::Completed && !update.then.is_empty())
}

/// Waits for the next event; false when there will be none on this connection.
async fn next_event(events: Option<&mut Events>) -> bool {
    match events {
        Some(events) => matches!(events.next().await, Ok(Some(_))),
        None => std::future::pending().await,
    }
}
