//! A connection service file, as PostgreSQL's own programs read it (libpq, "The Connection Service File"): what leads to a server
//! stands there once, for everybody.

use std::path::{Path, PathBuf};

use url::Url;

/// Where the file may be named.
const FILE: &str = "PGSERVICEFILE";
/// Where the directory of the system's file may be named.
const DIRECTORY: &str = "PGSYSCONFDIR";
/// Where distributions have the system's directory.
const DIRECTORIES: [&str; 2] = ["/etc/postgresql-common", "/etc"];
const NAME: &str = "pg_service.conf";
/// What is a secret and stands elsewhere.
const SECRETS: [&str; 3] = ["password", "passfile", "sslpassword"];

/// The address that a service is.
///
/// # Errors
/// There is no such service, or something is wrong with it; nothing secret of it is in that.
pub(crate) fn url(service: &str) -> Result<String, String> {
    let mut looked = Vec::new();
    for file in files() {
        let Ok(text) = std::fs::read_to_string(&file) else {
            looked.push(file.display().to_string());
            continue;
        };
        match section(&text, service) {
            Some(settings) => {
                return of_settings(&settings).map_err(|wrong| {
                    format!("database.service: {service} in {}: {wrong}", file.display())
                });
            }
            None => looked.push(file.display().to_string()),
        }
    }
    Err(format!(
        "database.service: there is no service {service}; looked into {}",
        looked.join(", ")
    ))
}

/// The file that this service stands in, if any does.
pub(crate) fn file(service: &str) -> Option<PathBuf> {
    files().into_iter().find(|file| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        section(&text, service).is_some()
    })
}

/// The user's file first.
fn files() -> Vec<PathBuf> {
    let own = match std::env::var_os(FILE) {
        Some(file) => Some(PathBuf::from(file)),
        None => std::env::var_os("HOME").map(|home| Path::new(&home).join(".pg_service.conf")),
    };
    let systems = match std::env::var_os(DIRECTORY) {
        Some(directory) => vec![PathBuf::from(directory)],
        None => DIRECTORIES.map(PathBuf::from).to_vec(),
    };
    own.into_iter()
        .chain(systems.into_iter().map(|directory| directory.join(NAME)))
        .collect()
}

/// The settings of a service: lines `name=value` below `[service]`, up to the next such line.
fn section(text: &str, service: &str) -> Option<Vec<(String, String)>> {
    let heading = format!("[{service}]");
    let mut lines = text.lines().map(str::trim);
    lines.by_ref().find(|line| *line == heading)?;
    let settings = lines
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    Some(settings.collect())
}

fn of_settings(settings: &[(String, String)]) -> Result<String, String> {
    let get = |name: &str| {
        let found = settings.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    if SECRETS.iter().any(|name| get(name).is_some()) {
        return Err(
            "no passwords here: write the password into a file of its own and name that in database.password_file, or in \
             PGPASSFILE"
                .to_owned(),
        );
    }
    let user = get("user").ok_or("user is missing")?;
    let database = get("dbname").unwrap_or(user);
    // An address takes precedence over a name, as it does for libpq; the name is what a certificate is for.
    let host = get("host").or(get("hostaddr")).unwrap_or("localhost");
    let host = match host.contains(':') {
        true => format!("[{host}]"),
        false => encoded(host),
    };
    let port = get("port").unwrap_or("5432");
    let text = format!(
        "postgres://{}@{host}:{port}/{}",
        encoded(user),
        encoded(database)
    );
    let mut url = Url::parse(&text).map_err(|error| error.to_string())?;
    let known = ["user", "dbname", "host", "hostaddr", "port"];
    let others: Vec<_> = settings
        .iter()
        .filter(|(name, _)| !known.contains(&name.as_str()))
        .collect();
    if !others.is_empty() {
        url.query_pairs_mut().extend_pairs(others);
    }
    Ok(url.to_string())
}

/// As it stands in an address.
fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# ours\n[other]\nhost=x\n\n[crm]\nhost = db.example.com\nport=5433\nuser=crm\ndbname=Klíč\n\
        sslmode=verify-full\nsslrootcert=/etc/ssl/ca.pem\n[last]\nhost=/run/postgresql\nuser=a\n[open]\nuser=a\npassword=s3cret\n";

    fn url_of(service: &str) -> Result<String, String> {
        of_settings(&section(TEXT, service).unwrap())
    }

    #[test]
    fn a_service_is_an_address() {
        assert_eq!(
            url_of("crm").unwrap(),
            "postgres://crm@db.example.com:5433/Kl%C3%AD%C4%8D?sslmode=verify-full&sslrootcert=%2Fetc%2Fssl%2Fca.pem"
        );
        assert_eq!(
            url_of("last").unwrap(),
            "postgres://a@%2Frun%2Fpostgresql:5432/a"
        );
        assert!(section(TEXT, "nowhere").is_none());
    }

    #[test]
    fn a_service_without_a_user_or_with_a_password_is_refused() {
        assert!(url_of("other").is_err());
        let wrong = url_of("open").unwrap_err();
        assert!(
            wrong.contains("password_file") && !wrong.contains("s3cret"),
            "{wrong}"
        );
    }
}
