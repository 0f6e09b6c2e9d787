//! Sends what is in the outbox.
//!
//! A mail goes through these moments, and this is what a death of the process at each of them means:
//!
//! 1. The server has agreed to sender and recipient and waits for the content. Died before: the mail is `waiting`, nothing was
//!    sent, it is sent at the next start.
//! 2. The mail is stored as `sending`, then the content goes out.
//! 3. The server says that it has taken it, and the mail is stored as `sent`. Died after: it is never sent again.
//!
//! Between 2 and 3, the time in which the server takes the content, nobody can know whether it has it: SMTP has no question
//! for that. Such a mail is sent again, as RFC 5321 wants it, under the same Message-ID, by which mail stores such as
//! Exchange, Cyrus and Dovecot drop the second copy. So nothing is ever lost, and at most one mail for each connection
//! ([`Options::parallel`]) can come twice, only if the process dies in those milliseconds.
//!
//! Only one process delivers from a data directory: it holds the lock on `deliver.lock`.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::sync::Mutex;

use self::connection::{Connection, Refusal};
use self::marks::Marks;
use super::{Ended, or_ended, sleep};
use crate::store::outbox::{MailId, Mark};
use crate::store::settings::CenterSettings;
use crate::store::{Result, Store, StoreError};

mod connection;
mod marks;
mod message;

/// How mail is delivered.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Connections to the mail server at once. Few: a company's server counts them.
    pub(crate) parallel: usize,
    /// Mails looked up at once; memory for their numbers only.
    pub(crate) batch: u32,
    /// Time for each answer of the mail server.
    pub(crate) timeout: Duration,
    /// Time to the second attempt; it doubles from attempt to attempt.
    pub(crate) first_retry: Duration,
    /// Longest time between attempts.
    pub(crate) longest_retry: Duration,
    /// After this time a mail that still waits has failed, if it was tried often. News of an update is of no use after days.
    pub(crate) give_up: Duration,
    /// So often a mail is tried whatever its age: the clock may have jumped a year forwards since it was written.
    pub(crate) least_attempts: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            parallel: 2,
            batch: 100,
            timeout: Duration::from_secs(60),
            first_retry: Duration::from_secs(30),
            longest_retry: Duration::from_secs(30 * 60),
            give_up: Duration::from_secs(3 * 24 * 3600),
            least_attempts: 20,
        }
    }
}

impl Options {
    /// Time to the next attempt after so many that failed.
    fn retry(&self, attempts: u32) -> Duration {
        let factor = 2u32.saturating_pow(attempts.saturating_sub(1));
        self.first_retry
            .saturating_mul(factor)
            .min(self.longest_retry)
    }
}

/// What the outbox says when no mail server is set.
const NOT_SET_UP: &str = "no mail server or no sender is set";

/// Longest sleep, after which mails that are too old are given up, and those found that a clock which jumped back put off.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Time to the next try when the outbox itself could not be read or written.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Runs until the centre ends; a mail that is being handed over then is finished first.
pub(crate) async fn run(store: Store, options: Options, mut ended: Ended) {
    let Some(_lock) = lock(&store, &mut ended).await else {
        return;
    };
    let mut delivery = Delivery {
        store,
        options,
        ended,
        outages: 0,
        taken: std::sync::Mutex::default(),
    };
    loop {
        match delivery.begin().await {
            Ok(()) => break,
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the outbox cannot be read"
            ),
        }
        if !sleep(&mut delivery.ended, AFTER_FAILURE).await {
            return;
        }
    }
    delivery.run().await;
}

/// Waits until no other process delivers from this data directory.
async fn lock(store: &Store, ended: &mut Ended) -> Option<File> {
    let path = store.data_dir().join("deliver.lock");
    let mut said = false;
    loop {
        let locked = File::create(&path).and_then(|file| Ok(file.try_lock().map(|()| file)?));
        match locked {
            Ok(file) => return Some(file),
            Err(error) if !said => {
                said = true;
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "another process delivers mail from {}; waiting for its end",
                    path.display()
                );
            }
            Err(_) => {}
        }
        if !sleep(ended, Duration::from_secs(1)).await {
            return None;
        }
    }
}

struct Delivery {
    store: Store,
    options: Options,
    ended: Ended,
    /// How often in a row the mail server could not be used.
    outages: u32,
    /// What the mail server has taken, while that could not be stored.
    taken: std::sync::Mutex<Vec<MailId>>,
}

/// What a round came to.
enum Round {
    /// Something was sent; there may be more.
    Sent,
    /// Nothing is due before this time.
    Idle(Option<Timestamp>),
}

impl Delivery {
    async fn begin(&self) -> Result<()> {
        let taken: Vec<MailId> = self.taken().clone();
        let marks: Vec<Mark> = taken.iter().copied().map(Mark::Sent).collect();
        self.store.mark_mails(&marks).await?;
        self.taken().clear();
        let interrupted = self.store.take_back_interrupted().await?;
        if interrupted > 0 {
            tracing::warn!(
                mails = interrupted,
                "mails were being handed to the mail server when the centre ended or its outbox failed; sent again under the same Message-ID"
            );
        }
        Ok(())
    }

    fn taken(&self) -> std::sync::MutexGuard<'_, Vec<MailId>> {
        self.taken
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn run(&mut self) {
        // A mark that could not be stored leaves its mail as one that is being sent, as the end of the process does.
        let mut may_be_stuck = false;
        while !*self.ended.borrow() {
            if may_be_stuck && self.begin().await.is_ok() {
                may_be_stuck = false;
            }
            let pause = match self.round().await {
                Ok(Round::Sent) => continue,
                Ok(Round::Idle(next)) => until(next).min(LONGEST_SLEEP),
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "mail is not delivered"
                    );
                    may_be_stuck = true;
                    AFTER_FAILURE
                }
            };
            let store = self.store.clone();
            let wait = async {
                let _ = tokio::time::timeout(pause, store.mail_waiting().notified()).await;
            };
            if or_ended(&mut self.ended, wait).await.is_none() {
                return;
            }
        }
    }

    /// Sends one batch.
    async fn round(&mut self) -> Result<Round> {
        let now = Timestamp::now();
        self.store
            .give_up_older(now - self.options.give_up, self.options.least_attempts)
            .await?;
        let longest = now + self.options.longest_retry;
        let due = self
            .store
            .due_mails(now, longest, self.options.batch)
            .await?;
        if due.is_empty() {
            return Ok(Round::Idle(self.store.next_due_mail().await?));
        }
        let settings = self.store.settings().await?;
        if !settings.can_send() {
            let until = now + self.options.longest_retry;
            self.store.defer_due_mails(NOT_SET_UP, until).await?;
            return Ok(Round::Idle(Some(until)));
        }
        match self.send_all(due, &settings).await? {
            None => {
                if std::mem::take(&mut self.outages) > 0 {
                    tracing::info!("the mail server can be used again");
                    self.store.make_mails_due().await?;
                }
                Ok(Round::Sent)
            }
            Some(reason) => {
                self.outages = self.outages.saturating_add(1);
                let until = Timestamp::now() + self.options.retry(self.outages);
                tracing::warn!(reason, %until, "the mail server cannot be used; mail waits");
                self.store.defer_due_mails(&reason, until).await?;
                Ok(Round::Idle(Some(until)))
            }
        }
    }

    /// Sends these over a few connections. Returns why the mail server cannot be used, if so.
    async fn send_all(
        &self,
        due: Vec<MailId>,
        settings: &CenterSettings,
    ) -> Result<Option<String>> {
        let workers = self.options.parallel.min(due.len()).max(1);
        let queue = Mutex::new(due.into_iter());
        let broken = AtomicBool::new(false);
        let (marks, writer) = marks::marks(&self.store);
        let senders: Vec<_> = (0..workers)
            .map(|_| Sender {
                store: &self.store,
                options: &self.options,
                settings,
                marks: marks.clone(),
                taken: &self.taken,
                connection: None,
            })
            .collect();
        // The writer ends when the last sender is gone.
        drop(marks);
        let work = senders
            .into_iter()
            .map(|sender| self.work(sender, &queue, &broken));
        let (results, written) = tokio::join!(join_all(work), writer.run());
        written?;
        let mut reason = None;
        for result in results {
            match result {
                Ok(found) => reason = reason.or(found),
                Err(Halt::Store(error)) => return Err(error),
                // The writer has said why.
                Err(Halt::Marks(marks::Lost)) => {}
            }
        }
        Ok(reason)
    }

    /// One connection sends what is in the queue, until it is empty, the mail server cannot be used, or the centre ends.
    async fn work(
        &self,
        mut sender: Sender<'_>,
        queue: &Mutex<std::vec::IntoIter<MailId>>,
        broken: &AtomicBool,
    ) -> std::result::Result<Option<String>, Halt> {
        while !broken.load(Ordering::Relaxed) && !*self.ended.borrow() {
            let Some(id) = queue.lock().await.next() else {
                break;
            };
            if let Some(reason) = sender.send(id).await? {
                broken.store(true, Ordering::Relaxed);
                return Ok(Some(reason));
            }
        }
        sender.quit().await;
        Ok(None)
    }
}

/// Why a connection's work stops in the middle.
#[derive(Debug)]
enum Halt {
    Store(StoreError),
    Marks(marks::Lost),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Halt {
        Halt::Store(error)
    }
}

impl From<marks::Lost> for Halt {
    fn from(lost: marks::Lost) -> Halt {
        Halt::Marks(lost)
    }
}

/// One connection's work.
struct Sender<'a> {
    store: &'a Store,
    options: &'a Options,
    settings: &'a CenterSettings,
    marks: Marks,
    taken: &'a std::sync::Mutex<Vec<MailId>>,
    connection: Option<Connection>,
}

impl Sender<'_> {
    /// Sends one mail and stores how it went. Returns why the mail server cannot be used, if so.
    async fn send(&mut self, id: MailId) -> std::result::Result<Option<String>, Halt> {
        let (store, marks) = (self.store, self.marks.clone());
        let Some(mail) = store.mail(id).await? else {
            return Ok(None);
        };
        let message = match message::compose(&mail, &self.settings.mail_from) {
            Ok(message) => message,
            Err(message::Unsendable::Sender(error)) => return Ok(Some(error)),
            Err(message::Unsendable::Mail(error)) => {
                marks.set(Mark::Failed(id, error)).await?;
                return Ok(None);
            }
        };
        let refusal = match self.offer(message.envelope()).await {
            Err(refusal) => refusal,
            Ok(connection) => {
                marks.set(Mark::Sending(id)).await?;
                if let Err(error) = store.sync_marks().await {
                    // Nothing of it has gone out.
                    marks.set(Mark::Due(id, Timestamp::now())).await?;
                    return Err(error.into());
                }
                match connection.hand_over(&message.formatted()).await {
                    Ok(()) => {
                        let marked = marks.set(Mark::Sent(id)).await;
                        if marked.is_err() {
                            let taken = self.taken.lock();
                            taken
                                .unwrap_or_else(std::sync::PoisonError::into_inner)
                                .push(id);
                        }
                        return Ok(marked.map(|()| None)?);
                    }
                    Err(refusal) => refusal,
                }
            }
        };
        self.refused(id, mail.summary.attempts + 1, refusal).await
    }

    /// The connection, once the server waits for the content.
    async fn offer(
        &mut self,
        envelope: &lettre::address::Envelope,
    ) -> std::result::Result<&mut Connection, Refusal> {
        if let Some(mut connection) = self.connection.take().filter(Connection::is_usable) {
            match connection.offer(envelope).await {
                Ok(()) => return Ok(self.connection.insert(connection)),
                // The server may have closed a connection that it found used enough.
                Err(Refusal::Server(_)) => {}
                Err(refusal) => {
                    self.connection = Some(connection);
                    return Err(refusal);
                }
            }
        }
        let connection = Connection::open(&self.settings.smtp, self.options.timeout).await?;
        let connection = self.connection.insert(connection);
        connection.offer(envelope).await?;
        Ok(connection)
    }

    async fn refused(
        &mut self,
        id: MailId,
        attempts: u32,
        refusal: Refusal,
    ) -> std::result::Result<Option<String>, Halt> {
        let next = Timestamp::now() + self.options.retry(attempts);
        match refusal {
            Refusal::Never(reason) => {
                tracing::warn!(mail = id, reason, "the mail server refuses mail {id}");
                self.marks.set(Mark::Failed(id, reason)).await?;
                Ok(None)
            }
            Refusal::Later(reason) => {
                self.marks.set(Mark::Waiting(id, reason, next)).await?;
                Ok(None)
            }
            Refusal::Server(reason) => {
                self.connection = None;
                // Due at once: it is put off together with the others.
                let now = Timestamp::now();
                self.marks.set(Mark::Due(id, now)).await?;
                Ok(Some(reason))
            }
        }
    }

    async fn quit(self) {
        if let Some(connection) = self.connection {
            connection.quit().await;
        }
    }
}

fn until(time: Option<Timestamp>) -> Duration {
    match time {
        None => LONGEST_SLEEP,
        // A little later than asked for, as the store keeps milliseconds.
        Some(time) => {
            Duration::try_from(time.duration_since(Timestamp::now())).unwrap_or_default()
                + Duration::from_millis(2)
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
