//! What lies beside the program in its version's tree: which lists there are, and all texts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use semver::Version;
use serde::Deserialize;

/// The tree.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Which version it is.
    pub version: Version,
    /// The lists, in order.
    pub views: Vec<View>,
    messages: BTreeMap<String, String>,
}

/// One list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// The kind of records, as the server's addresses call it.
    pub plural: String,
    /// The fields that are shown.
    pub columns: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Views {
    view: Vec<View>,
}

impl Tree {
    /// The tree that the running program lies in, with texts in the user's language.
    ///
    /// # Errors
    /// It is not whole.
    pub fn of_this_program(language: &str) -> Result<Self> {
        let program = std::env::current_exe()?;
        let directory = program.ancestors().nth(2).context("the program's tree")?;
        Self::read(directory, language)
    }

    /// The tree in this directory.
    ///
    /// # Errors
    /// It is not whole.
    pub fn read(directory: &Path, language: &str) -> Result<Self> {
        let read = |name: &str| -> Result<String> {
            let path: PathBuf = directory.join(name);
            std::fs::read_to_string(&path).with_context(|| path.display().to_string())
        };
        let views: Views = toml::from_str(&read("views.toml")?).context("views.toml")?;
        let messages = format!("messages/{language}.toml");
        Ok(Self {
            version: read("VERSION")?.trim().parse().context("VERSION")?,
            views: views.view,
            messages: toml::from_str(&read(&messages)?).context(messages)?,
        })
    }

    /// A text.
    pub fn text<'a>(&'a self, key: &'a str) -> &'a str {
        self.messages.get(key).map_or(key, String::as_str)
    }

    /// A text with a value in it.
    pub fn with(&self, key: &str, values: &[(&str, &str)]) -> String {
        let mut text = self.text(key).to_owned();
        for (name, value) in values {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }
}

/// The user's language: `cs` or `en`.
pub fn language() -> &'static str {
    obnova_desktop::language().tag()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_have_the_same_texts_and_one_for_every_column() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let made = tempfile::tempdir().unwrap();
        std::fs::create_dir(made.path().join("messages")).unwrap();
        for name in ["messages/cs.toml", "messages/en.toml", "views.toml"] {
            std::fs::copy(here.join("tree").join(name), made.path().join(name)).unwrap();
        }
        std::fs::write(made.path().join("VERSION"), "1.0.0\n").unwrap();
        let [cs, en] = ["cs", "en"].map(|it| Tree::read(made.path(), it).unwrap());
        let keys = |tree: &Tree| tree.messages.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&cs), keys(&en));
        for views in [
            here.join("tree/views.toml"),
            here.join("../releases/1.1.0/desktop/views.toml"),
            here.join("../releases/1.4.0/desktop/views.toml"),
        ] {
            let views: Views = toml::from_str(&std::fs::read_to_string(views).unwrap()).unwrap();
            for view in views.view {
                assert!(cs.messages.contains_key(&view.plural));
                for column in &view.columns {
                    assert!(cs.messages.contains_key(column), "{column}");
                }
            }
        }
    }
}
