//! Release notes: Markdown to HTML that cannot do anything. A vendor is trusted to update the server, not to act in the
//! administrator's browser.

use std::collections::HashSet;

use obnova_engine::api::ReleaseNotes;
use obnova_text::Lang;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// The notes in the reader's language, else in English, else in Czech, else in whichever there is.
pub fn in_language(notes: &ReleaseNotes, lang: Lang) -> Option<(&str, &str)> {
    [lang.tag(), "en", "cs"]
        .into_iter()
        .find_map(|tag| notes.text.get_key_value(tag))
        .or_else(|| notes.text.iter().next())
        .map(|(tag, text)| (tag.as_str(), text.as_str()))
}

/// Clean HTML of Markdown. Its headings begin at the third level, below the page's own; images become nothing, because the
/// pages load none from elsewhere.
pub fn to_html(markdown: &str) -> String {
    let options = Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES;
    let events = Parser::new_ext(markdown, options).map(|event| match event {
        Event::Start(Tag::Heading {
            level,
            id,
            classes,
            attrs,
        }) => Event::Start(Tag::Heading {
            level: lowered(level),
            id,
            classes,
            attrs,
        }),
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(lowered(level))),
        other => other,
    });
    let mut raw = String::new();
    html::push_html(&mut raw, events);
    ammonia::Builder::default()
        .rm_tags(["img"])
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .link_rel(Some("noopener noreferrer"))
        .clean(&raw)
        .to_string()
}

fn lowered(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 | HeadingLevel::H2 => HeadingLevel::H3,
        HeadingLevel::H3 => HeadingLevel::H4,
        _ => HeadingLevel::H5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_in_notes_is_taken_out() {
        let html = to_html(
            "# Hi\n<script>alert(1)</script>\n\n- <a href=\"javascript:alert(2)\" onclick=\"x()\">go</a>\n- **new**\n\n![x](http://evil/x.png)",
        );
        assert!(html.contains("<h3>Hi</h3>"), "{html}");
        assert!(html.contains("<strong>new</strong>"), "{html}");
        for bad in ["script", "javascript", "onclick", "<img"] {
            assert!(!html.contains(bad), "{bad} in {html}");
        }
    }

    #[test]
    fn a_missing_language_falls_back() {
        let notes = ReleaseNotes {
            version: semver::Version::new(1, 0, 0),
            date: "2026-01-01".into(),
            text: [("de".to_owned(), "neu".to_owned())].into(),
        };
        assert_eq!(in_language(&notes, Lang::Cs), Some(("de", "neu")));
    }
}
