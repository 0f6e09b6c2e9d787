//! Every text that a person reads, in Czech and English, from Fluent files in `locales/<language>/<area>.ftl`.
//!
//! Page, mail and command line take their words from here, so that they say the same. To add a text, write it into the
//! same area's file of *both* languages; the tests compare them. To add an area, add its file to both folders and a line to
//! [`AREAS`].
//!
//! ```
//! use obnova_text::{Lang, Text};
//! assert_eq!(Text::of(Lang::En).get("step-migrate"), "Migrating the database");
//! assert_eq!(Text::of(Lang::Cs).get("step-migrate"), "Převod databáze");
//! ```

mod readable;

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::{LanguageIdentifier, langid};

pub use readable::{bytes, decimal};

/// A language that Obnova speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lang {
    /// Czech.
    Cs,
    /// English.
    #[default]
    En,
}

impl Lang {
    /// All of them, in the order in which a person is offered them.
    pub const ALL: [Lang; 2] = [Lang::Cs, Lang::En];

    /// The tag used in HTML, cookies and databases.
    pub fn tag(self) -> &'static str {
        match self {
            Lang::Cs => "cs",
            Lang::En => "en",
        }
    }

    /// The first of an `Accept-Language` header's languages that Obnova speaks; English when there is none. Weights are
    /// taken to be in falling order, as browsers send them.
    pub fn from_accept_language(header: &str) -> Lang {
        header
            .split(',')
            .filter_map(|item| item.split(';').next()?.trim().parse().ok())
            .next()
            .unwrap_or_default()
    }

    fn id(self) -> LanguageIdentifier {
        match self {
            Lang::Cs => langid!("cs"),
            Lang::En => langid!("en"),
        }
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

/// The language is not one that Obnova speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownLang;

impl FromStr for Lang {
    type Err = UnknownLang;

    /// Takes a tag with or without a region: `cs`, `cs-CZ`, `en_GB.UTF-8`.
    fn from_str(tag: &str) -> Result<Lang, UnknownLang> {
        match tag.get(..2).map(str::to_ascii_lowercase).as_deref() {
            Some("cs") => Ok(Lang::Cs),
            Some("en") => Ok(Lang::En),
            _ => Err(UnknownLang),
        }
    }
}

macro_rules! areas {
    ($($area:literal),+ $(,)?) => {
        /// The areas: one file in each language.
        pub const AREAS: &[&str] = &[$($area),+];
        fn sources(lang: Lang) -> Vec<&'static str> {
            match lang {
                Lang::Cs => vec![$(include_str!(concat!("../locales/cs/", $area, ".ftl"))),+],
                Lang::En => vec![$(include_str!(concat!("../locales/en/", $area, ".ftl"))),+],
            }
        }
    };
}

areas!(
    "general",
    "steps",
    "problems",
    "proof",
    "center",
    "rehearsal",
    "mails",
    "front",
    "cli",
    "desktop",
    "desktops",
    "installer"
);

/// The texts of one language.
pub struct Text {
    lang: Lang,
    bundle: FluentBundle<FluentResource>,
}

impl Text {
    /// The texts of this language.
    pub fn of(lang: Lang) -> &'static Text {
        static CS: OnceLock<Text> = OnceLock::new();
        static EN: OnceLock<Text> = OnceLock::new();
        match lang {
            Lang::Cs => CS.get_or_init(|| Text::load(lang)),
            Lang::En => EN.get_or_init(|| Text::load(lang)),
        }
    }

    fn load(lang: Lang) -> Text {
        let mut bundle = FluentBundle::new_concurrent(vec![lang.id()]);
        // Isolation marks would end up in mails, headers and page titles, where they are seen or counted.
        bundle.set_use_isolating(false);
        for source in sources(lang) {
            // A broken file is a defect of ours that the tests find; what could be read of it is used all the same.
            let resource =
                FluentResource::try_new(source.to_owned()).unwrap_or_else(|(resource, _)| resource);
            let _ = bundle.add_resource(resource);
        }
        Text { lang, bundle }
    }

    /// Which language this is.
    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// Whether there is such a text.
    pub fn has(&self, key: &str) -> bool {
        self.bundle
            .get_message(key)
            .is_some_and(|message| message.value().is_some())
    }

    /// The text, or the key itself where there is none, so that a mistake is seen.
    pub fn get(&self, key: &str) -> String {
        self.with(key, &[])
    }

    /// The text with these values in it. A value that is a whole number can be counted by the text's plural forms.
    pub fn with(&self, key: &str, values: &[(&str, &str)]) -> String {
        let Some(pattern) = self
            .bundle
            .get_message(key)
            .and_then(|message| message.value())
        else {
            return key.to_owned();
        };
        let mut args = FluentArgs::with_capacity(values.len());
        for (name, value) in values {
            let value = match value.parse::<i64>() {
                Ok(number) if number.to_string() == *value => FluentValue::from(number),
                _ => FluentValue::from((*value).to_owned()),
            };
            args.set((*name).to_owned(), value);
        }
        let mut errors = Vec::new();
        self.bundle
            .format_pattern(pattern, Some(&args), &mut errors)
            .into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Message identifiers of one file, each with the variables it uses.
    fn messages(source: &str) -> BTreeSet<String> {
        let resource = FluentResource::try_new(source.to_owned())
            .unwrap_or_else(|(_, errors)| panic!("{errors:?}"));
        (0..)
            .map_while(|i| resource.get_entry(i))
            .filter_map(|entry| match entry {
                fluent_bundle_syntax::Entry::Message(message) => Some(message.id.name.to_owned()),
                _ => None,
            })
            .collect()
    }
    use fluent_syntax::ast as fluent_bundle_syntax;

    #[test]
    fn both_languages_have_the_same_texts() {
        for ((area, cs), en) in AREAS.iter().zip(sources(Lang::Cs)).zip(sources(Lang::En)) {
            assert_eq!(messages(cs), messages(en), "area {area}");
        }
    }

    #[test]
    fn no_text_is_defined_twice() {
        let mut seen = BTreeSet::new();
        for source in sources(Lang::Cs) {
            for id in messages(source) {
                assert!(seen.insert(id.clone()), "{id} is defined twice");
            }
        }
    }

    #[test]
    fn the_browsers_first_language_that_we_speak_wins() {
        assert_eq!(
            Lang::from_accept_language("sk-SK,cs;q=0.9,en;q=0.8"),
            Lang::Cs
        );
        assert_eq!(Lang::from_accept_language("de"), Lang::En);
        assert_eq!(Lang::from_accept_language(""), Lang::En);
    }
}
