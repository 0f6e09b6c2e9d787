//! How mails fare, stored for all connections together: what comes while one transaction is written is the next one. So the
//! time between the server's word and the stored mark, in which a dying process makes a mail come twice, is short however many
//! connections there are.

use tokio::sync::{mpsc, oneshot};

use crate::store::outbox::Mark;
use crate::store::{Result, Store};

/// The marks can no longer be stored; [`Writer::run`] says why.
#[derive(Debug)]
pub(super) struct Lost;

/// Where the connections hand in their marks.
#[derive(Clone)]
pub(super) struct Marks(mpsc::UnboundedSender<(Mark, oneshot::Sender<()>)>);

/// Stores them.
pub(super) struct Writer {
    store: Store,
    queue: mpsc::UnboundedReceiver<(Mark, oneshot::Sender<()>)>,
}

/// Both ends. There are never more marks in between than connections.
pub(super) fn marks(store: &Store) -> (Marks, Writer) {
    let (send, queue) = mpsc::unbounded_channel();
    let writer = Writer {
        store: store.clone(),
        queue,
    };
    (Marks(send), writer)
}

impl Marks {
    /// Returns when the mark is stored: when it survives this process. See [`Store::sync_marks`].
    pub(super) async fn set(&self, mark: Mark) -> std::result::Result<(), Lost> {
        let (done, is_done) = oneshot::channel();
        self.0.send((mark, done)).map_err(|_| Lost)?;
        is_done.await.map_err(|_| Lost)
    }
}

impl Writer {
    /// Runs until all [`Marks`] are dropped.
    pub(super) async fn run(mut self) -> Result<()> {
        while let Some(first) = self.queue.recv().await {
            let mut all = vec![first];
            while let Ok(next) = self.queue.try_recv() {
                all.push(next);
            }
            let (marks, done): (Vec<Mark>, Vec<_>) = all.into_iter().unzip();
            self.store.mark_mails(&marks).await?;
            for done in done {
                // Fails when the one who waited was killed.
                let _ = done.send(());
            }
        }
        self.store.sync_marks().await
    }
}
