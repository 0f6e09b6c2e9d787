//! The same for programs with an asynchronous run time, whichever it is: each call runs on a thread of its own.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::apply::Applied;
use crate::check::{Found, Wanted};
use crate::confirm::{Confirmed, Health};
use crate::desktop::Desktop as Blocking;
use crate::error::{Code, Error};
use crate::stage::Staged;

/// A Desktop whose calls can be awaited. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desktop(Option<Arc<Blocking>>);

impl Desktop {
    /// Around an opened one.
    pub fn new(desktop: Blocking) -> Self {
        Self(Some(Arc::new(desktop)))
    }

    /// The blocking one, for what needs no waiting.
    ///
    /// # Errors
    /// Never, as long as this lives.
    pub fn blocking(&self) -> Result<&Blocking, Error> {
        self.shared().map(|shared| &**shared)
    }

    fn shared(&self) -> Result<&Arc<Blocking>, Error> {
        self.0.as_ref().ok_or_else(|| Error::new(Code::Interrupted))
    }

    /// See [`Blocking::check`].
    ///
    /// # Errors
    /// As there.
    pub async fn check(&self) -> Result<Found, Error> {
        self.call(|desktop| desktop.check()).await
    }

    /// See [`Blocking::download`]; `progress` is called on another thread. Dropping the future does not end the download,
    /// [`Blocking::cancel`] does.
    ///
    /// # Errors
    /// As there.
    pub async fn download(
        &self,
        wanted: Wanted,
        mut progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<(), Error> {
        self.call(move |desktop| desktop.download(&wanted, &mut progress))
            .await
    }

    /// See [`Blocking::stage`].
    ///
    /// # Errors
    /// As there.
    pub async fn stage(&self, wanted: Wanted) -> Result<Staged, Error> {
        self.call(move |desktop| desktop.stage(&wanted)).await
    }

    /// See [`Blocking::apply`].
    ///
    /// # Errors
    /// As there.
    pub async fn apply(&self, staged: Staged) -> Result<Applied, Error> {
        self.call(move |desktop| desktop.apply(staged)).await
    }

    /// See [`Blocking::confirm`].
    ///
    /// # Errors
    /// As there.
    pub async fn confirm(
        &self,
        own: impl FnOnce() -> Health + Send + 'static,
    ) -> Result<Confirmed, Error> {
        self.call(move |desktop| desktop.confirm(own)).await
    }

    /// See [`Blocking::rollback`].
    ///
    /// # Errors
    /// As there.
    pub async fn rollback(&self) -> Result<Applied, Error> {
        self.call(|desktop| desktop.rollback()).await
    }

    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Blocking) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let desktop = Arc::clone(self.shared()?);
        let (done, answer) = oneshot::channel();
        std::thread::Builder::new().spawn(move || {
            // Whoever does not wait any more does not want to know.
            let _ = done.send(work(&desktop));
        })?;
        answer
            .await
            .unwrap_or_else(|_| Err(Error::new(Code::Interrupted)))
    }
}

impl Drop for Desktop {
    /// The last one ends the blocking one's own run time, which may take a moment and must not be done inside another.
    fn drop(&mut self) {
        if let Some(last) = self.0.take().and_then(Arc::into_inner) {
            std::thread::spawn(move || drop(last));
        }
    }
}
