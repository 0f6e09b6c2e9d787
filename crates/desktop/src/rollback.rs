//! Going back by hand to the version before.

use jiff::Timestamp;
use obnova_release::matches;

use crate::apply::Applied;
use crate::desktop::Desktop;
use crate::error::{Code, Error};
use crate::pointer::{Installed, Reason};

impl Desktop {
    /// Makes the next start one of the version before. The version that is left is not installed again by itself.
    ///
    /// # Errors
    /// There is none before, the vendor does not allow it any more, or it does not work with the server as it was last seen.
    pub fn rollback(&self) -> Result<Applied, Error> {
        let known = {
            let network = self.network()?;
            network.get()?.client.known(Timestamp::now())?
        };
        let mut state = self.state()?;
        let previous = state.pointer.previous.clone();
        let is_here = |it: &Installed| self.layout.version(&it.version).is_dir();
        let to = previous
            .filter(|it| !self.layout.is_shared() || is_here(it))
            .ok_or_else(|| Error::new(Code::NothingBefore))?
            .version;
        if let Some(catalog) = &known {
            if let Some(minimum) = catalog.desktop_minimum().filter(|minimum| to < **minimum) {
                let below = Error::new(Code::BelowMinimum).arg("version", &to);
                return Err(below.arg("minimum", minimum));
            }
            let server = state.pointer.server.clone();
            if let Some(server) = server
                && let Some(range) = catalog.desktop_range(&server)
                && !matches(range, &to)
            {
                let wrong = Error::new(Code::NotWithServer).arg("server", server);
                return Err(wrong
                    .arg("version", &to)
                    .detail(format!("it works with {range}")));
            }
        }
        state.go_back(Reason::ByHand)?;
        Ok(Applied {
            version: to,
            previous: None,
            on_trial: false,
        })
    }
}
