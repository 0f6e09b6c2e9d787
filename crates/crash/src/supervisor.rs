//! Starts the roles and starts again what dies, as systemd would.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;

use crate::world::Who;

/// systemd's own pause before it starts something again is 100 ms.
const PAUSE: Duration = Duration::from_millis(150);
/// How long a start that fails again and again waits.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Makes the command of a role anew for each start.
type Make = Arc<dyn Fn() -> Result<Command> + Send + Sync>;

/// See the module.
#[derive(Clone)]
pub struct Supervisor {
    shared: Arc<Shared>,
    logs: PathBuf,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    env: BTreeMap<String, String>,
    suspended: bool,
    ending: bool,
    /// Those that run, by role.
    running: BTreeMap<Who, i32>,
    /// Those that may not be started.
    stopped: Vec<Who>,
}

impl Supervisor {
    /// Nothing runs yet. The output of a role goes to a file of its own in `logs`.
    pub fn new(logs: PathBuf) -> Supervisor {
        Supervisor {
            shared: Arc::default(),
            logs,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a role running from now on.
    ///
    /// # Errors
    /// Its log cannot be opened.
    pub fn keep(
        &self,
        who: Who,
        make: impl Fn() -> Result<Command> + Send + Sync + 'static,
    ) -> Result<()> {
        let log = self.logs.join(format!("{who:?}.log").to_lowercase());
        OpenOptions::new().create(true).append(true).open(&log)?;
        let (it, make) = (self.clone(), Arc::new(make) as Make);
        std::thread::spawn(move || it.work(who, &log, &make));
        Ok(())
    }

    fn work(&self, who: Who, log: &PathBuf, make: &Make) {
        let mut pause = PAUSE;
        loop {
            {
                let mut state = self.lock();
                while (state.suspended || state.stopped.contains(&who)) && !state.ending {
                    state = self
                        .shared
                        .changed
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                if state.ending {
                    return;
                }
            }
            let began = std::time::Instant::now();
            if let Err(error) = self.once(who, log, make) {
                eprintln!("{who:?} cannot be started: {error:#}");
            }
            if self.lock().ending {
                return;
            }
            pause = match began.elapsed() > Duration::from_secs(5) {
                true => PAUSE,
                false => (pause * 2).min(LONGEST_PAUSE),
            };
            std::thread::sleep(pause.min(LONGEST_PAUSE));
        }
    }

    fn once(&self, who: Who, log: &PathBuf, make: &Make) -> Result<()> {
        let mut command = make()?;
        let output = OpenOptions::new().append(true).open(log)?;
        let mut child = {
            // Under the lock: suspended means that nothing is being started either.
            let mut state = self.lock();
            if state.suspended || state.ending || state.stopped.contains(&who) {
                return Ok(());
            }
            let child = command
                .envs(&state.env)
                .stdin(Stdio::null())
                .stdout(output.try_clone()?)
                .stderr(output)
                .spawn()?;
            state.running.insert(who, child.id().cast_signed());
            child
        };
        child.wait()?;
        self.lock().running.remove(&who);
        Ok(())
    }

    /// The process of a role, if it runs.
    pub fn pid(&self, who: Who) -> Option<i32> {
        self.lock().running.get(&who).copied()
    }

    /// Sets a variable of the environment of whatever is started from now on.
    pub fn set_env(&self, name: &str, value: &str) {
        self.lock().env.insert(name.to_owned(), value.to_owned());
    }

    /// Starts nothing until [`Supervisor::resume`].
    pub fn suspend(&self) {
        self.lock().suspended = true;
    }

    /// Starts things again.
    pub fn resume(&self) {
        self.lock().suspended = false;
        self.shared.changed.notify_all();
    }

    /// Leaves a role alone until [`Supervisor::start`].
    pub fn stop(&self, who: Who) {
        self.lock().stopped.push(who);
    }

    /// Keeps a role running again.
    pub fn start(&self, who: Who) {
        self.lock().stopped.retain(|it| *it != who);
        self.shared.changed.notify_all();
    }

    /// Starts nothing any more.
    pub fn end(&self) {
        self.lock().ending = true;
        self.shared.changed.notify_all();
    }
}
