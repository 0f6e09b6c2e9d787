//! The window.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use eframe::{NativeOptions, egui};

use crate::app::App;
use crate::look;
use crate::worker::{self, Place};

/// Shows it until it is closed.
///
/// # Errors
/// There is no screen, or it cannot be drawn on.
pub fn show(place: Place) -> Result<()> {
    let title = place.tree.text("brand").to_owned();
    let options = NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title(&title)
            .with_app_id("vzor-crm")
            .with_inner_size([1040.0, 680.0])
            .with_min_inner_size([560.0, 400.0]),
        event_loop_builder: Some(Box::new(choose_screen)),
        ..NativeOptions::default()
    };
    let made = eframe::run_native(
        &title,
        options,
        Box::new(move |creation| {
            let context = &creation.egui_ctx;
            look::apply(context);
            // As the desktop environment says; light where it says nothing.
            context.options_mut(|options| options.fallback_theme = egui::Theme::Light);
            let repaint = context.clone();
            let desktop = Arc::clone(&place.desktop);
            let tree = place.tree.clone();
            let link = worker::start(place, move || repaint.request_repaint())?;
            Ok(Box::new(App::new(tree, desktop, link)))
        }),
    );
    made.map_err(|error| anyhow!("{error}"))
}

/// X11, which every Linux desktop has; see the workspace's Cargo.toml.
#[cfg(target_os = "linux")]
fn choose_screen(builder: &mut eframe::EventLoopBuilder<eframe::UserEvent>) {
    use winit::platform::x11::EventLoopBuilderExtX11;
    builder.with_x11();
}

#[cfg(not(target_os = "linux"))]
fn choose_screen(_builder: &mut eframe::EventLoopBuilder<eframe::UserEvent>) {}
