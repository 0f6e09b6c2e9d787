//! The diagnostic report: facts from a list of what is allowed. Nothing is taken from the environment, the installation file
//! or the settings; logs are taken by their last lines, with everything that is known or looks to be secret taken out.

use std::collections::BTreeMap;

use semver::Version;

use crate::api::{Event, EventKind, Problem, Report, UpdateSummary};
use crate::installation::Installation;
use crate::log;

/// Lines taken from the end of each log.
const LINES: usize = 100;
/// What stands in a secret's place.
const REDACTED: &str = "[redacted]";
/// What is shorter would be found everywhere.
const SHORTEST_SECRET: usize = 4;
/// A name that holds one of these has a secret for its value.
const SECRET_NAMES: [&str; 8] = [
    "password",
    "passwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "authorization",
    "credential",
];

/// What a report is made of.
pub(crate) struct Facts<'a> {
    /// Where logs lie, and what is secret.
    pub(crate) installation: &'a Installation,
    /// What the database's driver knows to be secret.
    pub(crate) database_secrets: Vec<String>,
    /// The installed version.
    pub(crate) installed: Version,
    /// Where the vendor takes reports.
    pub(crate) support_email: Option<String>,
    /// The update it is about.
    pub(crate) update: Option<UpdateSummary>,
    /// That update's events.
    pub(crate) events: Vec<Event>,
}

/// Makes the report.
pub(crate) fn make(facts: Facts) -> Report {
    let Facts {
        installation,
        database_secrets,
        installed,
        support_email,
        update: summary,
        mut events,
    } = facts;
    let secrets = Secrets::of(installation, database_secrets);
    let mut logs = BTreeMap::new();
    logs.insert(
        "application".to_owned(),
        log::tail(&installation.application_log(), LINES),
    );
    if let Some(summary) = &summary {
        logs.insert(
            "migration".to_owned(),
            log::tail(&installation.migration_log(summary.update), LINES),
        );
    }
    for lines in logs.values_mut() {
        lines
            .iter_mut()
            .for_each(|line| *line = secrets.redact(line));
    }
    let redact_problem = |problem: &mut Problem| {
        problem.detail = problem.detail.as_ref().map(|detail| secrets.redact(detail));
    };
    events
        .iter_mut()
        .for_each(|event: &mut Event| match &mut event.kind {
            EventKind::StepFailed { problem, .. } | EventKind::RolledBack { problem, .. } => {
                redact_problem(problem)
            }
            EventKind::StepFinished {
                detail: Some(detail),
                ..
            } => *detail = secrets.redact(detail),
            _ => {}
        });
    let update = summary.map(|mut summary| {
        summary.problem.as_mut().map(redact_problem);
        summary
    });
    Report {
        at: jiff::Timestamp::now(),
        obnova: env!("CARGO_PKG_VERSION").to_owned(),
        product: installation.product.clone(),
        installed,
        update,
        events,
        system: system(installation),
        logs,
        support_email,
    }
}

fn system(installation: &Installation) -> BTreeMap<String, String> {
    let name = rustix::system::uname();
    let mut facts = BTreeMap::from([
        (
            "kernel".to_owned(),
            format!(
                "{} {}",
                name.sysname().to_string_lossy(),
                name.release().to_string_lossy()
            ),
        ),
        (
            "machine".to_owned(),
            name.machine().to_string_lossy().into_owned(),
        ),
    ]);
    if let Ok(processors) = std::thread::available_parallelism() {
        facts.insert("processors".to_owned(), processors.to_string());
    }
    if let Ok(text) = std::fs::read_to_string("/etc/os-release") {
        let name = text
            .lines()
            .find_map(|line| line.strip_prefix("PRETTY_NAME="));
        facts.extend(name.map(|name| ("system".to_owned(), name.trim_matches('"').to_owned())));
    }
    if let Ok(disk) = rustix::fs::statvfs(&installation.state_dir) {
        facts.insert(
            "disk free (bytes)".to_owned(),
            (disk.f_bavail * disk.f_frsize).to_string(),
        );
        facts.insert(
            "disk size (bytes)".to_owned(),
            (disk.f_blocks * disk.f_frsize).to_string(),
        );
    }
    facts
}

/// A text without what is known to be secret, or looks so.
pub(crate) fn redact(installation: &Installation, database: Vec<String>, text: &str) -> String {
    Secrets::of(installation, database).redact(text)
}

/// What is known to be secret in an installation.
struct Secrets {
    values: Vec<String>,
}

impl Secrets {
    /// Those of the database, and values of the service's environment; every one, since no name tells for certain that it is
    /// harmless.
    fn of(installation: &Installation, database: Vec<String>) -> Secrets {
        let known = installation
            .service
            .env
            .values()
            .chain(installation.rehearsal.env.values())
            .cloned()
            .chain(database);
        Secrets::known(known)
    }

    fn known(values: impl Iterator<Item = String>) -> Secrets {
        let mut values: Vec<String> = values
            .flat_map(|value| forms(&value))
            .filter(|value| value.len() >= SHORTEST_SECRET)
            .collect();
        // The longest first, or a part of it would be left over.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Secrets { values }
    }

    fn redact(&self, text: &str) -> String {
        let known = self
            .values
            .iter()
            .fold(text.to_owned(), |text, value| text.replace(value, REDACTED));
        known
            .lines()
            .map(redact_line)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// A secret as programs print it: as it is, line by line, and as it stands in addresses and forms.
fn forms(value: &str) -> Vec<String> {
    let mut forms = vec![value.to_owned()];
    forms.extend(value.lines().map(|line| line.trim().to_owned()));
    let spaces: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    forms.push(spaces.replace('+', "%20"));
    forms.push(spaces);
    // As JSON and Rust have it.
    forms.push(format!("{value:?}").trim_matches('"').to_owned());
    forms
}

/// Takes out what looks secret in one line: the value after a name that says so, and passwords in addresses.
fn redact_line(line: &str) -> String {
    let line = redact_addresses(line);
    let lower = line.to_ascii_lowercase();
    let Some(at) = SECRET_NAMES
        .iter()
        .filter_map(|name| Some(lower.find(name)? + name.len()))
        .min()
    else {
        return line;
    };
    match line[at..].find(['=', ':', ' ']) {
        // Where such a value ends is not known: the rest of the line goes.
        Some(separator) => format!("{}{REDACTED}", &line[..at + separator + 1]),
        None => line,
    }
}

/// `scheme://user:password@host` without the password.
fn redact_addresses(line: &str) -> String {
    let mut done = String::new();
    let mut rest = line;
    while let Some(scheme) = rest.find("://") {
        let (before, after) = rest.split_at(scheme + 3);
        done.push_str(before);
        let authority = &after[..after.find(['/', ' ', '"', '\'']).unwrap_or(after.len())];
        rest = match (authority.rfind('@'), authority.find(':')) {
            (Some(at), Some(colon)) if colon < at => {
                done.push_str(&authority[..=colon]);
                done.push_str(REDACTED);
                &after[at..]
            }
            _ => after,
        };
    }
    done + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planted_secrets_are_taken_out() {
        let secrets = Secrets {
            values: vec!["hunter2-hunter2".to_owned()],
        };
        let text = "connecting with hunter2-hunter2\nDB_PASSWORD=tajne heslo\nto postgres://crm:s3cret@db/crm now\n\
                    Authorization: Bearer abc.def";
        let redacted = secrets.redact(text);
        for secret in ["hunter2", "tajne", "heslo", "s3cret", "abc.def"] {
            assert!(!redacted.contains(secret), "{secret} in {redacted}");
        }
        assert!(redacted.contains("postgres://crm:[redacted]@db/crm now"));
    }

    #[test]
    fn a_secret_is_taken_out_in_whatever_form_it_is_printed() {
        let value = "tajné \"heslo\" & x\nsecond-line";
        let secrets = Secrets::known([value.to_owned()].into_iter());
        let text = format!(
            "{value}\nto https://api/?key={}\nsecond-line alone\n{value:?}",
            url::form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>()
        );
        let redacted = secrets.redact(&text);
        for part in ["tajn", "heslo", "second", "%22"] {
            assert!(!redacted.contains(part), "{part} in {redacted}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_secret_is_found_in_any_text(before in "\\PC{0,60}", secret in "[!-~]{8,40}", after in "\\PC{0,60}") {
            let secrets = Secrets::known([secret.clone()].into_iter());
            let redacted = secrets.redact(&format!("{before}{secret}{after}"));
            proptest::prop_assert!(!redacted.contains(&secret), "{secret} in {redacted}");
        }
    }

    #[test]
    fn harmless_lines_are_left_as_they_are() {
        let line = "2026-11-24 GET http://127.0.0.1:8080/health 200";
        assert_eq!(redact_line(line), line);
    }
}
