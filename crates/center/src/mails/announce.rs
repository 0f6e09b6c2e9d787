//! Which event of the engine makes which mails.
//!
//! The event's mails, the facts remembered of it and the cursor behind it are one transaction. A state is announced once to a
//! person: who gets the detailed mail of the groups does not get the one for everyone besides.

use obnova_engine::api::{Event, EventKind, Problem, Rehearsal, UpdateId, UpdateKind};
use obnova_text::Lang;
use semver::Version;

use super::{
    MailError, message_domain, product_or_default, rehearsal_failed_group,
    update_completed_everyone, update_completed_group, update_failed_group,
    update_started_everyone, update_started_group, update_undone_everyone,
};
use crate::store::events::{self, SeenUpdate};
use crate::store::groups::ADMINISTRATOR;
use crate::store::outbox::{Audience, Letter, Topic, anybody_in, post};
use crate::store::settings::{self, CenterSettings};
use crate::store::{Store, Write};

/// What the mails about updates say.
pub(super) struct Facts {
    /// The product's name for people.
    pub(super) product: String,
    /// What was remembered of the update.
    pub(super) seen: SeenUpdate,
    /// The centre's address without a slash at its end; empty when it is not known.
    pub(super) center: String,
}

impl Facts {
    /// Values for the texts that most mails use.
    pub(super) fn values(&self) -> Vec<(&'static str, String)> {
        vec![
            ("product", self.product.clone()),
            ("actor", self.seen.actor.clone()),
            ("first", self.seen.first.to_string()),
            ("from", self.seen.from.to_string()),
            ("to", self.seen.to.to_string()),
            ("target", self.seen.target.to_string()),
        ]
    }

    /// Which mail it is: about an update, or the same about a way back.
    pub(super) fn kind(&self, update: &'static str, revert: &'static str) -> &'static str {
        match self.seen.is_revert {
            true => revert,
            false => update,
        }
    }

    /// The page of updates; empty when the centre's address is not known.
    pub(super) fn updates_page(&self) -> String {
        if self.center.is_empty() {
            String::new()
        } else {
            format!("{}/updates", self.center)
        }
    }
}

/// One transaction under way.
struct Announcement {
    write: Write,
    settings: CenterSettings,
    epoch: i64,
    posted: u64,
}

/// Deals with an event, unless that was done before. Returns to how many people mails were put into the outbox.
///
/// # Errors
/// Nothing was stored; the same event can be dealt with again.
pub(crate) async fn announce(store: &Store, event: &Event) -> Result<u64, MailError> {
    let product = product_or_default(store.product_name().await?);
    let mut write = store.begin().await?;
    let cursor = events::cursor(&mut write).await?;
    if event.number <= cursor.number {
        return Ok(0);
    }
    if event.number != cursor.number + 1 {
        tracing::warn!(
            expected = cursor.number + 1,
            got = event.number,
            "the engine's events have a gap"
        );
    }
    let settings = settings::read(&mut write).await?;
    let mut announcement = Announcement {
        write,
        settings,
        epoch: cursor.epoch,
        posted: 0,
    };
    announcement.deal_with(event, product).await?;
    let Announcement {
        mut write, posted, ..
    } = announcement;
    events::advance(&mut write, event.number).await?;
    store.commit_mail(write).await?;
    if posted > 0 {
        tracing::info!(
            update = event.update,
            event = event.number,
            mails = posted,
            "mails put into the outbox"
        );
    }
    Ok(posted)
}

/// Tells the groups of a rehearsal that began by itself and failed, unless they were told of it. Returns how many people.
///
/// # Errors
/// Nothing was stored; the same rehearsal can be dealt with again.
pub(crate) async fn announce_rehearsal(
    store: &Store,
    rehearsal: &Rehearsal,
) -> Result<u64, MailError> {
    let product = product_or_default(store.product_name().await?);
    let finished = rehearsal.finished.as_millisecond();
    let told = format!("{} {finished}", rehearsal.version);
    let mut write = store.begin().await?;
    if settings::rehearsal_told(&mut write).await?.as_ref() == Some(&told) {
        return Ok(0);
    }
    let settings = settings::read(&mut write).await?;
    let mut announcement = Announcement {
        write,
        settings,
        epoch: 0,
        posted: 0,
    };
    let version = rehearsal.version.to_string();
    let name: String = version
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let topic = Topic {
        key: format!("rehearsal:{name}:{finished}"),
        update: None,
    };
    let center = announcement.center();
    for language in Lang::ALL {
        let letter = rehearsal_failed_group::write(&product, &center, rehearsal, language)?;
        announcement.post_to_groups(&letter, &topic).await?;
    }
    let Announcement {
        mut write, posted, ..
    } = announcement;
    settings::set_rehearsal_told(&mut write, &told).await?;
    store.commit_mail(write).await?;
    tracing::info!(
        version,
        mails = posted,
        "told of a rehearsal that began by itself and failed"
    );
    Ok(posted)
}

impl Announcement {
    async fn deal_with(&mut self, event: &Event, product: String) -> Result<(), MailError> {
        match &event.kind {
            EventKind::UpdateStarted {
                from,
                to,
                then,
                hop,
                actor,
                kind,
                ..
            } => {
                let seen = self
                    .begin(event.update, (from, to, then), *hop, (actor, *kind))
                    .await?;
                if *hop == 1 {
                    let facts = self.facts(product, seen);
                    self.started_group(&facts).await?;
                }
                Ok(())
            }
            EventKind::StepStarted { step } if step == "announce" => {
                match self.seen(event.update).await? {
                    Some(seen) if !seen.announced => {
                        events::set_announced(&mut self.write, self.epoch, seen.update).await?;
                        let facts = self.facts(product, seen);
                        self.started_everyone(&facts).await
                    }
                    _ => Ok(()),
                }
            }
            EventKind::Completed { blackout_ms } => match self.seen(event.update).await? {
                Some(seen) if seen.is_last => {
                    let facts = self.facts(product, seen);
                    self.completed(&facts, *blackout_ms).await
                }
                _ => Ok(()),
            },
            EventKind::RolledBack { problem, .. } => match self.seen(event.update).await? {
                Some(seen) => {
                    let facts = self.facts(product, seen);
                    self.rolled_back(&facts, problem).await
                }
                None => Ok(()),
            },
            EventKind::StepStarted { .. }
            | EventKind::StepFinished { .. }
            | EventKind::StepFailed { .. }
            | EventKind::UndoStarted { .. }
            | EventKind::UndoFinished { .. } => Ok(()),
        }
    }

    /// Remembers the beginning of an update; one that continues a click takes over what is known of that.
    async fn begin(
        &mut self,
        update: UpdateId,
        (from, to, then): (&Version, &Version, &[Version]),
        hop: u32,
        (actor, kind): (&str, UpdateKind),
    ) -> Result<SeenUpdate, MailError> {
        let before = match hop {
            0 | 1 => None,
            _ => events::seen_before(&mut self.write, self.epoch, update)
                .await?
                .filter(|before| before.hop + 1 == hop),
        };
        let seen = SeenUpdate {
            update,
            click: before.as_ref().map_or(update, |before| before.click),
            hop,
            first: before.as_ref().map_or(from, |before| &before.first).clone(),
            from: from.clone(),
            to: to.clone(),
            target: then.last().unwrap_or(to).clone(),
            is_last: then.is_empty(),
            actor: actor.to_owned(),
            announced: before.as_ref().is_some_and(|before| before.announced),
            is_revert: kind != UpdateKind::Install,
        };
        events::remember(&mut self.write, self.epoch, &seen).await?;
        Ok(seen)
    }

    async fn seen(&mut self, update: UpdateId) -> Result<Option<SeenUpdate>, MailError> {
        let seen = events::seen(&mut self.write, self.epoch, update).await?;
        if seen.is_none() {
            tracing::warn!(
                update,
                "an update whose beginning was not seen; nothing is announced"
            );
        }
        Ok(seen)
    }

    fn facts(&self, product: String, seen: SeenUpdate) -> Facts {
        Facts {
            product,
            seen,
            center: self.center(),
        }
    }

    fn center(&self) -> String {
        self.settings.public_url.trim_end_matches('/').to_owned()
    }

    async fn started_group(&mut self, facts: &Facts) -> Result<(), MailError> {
        let topic = self.topic(facts.seen.click, "started");
        for language in Lang::ALL {
            let letter = update_started_group::write(facts, language)?;
            self.post_to_groups(&letter, &topic).await?;
        }
        Ok(())
    }

    async fn started_everyone(&mut self, facts: &Facts) -> Result<(), MailError> {
        let topic = self.topic(facts.seen.click, "started");
        for language in Lang::ALL {
            let letter = update_started_everyone::write(facts, language)?;
            self.post_to_everyone(&letter, &topic).await?;
        }
        Ok(())
    }

    async fn completed(&mut self, facts: &Facts, blackout_ms: u64) -> Result<(), MailError> {
        let topic = self.topic(facts.seen.click, "completed");
        for language in Lang::ALL {
            let detailed = update_completed_group::write(facts, blackout_ms, language)?;
            self.post_to_groups(&detailed, &topic).await?;
            let general = update_completed_everyone::write(facts, language)?;
            self.post_to_everyone(&general, &topic).await?;
        }
        Ok(())
    }

    async fn rolled_back(&mut self, facts: &Facts, problem: &Problem) -> Result<(), MailError> {
        let topic = self.topic(facts.seen.update, "undone");
        for language in Lang::ALL {
            let detailed = update_failed_group::write(facts, problem, language)?;
            self.post_to_groups(&detailed, &topic).await?;
            if facts.seen.announced {
                let general = update_undone_everyone::write(facts, language)?;
                self.post_to_everyone(&general, &topic).await?;
            }
        }
        Ok(())
    }

    /// `epoch` keeps a new journal's updates, counted from 1 again, apart from those of an earlier one.
    fn topic(&self, update: UpdateId, state: &str) -> Topic {
        let key = match self.epoch {
            0 => format!("update:{update}:{state}"),
            epoch => format!("journal:{epoch}:update:{update}:{state}"),
        };
        Topic {
            key,
            update: Some(update),
        }
    }

    async fn post_to_groups(&mut self, letter: &Letter, topic: &Topic) -> Result<(), MailError> {
        let mut groups = self.settings.notify_groups.clone();
        if !anybody_in(&mut self.write, &groups).await? {
            // How an update fares must not be told to nobody.
            groups = vec![ADMINISTRATOR.to_owned()];
        }
        self.post(letter, &Audience::Groups(groups), topic).await
    }

    async fn post_to_everyone(&mut self, letter: &Letter, topic: &Topic) -> Result<(), MailError> {
        self.post(letter, &Audience::Everyone, topic).await
    }

    async fn post(
        &mut self,
        letter: &Letter,
        audience: &Audience,
        topic: &Topic,
    ) -> Result<(), MailError> {
        let domain = message_domain(&self.settings);
        self.posted += post(&mut self.write, letter, audience, topic, &domain).await?;
        Ok(())
    }
}
