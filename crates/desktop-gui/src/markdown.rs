//! A vendor's notes, drawn simply and safely: headings, paragraphs, lists, emphasis. HTML is left out, pictures are their
//! descriptions, and links are text with their address: nothing is fetched and nothing can be started from here.

use eframe::egui::text::{LayoutJob, TextFormat};
use eframe::egui::{self, FontFamily, FontId, Stroke, Ui};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::pane;
use crate::theme::{Look, bold};

/// A piece of text in one style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    text: String,
    strong: bool,
    emphasis: bool,
    code: bool,
    struck: bool,
}

/// What stands on lines of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Block {
    Heading(Vec<Span>),
    Paragraph(Vec<Span>),
    /// How deep, what stands before it, and the text.
    Item(usize, String, Vec<Span>),
    Rule,
}

/// Takes a text apart.
pub(crate) fn parse(markdown: &str) -> Vec<Block> {
    let mut reader = Reader::default();
    for event in Parser::new_ext(markdown, Options::ENABLE_STRIKETHROUGH) {
        reader.read(event);
    }
    reader.end_block();
    reader.blocks
}

#[derive(Default)]
struct Reader {
    blocks: Vec<Block>,
    spans: Vec<Span>,
    strong: usize,
    emphasis: usize,
    struck: usize,
    is_heading: bool,
    is_code: bool,
    /// For each list around here, the number of its next item; nothing where it has no numbers.
    lists: Vec<Option<u64>>,
    /// What stands before the item that has begun.
    marker: Option<String>,
    links: Vec<(String, usize)>,
}

impl Reader {
    fn read(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.text(&text, self.is_code),
            Event::Code(text) => self.text(&text, true),
            Event::SoftBreak => self.text(" ", false),
            Event::HardBreak => self.text("\n", false),
            Event::Rule => self.blocks.push(Block::Rule),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { .. } => {
                self.end_block();
                self.is_heading = true;
            }
            Tag::Paragraph => self.end_block(),
            Tag::CodeBlock(_) => {
                self.end_block();
                self.is_code = true;
            }
            Tag::List(first) => {
                self.end_block();
                self.lists.push(first);
            }
            Tag::Item => {
                self.end_block();
                self.marker = Some(match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}.", *number - 1)
                    }
                    _ => "•".into(),
                });
            }
            Tag::Strong => self.strong += 1,
            Tag::Emphasis => self.emphasis += 1,
            Tag::Strikethrough => self.struck += 1,
            Tag::Link { dest_url, .. } => {
                let length = self.spans.iter().map(|span| span.text.len()).sum();
                self.links.push((dest_url.into_string(), length));
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) | TagEnd::Paragraph | TagEnd::Item => self.end_block(),
            TagEnd::CodeBlock => {
                self.end_block();
                self.is_code = false;
            }
            TagEnd::List(_) => {
                self.end_block();
                self.lists.pop();
            }
            TagEnd::Strong => self.strong -= 1,
            TagEnd::Emphasis => self.emphasis -= 1,
            TagEnd::Strikethrough => self.struck -= 1,
            TagEnd::Link => {
                if let Some((address, start)) = self.links.pop() {
                    let text: String = self.spans.iter().map(|span| span.text.as_str()).collect();
                    let is_same = text.get(start..).is_some_and(|text| text == address);
                    let is_web = ["https://", "http://", "mailto:"]
                        .iter()
                        .any(|scheme| address.starts_with(scheme));
                    if is_web && !is_same {
                        self.text(&format!(" ({address})"), false);
                    }
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str, code: bool) {
        let span = Span {
            text: text.to_owned(),
            strong: self.strong > 0,
            emphasis: self.emphasis > 0,
            code,
            struck: self.struck > 0,
        };
        match self.spans.last_mut() {
            Some(last) if same_style(last, &span) => last.text.push_str(text),
            _ => self.spans.push(span),
        }
    }

    fn end_block(&mut self) {
        let spans = std::mem::take(&mut self.spans);
        let is_heading = std::mem::take(&mut self.is_heading);
        if spans.iter().all(|span| span.text.trim().is_empty()) {
            return;
        }
        self.blocks.push(match (is_heading, self.lists.len()) {
            (true, _) => Block::Heading(spans),
            (false, 0) => Block::Paragraph(spans),
            (false, depth) => {
                let marker = self.marker.take().unwrap_or_default();
                Block::Item(depth, marker, spans)
            }
        });
    }
}

fn same_style(a: &Span, b: &Span) -> bool {
    (a.strong, a.emphasis, a.code, a.struck) == (b.strong, b.emphasis, b.code, b.struck)
}

/// Draws a text.
pub(crate) fn show(ui: &mut Ui, look: Look, markdown: &str) {
    for block in parse(markdown) {
        match block {
            Block::Heading(spans) => {
                let shown = ui.add(egui::Label::new(job(&spans, look, true)).wrap());
                pane::as_heading(ui, &shown);
            }
            Block::Paragraph(spans) => {
                ui.add(egui::Label::new(job(&spans, look, false)).wrap());
            }
            Block::Item(depth, marker, spans) => {
                ui.horizontal_top(|ui| {
                    ui.add_space(16.0 * (depth as f32 - 1.0));
                    let width = ui.spacing().interact_size.y * 0.6;
                    ui.allocate_ui(egui::vec2(width, 0.0), |ui| {
                        ui.set_min_width(width);
                        ui.label(marker);
                    });
                    ui.vertical(|ui| ui.add(egui::Label::new(job(&spans, look, false)).wrap()));
                });
            }
            Block::Rule => {
                ui.separator();
            }
        }
    }
}

fn job(spans: &[Span], look: Look, heading: bool) -> LayoutJob {
    let colours = look.colours();
    let mut job = LayoutJob::default();
    for span in spans {
        let family = match span.strong || heading {
            true => bold(),
            false => FontFamily::Proportional,
        };
        let format = TextFormat {
            font_id: FontId::new(if heading { 16.0 } else { 15.0 }, family),
            color: colours.ink,
            italics: span.emphasis,
            background: match span.code {
                true => colours.rule.gamma_multiply(0.6),
                false => egui::Color32::TRANSPARENT,
            },
            strikethrough: match span.struck {
                true => Stroke::new(1.0, colours.ink),
                false => Stroke::NONE,
            },
            ..TextFormat::default()
        };
        job.append(&span.text, 0.0, format);
    }
    job
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(spans: &[Span]) -> String {
        spans.iter().map(|span| span.text.as_str()).collect()
    }

    #[test]
    fn headings_paragraphs_and_lists_stand_on_lines_of_their_own() {
        let blocks =
            parse("# Big\nOne **strong** word\non two lines.\n\n- a\n  - b\n- c\n\n3. d\n4. e\n");
        let shown: Vec<String> = blocks
            .iter()
            .map(|block| match block {
                Block::Heading(spans) => format!("# {}", plain(spans)),
                Block::Paragraph(spans) => plain(spans),
                Block::Item(depth, marker, spans) => format!("{depth} {marker} {}", plain(spans)),
                Block::Rule => "-".into(),
            })
            .collect();
        assert_eq!(
            shown,
            [
                "# Big",
                "One strong word on two lines.",
                "1 • a",
                "2 • b",
                "1 • c",
                "1 3. d",
                "1 4. e"
            ]
        );
        let Block::Paragraph(spans) = &blocks[1] else {
            panic!("{blocks:?}");
        };
        assert!(spans[1].strong && spans[1].text == "strong");
    }

    #[test]
    fn nothing_in_it_can_run_or_be_fetched() {
        let blocks = parse(
            "<script>alert(1)</script>\n\nHi <b onclick=x>you</b> ![a cat](https://x.test/cat.png) \
             [go](javascript:alert(1)) [site](https://x.test/) <https://y.test/>",
        );
        let all: String = blocks
            .iter()
            .map(|block| match block {
                Block::Paragraph(spans) => plain(spans),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            all,
            "Hi you a cat go site (https://x.test/) https://y.test/"
        );
    }
}
