//! Each state was announced exactly once to each person who is to know, as the mail server has it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use obnova_engine::api::EventKind;
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::life::Facts;

/// The centre waits longer and longer for a mail server that was away.
const PATIENCE: Duration = Duration::from_secs(100);
/// What was refused for ever does not come.
const REFUSED_PATIENCE: Duration = Duration::from_secs(5);
/// So long nothing more may come.
const QUIET: Duration = Duration::from_millis(400);

/// People by number in the centre, with their addresses.
struct People {
    all: BTreeMap<i64, String>,
    groups: BTreeSet<i64>,
}

/// Looks; also tells how many mails were expected and came.
///
/// # Errors
/// The centre's list of people cannot be read.
pub fn look(facts: &Facts<'_>) -> Result<(Vec<String>, usize)> {
    let people = facts.world.block_on(people(facts))?;
    let expected = expected(facts, &people);
    let mut came = came(facts);
    // Of a planted defect it is enough to see that something is wrong.
    let patience = match facts.mails_may_be_refused || facts.round.planted.is_some() {
        true => REFUSED_PATIENCE,
        false => PATIENCE,
    };
    let until = Instant::now() + patience;
    while expected.keys().any(|key| !came.contains_key(key)) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
        came = self::came(facts);
    }
    std::thread::sleep(QUIET);
    came = self::came(facts);
    let mut found = Vec::new();
    for (key, recipient) in &expected {
        match came.get(key) {
            None if facts.mails_may_be_refused => {}
            None => found.push(format!("{recipient} was not told: {key}")),
            Some(to) if to.iter().any(|it| it != recipient) => {
                found.push(format!("{key} went to {to:?} instead of {recipient}"));
            }
            Some(to) if to.len() > 1 && !facts.mails_may_repeat => {
                found.push(format!("{recipient} was told {} times: {key}", to.len()));
            }
            Some(_) => {}
        }
    }
    let more = came.keys().filter(|key| !expected.contains_key(*key));
    found.extend(more.map(|key| format!("nobody should have been told: {key}")));
    Ok((found, expected.len()))
}

/// Mails that came since the click, by the part of their Message-ID that says what is announced to whom.
fn came(facts: &Facts<'_>) -> BTreeMap<String, Vec<String>> {
    let mut came: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mail in facts.world.mails() {
        let Some(key) = key(&mail.message_id) else {
            continue;
        };
        came.entry(key).or_default().extend(mail.to.clone());
    }
    came
}

/// `update.2.completed.user.7` and the rest.
fn key(message_id: &str) -> Option<String> {
    let words: Vec<&str> = message_id.splitn(6, '.').collect();
    match words.as_slice() {
        ["update", update, state, "user", user, _] => {
            Some(format!("update.{update}.{state}.user.{user}"))
        }
        _ => None,
    }
}

fn expected(facts: &Facts<'_>, people: &People) -> BTreeMap<String, String> {
    let mut expected = BTreeMap::new();
    let mut announced = BTreeSet::new();
    let mut tell = |update: u64, state: &str, to_all: bool| {
        for (id, email) in &people.all {
            if to_all || people.groups.contains(id) {
                expected.insert(format!("update.{update}.{state}.user.{id}"), email.clone());
            }
        }
    };
    for event in facts
        .events
        .iter()
        .filter(|event| event.number > facts.last_event)
    {
        match &event.kind {
            EventKind::UpdateStarted { .. } => tell(event.update, "started", false),
            EventKind::StepStarted { step } if step == "announce" => {
                announced.insert(event.update);
                tell(event.update, "started", true);
            }
            EventKind::Completed { .. } => tell(event.update, "completed", true),
            EventKind::RolledBack { .. } => {
                tell(event.update, "undone", announced.contains(&event.update));
            }
            _ => {}
        }
    }
    expected
}

async fn people(facts: &Facts<'_>) -> Result<People> {
    let path = facts.world.state_dir().join("center/center.db");
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .connect()
        .await
        .context("the centre's database")?;
    let all = emails(
        &mut connection,
        "SELECT id, email FROM users WHERE id IN (SELECT id FROM everyone)",
    )
    .await?;
    let groups = emails(
        &mut connection,
        "SELECT u.id, u.email FROM users u JOIN memberships m ON m.user_id = u.id
         JOIN groups g ON g.id = m.group_id WHERE u.active = 1 AND g.identifier_key = 'administrator'",
    )
    .await?;
    sqlx::Connection::close(connection).await?;
    Ok(People {
        groups: groups.keys().copied().collect(),
        all,
    })
}

async fn emails(
    connection: &mut SqliteConnection,
    query: &'static str,
) -> Result<BTreeMap<i64, String>> {
    let rows: Vec<(i64, String)> = sqlx::query_as(query).fetch_all(connection).await?;
    Ok(rows.into_iter().collect())
}
