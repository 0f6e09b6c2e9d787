//! `desktop.toml`: what the installer has set.

use std::path::Path;

use obnova_release::durable;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::{Code, Error};
use crate::layout::Layout;

/// The longest file that is read, bytes.
const MAX_LENGTH: u64 = 1 << 20;

/// What the installer has set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// The product, as in its releases.
    pub product: String,
    /// The address of the customer's Administration Centre.
    #[serde(with = "address")]
    pub server: Url,
    /// A file with certificate authorities to believe besides those of the operating system, as PEM, relative to the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<std::path::PathBuf>,
}

impl Configuration {
    pub(crate) fn read(layout: &Layout) -> Result<Self, Error> {
        let path = layout.configuration();
        let damaged = |reason: String| {
            Error::new(Code::StateDamaged)
                .arg("path", path.display())
                .detail(reason)
        };
        let bytes = match durable::read_limited(&path, MAX_LENGTH) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::new(Code::NotInstalled).arg("path", layout.root().display()));
            }
            other => other?,
        };
        let text = String::from_utf8(bytes).map_err(|error| damaged(error.to_string()))?;
        let mut read: Self = toml::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if !matches!(read.server.scheme(), "http" | "https") || read.server.cannot_be_a_base() {
            return Err(damaged(format!(
                "server: {} is not a web address",
                read.server
            )));
        }
        if !read.server.path().ends_with('/') {
            let path = format!("{}/", read.server.path());
            read.server.set_path(&path);
        }
        Ok(read)
    }

    /// Makes a Desktop's root directory, with nothing installed in it yet. What an earlier installer has set is replaced.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn install(&self, root: &Path, trust: &[u8]) -> Result<Layout, Error> {
        let layout = Layout::of(root);
        durable::create_dir_all(&layout.state().join("running"))?;
        durable::create_dir_all(&layout.versions())?;
        durable::write(&layout.trust(), trust, 0o644)?;
        let text = toml::to_string(self).map_err(|error| {
            Error::new(Code::StateDamaged)
                .arg("path", root.display())
                .detail(error)
        })?;
        durable::write(&layout.configuration(), text.as_bytes(), 0o644)?;
        Ok(layout)
    }

    pub(crate) fn authorities(&self, layout: &Layout) -> Result<Vec<u8>, Error> {
        match &self.authorities {
            Some(path) => Ok(durable::read_limited(
                &layout.root().join(path),
                MAX_LENGTH,
            )?),
            None => Ok(Vec::new()),
        }
    }
}

/// An address as text.
mod address {
    use serde::{Deserialize, Deserializer, Serializer};
    use url::Url;

    pub(super) fn serialize<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(url.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
        let text = String::deserialize(deserializer)?;
        Url::parse(&text).map_err(serde::de::Error::custom)
    }
}
