//! What happens beside the window: confirming that this version works, asking the server, loading, following.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;
use obnova_desktop::{Confirmed, Desktop, Direction, Followed, Health, Refusal};
use semver::Version;
use url::Url;

use crate::client::{Client, Failure};
use crate::data::Data;
use crate::tree::Tree;

/// How often the server is asked whether it is there, and which version it is.
const LOOK: Duration = Duration::from_secs(5);
/// How old the records may become.
const AGE: Duration = Duration::from_secs(300);

/// How the program stands to its server.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// It has not been asked yet.
    Connecting,
    /// It answers.
    Online(Version),
    /// It does not, since then.
    Offline(Timestamp),
    /// It does not work with this version of the program.
    Refused(Refusal),
}

/// Another version that belongs here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Which.
    pub version: Version,
    /// It is older than this one.
    pub down: bool,
    /// It is here already, and runs from the next start on.
    pub applied: bool,
}

/// What the window shows.
#[derive(Debug)]
pub struct Shared {
    /// How the program stands to its server.
    pub standing: Standing,
    /// The records.
    pub data: Arc<Data>,
    /// Another version that belongs here.
    pub update: Option<Update>,
    /// This version does not work here: the window has to close, and the launcher starts the one before.
    pub leave: bool,
    /// What came of the note: written or not.
    pub noted: Option<bool>,
}

/// What the window wants.
#[derive(Debug)]
pub enum Wish {
    /// Look at the server now, and load.
    Refresh,
    /// Write a note into a record's journal.
    Note {
        /// The field that refers to the record, and the record.
        about: (&'static str, i64),
        /// The note.
        text: String,
    },
}

/// The way between window and worker.
#[derive(Clone)]
pub struct Link {
    shared: Arc<Mutex<Shared>>,
    wishes: Sender<Wish>,
}

impl Link {
    /// A look at what the worker has found.
    pub fn look(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the worker for something.
    pub fn wish(&self, wish: Wish) {
        // The worker lives as long as the program does.
        let _ = self.wishes.send(wish);
    }
}

/// Where the program runs.
#[derive(Clone)]
pub struct Place {
    /// This version's tree.
    pub tree: Tree,
    /// The installation, which the launcher has started this program from.
    pub desktop: Arc<Desktop>,
    /// The Administration Centre.
    pub centre: Url,
    /// Where the copy of the records is.
    pub cache: PathBuf,
}

/// Begins; `changed` is called when there is something new to show.
///
/// # Errors
/// There is no way to the network.
pub fn start(place: Place, changed: impl Fn() + Send + 'static) -> Result<Link> {
    let (wishes, wanted) = std::sync::mpsc::channel();
    let shared = Arc::new(Mutex::new(Shared {
        standing: Standing::Connecting,
        data: Arc::new(Data::read(&place.cache)),
        update: None,
        leave: false,
        noted: None,
    }));
    let link = Link { shared, wishes };
    let mut worker = Worker {
        client: Client::new(place.tree.version.clone())?,
        link: link.clone(),
        place,
        application: None,
        followed: None,
        changed: Box::new(changed),
    };
    std::thread::Builder::new()
        .name("worker".into())
        .spawn(move || worker.work(&wanted))?;
    Ok(link)
}

struct Worker {
    place: Place,
    client: Client,
    link: Link,
    /// Where the application is.
    application: Option<Url>,
    /// The version of the server that was last followed.
    followed: Option<Version>,
    changed: Box<dyn Fn() + Send>,
}

impl Worker {
    fn work(&mut self, wishes: &Receiver<Wish>) {
        // First of all: the launcher waits for it.
        if !self.confirm() {
            self.tell(|shared| shared.leave = true);
            return;
        }
        let mut loaded: Option<Instant> = None;
        let mut load_now = true;
        loop {
            let is_old = loaded.is_none_or(|loaded| loaded.elapsed() > AGE);
            match self.look(load_now || is_old) {
                Ok(true) => loaded = Some(Instant::now()),
                Ok(false) => {}
                Err(failure) => {
                    self.failed(failure);
                    // What has changed meanwhile is loaded as soon as the server is back.
                    loaded = None;
                }
            }
            self.follow();
            load_now = match wishes.recv_timeout(LOOK) {
                Ok(Wish::Refresh) => true,
                Ok(Wish::Note { about, text }) => {
                    self.note(about, &text);
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => return,
            };
        }
    }

    /// Says that this version works: it has come this far, its tree is whole, and the server accepts it. A server that is not
    /// there says nothing against it.
    fn confirm(&mut self) -> bool {
        let asked = self.version();
        let confirmed = self.place.desktop.confirm(|| match asked {
            Err(Failure::Refused(refusal)) => Health::Refused(refusal),
            Ok(_) | Err(Failure::Away(_)) => Health::Good,
        });
        !matches!(confirmed, Ok(Confirmed::No))
    }

    fn version(&mut self) -> Result<Version, Failure> {
        let application = self.application()?;
        self.client.version(&application)
    }

    fn application(&mut self) -> Result<Url, Failure> {
        if let Some(known) = &self.application {
            return Ok(known.clone());
        }
        let known = self.link.look().data.application.clone();
        let found = match (self.client.application(&self.place.centre), known) {
            (Ok(found), _) => found,
            (Err(_), Some(known)) => known.parse()?,
            (Err(failure), None) => return Err(failure),
        };
        self.application = Some(found.clone());
        Ok(found)
    }

    /// Asks the server, and loads the records if it is time to; says whether it did.
    fn look(&mut self, load: bool) -> Result<bool, Failure> {
        let version = self.version()?;
        self.tell(|shared| shared.standing = Standing::Online(version));
        if !load {
            return Ok(false);
        }
        let application = self.application()?;
        let mut data = Data {
            at: None,
            application: Some(application.to_string()),
            records: Default::default(),
        };
        for view in self.place.tree.views.clone() {
            let records = self.client.all(&application, &view.plural)?;
            data.records.insert(view.plural, records);
        }
        data.at = Some(Timestamp::now());
        // A full disk only means that there is no copy for later.
        if let Err(error) = data.keep(&self.place.cache) {
            eprintln!("{error:#}");
        }
        self.tell(|shared| shared.data = Arc::new(data));
        Ok(true)
    }

    fn failed(&mut self, failure: Failure) {
        // It may have moved.
        self.application = None;
        let was_away = matches!(self.link.look().standing, Standing::Offline(_));
        if let (Failure::Away(error), false) = (&failure, was_away) {
            eprintln!("{error:#}");
        }
        self.tell(|shared| {
            shared.standing = match (failure, &shared.standing) {
                (Failure::Refused(refusal), _) => Standing::Refused(refusal),
                (Failure::Away(_), Standing::Offline(since)) => Standing::Offline(*since),
                (Failure::Away(_), _) => Standing::Offline(Timestamp::now()),
            };
        });
    }

    /// Whether another version belongs here, asked whenever the server has become another one. Where the administrator wants it so, it
    /// is brought at once; otherwise the user is asked.
    fn follow(&mut self) {
        let server = match &self.link.look().standing {
            Standing::Online(version) => version.clone(),
            Standing::Refused(refusal) => refusal.server.clone(),
            Standing::Connecting | Standing::Offline(_) => return,
        };
        if self.followed.as_ref() == Some(&server) {
            return;
        }
        let update = match self.place.desktop.follow(&mut |_, _| ()) {
            Ok(Followed::Right) => None,
            Ok(Followed::Applied(applied)) => Some(Update {
                down: applied.version < self.place.tree.version,
                version: applied.version,
                applied: true,
            }),
            Ok(Followed::Offered(found)) => found.wanted.map(|wanted| Update {
                version: wanted.version,
                down: wanted.direction == Direction::Down,
                applied: false,
            }),
            Err(error) => {
                // The copy of the releases may come a little later than the server's new version: asked again.
                eprintln!("{error}");
                return;
            }
        };
        self.followed = Some(server);
        self.tell(|shared| shared.update = update);
    }

    fn note(&mut self, about: (&'static str, i64), text: &str) {
        let written = self
            .application()
            .and_then(|application| self.client.note(&application, about, text));
        let done = written.is_ok();
        if let Err(failure) = written {
            self.failed(failure);
        }
        self.tell(|shared| shared.noted = Some(done));
    }

    fn tell(&self, change: impl FnOnce(&mut Shared)) {
        change(&mut self.link.look());
        (self.changed)();
    }
}
