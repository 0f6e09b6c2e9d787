//! One window: font, colours, size, and the application in it.

use std::cell::RefCell;
use std::rc::Rc;

use eframe::egui::{self, Context, Key, Ui, ViewportCommand, vec2};
use eframe::{App, CreationContext, NativeOptions};
use obnova_text::Text;

use crate::surroundings::{self, Follow};
use crate::theme::{self, Look};

/// What the user has set, or the desktop environment.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The language.
    pub lang: obnova_text::Lang,
    /// Dark or light; nothing: as the desktop environment.
    pub dark: Option<bool>,
    /// High contrast; nothing: as the desktop environment.
    pub contrast: Option<bool>,
    /// Everything so many times as large, besides what the desktop environment wants.
    pub scale: f32,
}

impl Setting {
    /// The texts.
    pub fn text(&self) -> &'static Text {
        Text::of(self.lang)
    }
}

/// What a window shows.
pub(crate) trait Page {
    /// Before each look at it, also while nobody can see it.
    fn think(&mut self, _ctx: &Context) {}
    /// All of it. Escape has been pressed if `escape`.
    fn show(&mut self, ui: &mut Ui, look: Look, escape: bool);
}

/// Shows a page until its window is closed, and returns what it has become.
///
/// # Errors
/// There is no screen, or it cannot be drawn on.
pub(crate) fn open<P: Page + 'static>(
    title: &str,
    size: [f32; 2],
    setting: Setting,
    make: impl FnOnce(&Context) -> P,
) -> Result<P, String> {
    let place = Rc::new(RefCell::new(None));
    let inside = Rc::clone(&place);
    let options = NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title(title)
            .with_app_id("obnova-desktop")
            .with_inner_size(size.map(|side| side * setting.scale))
            .with_min_inner_size([320.0, 240.0])
            .with_icon(icon()),
        centered: true,
        event_loop_builder: Some(Box::new(choose_screen)),
        ..NativeOptions::default()
    };
    let creator = move |creation: &CreationContext<'_>| {
        let ctx = &creation.egui_ctx;
        ctx.set_fonts(theme::fonts());
        ctx.set_zoom_factor(setting.scale);
        ctx.options_mut(|options| options.fallback_theme = egui::Theme::Light);
        *inside.borrow_mut() = Some(make(ctx));
        let shell: Box<dyn App> = Box::new(Shell {
            follow: surroundings::follow(setting.dark, setting.contrast, ctx),
            page: inside,
            look: None,
        });
        Ok(shell)
    };
    eframe::run_native(title, options, Box::new(creator)).map_err(|error| error.to_string())?;
    let page = place.borrow_mut().take();
    page.ok_or_else(|| "the window was never shown".to_owned())
}

/// X11, which every Linux desktop has, and where windows have frames; see the workspace's Cargo.toml.
#[cfg(target_os = "linux")]
fn choose_screen(builder: &mut eframe::EventLoopBuilder<eframe::UserEvent>) {
    use winit::platform::x11::EventLoopBuilderExtX11;
    builder.with_x11();
}

#[cfg(not(target_os = "linux"))]
fn choose_screen(_builder: &mut eframe::EventLoopBuilder<eframe::UserEvent>) {}

fn icon() -> egui::IconData {
    let side = 64;
    egui::IconData {
        rgba: crate::pane::icon(side, false),
        width: side,
        height: side,
    }
}

struct Shell<P> {
    page: Rc<RefCell<Option<P>>>,
    follow: Follow,
    look: Option<Look>,
}

impl<P: Page> App for Shell<P> {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        if let Some(page) = &mut *self.page.borrow_mut() {
            page.think(ctx);
        }
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let look = self.follow.look(ui.ctx());
        if self.look.replace(look) != Some(look) {
            look.apply(ui.ctx());
        }
        let escape = ui.input_mut(|input| input.consume_key(egui::Modifiers::NONE, Key::Escape));
        let frame = egui::Frame::new()
            .fill(look.colours().paper)
            .inner_margin(20.0);
        egui::CentralPanel::default().frame(frame).show(ui, |ui| {
            if let Some(page) = &mut *self.page.borrow_mut() {
                page.show(ui, look, escape);
            }
        });
    }

    fn clear_color(&self, _visuals: &egui::Visuals) -> [f32; 4] {
        let look = self.look.unwrap_or_default();
        look.colours().paper.to_normalized_gamma_f32()
    }
}

/// Closes the window.
pub(crate) fn close(ctx: &Context) {
    ctx.send_viewport_cmd(ViewportCommand::Close);
}

/// The size of a window with two panes.
pub(crate) const LARGE: [f32; 2] = [820.0, 560.0];
/// The size of a window with a few lines.
pub(crate) const SMALL: [f32; 2] = [560.0, 340.0];

/// The smallest width in which two panes stand side by side.
pub(crate) const SIDE_BY_SIDE: f32 = 620.0;

/// The height that is left above a row of buttons.
pub(crate) fn above_buttons(ui: &Ui, rows: f32) -> egui::Vec2 {
    let row = ui.spacing().interact_size.y + ui.spacing().item_spacing.y;
    vec2(
        ui.available_width(),
        (ui.available_height() - row * rows).max(80.0),
    )
}
