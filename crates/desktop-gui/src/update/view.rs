//! What the dialog looks like in each stage.

use std::time::Instant;

use eframe::egui::{self, ProgressBar, Response, Ui, vec2};
use obnova_desktop::{Direction, Error, Wanted};
use obnova_text::{bytes, decimal};

use super::{Stage, Update, is_late};
use crate::theme::Look;
use crate::{markdown, moment, pane, window, words};

/// What a click asks for.
enum Wish {
    Begin,
    Cancel,
    Again,
    Restart,
    Start,
    StopWaiting,
    Close,
}

impl Update {
    pub(super) fn view(&mut self, ui: &mut Ui, look: Look, escape: bool) {
        let wish = match &self.stage {
            Stage::Looking | Stage::Restarted => self.looking(ui),
            Stage::Right => self.right(ui, look),
            Stage::Offer => self.offer(ui, look),
            Stage::Loading(done, total) => self.loading(ui, look, *done, *total),
            Stage::Checking => self.checking(ui, look),
            Stage::Ready => self.ready(ui, look),
            Stage::Closing => self.closing(ui, look),
            Stage::Failed(error) => self.failed(ui, look, error),
        };
        let wish = match (&self.stage, escape) {
            // The safe way out of each stage.
            (Stage::Loading(..), true) => Some(Wish::Cancel),
            (Stage::Closing, true) => Some(Wish::StopWaiting),
            (Stage::Checking | Stage::Restarted, true) => None,
            (_, true) => Some(Wish::Close),
            _ => wish,
        };
        self.focus = false;
        match wish {
            Some(Wish::Begin) => self.begin(),
            Some(Wish::Cancel) => self.desktop.cancel(),
            Some(Wish::Again) => self.look(),
            Some(Wish::Restart) => self.restart(),
            Some(Wish::Start) => self.start(),
            Some(Wish::StopWaiting) => self.stop_waiting(),
            Some(Wish::Close) => window::close(ui.ctx()),
            None => {}
        }
    }

    /// The stage's main button has the keyboard when the stage begins.
    fn focus(&self, response: &Response) {
        if self.focus {
            response.request_focus();
        }
        pane::first(response);
    }

    fn get(&self, key: &str) -> String {
        self.text.with(key, &[("name", &self.name)])
    }

    fn looking(&self, ui: &mut Ui) -> Option<Wish> {
        pane::heading(ui, &self.get("gui-looking"));
        ui.add_space(8.0);
        ui.spinner();
        self.close_only(ui)
    }

    fn close_only(&self, ui: &mut Ui) -> Option<Wish> {
        let mut wish = None;
        pane::buttons(ui, |ui| {
            let close = pane::button(ui, &self.get("gui-close"));
            self.focus(&close);
            if close.clicked() {
                wish = Some(Wish::Close);
            }
        });
        wish
    }

    fn right(&self, ui: &mut Ui, look: Look) -> Option<Wish> {
        pane::heading(ui, &self.get("gui-right-heading"));
        ui.add_space(8.0);
        let found = self.found.as_ref();
        let current = found.and_then(|found| found.current.as_ref());
        if let (Some(found), Some(current)) = (found, current) {
            let values = [
                ("name", self.name.as_str()),
                ("version", &current.to_string()),
                ("server", &found.server.to_string()),
            ];
            pane::status(ui, self.text.with("gui-right", &values));
        }
        let mut wish = None;
        pane::buttons(ui, |ui| {
            let close = pane::main_button(ui, look, &self.get("gui-close"));
            self.focus(&close);
            if close.clicked() {
                wish = Some(Wish::Close);
            }
        });
        wish
    }

    fn offer(&self, ui: &mut Ui, look: Look) -> Option<Wish> {
        let wanted = self.wanted()?;
        self.top(ui, look, wanted);
        let lines = 1.0 + f32::from(self.stopped);
        self.panes(ui, look, wanted, 1.6 + lines);
        if self.stopped {
            pane::status(ui, self.get("gui-stopped"));
        }
        let may_wait = !wanted.required && !is_late(wanted);
        let until = wanted.later_until;
        let line = match (may_wait, until) {
            (true, Some(until)) => {
                let until = moment::readable(until, self.text.lang());
                self.text.with("gui-later-until", &[("until", &until)])
            }
            (true, None) => self.get("gui-later-free"),
            (false, _) => self.get("gui-later-not"),
        };
        pane::soft(ui, look, &line);
        let mut wish = None;
        pane::buttons(ui, |ui| {
            let key = match (wanted.quarantined.is_some(), wanted.direction) {
                (true, _) => "gui-insist",
                (false, Direction::Install) => "gui-install-now",
                (false, Direction::Up) => "gui-update-now",
                (false, Direction::Down) => "gui-down-now",
            };
            let now = pane::main_button(ui, look, &self.get(key));
            if now.clicked() {
                wish = Some(Wish::Begin);
            }
            let later = may_wait.then(|| pane::button(ui, &self.get("gui-later")));
            // What has failed here before is not one careless Enter away.
            match (&later, wanted.quarantined.is_some()) {
                (Some(later), true) => self.focus(later),
                _ => self.focus(&now),
            }
            if later.is_some_and(|later| later.clicked()) {
                wish = Some(Wish::Close);
            }
        });
        wish
    }

    /// Heading, and one line of facts.
    fn top(&self, ui: &mut Ui, look: Look, wanted: &Wanted) {
        let version = wanted.version.to_string();
        let key = match wanted.direction {
            Direction::Install => "gui-install-heading",
            Direction::Up => "gui-up-heading",
            Direction::Down => "gui-down-heading",
        };
        let values = [("name", &*self.name), ("version", &*version)];
        pane::heading(ui, &self.text.with(key, &values));
        let found = self.found.as_ref();
        let server = found.map_or_else(String::new, |found| found.server.to_string());
        let current = found.and_then(|found| found.current.as_ref());
        let size = bytes(wanted.download_bytes, self.text.lang());
        let (key, current) = match current {
            Some(current) => ("gui-facts", current.to_string()),
            None => ("gui-facts-first", String::new()),
        };
        let values = [("current", &*current), ("server", &server), ("size", &size)];
        pane::soft(ui, look, &self.text.with(key, &values));
        ui.add_space(4.0);
    }

    /// Left what is limited while not updated, right what is new; one above the other where there is no room.
    fn panes(&self, ui: &mut Ui, look: Look, wanted: &Wanted, rows: f32) {
        let room = window::above_buttons(ui, rows);
        let limited = self.get(match wanted.direction {
            Direction::Down => "gui-why-title",
            _ => "gui-limited-title",
        });
        let new = self.get(match wanted.direction {
            Direction::Down => "gui-stays-title",
            _ => "gui-new",
        });
        let lang = self.text.lang();
        let left = self.limited(wanted);
        let right = match wanted.direction {
            Direction::Down => self.get("gui-stays"),
            _ if wanted.notes.is_empty() => self.get("gui-new-nothing"),
            _ => words::together(&wanted.notes, lang),
        };
        let gap = ui.spacing().item_spacing.x;
        match room.x >= window::SIDE_BY_SIDE {
            true => {
                let widths = [0.42, 0.58].map(|share| (room.x - gap) * share);
                ui.horizontal_top(|ui| {
                    pane::card(ui, look, &limited, vec2(widths[0], room.y), false, |ui| {
                        markdown::show(ui, look, &left);
                    });
                    pane::card(ui, look, &new, vec2(widths[1], room.y), true, |ui| {
                        markdown::show(ui, look, &right);
                    });
                });
            }
            false => {
                let both = format!("{left}\n\n# {new}\n\n{right}");
                pane::card(ui, look, &limited, room, true, |ui| {
                    markdown::show(ui, look, &both);
                });
            }
        }
    }

    /// What is limited, by what is known of the server and by the vendor's word; on the way down, why.
    fn limited(&self, wanted: &Wanted) -> String {
        let found = self.found.as_ref();
        let server = found.map_or_else(String::new, |found| found.server.to_string());
        let current = found.and_then(|found| found.current.as_ref());
        let current = current.map_or_else(String::new, ToString::to_string);
        let version = wanted.version.to_string();
        let values = [
            ("name", &*self.name),
            ("server", &server),
            ("current", &current),
            ("version", &version),
        ];
        let mut parts = Vec::new();
        if let Some(quarantined) = &wanted.quarantined {
            let why = quarantined.reason.text(self.text);
            let values = [("version", &*version), ("why", &*why)];
            parts.push(self.text.with("desktop-quarantined", &values));
        }
        if wanted.direction == Direction::Down {
            parts.push(self.text.with("gui-why", &values));
        } else if wanted.direction == Direction::Install {
            parts.push(self.text.with("gui-limited-nothing-here", &values));
        } else if wanted.required {
            parts.push(self.text.with("gui-limited-all", &values));
        }
        let lang = self.text.lang();
        for limited in &wanted.limited {
            parts.push(limited.text(lang.tag()).trim().to_owned());
        }
        if parts.is_empty() {
            parts.push(self.text.with("gui-limited-none", &values));
        }
        parts.join("\n\n")
    }

    fn loading(&self, ui: &mut Ui, look: Look, done: u64, total: u64) -> Option<Wish> {
        let wanted = self.wanted()?;
        self.top(ui, look, wanted);
        self.panes(ui, look, wanted, 3.6);
        let lang = self.text.lang();
        let share = match total {
            0 => 0.0,
            total => done as f32 / total as f32,
        };
        let now = Instant::now();
        let (done, size) = (bytes(done, lang), bytes(total, lang));
        let mut line = self
            .text
            .with("gui-loading", &[("done", &done), ("total", &size)]);
        if let Some(speed) = self.speed.bytes_per_second(now) {
            line.push_str(&format!(" · {}/s", bytes(speed, lang)));
        }
        if let Some(left) = self.speed.left(now, total) {
            line.push_str(&format!(" · {}", words::left(self.text, left)));
        }
        let percent = decimal(f64::from(share * 100.0).floor(), 0, lang);
        self.bar(ui, look, Some(share), &format!("{percent}\u{a0}%"));
        pane::soft(ui, look, &line);
        let mut wish = None;
        pane::buttons(ui, |ui| {
            let cancel = pane::button(ui, &self.get("gui-cancel"));
            self.focus(&cancel);
            if cancel.clicked() {
                wish = Some(Wish::Cancel);
            }
        });
        wish
    }

    fn bar(&self, ui: &mut Ui, look: Look, share: Option<f32>, what: &str) {
        let bar = ProgressBar::new(share.unwrap_or(1.0))
            .desired_height(18.0)
            .fill(look.colours().accent)
            .animate(share.is_none());
        let name = self.get("gui-progress");
        ui.add(bar).accessible_name(format!("{name}: {what}"));
    }

    fn checking(&self, ui: &mut Ui, look: Look) -> Option<Wish> {
        let wanted = self.wanted()?;
        self.top(ui, look, wanted);
        self.panes(ui, look, wanted, 3.6);
        self.bar(ui, look, None, &self.get("gui-checking"));
        pane::status(ui, self.get("gui-checking"));
        None
    }

    fn ready(&self, ui: &mut Ui, look: Look) -> Option<Wish> {
        let version = self
            .wanted()
            .map_or_else(String::new, |wanted| wanted.version.to_string());
        let values = [("name", &*self.name), ("version", &*version)];
        pane::heading(ui, &self.text.with("gui-ready-heading", &values));
        ui.add_space(8.0);
        let is_open = !self.open.is_empty();
        let key = match is_open {
            true => "gui-ready-open",
            false => "gui-ready",
        };
        pane::status(ui, self.text.with(key, &values));
        self.holds(ui, look);
        let mut wish = None;
        pane::buttons(ui, |ui| {
            let (key, main) = match is_open {
                true => ("gui-restart", Wish::Restart),
                false => ("gui-start", Wish::Start),
            };
            let now = pane::main_button(ui, look, &self.get(key));
            self.focus(&now);
            if now.clicked() {
                wish = Some(main);
            }
            let key = match is_open {
                true => "gui-at-next-start",
                false => "gui-close",
            };
            if pane::button(ui, &self.get(key)).clicked() {
                wish = Some(Wish::Close);
            }
        });
        wish
    }

    /// Why programs cannot be closed now, in their own words.
    fn holds(&self, ui: &mut Ui, look: Look) {
        let holds: Vec<&str> = self
            .open
            .iter()
            .filter_map(|program| program.hold.as_deref())
            .collect();
        if holds.is_empty() {
            return;
        }
        ui.add_space(8.0);
        let text = egui::RichText::new(self.get("gui-holds")).color(look.colours().danger);
        pane::status(ui, text);
        for hold in holds {
            let hold = match hold.is_empty() {
                true => self.get("gui-hold-unknown"),
                false => hold.to_owned(),
            };
            ui.add(egui::Label::new(format!("•  {hold}")).wrap());
        }
    }

    fn closing(&self, ui: &mut Ui, look: Look) -> Option<Wish> {
        pane::heading(ui, &self.get("gui-closing-heading"));
        ui.add_space(8.0);
        pane::status(ui, self.get("gui-closing"));
        ui.spinner();
        self.holds(ui, look);
        let mut wish = None;
        pane::buttons(ui, |ui| {
            let stop = pane::button(ui, &self.get("gui-stop-waiting"));
            self.focus(&stop);
            if stop.clicked() {
                wish = Some(Wish::StopWaiting);
            }
        });
        wish
    }

    fn failed(&self, ui: &mut Ui, look: Look, error: &Error) -> Option<Wish> {
        let [what, state, to_do] = error.texts(self.text);
        pane::heading(ui, &self.get("gui-failed-heading"));
        ui.add_space(8.0);
        let what = egui::RichText::new(what)
            .family(crate::theme::bold())
            .color(look.colours().danger);
        pane::status(ui, what);
        for text in [state, to_do] {
            ui.add(egui::Label::new(text).wrap());
        }
        if let Some(detail) = &error.detail {
            let size = window::above_buttons(ui, 2.4);
            let size = vec2(size.x, size.y.min(160.0));
            ui.add_space(4.0);
            pane::card(ui, look, &self.get("gui-details"), size, true, |ui| {
                pane::soft(ui, look, detail);
            });
        }
        let mut wish = None;
        pane::buttons(ui, |ui| {
            let again = pane::main_button(ui, look, &self.get("gui-again"));
            self.focus(&again);
            if again.clicked() {
                wish = Some(Wish::Again);
            }
            if pane::button(ui, &self.get("gui-close")).clicked() {
                wish = Some(Wish::Close);
            }
        });
        wish
    }
}
