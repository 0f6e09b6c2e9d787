//! What is new, at the first start after an update; and the message after a return or a move to an older version.

use eframe::egui::Ui;
use obnova_desktop::{About, Desktop, Error, News};
use obnova_text::Text;

use crate::theme::Look;
use crate::window::{self, Page, Setting};
use crate::{markdown, pane, words};

/// Which of the two is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What is new after an update.
    WhatsNew,
    /// Why another version runs than before, where it is not a newer one.
    Message,
}

impl Kind {
    fn is(self, news: &News) -> bool {
        matches!(news, News::Updated { .. }) == (self == Kind::WhatsNew)
    }
}

/// Whether there is such news that the user has not been told.
///
/// # Errors
/// The file that says so is damaged.
pub fn is_due(desktop: &Desktop, kind: Kind) -> Result<bool, Error> {
    Ok(desktop.news()?.is_some_and(|news| kind.is(&news)))
}

/// Shows it, once: from when the window is there it counts as told. Of two programs that show it at once, one does.
///
/// # Errors
/// A text for the user: the installation is damaged, or there is no screen.
pub fn show(desktop: &Desktop, kind: Kind, setting: Setting) -> Result<(), String> {
    let text = setting.text();
    let explain = |error: Error| error.texts(text).join(" ");
    if !is_due(desktop, kind).map_err(explain)? {
        return Ok(());
    }
    let from = match desktop.news().map_err(explain)? {
        Some(News::Updated { from }) => Some(from),
        _ => None,
    };
    let about = desktop.about(from.as_ref()).map_err(explain)?;
    let size = match kind {
        Kind::WhatsNew => [620.0, 520.0],
        Kind::Message => window::SMALL,
    };
    let title = about.name.clone();
    // Told only where there is a window to tell it in.
    window::open(&title, size, setting, |_| NewsPage {
        news: desktop.take_news().ok().flatten(),
        about,
        text,
    })?;
    Ok(())
}

/// Shows what is new in the version that is here, whenever the user asks.
///
/// # Errors
/// As [`show`].
pub fn show_again(desktop: &Desktop, setting: Setting) -> Result<(), String> {
    let text = setting.text();
    let about = desktop.about(None);
    let about = about.map_err(|error| error.texts(text).join(" "))?;
    let news = Some(News::Updated {
        from: about.version.clone(),
    });
    let title = about.name.clone();
    window::open(&title, [620.0, 520.0], setting, |_| NewsPage {
        news,
        about,
        text,
    })?;
    Ok(())
}

struct NewsPage {
    news: Option<News>,
    about: About,
    text: &'static Text,
}

impl Page for NewsPage {
    fn show(&mut self, ui: &mut Ui, look: Look, escape: bool) {
        let Some(news) = &self.news else {
            window::close(ui.ctx());
            return;
        };
        match news {
            News::Updated { .. } => self.whats_new(ui, look),
            News::Downgraded { from } => {
                let server = self.about.server.as_ref();
                let server = server.map_or_else(String::new, ToString::to_string);
                self.message(
                    ui,
                    "gui-downgraded",
                    &[("from", &from.to_string()), ("server", &server)],
                );
            }
            News::Returned { from, reason } => {
                let why = reason.text(self.text);
                let key = match reason {
                    obnova_desktop::Reason::Refused { .. } => "gui-refused",
                    obnova_desktop::Reason::ByHand => "gui-by-hand",
                    _ => "gui-returned",
                };
                self.message(ui, key, &[("from", &from.to_string()), ("why", &why)]);
            }
        }
        let mut done = escape;
        pane::buttons(ui, |ui| {
            let close = pane::main_button(ui, look, &self.text.get("gui-close"));
            pane::first(&close);
            done |= close.clicked();
        });
        if done {
            window::close(ui.ctx());
        }
    }
}

impl NewsPage {
    fn whats_new(&self, ui: &mut Ui, look: Look) {
        let name = words::named(&self.about.name, &self.about.version);
        pane::heading(ui, &self.text.with("gui-new-heading", &[("name", &name)]));
        ui.add_space(8.0);
        let size = window::above_buttons(ui, 1.4);
        let title = self.text.get("gui-new");
        pane::card(ui, look, &title, size, true, |ui| {
            match self.about.notes.is_empty() {
                true => pane::soft(ui, look, &self.text.get("gui-new-nothing")),
                false => {
                    let notes = words::together(&self.about.notes, self.text.lang());
                    markdown::show(ui, look, &notes);
                }
            }
        });
    }

    /// What happened, in what state things are, and what to do.
    fn message(&self, ui: &mut Ui, key: &str, values: &[(&str, &str)]) {
        let version = self.about.version.to_string();
        let mut all = vec![("name", &*self.about.name), ("version", &*version)];
        all.extend(values);
        pane::heading(ui, &self.text.with(&format!("{key}-heading"), &all));
        ui.add_space(8.0);
        for part in ["", "-state", "-do"] {
            ui.label(self.text.with(&format!("{key}{part}"), &all));
        }
    }
}
