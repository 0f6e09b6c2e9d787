//! Colours and fonts of the window: the CRM's own.

use std::sync::Arc;

use eframe::egui::{
    Color32, Context, FontData, FontDefinitions, FontFamily, FontId, Stroke, TextStyle, Theme,
    Visuals, vec2,
};

/// The colours that differ between light and dark.
#[derive(Debug, Clone, Copy)]
pub struct Colours {
    pub page: Color32,
    pub card: Color32,
    pub line: Color32,
    pub text: Color32,
    pub muted: Color32,
    pub accent: Color32,
    pub on_accent: Color32,
    pub soft: Color32,
    pub bad: Color32,
    pub good: Color32,
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

impl Colours {
    /// Those of a theme; the same as in the CRM's pages.
    pub fn of(theme: Theme) -> Self {
        match theme {
            Theme::Light => Self {
                page: rgb(0xf4f6fb),
                card: rgb(0xffffff),
                line: rgb(0xe2e6f0),
                text: rgb(0x1b2136),
                muted: rgb(0x5d6680),
                accent: rgb(0x3350e0),
                on_accent: rgb(0xffffff),
                soft: rgb(0xeef1fe),
                bad: rgb(0xb3261e),
                good: rgb(0x13693a),
            },
            Theme::Dark => Self {
                page: rgb(0x11141d),
                card: rgb(0x191e2b),
                line: rgb(0x2b3244),
                text: rgb(0xe7eaf3),
                muted: rgb(0x9ca6bf),
                accent: rgb(0x90a4ff),
                on_accent: rgb(0x10142a),
                soft: rgb(0x232b45),
                bad: rgb(0xff9a8f),
                good: rgb(0x93e0b1),
            },
        }
    }
}

/// The bold font.
pub fn bold() -> FontFamily {
    FontFamily::Name("bold".into())
}

/// Sets fonts, sizes and colours.
pub fn apply(context: &Context) {
    context.set_fonts(fonts());
    for theme in [Theme::Light, Theme::Dark] {
        let colours = Colours::of(theme);
        context.style_mut_of(theme, |style| {
            let mut visuals = match theme {
                Theme::Light => Visuals::light(),
                Theme::Dark => Visuals::dark(),
            };
            visuals.panel_fill = colours.page;
            visuals.window_fill = colours.card;
            visuals.extreme_bg_color = colours.card;
            visuals.faint_bg_color = colours.soft;
            visuals.weak_text_color = Some(colours.muted);
            visuals.selection.bg_fill = colours.soft;
            visuals.selection.stroke = Stroke::new(1.0, colours.accent);
            let widgets = &mut visuals.widgets;
            for widget in [
                &mut widgets.noninteractive,
                &mut widgets.inactive,
                &mut widgets.hovered,
                &mut widgets.active,
            ] {
                widget.fg_stroke = Stroke::new(1.0, colours.text);
                widget.bg_stroke = Stroke::new(1.0, colours.line);
                widget.weak_bg_fill = colours.card;
            }
            widgets.hovered.bg_stroke = Stroke::new(1.0, colours.accent);
            // Whatever has the keyboard must be seen.
            widgets.active.bg_stroke = Stroke::new(2.0, colours.accent);
            style.visuals = visuals;
            style.spacing.item_spacing = vec2(8.0, 6.0);
            style.spacing.button_padding = vec2(12.0, 6.0);
            style.spacing.interact_size = vec2(32.0, 30.0);
            style.spacing.scroll.floating = false;
            for (text, font) in &mut style.text_styles {
                *font = match text {
                    TextStyle::Heading => FontId::new(20.0, bold()),
                    TextStyle::Small => FontId::new(12.5, FontFamily::Proportional),
                    _ => FontId::new(14.5, FontFamily::Proportional),
                };
            }
        });
    }
}

/// They come with the program: not every computer has one with all Czech letters.
fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::empty();
    let files: [(&str, &'static [u8]); 2] = [
        (
            "regular",
            include_bytes!("../../../../crates/desktop-gui/assets/NotoSans-Regular.ttf"),
        ),
        (
            "bold",
            include_bytes!("../../../../crates/desktop-gui/assets/NotoSans-Bold.ttf"),
        ),
    ];
    for (name, bytes) in files {
        fonts
            .font_data
            .insert(name.into(), Arc::new(FontData::from_static(bytes)));
    }
    for (family, name) in [
        (FontFamily::Proportional, "regular"),
        (FontFamily::Monospace, "regular"),
        (bold(), "bold"),
    ] {
        fonts.families.insert(family, vec![name.into()]);
    }
    fonts
}
