//! The rules of a description that its types do not express. Each error names the key.

use super::values::unknown;
use semver::Version;

use super::{DatabaseChange, Description, Desktop, DesktopProgram, Probe, Server};
use crate::error::Error;

const MAX_SECONDS: u64 = 24 * 60 * 60;
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

impl Description {
    pub(super) fn check(&self, name: &str) -> Result<(), Error> {
        self.broken_rule()
            .map_or(Ok(()), |rule| Err(Error::invalid(name, rule)))
    }

    fn broken_rule(&self) -> Option<String> {
        if !is_identifier(&self.product) {
            return Some("product: use 1 to 64 lower-case letters, digits and dashes".into());
        }
        if self.name.trim().is_empty() {
            return Some("name: must not be empty".into());
        }
        if !self.version.build.is_empty() {
            return Some(
                "version: build metadata (+…) does not order versions; leave it out".into(),
            );
        }
        // Beside the directory of version 1.0.0-a lies its record 1.0.0-a.json, which another version's directory must not be.
        if self.version.pre.ends_with(".json") {
            return Some("version: must not end in .json".into());
        }
        if let Some(address) = &self.support_email
            && !address.split_once('@').is_some_and(|(user, host)| {
                !user.is_empty() && !host.is_empty() && !address.contains(char::is_whitespace)
            })
        {
            return Some("support_email: is not an e-mail address".into());
        }
        for language in self.notes.keys() {
            if !matches!(language.as_str(), "cs" | "en") {
                return Some(format!("notes.{language}: languages are cs and en"));
            }
        }
        if let Some(rule) = self
            .desktop
            .as_ref()
            .and_then(|desktop| desktop.broken_rule(&self.version))
        {
            return Some(format!("desktop.{rule}"));
        }
        match (self.database, &self.server.migrate) {
            (DatabaseChange::Migrate, None) => {
                Some("server.migrate: is missing, but database.change is \"migrate\"".into())
            }
            (DatabaseChange::None, Some(_)) => {
                Some("server.migrate: is given, but database.change is not \"migrate\"".into())
            }
            _ => self.server.broken_rule(),
        }
    }
}

impl Desktop {
    fn broken_rule(&self, version: &Version) -> Option<String> {
        if let Some(minimum) = self.minimum.as_ref().filter(|minimum| *minimum > version) {
            return Some(format!(
                "minimum: {minimum} is above this release's own version"
            ));
        }
        if !self.platforms.is_empty() && !crate::route::matches(&self.range, version) {
            return Some(
                "range: must hold this release's own version, whose Desktop it brings along".into(),
            );
        }
        for (platform, installer) in &self.installers {
            if !self.platforms.contains_key(platform) {
                return Some(format!(
                    "installers.{platform}: there is no platforms.{platform} to install"
                ));
            }
            if let Some(language) = installer
                .requires
                .keys()
                .find(|language| !matches!(language.as_str(), "cs" | "en"))
            {
                return Some(format!(
                    "installers.{platform}.requires.{language}: languages are cs and en"
                ));
            }
        }
        self.platforms.iter().find_map(|(platform, program)| {
            let rule = match is_platform(platform) {
                true => program.broken_rule()?,
                false => "use 1 to 64 lower-case letters, digits, dashes and underscores".into(),
            };
            Some(format!("platforms.{platform}: {rule}"))
        })
    }
}

impl DesktopProgram {
    fn broken_rule(&self) -> Option<String> {
        if !(1..=3600).contains(&self.confirm_seconds) {
            return Some("confirm_seconds: must be 1 to 3600".into());
        }
        [("start", Some(&self.start)), ("check", self.check.as_ref())]
            .into_iter()
            .find_map(|(key, command)| {
                let command = command?;
                if command.first().is_none_or(|program| program.is_empty()) {
                    return Some(format!("{key}: must begin with a program"));
                }
                let wrong = |part: &&String| {
                    part.contains('\0') || part.replace("${tree}", "").contains("${")
                };
                let part = command.iter().find(wrong)?;
                Some(format!(
                    "{key}: {part:?} holds a NUL or another placeholder than ${{tree}}"
                ))
            })
    }
}

pub(crate) fn is_platform(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
        })
}

impl Server {
    fn broken_rule(&self) -> Option<String> {
        let commands = [
            ("start", Some(&self.start)),
            ("migrate", self.migrate.as_ref()),
            ("check", self.check.as_ref()),
            ("neutralise", self.neutralise.as_ref()),
        ];
        for (key, command) in commands {
            if let Some(rule) = command.and_then(|command| broken_command(key, command)) {
                return Some(rule);
            }
        }
        for (key, value) in &self.env {
            if key.is_empty() || key.contains(['=', '\0']) || value.contains('\0') {
                return Some(format!("server.env.{key}: is not an environment variable"));
            }
            if let Some(placeholder) = unknown(value) {
                return Some(format!("server.env.{key}: {}", no_such(placeholder)));
            }
        }
        if !(1..=MAX_SECONDS).contains(&self.stop.seconds) {
            return Some(format!("server.stop.seconds: must be 1 to {MAX_SECONDS}"));
        }
        if !(1..=MAX_SECONDS).contains(&self.health_seconds) {
            return Some(format!("server.health_seconds: must be 1 to {MAX_SECONDS}"));
        }
        if self.health.is_empty() {
            return Some(
                "server.health: at least one probe has to tell whether the new version works"
                    .into(),
            );
        }
        self.health.iter().enumerate().find_map(|(index, probe)| {
            Some(format!("server.health[{index}].{}", probe.broken_rule()?))
        })
    }
}

impl Probe {
    fn broken_rule(&self) -> Option<String> {
        if !METHODS.contains(&self.method.as_str()) {
            return Some(format!("method: must be one of {}", METHODS.join(", ")));
        }
        if !self.path.starts_with('/') || self.path.contains(|c: char| c.is_control() || c == ' ') {
            return Some("path: must begin with / and hold no spaces".into());
        }
        if !(100..600).contains(&self.status) {
            return Some("status: is not an HTTP status".into());
        }
        for (name, value) in &self.headers {
            let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            if name.is_empty() || !name.chars().all(token) || value.contains(char::is_control) {
                return Some(format!("headers.{name}: is not an HTTP header"));
            }
        }
        None
    }
}

fn broken_command(key: &str, command: &[String]) -> Option<String> {
    if command.first().is_none_or(|program| program.is_empty()) {
        return Some(format!("server.{key}: must begin with a program"));
    }
    command.iter().enumerate().find_map(|(index, argument)| {
        if argument.contains('\0') {
            return Some(format!("server.{key}[{index}]: must not hold a NUL"));
        }
        let placeholder = unknown(argument)?;
        Some(format!("server.{key}[{index}]: {}", no_such(placeholder)))
    })
}

fn no_such(placeholder: &str) -> String {
    format!("{placeholder:?} is not one of ${{tree}}, ${{port}}, ${{data}}, ${{database}}")
}

pub(crate) fn is_identifier(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
