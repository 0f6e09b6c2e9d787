//! Where the database is. The password comes from elsewhere, so that the address may stand in arguments, logs and plans.

use std::path::PathBuf;

use sqlx::ConnectOptions;
use sqlx::mysql::MySqlConnectOptions;
use url::Url;

use super::failure::Failure;
use super::{network, secret};

/// The environment in which MariaDB's and MySQL's programs, and libraries made of theirs, look for the password.
pub(super) const PASSWORD: &str = "MYSQL_PWD";
/// The port unless the address says otherwise.
const DEFAULT_PORT: u16 = 3306;

/// A database and how to get in.
#[derive(Debug, Clone)]
pub(super) struct Address {
    /// `mysql://user@host:port/database`, with `?socket=/path` for a Unix socket.
    pub(super) url: String,
    /// A file that holds the password.
    pub(super) password_file: Option<PathBuf>,
}

/// Looks at an address as it stands in the installation file.
///
/// # Errors
/// What is wrong with it. Nothing of the address is in that: there may be a password in it.
pub(super) fn validate(url: &str) -> Result<(), String> {
    let parsed = Url::parse(url).map_err(|error| format!("database.url: {error}"))?;
    if !matches!(parsed.scheme(), "mysql" | "mariadb") {
        return Err("database.url: mysql://user@host:port/database is expected".to_owned());
    }
    let is_password = |name: &str| name.contains("password") || name.contains("pwd");
    if parsed.password().is_some() || parsed.query_pairs().any(|(name, _)| is_password(&name)) {
        return Err(
            "database.url: no passwords here; write the password into a file of its own and name that in \
             database.password_file"
                .to_owned(),
        );
    }
    if parsed.username().is_empty() {
        return Err("database.url: the name of the user is missing".to_owned());
    }
    match parsed.path().trim_start_matches('/') {
        "" => Err("database.url: the name of the database is missing".to_owned()),
        _ => Ok(()),
    }
}

impl Address {
    /// The database's name.
    pub(super) fn database(&self) -> Result<String, Failure> {
        let options = self.parse()?;
        let name = options.get_database();
        name.map(str::to_owned)
            .ok_or_else(|| Failure::Unsuitable("the address names no database".to_owned()))
    }

    /// The user's name.
    pub(super) fn user(&self) -> Result<String, Failure> {
        Ok(self.parse()?.get_username().to_owned())
    }

    /// How to connect to the server, in no database.
    pub(super) fn options(&self) -> Result<MySqlConnectOptions, Failure> {
        let mut url = self.url()?;
        url.set_path("");
        let options = MySqlConnectOptions::from_url(&url)?.disable_statement_logging();
        Ok(match self.password()? {
            Some(password) => options.password(&password),
            None => options,
        })
    }

    /// The arguments with which the client programs get in; the password is in [`Address::env`].
    pub(super) fn arguments(&self) -> Result<Vec<String>, Failure> {
        let options = self.parse()?;
        let mut arguments = vec![format!("--user={}", options.get_username())];
        match options.get_socket() {
            Some(socket) => arguments.push(format!("--socket={}", socket.display())),
            None => {
                let host = options.get_host().trim_matches(['[', ']']).to_owned();
                arguments.push("--protocol=tcp".to_owned());
                arguments.push(format!("--host={host}"));
                arguments.push(format!("--port={}", options.get_port()));
            }
        }
        let url = self.url()?;
        for (name, value) in url.query_pairs() {
            match (
                name.replace('-', "").as_str(),
                value.to_ascii_uppercase().as_str(),
            ) {
                ("sslmode", "DISABLED") => arguments.push("--skip-ssl".to_owned()),
                ("sslmode", "REQUIRED") => arguments.push("--ssl".to_owned()),
                // The programs verify both, or neither.
                ("sslmode", "VERIFY_CA" | "VERIFY_IDENTITY") => {
                    arguments.extend(["--ssl", "--ssl-verify-server-cert"].map(str::to_owned));
                }
                ("sslca", _) => arguments.push(format!("--ssl-ca={value}")),
                ("sslcert", _) => arguments.push(format!("--ssl-cert={value}")),
                ("sslkey", _) => arguments.push(format!("--ssl-key={value}")),
                _ => {}
            }
        }
        Ok(arguments)
    }

    /// The environment with which client programs and the application get in.
    pub(super) fn env(&self) -> Vec<(String, String)> {
        // An unreadable file is reported by `check`, and by whoever cannot get in without.
        let given = self.password().ok().flatten();
        let password = match self.password_file {
            Some(_) => given,
            None => std::env::var(PASSWORD).ok(),
        };
        password
            .map(|password| (PASSWORD.to_owned(), password))
            .into_iter()
            .collect()
    }

    /// The port, if the server is asked over this machine's loopback.
    pub(super) fn loopback_port(&self) -> Option<u16> {
        let url = self.url().ok()?;
        if url.query_pairs().any(|(name, _)| name == "socket") {
            return None;
        }
        let is_loopback = network::is_loopback(url.host_str()?);
        is_loopback.then(|| url.port().unwrap_or(DEFAULT_PORT))
    }

    /// The server's socket, if the address leads there.
    pub(super) fn socket(&self) -> Option<PathBuf> {
        self.parse().ok()?.get_socket().cloned()
    }

    /// What it is, for people: no more of the address than can be known to be harmless.
    pub(super) fn describe(&self) -> String {
        match self.parse() {
            Ok(options) => {
                let socket = options
                    .get_socket()
                    .map(|socket| socket.display().to_string());
                format!(
                    "MariaDB {} on {} as {}",
                    options.get_database().unwrap_or_default(),
                    socket.unwrap_or_else(|| format!(
                        "{}:{}",
                        options.get_host(),
                        options.get_port()
                    )),
                    options.get_username()
                )
            }
            Err(_) => "MariaDB".to_owned(),
        }
    }

    /// The address as a URL.
    pub(super) fn url(&self) -> Result<Url, Failure> {
        Url::parse(&self.url).map_err(|error| Failure::Unsuitable(error.to_string()))
    }

    /// The password, from its file or from the engine's own environment.
    pub(super) fn password(&self) -> Result<Option<String>, Failure> {
        match &self.password_file {
            Some(file) => secret::read(file).map(Some),
            None => Ok(std::env::var(PASSWORD).ok()),
        }
    }

    fn parse(&self) -> Result<MySqlConnectOptions, Failure> {
        MySqlConnectOptions::from_url(&self.url()?).map_err(Failure::Server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_password_is_refused_without_repeating_it() {
        for url in [
            "mysql://crm:s3cret@db/crm",
            "mysql://crm@db/crm?password=s3cret",
        ] {
            let wrong = validate(url).unwrap_err();
            assert!(wrong.contains("password_file"), "{wrong}");
            assert!(!wrong.contains("s3cret"), "{wrong}");
        }
    }

    #[test]
    fn an_address_must_name_a_user_and_a_database_of_mariadb() {
        assert!(validate("mysql://crm@db").is_err());
        assert!(validate("mysql://db/crm").is_err());
        assert!(validate("postgres://crm@db/crm").is_err());
        assert!(validate("mariadb://crm@db/Kl%C3%AD%C4%8D").is_ok());
    }

    #[test]
    fn programs_are_told_what_the_address_says() {
        let told = |url: &str| {
            let address = Address {
                url: url.to_owned(),
                password_file: None,
            };
            address.arguments().unwrap().join(" ")
        };
        assert_eq!(
            told("mysql://crm@[::1]:3307/crm?ssl-mode=VERIFY_IDENTITY&ssl-ca=/ca.pem"),
            "--user=crm --protocol=tcp --host=::1 --port=3307 --ssl --ssl-verify-server-cert --ssl-ca=/ca.pem"
        );
        assert_eq!(
            told("mysql://crm@localhost/crm?socket=/run/mysqld/mysqld.sock"),
            "--user=crm --socket=/run/mysqld/mysqld.sock"
        );
    }
}
