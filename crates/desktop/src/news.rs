//! What the user is to be told after a version has changed, from what is known here: no network.

use std::collections::BTreeMap;

use jiff::Timestamp;
use obnova_release::{Catalog, Channel, Description, VerifiedRelease};
use semver::Version;
use serde::Serialize;

use crate::desktop::Desktop;
use crate::error::{Code, Error};
use crate::pointer::{News, Pointer};

/// What a vendor says of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notes {
    /// The version.
    pub version: Version,
    /// Markdown by language.
    pub texts: BTreeMap<String, String>,
}

impl Notes {
    /// The text in this language, or in English, or in any.
    pub fn text(&self, language: &str) -> &str {
        let text = self.texts.get(language).or_else(|| self.texts.get("en"));
        text.or_else(|| self.texts.values().next())
            .map_or("", String::as_str)
    }
}

/// The version that is here, for showing.
#[derive(Debug, Clone, Serialize)]
pub struct About {
    /// The product's name for people.
    pub name: String,
    /// The version.
    pub version: Version,
    /// What the server last said it is.
    pub server: Option<Version>,
    /// What is new in it, newest version first.
    pub notes: Vec<Notes>,
}

impl Desktop {
    /// What the user has not been told yet; [`Desktop::take_news`] says that it was told. Nothing as long as the version is
    /// on trial: it may go again.
    ///
    /// # Errors
    /// The file that says so is damaged.
    pub fn news(&self) -> Result<Option<News>, Error> {
        let pointer = Pointer::read(&self.layout)?;
        Ok(pointer.news.filter(|_| pointer.trial.is_none()))
    }

    /// The version that is here, and what is new in it since `from`; without `from`, since the version before, or in it alone.
    ///
    /// # Errors
    /// Nothing is installed yet, or a file is damaged.
    pub fn about(&self, from: Option<&Version>) -> Result<About, Error> {
        let pointer = Pointer::read(&self.layout)?;
        let missing = || Error::new(Code::NotInstalled).arg("path", self.layout.root().display());
        let version = pointer.version().cloned().ok_or_else(missing)?;
        let known = {
            let network = self.network()?;
            network.get()?.client.known(Timestamp::now())?
        };
        let release = known
            .as_ref()
            .and_then(|catalog| catalog.release(&version).map(|release| (catalog, release)));
        let before = pointer.previous.map(|previous| previous.version);
        let from = from.or(before.as_ref()).filter(|from| **from < version);
        let of = match (release, from) {
            (Some((catalog, release)), Some(from)) => passed(catalog, from, release),
            (Some((_, release)), None) => vec![release],
            (None, _) => vec![],
        };
        Ok(About {
            name: release.map_or_else(
                || self.configuration.product.clone(),
                |(_, release)| release.description().name.clone(),
            ),
            server: pointer.server,
            notes: notes(&of, |description| Some(&description.notes)),
            version,
        })
    }
}

/// The releases that somebody passes on the way up from `from`, newest first; those for testers only if the last is one.
pub(crate) fn passed<'a>(
    catalog: &'a Catalog,
    from: &Version,
    to: &VerifiedRelease,
) -> Vec<&'a VerifiedRelease> {
    let to = to.description();
    let mut passed = catalog.notes_between(from, &to.version, Channel::Beta);
    passed.retain(|release| to.channel.includes(release.description().channel));
    passed
}

/// One text of each of these releases, where they have it.
pub(crate) fn notes(
    releases: &[&VerifiedRelease],
    which: impl Fn(&Description) -> Option<&BTreeMap<String, String>>,
) -> Vec<Notes> {
    let releases = releases.iter().map(|release| release.description());
    let texts = releases.filter_map(|description| {
        let texts = which(description).filter(|texts| !texts.is_empty())?;
        Some(Notes {
            version: description.version.clone(),
            texts: texts.clone(),
        })
    });
    texts.collect()
}
