//! The pieces that all pages are made of: headings, cards, buttons, rows of buttons, and the icon.

use eframe::egui::accesskit::{Live, Role};
use eframe::egui::{
    self, Align, Button, Frame, Key, Layout, Response, RichText, ScrollArea, Stroke, Ui, vec2,
};

use crate::theme::{Look, bold};

/// The page's heading.
pub(crate) fn heading(ui: &mut Ui, text: &str) {
    let shown = ui.add(egui::Label::new(RichText::new(text).heading()).wrap());
    as_heading(ui, &shown);
}

/// Tells screen readers that it is a heading.
pub(crate) fn as_heading(ui: &Ui, shown: &Response) {
    ui.ctx().accesskit_node_builder(shown.id, |node| {
        if let Some(text) = node.value().map(ToOwned::to_owned) {
            node.set_label(text);
        }
        node.set_role(Role::Heading);
    });
}

/// A line that screen readers read when it changes.
pub(crate) fn status(ui: &mut Ui, text: impl Into<egui::WidgetText>) {
    let shown = ui.add(egui::Label::new(text).wrap());
    ui.ctx()
        .accesskit_node_builder(shown.id, |node| node.set_live(Live::Polite));
}

/// Text that matters less.
pub(crate) fn soft(ui: &mut Ui, look: Look, text: &str) {
    ui.add(egui::Label::new(RichText::new(text).color(look.colours().soft)).wrap());
}

/// A card with a title, whose content scrolls: with the wheel, and with the keyboard if `keys`.
pub(crate) fn card(
    ui: &mut Ui,
    look: Look,
    title: &str,
    size: egui::Vec2,
    keys: bool,
    content: impl FnOnce(&mut Ui),
) {
    let colours = look.colours();
    let frame = Frame::new()
        .fill(colours.card)
        .stroke(Stroke::new(look.line(), colours.rule))
        .corner_radius(10.0)
        .inner_margin(16.0);
    let inside = size - vec2(34.0, 34.0);
    frame.show(ui, |ui| {
        ui.set_min_size(inside);
        ui.set_max_size(inside);
        ui.vertical(|ui| {
            let text = RichText::new(title).family(bold()).size(17.0);
            let shown = ui.add(egui::Label::new(text).wrap());
            as_heading(ui, &shown);
            ScrollArea::vertical()
                .id_salt(title)
                .auto_shrink(false)
                .show(ui, |ui| {
                    if keys {
                        scroll_by_keys(ui);
                    }
                    content(ui);
                });
        });
    });
}

fn scroll_by_keys(ui: &mut Ui) {
    let page = ui.clip_rect().height() * 0.8;
    let moves = [
        (Key::PageDown, -page),
        (Key::PageUp, page),
        (Key::ArrowDown, -40.0),
        (Key::ArrowUp, 40.0),
        (Key::End, f32::MIN / 2.0),
        (Key::Home, f32::MAX / 2.0),
    ];
    for (key, by) in moves {
        if ui.input(|input| input.key_pressed(key)) {
            ui.scroll_with_delta(vec2(0.0, by.clamp(-1e6, 1e6)));
        }
    }
}

/// The row of buttons at the bottom: laid out from the right, but read and reached from the left, as they are added.
pub(crate) fn buttons(ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
    ui.with_layout(Layout::bottom_up(Align::Min), |ui| {
        ui.horizontal_wrapped(|ui| content(ui));
    });
}

/// The button that most will want.
pub(crate) fn main_button(ui: &mut Ui, look: Look, text: &str) -> Response {
    let colours = look.colours();
    let text = RichText::new(text).color(colours.on_accent).family(bold());
    ui.add(Button::new(text).fill(colours.accent))
}

/// Any other.
pub(crate) fn button(ui: &mut Ui, text: &str) -> Response {
    ui.add(Button::new(text))
}

/// Gives it the keyboard when nothing else has it.
pub(crate) fn first(response: &Response) {
    if response.ctx.memory(|memory| memory.focused().is_none()) {
        response.request_focus();
    }
}

/// The icon, as rows of red, green, blue and opacity: an arrow that goes round, and a mark when something waits.
pub(crate) fn icon(side: u32, pending: bool) -> Vec<u8> {
    let mut pixels = Vec::with_capacity((side * side * 4) as usize);
    for y in 0..side {
        for x in 0..side {
            let at = |value: u32| (value as f32 + 0.5) / side as f32;
            pixels.extend(colour_at(at(x), at(y), 1.0 / side as f32, pending));
        }
    }
    pixels
}

fn colour_at(x: f32, y: f32, pixel: f32, pending: bool) -> [u8; 4] {
    // How much of the pixel is inside, from the distance to the edge.
    let inside = |distance: f32| (0.5 - distance / pixel).clamp(0.0, 1.0);
    let (dx, dy) = (x - 0.5, y - 0.5);
    let disc = inside(dx.hypot(dy) - 0.48);
    let radius = dx.hypot(dy);
    let opening = dx > 0.0 && dy < 0.0 && dx > -dy * 0.35;
    let ring = match opening {
        true => 0.0,
        false => inside((radius - 0.27).abs() - 0.06),
    };
    // The head, at the upper end of the ring, points to the right.
    let (hx, hy) = (x - 0.56, y - 0.23);
    let head = match (0.0..0.2).contains(&hx) {
        true => inside(hy.abs() - (0.2 - hx) * 0.8),
        false => 0.0,
    };
    let white = ring.max(head);
    let mix = |base: f32, over: f32, share: f32| base + (over - base) * share;
    let mut colour = [
        mix(23.0, 255.0, white),
        mix(105.0, 255.0, white),
        mix(74.0, 255.0, white),
    ];
    let mut opacity = disc;
    if pending {
        let distance = (x - 0.76).hypot(y - 0.76);
        let rim = inside(distance - 0.24);
        let mark = inside(distance - 0.19);
        let over = [
            mix(255.0, 196.0, mark),
            mix(255.0, 60.0, mark),
            mix(255.0, 20.0, mark),
        ];
        for (base, over) in colour.iter_mut().zip(over) {
            *base = mix(*base, over, rim);
        }
        opacity = opacity.max(rim);
    }
    let [red, green, blue] = colour.map(|value| value as u8);
    [red, green, blue, (opacity * 255.0) as u8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_of_a_pending_update_is_seen_in_the_smallest_icon() {
        let (plain, marked) = (icon(22, false), icon(22, true));
        assert_eq!(plain.len(), 22 * 22 * 4);
        let different = plain
            .chunks(4)
            .zip(marked.chunks(4))
            .filter(|(a, b)| a != b)
            .count();
        assert!(different > 50, "{different} pixels");
    }
}
