//! One list of records: a line for each that was found, and only those that can be seen are drawn.

use eframe::egui::{Label, RichText, ScrollArea, Sense, Ui, vec2};
use serde_json::Value;

use crate::data::{Data, Record};
use crate::look::{self, Colours};
use crate::tree::{Tree, View};

/// Height of a line.
const LINE: f32 = 28.0;

/// Draws it; gives back the record that was clicked.
pub fn show(
    ui: &mut Ui,
    colours: Colours,
    tree: &Tree,
    view: &View,
    data: &Data,
    found: &[usize],
    chosen: Option<i64>,
) -> Option<i64> {
    let width = ui.available_width() - ui.spacing().scroll.bar_width - 24.0;
    let widths = widths(view, width);
    ui.horizontal(|ui| {
        for (column, width) in view.columns.iter().zip(&widths) {
            let text = RichText::new(tree.text(column)).family(look::bold());
            cell(ui, *width, text.color(colours.muted).size(12.5), false);
        }
    });
    ui.separator();
    let records = data.records.get(&view.plural)?;
    let mut clicked = None;
    ScrollArea::vertical()
        .auto_shrink(false)
        .id_salt(&view.plural)
        .show_rows(ui, LINE, found.len(), |ui, lines| {
            for record in lines.filter_map(|line| records.get(*found.get(line)?)) {
                let id = record.get("id").and_then(Value::as_i64);
                if line(ui, colours, tree, view, record, &widths, chosen == id) {
                    clicked = id;
                }
            }
        });
    clicked
}

fn line(
    ui: &mut Ui,
    colours: Colours,
    tree: &Tree,
    view: &View,
    record: &Record,
    widths: &[f32],
    chosen: bool,
) -> bool {
    let mut clicked = false;
    ui.horizontal(|ui| {
        ui.set_height(LINE);
        for (number, (column, width)) in view.columns.iter().zip(widths).enumerate() {
            let mut text = RichText::new(value(tree, record, column)).color(colours.text);
            if number == 0 {
                text = text.family(look::bold());
            }
            if number == 0 && chosen {
                text = text.color(colours.accent);
            }
            clicked |= cell(ui, *width, text, number == 0);
        }
    });
    clicked
}

fn cell(ui: &mut Ui, width: f32, text: RichText, button: bool) -> bool {
    let mut label = Label::new(text).truncate().selectable(false);
    if button {
        // Reached by the keyboard and by screen readers too.
        label = label.sense(Sense::click());
    }
    let height = ui.spacing().interact_size.y.min(LINE);
    let align = eframe::egui::Layout::left_to_right(eframe::egui::Align::Center);
    let shown = ui.allocate_ui_with_layout(vec2(width, height), align, |ui| {
        ui.set_min_width(width);
        ui.set_max_width(width);
        ui.add(label)
    });
    shown.inner.clicked()
}

/// The name gets twice as much as the others.
fn widths(view: &View, width: f32) -> Vec<f32> {
    let parts = view.columns.len() as f32 + 1.0;
    let part = (width / parts).max(60.0) - 8.0;
    let columns = view.columns.iter().enumerate();
    columns
        .map(|(number, _)| if number == 0 { 2.0 * part } else { part })
        .collect()
}

/// What a record says in a column, for people.
fn value(tree: &Tree, record: &Record, column: &str) -> String {
    // Of what it refers to, the name rather than the number.
    let reference = column.strip_suffix("_id");
    let value = reference
        .and_then(|name| record.get(name))
        .or_else(|| record.get(column));
    match value {
        Some(Value::String(text)) if column == "stage" => {
            tree.text(&format!("stage-{text}")).to_owned()
        }
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) if column == "amount" => money(number.as_f64().unwrap_or(0.0)),
        Some(Value::Number(number)) if column == "probability" => format!("{number} %"),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// With a narrow space between thousands.
fn money(amount: f64) -> String {
    let digits = format!("{:.0}", amount.abs());
    let mut text = String::from(if amount < 0.0 { "−" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_easy_to_read() {
        assert_eq!(money(1_234_567.4), "1\u{a0}234\u{a0}567");
        assert_eq!(money(0.0), "0");
        assert_eq!(money(-999.0), "−999");
    }
}
