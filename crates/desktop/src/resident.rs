//! The agent of an installation: one at a time, and it ends when the installation is to be removed. Windows removes no program that
//! runs, so whoever removes has to ask it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use obnova_release::durable;

use crate::desktop::Desktop;
use crate::error::{Code, Error};
use crate::programs::Alone;

const NAME: &str = "agent";
/// How long an agent may take to end.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);

impl Desktop {
    /// Has an agent of this installation only once; nothing when there is one.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn only_agent(&self) -> Result<Option<Alone>, Error> {
        let alone = self.alone(NAME)?;
        // What somebody wished who was killed before it came true.
        if alone.is_some() {
            durable::remove_file(&self.wish())?;
        }
        Ok(alone)
    }

    /// Whether the agent has to end, as the installation is to be removed. Costs a look at a directory.
    pub fn is_agent_asked_to_end(&self) -> bool {
        self.wish().exists()
    }

    /// Ends the agent, if there is one.
    pub(crate) fn end_agent(&self) -> Result<(), Error> {
        let until = Instant::now() + PATIENCE;
        while self.alone(NAME)?.is_none() {
            if Instant::now() > until {
                return Err(Error::new(Code::Busy).arg("version", ""));
            }
            if !self.wish().exists() {
                durable::write(&self.wish(), b"", 0o644)?;
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    fn wish(&self) -> PathBuf {
        self.layout.state().join("open").join("agent.end")
    }
}
