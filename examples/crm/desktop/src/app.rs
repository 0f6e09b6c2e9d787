//! What the window shows: the lists, how the program stands to its server, and which version belongs to that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui::{
    self, Align, Button, CentralPanel, Context, Frame, Key, Layout, Panel, RichText, TextEdit, Ui,
    ViewportCommand,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use obnova_desktop::{Attendance, Desktop};
use semver::Version;

use crate::companion::Companion;
use crate::data::Data;
use crate::list;
use crate::look::Colours;
use crate::tree::Tree;
use crate::worker::{Link, Standing, Update, Wish};

/// How often it is looked whether the user wants to restart into another version.
const LOOK: Duration = Duration::from_millis(500);

/// The window's state.
pub struct App {
    tree: Tree,
    desktop: Arc<Desktop>,
    link: Link,
    companion: Companion,
    attendance: Option<Attendance>,
    /// Which list is shown.
    view: usize,
    words: String,
    found: Found,
    /// The record that was clicked.
    chosen: Option<i64>,
    note: String,
    /// Whether the last note was written.
    noted: Option<bool>,
    /// The user has been asked about this version since the start.
    asked: Option<Version>,
    greeted: bool,
    held: bool,
    looked: Instant,
}

/// Which records are shown, and what that was worked out from: twenty thousand are not searched for every picture.
#[derive(Default)]
struct Found {
    of: Option<(Arc<Data>, usize, String)>,
    records: Vec<usize>,
}

impl App {
    /// The window of this version.
    pub fn new(tree: Tree, desktop: Arc<Desktop>, link: Link) -> Self {
        // A disk that refuses only means that nobody waits for this window.
        let attendance = desktop.attend().inspect_err(|error| eprintln!("{error}"));
        Self {
            tree,
            link,
            companion: Companion::default(),
            attendance: attendance.ok(),
            desktop,
            view: 1,
            words: String::new(),
            found: Found::default(),
            chosen: None,
            note: String::new(),
            noted: None,
            asked: None,
            greeted: false,
            held: false,
            looked: Instant::now(),
        }
    }

    fn has_unsaved(&self) -> bool {
        !self.note.trim().is_empty()
    }

    /// An update waits for this window, and the window for its user's unsaved note.
    fn attend(&mut self, context: &Context) {
        context.request_repaint_after(LOOK);
        if self.looked.elapsed() < LOOK {
            return;
        }
        self.looked = Instant::now();
        let unsaved = self.has_unsaved();
        let Some(attendance) = &self.attendance else {
            return;
        };
        if self.held != unsaved {
            let why = unsaved.then(|| self.tree.text("note-unsaved"));
            match attendance.hold(why) {
                Ok(()) => self.held = unsaved,
                Err(error) => eprintln!("{error}"),
            }
        }
        if !unsaved && attendance.is_asked_to_close() {
            context.send_viewport_cmd(ViewportCommand::Close);
        }
    }

    /// The user is asked once a start, and what is new is told once.
    fn talk(&mut self, standing: &Standing, update: Option<&Update>) {
        if !self.greeted && *standing != Standing::Connecting {
            self.greeted = true;
            if update.is_none() {
                self.companion.whats_new(&self.desktop);
            }
        }
        let Some(update) = update.filter(|update| !update.applied) else {
            return;
        };
        if self.asked.as_ref() != Some(&update.version) {
            let began = self.companion.update(&self.desktop);
            self.asked = began.then(|| update.version.clone());
        }
    }

    fn bar(&mut self, ui: &mut Ui, colours: Colours) {
        ui.horizontal(|ui| {
            ui.heading(self.tree.text("brand"));
            ui.add_space(12.0);
            for (number, view) in self.tree.views.iter().enumerate() {
                let name = self.tree.text(&view.plural);
                if ui.selectable_label(self.view == number, name).clicked() {
                    self.view = number;
                    self.chosen = None;
                }
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if ui.button(self.tree.text("refresh")).clicked() {
                    self.link.wish(Wish::Refresh);
                }
                let search = TextEdit::singleline(&mut self.words)
                    .hint_text(self.tree.text("search"))
                    .desired_width(220.0);
                let field = ui.add(search);
                if ui.input(|input| input.modifiers.command && input.key_pressed(Key::F)) {
                    field.request_focus();
                }
                let _ = colours;
            });
        });
    }

    fn banner(&mut self, ui: &mut Ui, colours: Colours, standing: &Standing, update: &Update) {
        let version = update.version.to_string();
        let key = match (update.applied, update.down) {
            (true, _) => "update-applied",
            (false, true) => "update-down",
            (false, false) => "update-up",
        };
        ui.horizontal_wrapped(|ui| {
            let text = self.tree.with(key, &[("version", &version)]);
            ui.label(RichText::new(text).color(colours.text));
            if matches!(standing, Standing::Refused(_)) && !update.applied {
                ui.label(RichText::new(self.tree.text("update-required")).color(colours.bad));
            }
            if !update.applied {
                let text = RichText::new(self.tree.text("update")).color(colours.on_accent);
                if ui.add(Button::new(text).fill(colours.accent)).clicked() {
                    self.companion.update(&self.desktop);
                }
            }
        });
    }

    fn records(&mut self, ui: &mut Ui, colours: Colours, data: &Arc<Data>) {
        let Some(view) = self.tree.views.get(self.view) else {
            return;
        };
        let same = |(of, number, words): &(Arc<Data>, usize, String)| {
            Arc::ptr_eq(of, data) && *number == self.view && *words == self.words
        };
        if !self.found.of.as_ref().is_some_and(same) {
            self.found = Found {
                records: data.found(&view.plural, &self.words),
                of: Some((Arc::clone(data), self.view, self.words.clone())),
            };
        }
        let found = &self.found.records;
        if found.is_empty() {
            ui.label(RichText::new(self.tree.text("none")).color(colours.muted));
            return;
        }
        let clicked = list::show(ui, colours, &self.tree, view, data, found, self.chosen);
        if clicked.is_some() {
            self.chosen = clicked;
            self.noted = None;
        }
    }

    /// A note into the journal of the record that was clicked.
    fn journal(&mut self, ui: &mut Ui, colours: Colours, data: &Data, online: bool) {
        let Some((about, name)) = self.about(data) else {
            return;
        };
        ui.horizontal(|ui| {
            let label = ui.label(RichText::new(name).color(colours.text));
            let hint = self.tree.text("note-hint");
            let width = (ui.available_width() - 300.0).max(120.0);
            let field = TextEdit::singleline(&mut self.note)
                .hint_text(hint)
                .desired_width(width);
            ui.add(field).labelled_by(label.id);
            let may = online && self.has_unsaved();
            let button = Button::new(self.tree.text("note-save"));
            if ui.add_enabled(may, button).clicked() {
                let text = self.note.trim().to_owned();
                self.link.wish(Wish::Note { about, text });
            }
            match self.noted {
                Some(true) => {
                    ui.label(RichText::new(self.tree.text("note-saved")).color(colours.good));
                }
                Some(false) => {
                    ui.label(RichText::new(self.tree.text("note-failed")).color(colours.bad));
                }
                None => {}
            }
        });
    }

    fn about(&self, data: &Data) -> Option<((&'static str, i64), String)> {
        let view = self.tree.views.get(self.view)?;
        let id = self.chosen?;
        let field = match &*view.plural {
            "companies" => "company_id",
            "contacts" => "contact_id",
            "deals" => "deal_id",
            _ => return None,
        };
        let mut records = data.records.get(&view.plural)?.iter();
        let record =
            records.find(|record| record.get("id").and_then(|it| it.as_i64()) == Some(id))?;
        Some(((field, id), record.get("label")?.as_str()?.to_owned()))
    }

    fn status(&self, ui: &mut Ui, colours: Colours, standing: &Standing, data: &Data) {
        let tree = &self.tree;
        let (text, colour) = match (standing, data.at) {
            (Standing::Connecting, _) => (tree.text("connecting").to_owned(), colours.muted),
            (Standing::Online(server), _) => {
                let server = server.to_string();
                (tree.with("online", &[("server", &server)]), colours.good)
            }
            (Standing::Offline(since), Some(at)) => {
                let (since, data) = (moment(*since), moment(at));
                let values = [("since", &*since), ("data", &*data)];
                (tree.with("offline", &values), colours.bad)
            }
            (Standing::Offline(since), None) => {
                let since = moment(*since);
                (
                    tree.with("offline-empty", &[("since", &since)]),
                    colours.bad,
                )
            }
            (Standing::Refused(refusal), _) => {
                let server = refusal.server.to_string();
                (tree.with("refused", &[("server", &server)]), colours.bad)
            }
        };
        ui.horizontal(|ui| {
            ui.label(RichText::new(text).color(colour));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let version = self.tree.version.to_string();
                let version = tree.with("version", &[("version", &version)]);
                ui.label(RichText::new(version).color(colours.muted));
                let count = self.found.records.len().to_string();
                let count = tree.with("records", &[("count", &count)]);
                ui.label(RichText::new(count).color(colours.muted));
            });
        });
    }
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let colours = Colours::of(ui.ctx().theme());
        let (standing, data, update, leave, noted) = {
            let mut shared = self.link.look();
            (
                shared.standing.clone(),
                Arc::clone(&shared.data),
                shared.update.clone(),
                shared.leave,
                shared.noted.take(),
            )
        };
        if leave {
            ui.ctx().send_viewport_cmd(ViewportCommand::Close);
            return;
        }
        if noted == Some(true) {
            self.note.clear();
        }
        self.noted = noted.or(self.noted);
        let context = ui.ctx().clone();
        self.attend(&context);
        self.talk(&standing, update.as_ref());
        let card = Frame::new().fill(colours.card).inner_margin(12.0);
        Panel::top("bar")
            .frame(card)
            .show(ui, |ui| self.bar(ui, colours));
        if let Some(update) = &update {
            let soft = Frame::new().fill(colours.soft).inner_margin(12.0);
            Panel::top("banner")
                .frame(soft)
                .show(ui, |ui| self.banner(ui, colours, &standing, update));
        }
        Panel::bottom("status")
            .frame(card)
            .show(ui, |ui| self.status(ui, colours, &standing, &data));
        if self.chosen.is_some() {
            let online = matches!(standing, Standing::Online(_));
            Panel::bottom("journal")
                .frame(card)
                .show(ui, |ui| self.journal(ui, colours, &data, online));
        }
        let page = Frame::new().fill(colours.page).inner_margin(12.0);
        CentralPanel::default()
            .frame(page)
            .show(ui, |ui| self.records(ui, colours, &data));
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}

/// A moment as the user's clock shows it; with the day if it is another one.
fn moment(at: Timestamp) -> String {
    let here = at.to_zoned(TimeZone::system());
    let today = Timestamp::now().to_zoned(TimeZone::system()).date();
    match here.date() == today {
        true => here.strftime("%H:%M").to_string(),
        false => here.strftime("%-d. %-m. %Y %H:%M").to_string(),
    }
}
