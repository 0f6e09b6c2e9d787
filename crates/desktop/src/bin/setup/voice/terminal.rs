//! What the setup program says where there are only terminals.

use std::process::Command;

use obnova_release::appended::Facts;
use obnova_text::Text;

/// What the user has filled in.
pub(crate) struct Answer {
    pub(crate) server: String,
    pub(crate) autostart: bool,
}

pub(crate) fn begin() {}

/// Whether what is said is said in windows.
pub(crate) fn is_window() -> bool {
    false
}

/// Nobody can be asked.
pub(crate) fn ask(_facts: &Facts, _text: &Text) -> Option<Answer> {
    None
}

pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// It has been said already; the program is started if that was wished.
pub(crate) fn done(_text: &str, start: bool, _texts: &Text) -> bool {
    start
}

pub(crate) fn without_window(_command: &mut Command) {}
