//! The dialog that offers an update, does it, and restarts into the new version.
//!
//! The library's calls run on a thread of their own and tell the window what they have come to. Whatever is closed or killed:
//! what was downloaded is kept, and before the switch nothing has changed.

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use eframe::egui::{Context, Ui};
use jiff::Timestamp;
use obnova_desktop::{Applied, Code, Desktop, Error, Found, Mode, OpenProgram, Wanted};
use obnova_text::Text;

use crate::speed::Speed;
use crate::theme::Look;
use crate::window::{self, Page, Setting};

mod view;

/// How often it is looked which programs are still open.
const LOOK: Duration = Duration::from_millis(300);

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// The right version is here.
    Right,
    /// The user does it later, or closed the window.
    Later,
    /// The user closed the window, though it cannot be put off.
    Closed,
    /// The next start is one of the other version.
    Applied,
    /// The other version was started.
    Restarted,
    /// It could not be done.
    Failed(Error),
}

/// How the dialog is opened.
#[derive(Debug)]
pub struct Options {
    /// The installation.
    pub desktop: Arc<Desktop>,
    /// Language and looks.
    pub setting: Setting,
    /// What is known already; nothing: it looks itself.
    pub found: Option<Found>,
    /// The user has said *Update now* already.
    pub now: bool,
    /// What the program gets on its command line when it is started again.
    pub arguments: Vec<OsString>,
}

/// Shows the dialog, to its end.
///
/// # Errors
/// There is no screen; what was found is in no danger.
pub fn run(options: Options) -> Result<Outcome, String> {
    let about = options.desktop.about(None).ok();
    let name = match (&about, options.found.as_ref().map(|found| &found.wanted)) {
        (_, Some(Some(wanted))) => wanted.name.clone(),
        (Some(about), _) => about.name.clone(),
        (None, _) => String::new(),
    };
    let setting = options.setting;
    let title = setting.text().with("gui-update-title", &[("name", &name)]);
    let page = window::open(&title, window::LARGE, setting, move |ctx| {
        Update::new(options, name, ctx.clone())
    })?;
    Ok(page.end())
}

enum Stage {
    /// The server is being asked.
    Looking,
    /// The right version is here.
    Right,
    /// The user may say when.
    Offer,
    /// So many bytes are here, of so many.
    Loading(u64, u64),
    /// The files are verified, and the version looks whether it can run here.
    Checking,
    /// The next start is one of the other version.
    Ready,
    /// The programs that are open were asked to close.
    Closing,
    /// It could not be done.
    Failed(Error),
    /// The other version was started.
    Restarted,
}

enum Message {
    Found(Result<Box<Found>, Error>),
    Progress(u64, u64),
    Checking,
    Applied(Result<Applied, Error>),
}

struct Update {
    desktop: Arc<Desktop>,
    text: &'static Text,
    name: String,
    arguments: Vec<OsString>,
    ctx: Context,
    stage: Stage,
    found: Option<Found>,
    /// Begin as soon as it is known what.
    now: bool,
    speed: Speed,
    /// A download was stopped before.
    stopped: bool,
    open: Vec<OpenProgram>,
    looked: Option<Instant>,
    /// Screen readers begin at the main button again when the stage has changed.
    focus: bool,
    sender: Sender<Message>,
    receiver: Receiver<Message>,
}

impl Update {
    fn new(options: Options, name: String, ctx: Context) -> Self {
        let (sender, receiver) = channel();
        let mut update = Self {
            desktop: options.desktop,
            text: options.setting.text(),
            name,
            arguments: options.arguments,
            ctx,
            stage: Stage::Looking,
            found: None,
            now: options.now,
            speed: Speed::default(),
            stopped: false,
            open: vec![],
            looked: None,
            focus: true,
            sender,
            receiver,
        };
        match options.found {
            Some(found) => update.found(found),
            None => update.look(),
        }
        update
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.focus = true;
    }

    /// Runs a part of the work on a thread of its own.
    fn work(&self, work: impl FnOnce(&Desktop, &dyn Fn(Message)) + Send + 'static) {
        let (desktop, sender, ctx) = (
            Arc::clone(&self.desktop),
            self.sender.clone(),
            self.ctx.clone(),
        );
        std::thread::spawn(move || {
            let tell = |message| {
                // Nobody listens when the window was closed.
                let _ = sender.send(message);
                ctx.request_repaint();
            };
            work(&desktop, &tell);
        });
    }

    fn look(&mut self) {
        self.enter(Stage::Looking);
        self.work(|desktop, tell| tell(Message::Found(desktop.check().map(Box::new))));
    }

    fn found(&mut self, found: Found) {
        let Some(wanted) = &found.wanted else {
            self.found = Some(found);
            return self.enter(Stage::Right);
        };
        self.name.clone_from(&wanted.name);
        if let Err(error) = self.desktop.allows_update(false) {
            return self.enter(Stage::Failed(error));
        }
        // What happens by itself is what the library's `follow` does by itself.
        let by_itself =
            self.now || self.desktop.policy().mode == Mode::Automatic || is_late(wanted);
        let begin = by_itself && wanted.quarantined.is_none();
        self.found = Some(found);
        match begin {
            true => self.begin(),
            false => self.enter(Stage::Offer),
        }
    }

    fn wanted(&self) -> Option<&Wanted> {
        self.found.as_ref()?.wanted.as_ref()
    }

    /// Downloads, looks, and switches. A version that failed here before only when the user insists, as here.
    fn begin(&mut self) {
        let Some(wanted) = self.wanted().cloned() else {
            return;
        };
        self.now = true;
        self.stopped = false;
        self.speed = Speed::default();
        self.enter(Stage::Loading(0, wanted.download_bytes));
        self.work(move |desktop, tell| {
            let applied = (|| {
                desktop.download(&wanted, &mut |done, total| {
                    tell(Message::Progress(done, total));
                })?;
                tell(Message::Checking);
                let staged = desktop.stage(&wanted)?;
                match wanted.quarantined.is_some() {
                    true => desktop.insist(staged),
                    false => desktop.apply(staged),
                }
            })();
            tell(Message::Applied(applied));
        });
    }

    /// Asks all programs that are open to close; the rest happens when they have.
    fn restart(&mut self) {
        match self.desktop.ask_to_close() {
            Ok(()) => self.enter(Stage::Closing),
            Err(error) => self.enter(Stage::Failed(error)),
        }
    }

    fn stop_waiting(&mut self) {
        let _ = self.desktop.stop_asking_to_close();
        self.enter(Stage::Ready);
    }

    fn start(&mut self) {
        let started = self.desktop.start(&self.arguments);
        self.enter(match started {
            Ok(_) => Stage::Restarted,
            Err(error) => Stage::Failed(error),
        });
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Found(Ok(found)) => self.found(*found),
            Message::Progress(done, total) => {
                self.speed.at(Instant::now(), done);
                if let Stage::Loading(..) = self.stage {
                    self.stage = Stage::Loading(done, total);
                }
            }
            Message::Checking => self.enter(Stage::Checking),
            Message::Applied(Ok(_)) => self.enter(Stage::Ready),
            Message::Applied(Err(error)) if error.code == Code::Interrupted => {
                self.stopped = true;
                self.now = false;
                self.enter(Stage::Offer);
            }
            Message::Found(Err(error)) | Message::Applied(Err(error)) => {
                self.enter(Stage::Failed(error));
            }
        }
    }

    /// Programs that are open, and what they hold.
    fn look_at_programs(&mut self) {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return;
        }
        self.looked = Some(Instant::now());
        match self.desktop.open_programs() {
            Ok(open) => self.open = open,
            Err(error) => return self.enter(Stage::Failed(error)),
        }
        if let Stage::Closing = self.stage
            && self.open.is_empty()
        {
            self.start();
        }
    }

    /// What it has come to. A download that is under way ends with the window; what is here of it is kept.
    fn end(self) -> Outcome {
        self.desktop.cancel();
        let must = self.wanted().is_some_and(|it| it.required || is_late(it));
        match self.stage {
            Stage::Right => Outcome::Right,
            Stage::Ready => Outcome::Applied,
            Stage::Closing => {
                let _ = self.desktop.stop_asking_to_close();
                Outcome::Applied
            }
            Stage::Restarted => Outcome::Restarted,
            Stage::Failed(error) => Outcome::Failed(error),
            Stage::Looking | Stage::Offer | Stage::Loading(..) | Stage::Checking => match must {
                true => Outcome::Closed,
                false => Outcome::Later,
            },
        }
    }
}

/// *Later* has been said for as long as the policy allows.
fn is_late(wanted: &Wanted) -> bool {
    let until = wanted.later_until;
    until.is_some_and(|until| until < Timestamp::now())
}

impl Page for Update {
    fn think(&mut self, ctx: &Context) {
        while let Ok(message) = self.receiver.try_recv() {
            self.hear(message);
        }
        match self.stage {
            Stage::Ready | Stage::Closing => {
                self.look_at_programs();
                ctx.request_repaint_after(LOOK);
            }
            Stage::Loading(..) => ctx.request_repaint_after(LOOK),
            _ => {}
        }
        if let Stage::Restarted = self.stage {
            window::close(ctx);
        }
    }

    fn show(&mut self, ui: &mut Ui, look: Look, escape: bool) {
        self.view(ui, look, escape);
    }
}
