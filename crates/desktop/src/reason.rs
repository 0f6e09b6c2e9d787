//! Why a version was left, in words.

use obnova_text::Text;

use crate::pointer::Reason;

impl Reason {
    /// As a part of a sentence that ends with it, in this language.
    pub fn text(&self, text: &Text) -> String {
        let with = |key: &str, name: &str, value: &str| text.with(key, &[(name, value)]);
        match self {
            Reason::NotStarted { detail } => with("desktop-reason-not-started", "detail", detail),
            Reason::Crashed { status } => with("desktop-reason-crashed", "status", status),
            Reason::Silent { seconds } => {
                with("desktop-reason-silent", "seconds", &seconds.to_string())
            }
            Reason::NeverConfirmed { starts } => {
                with("desktop-reason-never", "starts", &starts.to_string())
            }
            Reason::OwnCheck { detail } => with("desktop-reason-own-check", "detail", detail),
            Reason::Refused { server } => with("desktop-reason-refused", "server", server),
            Reason::ByHand => text.get("desktop-reason-by-hand"),
        }
    }
}
