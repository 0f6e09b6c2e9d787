//! Colours and sizes: light and dark, and each with high contrast. The colours are those of the Administration Centre.

use std::sync::Arc;

use eframe::egui::{
    Color32, Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Stroke,
    Style, TextStyle, Theme, Visuals, vec2,
};

/// How everything looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// Light text on dark.
    pub dark: bool,
    /// Nothing but black and white, one accent, and thick lines.
    pub contrast: bool,
}

/// The colours of a look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Colours {
    pub(crate) paper: Color32,
    pub(crate) card: Color32,
    pub(crate) ink: Color32,
    pub(crate) soft: Color32,
    pub(crate) rule: Color32,
    pub(crate) edge: Color32,
    pub(crate) accent: Color32,
    pub(crate) on_accent: Color32,
    pub(crate) danger: Color32,
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

impl Look {
    pub(crate) fn colours(self) -> Colours {
        let of = |hex: [u32; 9]| Colours {
            paper: rgb(hex[0]),
            card: rgb(hex[1]),
            ink: rgb(hex[2]),
            soft: rgb(hex[3]),
            rule: rgb(hex[4]),
            edge: rgb(hex[5]),
            accent: rgb(hex[6]),
            on_accent: rgb(hex[7]),
            danger: rgb(hex[8]),
        };
        match (self.dark, self.contrast) {
            (false, false) => of([
                0xfbfaf6, 0xffffff, 0x1b231f, 0x59645d, 0xe2dfd4, 0x8a938c, 0x17694a, 0xffffff,
                0xa3271d,
            ]),
            (true, false) => of([
                0x131815, 0x1a211d, 0xe7ede8, 0x9fada4, 0x2c3630, 0x6d7a72, 0x79d3a2, 0x0b1a12,
                0xff9d90,
            ]),
            (false, true) => of([
                0xffffff, 0xffffff, 0x000000, 0x000000, 0x000000, 0x000000, 0x003d29, 0xffffff,
                0x8a0000,
            ]),
            (true, true) => of([
                0x000000, 0x000000, 0xffffff, 0xffffff, 0xffffff, 0xffffff, 0xffe600, 0x000000,
                0xffa59b,
            ]),
        }
    }

    /// Thickness of lines.
    pub(crate) fn line(self) -> f32 {
        if self.contrast { 2.0 } else { 1.0 }
    }

    /// Makes everything look so.
    pub(crate) fn apply(self, ctx: &Context) {
        let theme = match self.dark {
            true => Theme::Dark,
            false => Theme::Light,
        };
        ctx.set_theme(theme);
        ctx.set_style_of(theme, self.style());
    }

    fn style(self) -> Style {
        let colours = self.colours();
        let mut visuals = match self.dark {
            true => Visuals::dark(),
            false => Visuals::light(),
        };
        visuals.override_text_color = None;
        visuals.panel_fill = colours.paper;
        visuals.window_fill = colours.card;
        visuals.extreme_bg_color = colours.rule;
        visuals.code_bg_color = colours.rule;
        visuals.weak_text_color = Some(colours.soft);
        visuals.error_fg_color = colours.danger;
        visuals.selection.bg_fill = colours.accent;
        visuals.selection.stroke = Stroke::new(1.0, colours.on_accent);
        let line = self.line();
        let widgets = &mut visuals.widgets;
        for (widget, edge) in [
            (&mut widgets.noninteractive, Stroke::new(line, colours.rule)),
            (&mut widgets.inactive, Stroke::new(line, colours.edge)),
            (&mut widgets.hovered, Stroke::new(line + 1.0, colours.ink)),
            // Also whatever has the keyboard: that must be seen.
            (&mut widgets.active, Stroke::new(3.0, colours.ink)),
            (&mut widgets.open, Stroke::new(line, colours.ink)),
        ] {
            widget.bg_stroke = edge;
            widget.fg_stroke = Stroke::new(1.0, colours.ink);
            widget.bg_fill = colours.card;
            widget.weak_bg_fill = colours.card;
            widget.corner_radius = CornerRadius::same(6);
            widget.expansion = 0.0;
        }
        let mut style = Style {
            visuals,
            ..Style::default()
        };
        let spacing = &mut style.spacing;
        spacing.item_spacing = vec2(10.0, 8.0);
        spacing.button_padding = vec2(16.0, 8.0);
        spacing.interact_size = vec2(40.0, 34.0);
        spacing.window_margin = Margin::same(16);
        spacing.extra_text_line_spacing = 2.0;
        spacing.scroll.floating = false;
        style.animation_time = 0.0;
        let size = |style: &TextStyle| match style {
            TextStyle::Heading => 24.0,
            TextStyle::Small => 13.0,
            _ => 15.0,
        };
        for (text, font) in &mut style.text_styles {
            *font = match text {
                TextStyle::Heading => FontId::new(size(text), bold()),
                _ => FontId::new(size(text), FontFamily::Proportional),
            };
        }
        style
    }
}

/// The bold one of the two fonts.
pub(crate) fn bold() -> FontFamily {
    FontFamily::Name("bold".into())
}

/// The fonts come with the program: not every computer has one, and not every one has all Czech letters.
pub(crate) fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::empty();
    let files: [(&str, &'static [u8]); 2] = [
        ("regular", include_bytes!("../assets/NotoSans-Regular.ttf")),
        ("bold", include_bytes!("../assets/NotoSans-Bold.ttf")),
    ];
    for (name, bytes) in files {
        let data = Arc::new(FontData::from_static(bytes));
        fonts.font_data.insert(name.into(), data);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast as WCAG 2 defines it.
    fn contrast(a: Color32, b: Color32) -> f64 {
        let light = |colour: Color32| {
            let [r, g, b, _] = colour.to_array().map(|byte| {
                let value = f64::from(byte) / 255.0;
                match value <= 0.04045 {
                    true => value / 12.92,
                    false => ((value + 0.055) / 1.055).powf(2.4),
                }
            });
            0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05
        };
        let (a, b) = (light(a), light(b));
        (a / b).max(b / a)
    }

    #[test]
    fn all_text_can_be_read_in_every_look() {
        for dark in [false, true] {
            for high in [false, true] {
                let look = Look {
                    dark,
                    contrast: high,
                };
                let colours = look.colours();
                let least = if high { 7.0 } else { 4.5 };
                for (what, a, b) in [
                    ("ink", colours.ink, colours.paper),
                    ("ink on a card", colours.ink, colours.card),
                    ("soft", colours.soft, colours.paper),
                    ("soft on a card", colours.soft, colours.card),
                    ("a button", colours.on_accent, colours.accent),
                    ("danger", colours.danger, colours.card),
                ] {
                    let found = contrast(a, b);
                    assert!(found >= least, "{look:?} {what}: {found:.2}");
                }
                assert!(contrast(colours.edge, colours.card) >= 3.0, "{look:?}");
            }
        }
    }
}
