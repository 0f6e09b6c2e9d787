//! A database of its own made of a snapshot, on a server of our own.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use url::Url;

use super::address::Address;
use super::clone;
use super::dump;
use super::failure::Failure;
use super::image;
use super::private::{Home, Private};
use super::secret;
use super::server::{Server, identifier, literal};
use super::snapshot::Snapshot;
use super::tools;
use crate::durable;

/// The password of the application there, and that of whoever may do anything.
const PASSWORD: &str = "password";
const ADMIN_PASSWORD: &str = "admin.password";
/// Whoever may do anything there.
const ADMIN: &str = "obnova_stage";

/// Makes a server in `from` of the snapshot there, and tells how the application gets in.
pub(super) fn stage(
    original: &Address,
    from: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<(Address, Private), Failure> {
    let snapshot = Snapshot::read(from)?;
    let image = image::place(from);
    let owner = match &snapshot.image {
        Some(_) => {
            let metadata =
                std::fs::metadata(&image).map_err(|error| Failure::disk(&image, error))?;
            Some((metadata.uid(), metadata.gid()))
        }
        None => None,
    };
    let home = Home::make(from, original, owner)?;
    match owner {
        Some(_) => clone::copy(&image, &home.data(), go_on)?,
        None => home.initialise(&snapshot, go_on)?,
    }
    let [password, admin] = [PASSWORD, ADMIN_PASSWORD].map(|name| from.join(name));
    for file in [&password, &admin] {
        durable::write(file, secret::make()?.as_bytes(), 0o600)
            .map_err(|error| Failure::disk(file, error))?;
    }
    let user = original.user()?;
    let first = first(
        &snapshot,
        &user,
        &secret::read(&password)?,
        &secret::read(&admin)?,
    );
    let address = address(original, &home, &user, &password)?;
    let manager = Address {
        url: format!(
            "mysql://{ADMIN}@127.0.0.1:{}/{}?ssl-mode=DISABLED",
            home.port,
            // The database's name as it stands in the address.
            original.url()?.path().trim_start_matches('/')
        ),
        password_file: Some(admin),
    };
    let private = home.start(&snapshot, &first, &manager)?;
    if !go_on() {
        return Err(Failure::Interrupted);
    }
    let mut server = Server::connect(&manager.options()?)?;
    match &snapshot.image {
        Some(_) => let_in(&mut server, &snapshot, &address, &user)?,
        None => fill(&mut server, &manager, &snapshot, &user, from, go_on)?,
    }
    durable::sync_file_system(from).map_err(|error| Failure::disk(from, error))?;
    Ok((address, private))
}

/// What the server does before it lets anybody in: afterwards the application and whoever manages it have passwords of their own,
/// and nobody else gets in.
fn first(snapshot: &Snapshot, user: &str, password: &str, admin: &str) -> String {
    let [user, password, admin] = [user, password, admin].map(literal);
    let manager = format!(
        "CREATE USER '{ADMIN}'@'%' IDENTIFIED BY {admin};\n\
         GRANT ALL PRIVILEGES ON *.* TO '{ADMIN}'@'%' WITH GRANT OPTION;\n"
    );
    match &snapshot.image {
        // Accounts stay, since things in the database run as them.
        Some(_) => format!(
            "UPDATE mysql.global_priv SET Priv = JSON_SET(Priv, '$.account_locked', true) \
             WHERE User <> {user} AND JSON_VALUE(Priv, '$.is_role') IS NULL;\n\
             UPDATE mysql.global_priv SET Priv = JSON_REMOVE(JSON_SET(Priv, '$.plugin', 'mysql_native_password', \
             '$.authentication_string', PASSWORD({password}), '$.account_locked', false, '$.password_lifetime', 0), \
             '$.auth_or', '$.ssl_type') WHERE User = {user} AND JSON_VALUE(Priv, '$.is_role') IS NULL;\n\
             DELETE FROM mysql.global_priv WHERE User = '{ADMIN}';\nFLUSH PRIVILEGES;\n{manager}"
        ),
        None => format!(
            "DELETE FROM mysql.global_priv WHERE User IN ('', 'root');\nFLUSH PRIVILEGES;\n{manager}\
             CREATE USER {user}@'%' IDENTIFIED BY {password};\n"
        ),
    }
}

/// Lets the application in where its account is not one for loopback, as which it comes now.
fn let_in(
    server: &mut Server,
    snapshot: &Snapshot,
    address: &Address,
    user: &str,
) -> Result<(), Failure> {
    if Server::connect(&address.options()?).is_ok() {
        return Ok(());
    }
    let password = literal(&address.password()?.unwrap_or_default());
    let account = format!("{}@'127.0.0.1'", literal(user));
    server.run(&format!(
        "CREATE OR REPLACE USER {account} IDENTIFIED BY {password}"
    ))?;
    grant(server, snapshot, &account)
}

/// Lets an account do what the application may do with the original.
fn grant(server: &mut Server, snapshot: &Snapshot, account: &str) -> Result<(), Failure> {
    server.run(&format!(
        "GRANT ALL PRIVILEGES ON {} TO {account}",
        everything(snapshot)
    ))?;
    for privilege in &snapshot.privileges {
        // One that this server does not know is of no use here.
        let _ = server.run(&format!("GRANT {privilege} ON *.* TO {account}"));
    }
    Ok(())
}

/// The database as it stands in grants, where names of databases are patterns.
fn everything(snapshot: &Snapshot) -> String {
    let pattern = snapshot
        .database
        .replace('\\', "\\\\")
        .replace('_', "\\_")
        .replace('%', "\\%");
    format!("{}.*", identifier(&pattern))
}

/// Makes the database, and lets the application do there what it may do with the original.
fn fill(
    server: &mut Server,
    manager: &Address,
    snapshot: &Snapshot,
    user: &str,
    from: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    server.run(&snapshot.creation)?;
    tools::load(manager, server, &dump::file(from), go_on)?;
    dump::set(server, &snapshot.database, &snapshot.sequences)?;
    grant(server, snapshot, &format!("{}@'%'", literal(user)))?;
    for definer in &snapshot.definers {
        let (name, host) = definer.rsplit_once('@').unwrap_or((definer, "%"));
        let account = format!("{}@{}", literal(name), literal(host));
        server.run(&format!("CREATE USER IF NOT EXISTS {account} ACCOUNT LOCK"))?;
        server.run(&format!(
            "GRANT ALL PRIVILEGES ON {} TO {account}",
            everything(snapshot)
        ))?;
    }
    if let Some(flush) = snapshot.settings.get("innodb_flush_log_at_trx_commit") {
        // Otherwise nothing would take as long as at the original.
        server.run(&format!(
            "SET GLOBAL innodb_flush_log_at_trx_commit = {flush}"
        ))?;
    }
    Ok(())
}

/// How the application gets in: as it does to the original, if that has a place that this server can have.
fn address(
    original: &Address,
    home: &Home,
    user: &str,
    password: &Path,
) -> Result<Address, Failure> {
    let old = original.url()?;
    let unfit = |error: url::ParseError| Failure::Unsuitable(error.to_string());
    let by_socket = old.query_pairs().any(|(name, _)| name == "socket");
    let host = match home.same_port {
        true => old.host_str().unwrap_or("127.0.0.1").to_owned(),
        false => "127.0.0.1".to_owned(),
    };
    let mut url = Url::parse(&format!("{}://{host}:{}", old.scheme(), home.port)).map_err(unfit)?;
    // Only an address without a host refuses that.
    let _ = url.set_username(user);
    url.set_path(old.path());
    let kept: Vec<(String, String)> = old
        .query_pairs()
        .filter(|(name, _)| !name.starts_with("ssl") && name != "socket")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut()
        .extend_pairs(kept)
        .append_pair("ssl-mode", "DISABLED");
    if let Some(socket) = home.socket().filter(|_| by_socket) {
        url.query_pairs_mut()
            .append_pair("socket", &socket.display().to_string());
    }
    Ok(Address {
        url: url.to_string(),
        password_file: Some(password.to_owned()),
    })
}
