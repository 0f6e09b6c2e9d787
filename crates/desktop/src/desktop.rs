//! One Desktop: opened once by the embedding program, and then asked.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use obnova_release::{Client, Limits, Options, Source, durable};

use crate::configuration::Configuration;
use crate::error::{Code, Error};
use crate::layout::Layout;
use crate::pointer::{Installed, News, Pointer};
use crate::policy::Policy;
use crate::server::Server;
use crate::state::State;

/// A Desktop's installation on this computer. Blocking, and not to be called from inside an asynchronous run time; see
/// [`crate::asynchronous`] for a face that may be.
#[derive(Debug)]
pub struct Desktop {
    pub(crate) layout: Layout,
    pub(crate) configuration: Configuration,
    pub(crate) policy: Policy,
    pub(crate) cancelled: AtomicBool,
    /// Made when first needed: starting a program must not wait for it.
    network: Mutex<Option<Network>>,
}

#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) server: Server,
    pub(crate) client: Client,
}

impl Desktop {
    /// Opens an installation. The network is not touched.
    ///
    /// # Errors
    /// There is none, or its configuration is damaged.
    pub fn open(root: &Path) -> Result<Self, Error> {
        Self::with(Layout::for_this_user(root))
    }

    /// Opens an installation as the one whom it belongs to: of one that all users share, what is the computer's.
    ///
    /// # Errors
    /// As [`Desktop::open`].
    pub fn of_machine(root: &Path) -> Result<Self, Error> {
        Self::with(Layout::of(root))
    }

    fn with(layout: Layout) -> Result<Self, Error> {
        let configuration = Configuration::read(&layout)?;
        let policy = Policy::read(&layout, &configuration.product)?;
        Ok(Self {
            layout,
            configuration,
            policy,
            cancelled: AtomicBool::new(false),
            network: Mutex::new(None),
        })
    }

    /// The installation that the launcher has started this program from.
    ///
    /// # Errors
    /// The launcher has not started it, or as [`Desktop::open`].
    pub fn of_this_program() -> Result<Self, Error> {
        match std::env::var_os(crate::launcher::ROOT) {
            Some(root) => Self::open(root.as_ref()),
            None => Err(Error::new(Code::NotInstalled).arg("path", "?")),
        }
    }

    /// Where everything of it is.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The administrator's policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What is installed; `None` before the first time.
    ///
    /// # Errors
    /// The file that says so is damaged.
    pub fn current(&self) -> Result<Option<Installed>, Error> {
        Ok(Pointer::read(&self.layout)?.current)
    }

    /// What the user has not been told yet, once: the next call has nothing.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn take_news(&self) -> Result<Option<News>, Error> {
        if Pointer::read(&self.layout)?.news.is_none() {
            return Ok(None);
        }
        let mut state = self.state()?;
        // What a version on trial has to tell is for when it has been found to work.
        if state.pointer.trial.is_some() {
            return Ok(None);
        }
        let news = state.pointer.news.take();
        state.save()?;
        Ok(news)
    }

    /// Ends a download under way within a fraction of a second; what is here of it is kept.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    pub(crate) fn state(&self) -> Result<State, Error> {
        State::open(&self.layout)
    }

    /// The way to the server and its copy of the releases.
    pub(crate) fn network(&self) -> Result<NetworkGuard<'_>, Error> {
        let mut network = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        if network.is_none() {
            let server = Server::of(&self.configuration, &self.layout)?;
            let options = Options {
                source: Source::Http(server.address("desktop/v1/repository/")),
                root: durable::read_limited(&self.layout.trust(), 1 << 20)?,
                store: self.layout.store(),
                product: self.configuration.product.clone(),
                authorities: self.configuration.authorities(&self.layout)?,
            };
            let limits = Limits {
                most_bytes_per_second: self.policy.bytes_per_second,
                ..Limits::default()
            };
            let client = Client::open_with(options, limits)?;
            *network = Some(Network { server, client });
        }
        Ok(NetworkGuard(network))
    }
}

/// The network, for one user at a time.
pub(crate) struct NetworkGuard<'a>(MutexGuard<'a, Option<Network>>);

impl NetworkGuard<'_> {
    pub(crate) fn get(&self) -> Result<&Network, Error> {
        self.0.as_ref().ok_or_else(|| Error::new(Code::Interrupted))
    }
}
