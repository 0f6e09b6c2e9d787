//! Where the database is. The password comes from elsewhere, so that the address may stand in arguments, logs and plans.

use std::path::{Path, PathBuf};

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use url::Url;

use super::failure::Failure;
use super::server::Server;
use super::{network, secret};

/// What of the engine's own environment tells how to reach a PostgreSQL server, for the application and the client tools.
const VARIABLES: [&str; 8] = [
    "PGPASSWORD",
    "PGPASSFILE",
    "PGSSLMODE",
    "PGSSLROOTCERT",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGSSLCRL",
    "PGCHANNELBINDING",
];

/// The public certificate authorities, which count where a certificate is to be verified and the address names none. The driver
/// knows them; client tools must be told.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A database and how to get in.
#[derive(Clone)]
pub(super) struct Address {
    /// `postgres://user@host:port/database`.
    pub(super) url: String,
    /// A file that holds the password.
    pub(super) password_file: Option<PathBuf>,
    /// Another database of the same server, to be in while the database is copied and renamed.
    pub(super) maintenance: String,
    /// Whoever may do anything there, at a server of our own; the application has no part in that.
    pub(super) admin: Option<Admin>,
}

/// A role that is used in the place of the application's.
#[derive(Clone)]
pub(super) struct Admin {
    /// Its name.
    pub(super) user: String,
    /// A file that holds its password.
    pub(super) password_file: PathBuf,
}

/// Looks at an address as it stands in the installation file.
///
/// # Errors
/// What is wrong with it. Nothing of the address is in that: there may be a password in it.
pub(crate) fn validate(url: &str) -> Result<(), String> {
    let parsed = Url::parse(url).map_err(|error| format!("database.url: {error}"))?;
    if !matches!(parsed.scheme(), "postgres" | "postgresql") {
        return Err("database.url: postgres://user@host:port/database is expected".to_owned());
    }
    let is_password = |name: &str| matches!(name, "password" | "passfile" | "sslpassword");
    if parsed.password().is_some() || parsed.query_pairs().any(|(name, _)| is_password(&name)) {
        return Err(
            "database.url: no passwords here; write the password into a file of its own and name that in \
             database.password_file"
                .to_owned(),
        );
    }
    match parsed.path().trim_start_matches('/') {
        "" => Err("database.url: the name of the database is missing".to_owned()),
        _ => Ok(()),
    }
}

impl Address {
    /// The server's major version.
    pub(super) fn major(&self) -> Result<u32, Failure> {
        let mut server = Server::connect(self.options(&self.maintenance)?)?;
        let number: Option<u32> = server.ask(
            "SELECT (current_setting('server_version_num')::int / 10000)::text WHERE $1 <> ''",
            &self.maintenance,
        )?;
        number.ok_or_else(|| Failure::Unsuitable("the server does not say its version".to_owned()))
    }

    /// The database's name.
    pub(super) fn database(&self) -> Result<String, Failure> {
        let options = self.parse()?;
        let name = options.get_database();
        name.map(str::to_owned)
            .ok_or_else(|| Failure::Unsuitable("the address names no database".to_owned()))
    }

    /// How to connect to a database of its server.
    pub(super) fn options(&self, database: &str) -> Result<PgConnectOptions, Failure> {
        let options = self
            .parse()?
            .database(database)
            .application_name("obnova")
            .disable_statement_logging();
        if let Some(admin) = &self.admin {
            let password = secret::read(&admin.password_file)?;
            return Ok(options.username(&admin.user).password(&password));
        }
        Ok(match self.password()? {
            Some(password) => options.password(&password),
            None => options,
        })
    }

    /// The address without a database, for client tools; the database is in their environment.
    pub(super) fn server(&self) -> Result<String, Failure> {
        let mut url = self.url()?;
        url.set_path("");
        if let Some(admin) = &self.admin {
            // Only an address without a host refuses that, and a server of our own has one.
            let _ = url.set_username(&admin.user);
        }
        if needs_authorities(&url) {
            url.query_pairs_mut()
                .append_pair("sslrootcert", AUTHORITIES);
        }
        Ok(url.to_string())
    }

    /// The environment with which client tools get in.
    pub(super) fn tool_env(&self) -> Result<Vec<(String, String)>, Failure> {
        let Some(admin) = &self.admin else {
            return Ok(self.env());
        };
        let password = secret::read(&admin.password_file)?;
        Ok(vec![("PGPASSWORD".to_owned(), password)])
    }

    /// The environment with which the application gets in.
    pub(super) fn env(&self) -> Vec<(String, String)> {
        // What leads to the server that the engine was told of does not lead to one of our own.
        let inherited = VARIABLES.into_iter().filter_map(|name| {
            let value = std::env::var(name).ok()?;
            Some((name.to_owned(), value)).filter(|_| self.admin.is_none())
        });
        // An unreadable file is reported by `check`, and by whoever cannot get in without.
        let password = self.password().ok().flatten();
        inherited
            .chain(password.map(|password| ("PGPASSWORD".to_owned(), password)))
            .collect()
    }

    /// The password, if there is a file for it.
    pub(super) fn password(&self) -> Result<Option<String>, Failure> {
        self.password_file.as_deref().map(secret::read).transpose()
    }

    /// Whether the server is on this machine, as far as the address tells.
    pub(super) fn is_local(&self) -> bool {
        self.parse().is_ok_and(|options| {
            let host = options.get_host();
            options.get_socket().is_some() || network::is_loopback(host) || host.starts_with('/')
        })
    }

    /// The server's socket, if the address leads there.
    pub(super) fn socket(&self) -> Option<PathBuf> {
        let options = self.parse().ok()?;
        let name = format!(".s.PGSQL.{}", options.get_port());
        Some(options.get_socket()?.join(name))
    }

    /// What it is, for people: no more of the address than can be known to be harmless.
    pub(super) fn describe(&self) -> String {
        match self.parse() {
            Ok(options) => {
                let socket = options
                    .get_socket()
                    .map(|socket| socket.display().to_string());
                format!(
                    "PostgreSQL {} on {}:{} as {}",
                    options.get_database().unwrap_or_default(),
                    socket.unwrap_or_else(|| options.get_host().to_owned()),
                    options.get_port(),
                    options.get_username()
                )
            }
            Err(_) => "PostgreSQL".to_owned(),
        }
    }

    /// The role that the application is.
    pub(super) fn user(&self) -> Result<String, Failure> {
        Ok(self.parse()?.get_username().to_owned())
    }

    /// The server's TCP port, if its address is one of this machine's own: what the application may have written down
    /// somewhere.
    pub(super) fn loopback_port(&self) -> Option<u16> {
        let options = self.parse().ok()?;
        let is_loopback = network::is_loopback(options.get_host());
        (is_loopback && options.get_socket().is_none()).then(|| options.get_port())
    }

    fn parse(&self) -> Result<PgConnectOptions, Failure> {
        PgConnectOptions::from_url(&self.url()?).map_err(Failure::Server)
    }

    fn url(&self) -> Result<Url, Failure> {
        Url::parse(&self.url).map_err(|error| Failure::Unsuitable(error.to_string()))
    }
}

fn needs_authorities(url: &Url) -> bool {
    let is_set = |name: &str| url.query_pairs().any(|(known, _)| known == name);
    let verifies = |(name, value): (std::borrow::Cow<str>, std::borrow::Cow<str>)| {
        name == "sslmode" && value.starts_with("verify-")
    };
    url.query_pairs().any(verifies)
        && !is_set("sslrootcert")
        && std::env::var_os("PGSSLROOTCERT").is_none()
        && Path::new(AUTHORITIES).is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_password_is_refused_without_repeating_it() {
        for url in [
            "postgres://crm:s3cret@db/crm",
            "postgres://crm@db/crm?password=s3cret",
        ] {
            let wrong = validate(url).unwrap_err();
            assert!(wrong.contains("password_file"), "{wrong}");
            assert!(!wrong.contains("s3cret"), "{wrong}");
        }
    }

    #[test]
    fn an_address_must_name_a_database_of_postgresql() {
        assert!(validate("postgres://crm@db").is_err());
        assert!(validate("mysql://crm@db/crm").is_err());
        assert!(validate("postgres://crm@%2Frun%2Fpostgresql:5433/Kl%C3%AD%C4%8D").is_ok());
    }

    #[test]
    fn the_socket_is_found_where_the_address_leads_to_one() {
        let socket = |url: &str| {
            let address = Address {
                url: url.to_owned(),
                password_file: None,
                maintenance: "postgres".to_owned(),
                admin: None,
            };
            address.socket()
        };
        assert_eq!(
            socket("postgres://crm@%2Fsrv%2Fpg:5433/crm"),
            Some("/srv/pg/.s.PGSQL.5433".into())
        );
        assert_eq!(socket("postgres://crm@localhost/crm"), None);
    }
}
