//! The installers of the Desktop: which there are, which is the right one for a visitor's computer, and the files themselves. They
//! are for everybody who sees the welcome page.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use axum::Extension;
use axum::extract::{self, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use obnova_engine::api::{CopiedInstaller, DESKTOPS_NAME, INSTALLERS_NAME};

use super::file;
use crate::app::Centre;
use crate::connections::Cut;
use crate::error::Failure;

/// The longest list that is read, bytes.
const MAX_LIST: u64 = 1 << 20;

/// The installers whose files are here; none where no Desktop is published.
pub async fn list(state_dir: &Path) -> Vec<CopiedInstaller> {
    let copy = state_dir.join(DESKTOPS_NAME);
    let read = tokio::task::spawn_blocking(move || read(&copy)).await;
    read.unwrap_or_default()
}

fn read(copy: &Path) -> Vec<CopiedInstaller> {
    let path = copy.join(INSTALLERS_NAME);
    let fits = std::fs::metadata(&path).is_ok_and(|found| found.len() <= MAX_LIST);
    let bytes = match fits {
        true => std::fs::read(&path).unwrap_or_default(),
        false => return Vec::new(),
    };
    let listed: Vec<CopiedInstaller> = serde_json::from_slice(&bytes).unwrap_or_else(|error| {
        tracing::warn!(%error, "the list of installers cannot be read: {error}");
        Vec::new()
    });
    // An installer whose file is away for once is not offered.
    let is_there = |installer: &CopiedInstaller| {
        place(copy, installer)
            .and_then(|place| place.metadata().ok())
            .is_some_and(|found| found.len() == installer.bytes)
    };
    listed.into_iter().filter(is_there).collect()
}

/// Where its file is; only below the copy.
fn place(copy: &Path, installer: &CopiedInstaller) -> Option<PathBuf> {
    let inside = Path::new(&installer.place);
    let is_plain = inside
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    is_plain.then(|| copy.join(inside))
}

/// The address of an installer's file.
pub fn address(installer: &CopiedInstaller) -> String {
    // A version can have a plus; in a path it stands for itself.
    format!(
        "/download/{}/{}/{}",
        installer.version, installer.platform, installer.file_name
    )
}

/// `GET /download/{version}/{platform}/{file}`
pub async fn send(
    State(centre): State<Centre>,
    Extension(cut): Extension<Cut>,
    extract::Path((version, platform, name)): extract::Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let state_dir = &centre.options().state_dir;
    let listed = list(state_dir).await;
    let wanted = listed.into_iter().find(|it| {
        it.platform == platform && it.file_name == name && it.version.to_string() == version
    });
    let installer = wanted.ok_or(Failure::NotFound)?;
    let place = place(&state_dir.join(DESKTOPS_NAME), &installer).ok_or(Failure::NotFound)?;
    let Some(turn) = centre.turns().take(cut).await else {
        let later = [(header::RETRY_AFTER, "10")];
        return Ok((StatusCode::SERVICE_UNAVAILABLE, later).into_response());
    };
    let own = [
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{}\"", installer.file_name),
        ),
    ];
    let values = own.map(|(name, value)| HeaderValue::from_str(&value).map(|value| (name, value)));
    let [Ok(cache), Ok(kind), Ok(disposition)] = values else {
        return Err(Failure::NotFound);
    };
    let digest = Some(installer.sha256.as_str());
    match file::send(&place, digest, &headers, [cache, kind, disposition], turn).await {
        Ok(response) => Ok(response),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Failure::NotFound),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

/// What a visitor's browser says about its computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Computer {
    system: &'static str,
    /// Nothing when it does not say.
    processor: Option<&'static str>,
}

impl Computer {
    /// Of a request; nothing for a phone, or when it cannot be told.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_ascii_lowercase()
        };
        let agent = text(header::USER_AGENT.as_str());
        let hint = text("sec-ch-ua-platform");
        let system = match hint.trim_matches('"') {
            "windows" => "windows",
            "macos" => "macos",
            "linux" => "linux",
            "" | "unknown" => system(&agent)?,
            _ => return None,
        };
        let processor = match (text("sec-ch-ua-arch").trim_matches('"'), system) {
            ("arm", _) => Some("aarch64"),
            ("x86", _) => Some("x86_64"),
            // Browsers on Macs say Intel whatever there is.
            (_, "macos") => None,
            _ => processor(&agent),
        };
        Some(Self { system, processor })
    }

    /// Whether an installer for this platform is the right one.
    pub fn fits(self, platform: &str) -> bool {
        let (system, processor) = platform.split_once('-').unwrap_or((platform, ""));
        system == self.system && self.processor.is_none_or(|known| known == processor)
    }
}

fn system(agent: &str) -> Option<&'static str> {
    let has = |word: &str| agent.contains(word);
    // Phones and tablets name the systems that they descend from.
    if ["android", "iphone", "ipad", "cros", "mobile"]
        .into_iter()
        .any(has)
    {
        return None;
    }
    if has("windows nt") {
        Some("windows")
    } else if has("macintosh") {
        Some("macos")
    } else if has("linux") {
        Some("linux")
    } else {
        None
    }
}

fn processor(agent: &str) -> Option<&'static str> {
    let has = |word: &&str| agent.contains(word);
    if ["aarch64", "arm64"].iter().any(has) {
        Some("aarch64")
    } else if ["x86_64", "x64", "win64", "amd64", "wow64"].iter().any(has) {
        Some("x86_64")
    } else {
        None
    }
}

/// A platform as people call it: what it is called is the same in all languages.
pub fn platform_name(platform: &str) -> String {
    let (system, processor) = platform.split_once('-').unwrap_or((platform, ""));
    let system = match system {
        "linux" => "Linux",
        "windows" => "Windows",
        "macos" => "macOS",
        _ => return platform.to_owned(),
    };
    match processor {
        "x86_64" => format!("{system} (x86-64)"),
        "aarch64" => format!("{system} (ARM64)"),
        "" => system.to_owned(),
        other => format!("{system} ({other})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn computer(agent: &'static str, hints: &[(&'static str, &'static str)]) -> Option<Computer> {
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        for (name, value) in hints {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        Computer::of(&headers)
    }

    #[test]
    fn a_browser_says_which_computer_it_is_on() {
        let fits = |agent, platform: &str| computer(agent, &[]).is_some_and(|it| it.fits(platform));
        let windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/150.0 Safari/537.36";
        let linux = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0";
        let arm = "Mozilla/5.0 (X11; Linux aarch64) AppleWebKit/537.36 Chrome/150.0 Safari/537.36";
        let mac =
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Safari/605.1";
        assert!(fits(windows, "windows-x86_64") && !fits(windows, "linux-x86_64"));
        assert!(fits(linux, "linux-x86_64") && !fits(linux, "linux-aarch64"));
        assert!(fits(arm, "linux-aarch64") && !fits(arm, "linux-x86_64"));
        assert!(fits(mac, "macos-aarch64") && fits(mac, "macos-x86_64"));
    }

    #[test]
    fn phones_and_what_is_unknown_have_no_installer() {
        for agent in [
            "Mozilla/5.0 (Linux; Android 16; Pixel 10) AppleWebKit/537.36 Chrome/150.0 Mobile Safari",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Mobile",
            "Mozilla/5.0 (X11; CrOS x86_64 15000.0.0) AppleWebKit/537.36",
            "curl/8.0",
            "",
        ] {
            assert_eq!(computer(agent, &[]), None, "{agent}");
        }
    }

    #[test]
    fn hints_count_more_than_the_long_name() {
        let hints = [
            ("sec-ch-ua-platform", "\"Windows\""),
            ("sec-ch-ua-arch", "\"arm\""),
        ];
        let found = computer("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", &hints).unwrap();
        assert!(found.fits("windows-aarch64") && !found.fits("windows-x86_64"));
        let phone = [("sec-ch-ua-platform", "\"Android\"")];
        assert_eq!(computer("Mozilla/5.0 (X11; Linux x86_64)", &phone), None);
    }

    #[test]
    fn no_file_outside_of_the_copy_is_an_installer() {
        let installer = |place: &str| CopiedInstaller {
            version: semver::Version::new(1, 0, 0),
            platform: "linux-x86_64".into(),
            file_name: "crm.sh".into(),
            bytes: 1,
            sha256: String::new(),
            requires: Default::default(),
            place: place.into(),
        };
        let copy = Path::new("/s/desktops");
        assert!(super::place(copy, &installer("targets/releases/1.0.0/a.crm.sh")).is_some());
        for wrong in ["../center/center.db", "/etc/passwd", "targets/../../x"] {
            assert_eq!(super::place(copy, &installer(wrong)), None, "{wrong}");
        }
    }
}
