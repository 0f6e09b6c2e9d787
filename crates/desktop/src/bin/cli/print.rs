//! What the command line prints: texts for people, or JSON for programs.

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::path::Path;

use obnova_desktop::{
    Applied, Confirmed, Direction, Error, Found, Installation, News, Status, Wanted,
};
use obnova_text::{Lang, Text, bytes};
use serde::Serialize;
use serde_json::json;

/// Prints texts or JSON.
pub struct Output {
    json: bool,
    lang: Lang,
    text: &'static Text,
    /// The percentage last shown.
    shown: Cell<Option<u64>>,
}

impl Output {
    pub fn new(json: bool, lang: Lang) -> Self {
        Self {
            json,
            lang,
            text: Text::of(lang),
            shown: Cell::new(None),
        }
    }

    /// What happened, in what state things are, what to do.
    pub fn error(&self, error: &Error) {
        let [what, state, to_do] = error.texts(self.text);
        if self.json {
            let error = json!({
                "code": error.code.name(),
                "what": what,
                "state": state,
                "do": to_do,
                "detail": error.detail,
            });
            eprintln!("{}", json!({ "error": error }));
            return;
        }
        eprintln!("{what}\n{state}\n{to_do}");
        if let Some(detail) = &error.detail {
            eprintln!("{detail}");
        }
    }

    pub fn made(&self, root: &Path) {
        let path = root.display().to_string();
        self.print(&json!({ "root": path }), || {
            self.with("desktop-made", &[("path", &path)])
        });
    }

    pub fn installed(&self, installed: &Installation) {
        self.print(installed, || {
            let (version, program) = (
                installed.version.to_string(),
                installed.program.display().to_string(),
            );
            let previous = installed.previous.as_ref().map(ToString::to_string);
            let key = match &previous {
                None => "installer-installed",
                Some(previous) if *previous == version => "installer-there",
                Some(_) => "installer-updated",
            };
            let values = [
                ("name", &*installed.name),
                ("version", &version),
                ("previous", previous.as_deref().unwrap_or_default()),
                ("program", &program),
            ];
            let server = self.with("installer-server", &[("server", &installed.server)]);
            format!("{}\n{server}", self.with(key, &values))
        });
    }

    #[cfg(unix)]
    pub fn no_systemd(&self, root: &Path, socket: &Path) {
        let values = [root, socket].map(|path| path.display().to_string());
        let values = [("root", &*values[0]), ("socket", &*values[1])];
        eprintln!("{}", self.with("installer-no-systemd", &values));
    }

    pub fn removed(&self, root: &Path) {
        let path = root.display().to_string();
        self.print(&json!({ "removed": path }), || {
            self.with("installer-removed", &[("path", &path)])
        });
    }

    pub fn no_agent(&self, version: &str, path: &Path) {
        let path = path.display().to_string();
        eprintln!(
            "{}",
            self.with(
                "installer-no-agent",
                &[("version", version), ("path", &path)]
            )
        );
    }

    pub fn status(&self, status: &Status) {
        self.print(status, || {
            let mut lines = vec![match &status.current {
                Some(version) => self.with("desktop-current", &[("version", &version.to_string())]),
                None => self.text.get("desktop-none"),
            }];
            if let Some(machine) = status
                .machine
                .as_ref()
                .filter(|it| Some(*it) != status.current.as_ref())
            {
                lines.push(self.with("desktop-machine", &[("version", &machine.to_string())]));
            }
            if status.trial_starts.is_some() {
                lines.push(self.text.get("desktop-on-trial"));
            }
            if let Some(server) = &status.server_version {
                lines.push(self.with("desktop-server", &[("version", &server.to_string())]));
            }
            if let Some(wanted) = &status.wanted {
                lines.push(self.with("desktop-wanted", &[("version", &wanted.to_string())]));
            }
            if let Some(previous) = &status.previous {
                lines.push(self.with("desktop-previous", &[("version", &previous.to_string())]));
            }
            for (version, quarantined) in &status.quarantine {
                let why = quarantined.reason.text(self.text);
                lines.push(self.with(
                    "desktop-quarantined",
                    &[("version", &version.to_string()), ("why", &why)],
                ));
            }
            if let Some(News::Returned { from, reason }) = &status.news {
                let why = reason.text(self.text);
                lines.push(self.with(
                    "desktop-news-returned",
                    &[("version", &from.to_string()), ("why", &why)],
                ));
            }
            lines.join("\n")
        });
    }

    pub fn found(&self, found: &Found) {
        self.print(found, || {
            let server = found.server.to_string();
            let mut lines = vec![self.with("desktop-server", &[("version", &server)])];
            let Some(wanted) = &found.wanted else {
                lines.push(self.text.get("desktop-right"));
                return lines.join("\n");
            };
            lines.push(self.wanted(wanted));
            if wanted.required {
                lines.push(self.text.get("desktop-required"));
            }
            if let Some(quarantined) = &wanted.quarantined {
                let why = quarantined.reason.text(self.text);
                let version = wanted.version.to_string();
                lines.push(self.with(
                    "desktop-quarantined",
                    &[("version", &version), ("why", &why)],
                ));
            }
            for notes in &wanted.notes {
                let text = notes.text(self.lang.tag());
                lines.push(format!("\n{}\n{}", notes.version, text.trim()));
            }
            lines.join("\n")
        });
    }

    fn wanted(&self, wanted: &Wanted) -> String {
        let key = match wanted.direction {
            Direction::Install => "desktop-found-install",
            Direction::Up => "desktop-found-up",
            Direction::Down => "desktop-found-down",
        };
        let size = bytes(wanted.download_bytes, self.lang);
        self.with(
            key,
            &[("version", &wanted.version.to_string()), ("size", &size)],
        )
    }

    pub fn downloaded(&self, wanted: &Wanted) {
        let version = wanted.version.to_string();
        self.print(&json!({ "downloaded": version }), || {
            self.with("desktop-downloaded", &[("version", &version)])
        });
    }

    pub fn applied(&self, applied: &Applied) {
        self.print(applied, || {
            self.with(
                "desktop-applied",
                &[("version", &applied.version.to_string())],
            )
        });
    }

    pub fn confirmed(&self, confirmed: Confirmed) {
        self.print(&json!({ "confirmed": confirmed }), || {
            self.text.get(match confirmed {
                Confirmed::NothingToDo => "desktop-confirm-nothing",
                Confirmed::Yes => "desktop-confirm-yes",
                Confirmed::WithoutServer => "desktop-confirm-without-server",
                Confirmed::No => "desktop-confirm-no",
            })
        });
    }

    /// A line that is written over, where somebody watches; whole percents as lines of JSON, where a program does.
    pub fn progress(&self, done: u64, total: u64) {
        let percent = (done * 100).checked_div(total).unwrap_or(100);
        if self.shown.replace(Some(percent)) == Some(percent) {
            return;
        }
        let mut error = std::io::stderr().lock();
        let _ = match self.json {
            true => writeln!(
                error,
                "{}",
                json!({ "progress": { "done": done, "total": total } })
            ),
            false if error.is_terminal() => {
                let end = if done == total { "\n" } else { "" };
                let (done, total) = (bytes(done, self.lang), bytes(total, self.lang));
                write!(error, "\r\x1b[2K{percent} % ({done} / {total}){end}")
            }
            false => Ok(()),
        };
    }

    fn with(&self, key: &str, values: &[(&str, &str)]) -> String {
        self.text.with(key, values)
    }

    /// Whoever reads may have read enough and closed: that is no failure.
    fn print(&self, value: &impl Serialize, text: impl FnOnce() -> String) {
        let shown = match self.json {
            true => serde_json::to_string_pretty(value).unwrap_or_default(),
            false => text(),
        };
        let _ = writeln!(std::io::stdout().lock(), "{shown}");
    }
}
