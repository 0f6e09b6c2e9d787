//! Everything is here: from now on users are told. The record itself is the announcement; the centre makes mails of it.

use crate::api::Problem;
use crate::step::{Context, Step};

/// See the module.
pub(super) struct Announce;

impl Step for Announce {
    fn name(&self) -> &'static str {
        "announce"
    }

    fn plan(&self, _cx: &Context) -> String {
        "an event, of which mails are made".to_owned()
    }

    fn run(&self, _cx: &Context) -> Result<Option<String>, Problem> {
        Ok(None)
    }

    fn undo(&self, _cx: &Context) -> Result<(), Problem> {
        Ok(())
    }
}
