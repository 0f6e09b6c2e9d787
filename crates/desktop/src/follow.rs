//! All of it in one call, as far as the administrator's policy lets it happen without the user's word.

use jiff::Timestamp;

use crate::apply::Applied;
use crate::check::Found;
use crate::desktop::Desktop;
use crate::error::Error;
use crate::policy::Mode;

/// What came of following the server.
#[derive(Debug)]
pub enum Followed {
    /// The right version is here.
    Right,
    /// Another version belongs here, and it is for the user to say when, or for the administrator.
    Offered(Box<Found>),
    /// The next start is one of another version.
    Applied(Applied),
}

impl Desktop {
    /// Checks, and where the policy is *automatic*, or *ask* and its deadline is over, downloads, stages and applies. A version that
    /// failed here before is only offered.
    ///
    /// # Errors
    /// Those of [`Desktop::check`], [`Desktop::download`], [`Desktop::stage`] and [`Desktop::apply`].
    pub fn follow(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Followed, Error> {
        let found = self.check()?;
        let Some(wanted) = &found.wanted else {
            return Ok(Followed::Right);
        };
        let is_late = wanted
            .later_until
            .is_some_and(|until| until < Timestamp::now());
        let by_itself = match self.policy.mode {
            Mode::Automatic => true,
            Mode::Ask => is_late,
            Mode::Off => false,
        };
        if !by_itself || wanted.quarantined.is_some() {
            return Ok(Followed::Offered(Box::new(found)));
        }
        self.download(wanted, progress)?;
        let staged = self.stage(wanted)?;
        self.apply(staged).map(Followed::Applied)
    }
}
