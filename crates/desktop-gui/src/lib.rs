//! What the user of a Desktop sees: the dialog that offers an update, what is new after it, messages, and the agent beside the
//! clock. All of it is also the program `obnova-desktop-gui`, which any program can start; see [`cli`].
//!
//! Nothing here decides anything: which version belongs here, what may be put off, and what is safe, the library
//! [`obnova_desktop`] knows. Every window can be closed or killed at any moment: a download goes on where it ended, and a
//! switch is finished or undone by the next start.

#[cfg(any(target_os = "linux", windows))]
#[cfg_attr(windows, path = "agent/windows.rs")]
pub mod agent;
pub mod cli;
mod markdown;
mod moment;
pub mod news;
mod pane;
mod speed;
mod surroundings;
mod theme;
pub mod update;
pub mod window;
mod words;
