//! Where a release repository is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use url::Url;

use crate::error::Error;

/// The address of a release repository: a directory (also a file share or a stick) or a web server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A directory of this machine.
    Directory(PathBuf),
    /// The repository's base address; always ends in `/`.
    Http(Url),
}

impl FromStr for Source {
    type Err = Error;

    /// Reads `https://…`, `http://…`, `file:///…` or a plain path.
    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = |reason: String| Error::invalid(format!("release source {text:?}"), reason);
        if text.trim().is_empty() {
            return Err(invalid("is empty".into()));
        }
        let Some((scheme, _)) = text.split_once("://") else {
            return Ok(Self::Directory(PathBuf::from(text)));
        };
        let mut url = Url::parse(text).map_err(|error| invalid(error.to_string()))?;
        match scheme {
            "file" => url
                .to_file_path()
                .map(Self::Directory)
                .map_err(|()| invalid("must name a directory of this machine".into())),
            "http" | "https" => {
                if url.query().is_some() || url.fragment().is_some() {
                    return Err(invalid("must not have a query or fragment".into()));
                }
                if !url.path().ends_with('/') {
                    let path = format!("{}/", url.path());
                    url.set_path(&path);
                }
                Ok(Self::Http(url))
            }
            other => Err(invalid(format!(
                "{other}:// is not supported; use https://, http://, file:// or a path"
            ))),
        }
    }
}

impl fmt::Display for Source {
    /// The address as people may see it: without a password that is in it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(formatter, "{}", path.display()),
            Self::Http(url) => {
                let mut shown = url.clone();
                if shown.password().is_some() {
                    let _ = shown.set_password(Some("***"));
                }
                formatter.write_str(shown.as_str())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths_are_told_apart() {
        // Of this system's own kind: `/srv/repo`, or `C:\\srv\\repo`.
        let directory = std::path::absolute("/srv/repo").unwrap();
        let address = url::Url::from_file_path(&directory).unwrap();
        assert_eq!(
            address.as_str().parse::<Source>().unwrap(),
            Source::Directory(directory)
        );
        assert_eq!(
            "repo".parse::<Source>().unwrap(),
            Source::Directory("repo".into())
        );
        let http: Source = "https://example.org/crm".parse().unwrap();
        assert_eq!(http.to_string(), "https://example.org/crm/");
        assert!("ftp://example.org/".parse::<Source>().is_err());
        assert!("https://example.org/?a=b".parse::<Source>().is_err());
        assert!("".parse::<Source>().is_err());
    }

    #[test]
    fn a_password_is_not_shown() {
        let source: Source = "https://user:hunter2@example.org/".parse().unwrap();
        assert!(!source.to_string().contains("hunter2"));
    }
}
