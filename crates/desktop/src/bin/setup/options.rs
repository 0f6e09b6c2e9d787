//! The setup program's command line: that of the installers for Linux, and `/S`, which Windows' administrators know.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use obnova_text::Text;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Install,
    Uninstall,
    Check,
    Help,
}

/// What was said on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) action: Action,
    pub(crate) server: Option<String>,
    pub(crate) authorities: Option<PathBuf>,
    pub(crate) directory: Option<PathBuf>,
    /// Ask nothing, show nothing.
    pub(crate) silent: bool,
    pub(crate) autostart: bool,
    pub(crate) menu: bool,
    pub(crate) start: bool,
}

impl Options {
    /// Reads it; gives back the first option that is none.
    pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Self, String> {
        let mut options = Self {
            action: Action::Install,
            server: None,
            authorities: None,
            directory: None,
            silent: false,
            autostart: cfg!(windows),
            menu: true,
            start: false,
        };
        let mut left = arguments.into_iter();
        while let Some(argument) = left.next() {
            let shown = argument.to_string_lossy().into_owned();
            let (name, value) = match shown.split_once('=') {
                Some((name, value)) if name.starts_with("--") => {
                    (name.to_owned(), Some(OsString::from(value)))
                }
                _ => (shown.clone(), None),
            };
            let mut value = || {
                let value = value.clone().or_else(|| left.next());
                value.ok_or_else(|| shown.clone())
            };
            match &*name {
                "--server" => options.server = Some(value()?.to_string_lossy().into_owned()),
                "--authorities" => options.authorities = Some(value()?.into()),
                "--dir" => options.directory = Some(value()?.into()),
                "--silent" | "/S" | "/s" => options.silent = true,
                "--autostart" => options.autostart = true,
                "--no-autostart" => options.autostart = false,
                "--no-menu" => options.menu = false,
                "--start" => options.start = true,
                "--uninstall" => options.action = Action::Uninstall,
                "--check" => options.action = Action::Check,
                "--help" | "-h" | "/?" => options.action = Action::Help,
                _ => return Err(shown),
            }
        }
        Ok(options)
    }
}

/// Whether nobody is to be asked or told anything: known before the rest is read, which may be wrong.
pub(crate) fn is_silent(arguments: &[OsString]) -> bool {
    let silent = ["--silent", "/S", "/s"].map(OsStr::new);
    arguments.iter().any(|it| silent.contains(&it.as_os_str()))
}

/// What can be said.
pub(crate) fn usage(text: &Text) -> String {
    let mut lines = vec![text.get("setup-usage"), String::new()];
    for (option, key) in [
        ("--server URL", "server"),
        ("--authorities FILE", "authorities"),
        ("--dir DIR", "dir"),
        ("--silent, /S", "silent"),
        ("--autostart", "autostart"),
        ("--no-autostart", "no-autostart"),
        ("--no-menu", "no-menu"),
        ("--start", "start"),
        ("--uninstall", "uninstall"),
        ("--check", "check"),
    ] {
        let what = text.get(&format!("installer-script-{key}"));
        lines.push(format!("  {option:<20}{what}"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        Options::parse(arguments.iter().map(OsString::from).collect())
    }

    #[test]
    fn options_are_those_of_the_other_installers_and_the_silent_one_of_windows() {
        let options = parse(&["/S", "--server", "https://a/", "--dir=C:\\x", "--no-menu"]).unwrap();
        assert!(options.silent && !options.menu && !options.start);
        assert_eq!(options.server.as_deref(), Some("https://a/"));
        assert_eq!(options.directory, Some("C:\\x".into()));
        assert_eq!(parse(&["--uninstall"]).unwrap().action, Action::Uninstall);
        assert!(!parse(&["--no-autostart"]).unwrap().autostart);
    }

    #[test]
    fn what_is_no_option_is_named() {
        assert_eq!(parse(&["/quiet"]), Err("/quiet".into()));
        assert_eq!(parse(&["--server"]), Err("--server".into()));
    }
}
