//! The agent beside the clock: looks regularly whether another version belongs here, shows it, and tells the user once of each.
//!
//! It decides nothing and keeps nothing: killed, it knows all of it again after its next look. A desktop without a place for
//! icons, or without notifications, has the other of the two.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use obnova_desktop::{Desktop, Error, Followed};
use semver::Version;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use zbus::fdo::RequestNameFlags;
use zbus::{Connection, MatchRule, MessageStream};

use crate::window::Setting;
use crate::words;

mod menu;
mod notification;
mod tray;

/// How the agent is started.
#[derive(Debug)]
pub struct Options {
    /// The installation.
    pub desktop: Arc<Desktop>,
    /// Language and looks, also of the windows that it opens.
    pub setting: Setting,
    /// The time between two looks; nothing: as the policy says.
    pub every: Option<Duration>,
}

/// What the user wants, from the icon, its menu or a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// The dialog, which asks.
    Dialog,
    /// The update, without asking again.
    Update,
    /// What is new in the version that is here.
    WhatsNew,
    /// The end of the agent.
    Quit,
}

/// What is shown now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Shown {
    name: String,
    current: Option<Version>,
    /// What should be here instead.
    wanted: Option<Version>,
    /// The server could not be asked.
    is_unknown: bool,
}

/// All that the icon and its menu need.
struct Shared {
    setting: Setting,
    shown: Mutex<Shown>,
    wishes: UnboundedSender<Wish>,
}

impl Shared {
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wish(&self, wish: Wish) {
        // The agent is ending when nobody listens.
        let _ = self.wishes.send(wish);
    }

    /// One line: what the icon means.
    fn title(&self) -> String {
        let shown = self.shown();
        let version = |version: &Option<Version>| {
            version
                .as_ref()
                .map_or_else(String::new, ToString::to_string)
        };
        let (key, version) = match (&shown.wanted, shown.is_unknown) {
            (Some(_), _) => ("gui-agent-waits", version(&shown.wanted)),
            (None, true) => ("gui-agent-unknown", String::new()),
            (None, false) => ("gui-agent-right", version(&shown.current)),
        };
        let values = [("name", &*shown.name), ("version", &*version)];
        self.setting.text().with(key, &values)
    }
}

/// Runs the agent until the user quits it, or the session ends. A second one of the same installation ends at once.
///
/// # Errors
/// A text for the user: there is no session bus.
pub fn run(options: Options) -> Result<(), String> {
    // The library has a run time of its own, which must not end inside the agent's: this one goes last.
    let _last = Arc::clone(&options.desktop);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let no_bus = options.setting.text().get("gui-agent-no-bus");
    runtime.block_on(async {
        let bus = Connection::session().await;
        let bus = bus.map_err(|error| format!("{no_bus}\n{error}"))?;
        let agent = Agent::new(options, bus);
        agent.live().await.map_err(|error| error.to_string())
    })
}

struct Agent {
    options: Options,
    bus: Connection,
    shared: Arc<Shared>,
    wishes: UnboundedReceiver<Wish>,
    /// The version that the user was told of.
    told: Option<Version>,
    notification: Option<u32>,
}

impl Agent {
    fn new(options: Options, bus: Connection) -> Self {
        let (sender, wishes) = unbounded_channel();
        let shared = Arc::new(Shared {
            setting: options.setting,
            shown: Mutex::default(),
            wishes: sender,
        });
        Self {
            options,
            bus,
            shared,
            wishes,
            told: None,
            notification: None,
        }
    }

    async fn live(mut self) -> zbus::Result<()> {
        let name = own_name(self.options.desktop.layout().root());
        // By default the name would be taken from whoever has it.
        let flags = RequestNameFlags::DO_NOT_QUEUE;
        match self.bus.request_name_with_flags(name.as_str(), flags).await {
            Err(zbus::Error::NameTaken) => return Ok(()),
            other => other?,
        };
        self.know_itself().await;
        let item = tray::serve(&self.bus, &self.shared).await?;
        menu::serve(&self.bus, &self.shared).await?;
        tray::register(&self.bus, &item).await;
        let mut hosts = owners_of(&self.bus, tray::WATCHER).await?;
        let mut actions = notification::actions(&self.bus).await?;
        let mut schedule = match self.options.every {
            Some(every) => obnova_desktop::Schedule::every(every),
            None => self.options.desktop.schedule(),
        };
        let mut due = tokio::time::Instant::now();
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(due) => {
                    let worked = self.look().await?;
                    due = tokio::time::Instant::now() + schedule.after(worked);
                }
                Some(wish) = self.wishes.recv() => match wish {
                    Wish::Quit => return Ok(()),
                    wish => self.open(wish),
                },
                // A panel that has just been started has no icons yet.
                Some(_) = hosts.next() => tray::register(&self.bus, &item).await,
                Some(action) = actions.next() => {
                    if notification::is_update(&action, self.notification) {
                        self.open(Wish::Update);
                    }
                }
                () = self.bus.closed() => return Ok(()),
            }
        }
    }

    /// What is known without the network.
    async fn know_itself(&mut self) {
        let about = self.on_thread(|desktop| desktop.about(None)).await;
        let mut shown = self.shared.shown();
        if let Some(Ok(about)) = about {
            shown.name = about.name;
            shown.current = Some(about.version);
        }
        shown.is_unknown = true;
    }

    /// One look, and what follows from it by the policy.
    async fn look(&mut self) -> zbus::Result<bool> {
        let followed = self
            .on_thread(|desktop| desktop.follow(&mut |_, _| ()))
            .await;
        let about = self.on_thread(|desktop| desktop.about(None)).await;
        let before = self.shared.shown().clone();
        let mut installed = None;
        let mut worked = true;
        {
            let mut shown = self.shared.shown();
            if let Some(Ok(about)) = about {
                shown.name = about.name;
                shown.current = Some(about.version);
            }
            shown.is_unknown = false;
            match followed {
                Some(Ok(Followed::Right)) => shown.wanted = None,
                Some(Ok(Followed::Offered(found))) => {
                    shown.wanted = found.wanted.map(|wanted| wanted.version);
                }
                Some(Ok(Followed::Applied(applied))) => {
                    shown.wanted = None;
                    installed = Some(applied.version);
                }
                Some(Err(error)) => {
                    tracing::info!(%error, "the look at the server failed");
                    shown.is_unknown = true;
                    worked = false;
                }
                None => worked = false,
            }
        }
        let now = self.shared.shown().clone();
        if now != before {
            tray::changed(&self.bus, &self.shared).await?;
            menu::changed(&self.bus).await?;
        }
        self.tell(&now, installed).await;
        Ok(worked)
    }

    /// A notification: once for each version.
    async fn tell(&mut self, shown: &Shown, installed: Option<Version>) {
        let text = self.shared.setting.text();
        if let Some(version) = installed {
            let version = version.to_string();
            let values = [("name", &*shown.name), ("version", &*version)];
            let heading = text.with("gui-ready-heading", &values);
            let body = text.get("gui-agent-done");
            notification::show(&self.bus, self.notification, &heading, &body, None).await;
            return;
        }
        if shown.wanted == self.told {
            return;
        }
        self.told.clone_from(&shown.wanted);
        if shown.wanted.is_some() {
            let action = text.get("gui-update-now");
            let body = text.get("gui-agent-note");
            let heading = self.shared.title();
            let before = self.notification;
            self.notification =
                notification::show(&self.bus, before, &heading, &body, Some(&action)).await;
        } else if let Some(id) = self.notification.take() {
            notification::withdraw(&self.bus, id).await;
        }
    }

    /// Opens a window, as a program of its own: its end is none of the agent's. After it, the icon may be wrong.
    fn open(&self, wish: Wish) {
        let setting = self.shared.setting;
        let Ok(program) = std::env::current_exe() else {
            return;
        };
        let mut command = tokio::process::Command::new(program);
        command
            .arg("--root")
            .arg(self.options.desktop.layout().root())
            .args(["--lang", setting.lang.tag()])
            .args(["--scale", &setting.scale.to_string()]);
        if let Some(dark) = setting.dark {
            command.args(["--theme", if dark { "dark" } else { "light" }]);
        }
        if setting.contrast == Some(true) {
            command.arg("--contrast");
        }
        command.args(match wish {
            Wish::Update => &["update", "--now"][..],
            Wish::WhatsNew => &["whats-new", "--again"],
            Wish::Dialog | Wish::Quit => &["update"],
        });
        let shared = Arc::clone(&self.shared);
        let (desktop, bus) = (Arc::clone(&self.options.desktop), self.bus.clone());
        tokio::spawn(async move {
            match command.status().await {
                Ok(status) => tracing::debug!(%status, "the window was closed"),
                Err(error) => return tracing::warn!(%error, "the window could not be opened"),
            }
            if let Ok(status) = desktop.status() {
                {
                    let mut shown = shared.shown();
                    shown.wanted = status.wanted;
                    shown.current = status.current;
                }
                let _ = tray::changed(&bus, &shared).await;
                let _ = menu::changed(&bus).await;
            }
        });
    }

    /// The library blocks, and has a run time of its own.
    async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Desktop) -> Result<T, Error> + Send + 'static,
    ) -> Option<Result<T, Error>> {
        let desktop = Arc::clone(&self.options.desktop);
        let (done, answer) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new().spawn(move || {
            let _ = done.send(work(&desktop));
        });
        match thread {
            Ok(_) => answer.await.ok(),
            Err(_) => None,
        }
    }
}

/// The name on the bus that one agent of each installation has.
fn own_name(root: &std::path::Path) -> String {
    // FNV-1a: short, and the same for every build.
    let hash = root
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("org.obnova.DesktopAgent.i{hash:016x}")
}

/// Tells whenever somebody else, or somebody at all, has this name.
async fn owners_of(bus: &Connection, name: &'static str) -> zbus::Result<MessageStream> {
    let rule = MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .sender("org.freedesktop.DBus")
        .interface("org.freedesktop.DBus")
        .member("NameOwnerChanged")
        .add_arg(name)
        .build()?;
    MessageStream::for_match_rule(rule, bus, None).await
}

impl Shared {
    /// The menu's first line.
    fn update_label(&self) -> String {
        let text = self.setting.text();
        match &self.shown().wanted {
            Some(version) => text.with("gui-agent-update-to", &[("version", &version.to_string())]),
            None => text.get("gui-agent-update"),
        }
    }

    /// The product and its version, for lists of icons.
    fn product(&self) -> String {
        let shown = self.shown();
        match &shown.current {
            Some(version) => words::named(&shown.name, version),
            None => shown.name.clone(),
        }
    }
}
