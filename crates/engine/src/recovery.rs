//! What to do about an update that the journal says has not ended: pure, and decided at every start of the engine.

use crate::state::{Direction, Update};

/// The step from which on there is no way back: requests may have reached the new version.
pub const POINT_OF_NO_RETURN: &str = "release_traffic";

/// What recovery does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// No update is open.
    NothingToDo,
    /// It was going forwards and had not let requests through: all is undone. `step` is the one it was interrupted in, or
    /// the last one finished.
    RollBack {
        /// The step to name to people.
        step: Option<String>,
    },
    /// It was being undone: that is continued.
    ContinueBack,
    /// Requests may already have been answered by the new version: it is finished, from this step on.
    RollForward,
}

/// Decides from the open update, if there is one.
pub fn decide(open: Option<&Update>) -> Recovery {
    let Some(update) = open else {
        return Recovery::NothingToDo;
    };
    match update.direction {
        Direction::Back => Recovery::ContinueBack,
        Direction::Forwards if update.step(POINT_OF_NO_RETURN).is_some() => Recovery::RollForward,
        Direction::Forwards => Recovery::RollBack {
            step: update.steps.last().map(|step| step.name.clone()),
        },
        Direction::Completed | Direction::RolledBack => Recovery::NothingToDo,
    }
}
