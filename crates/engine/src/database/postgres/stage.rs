//! A database of its own made of a snapshot, on a server of our own.

use std::path::Path;

use super::address::Address;
use super::cluster::Cluster;
use super::failure::Failure;
use super::private::{Private, Wanted};
use super::secret;
use super::server::{Server, identifier, literal};
use super::snapshot::{self, Snapshot};
use super::tools;
use crate::durable;

/// The application's password there.
const PASSWORD: &str = "password";

/// Makes it of what lies in `from`. `original` is the address of the original; the answer is that of the clone.
pub(super) fn stage(
    original: &Address,
    cluster: Option<&Cluster>,
    from: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<(Address, Private), Failure> {
    let snapshot = Snapshot::read(from)?;
    let wanted = Wanted {
        version: snapshot.version,
        settings: &snapshot.settings,
        checksums: snapshot.checksums,
        port: original.loopback_port(),
        programs: cluster.and_then(Cluster::programs),
        owner: cluster.and_then(|cluster| cluster.owner().ok()),
    };
    let private = Private::start(from, &wanted, go_on)?;
    let password = from.join(PASSWORD);
    let secret = secret::make()?;
    durable::write(&password, secret.as_bytes(), 0o600)
        .map_err(|error| Failure::disk(&password, error))?;
    let address = private.address(original, &password)?;

    let mut roles = tools::command("psql", &address, &address.maintenance, from)?;
    // A role may be there already, or be granted by one that is not; what matters fails below.
    roles
        .args(["--no-psqlrc", "--quiet", "--file"])
        .arg(snapshot::roles(from));
    tools::run("psql", roles, from, go_on)?;
    let mut server = Server::connect(address.options(&address.maintenance)?)?;
    let (user, secret) = (identifier(&original.user()?), literal(&secret));
    server.run(&format!("ALTER ROLE {user} LOGIN PASSWORD {secret}"))?;

    let name = identifier(&snapshot.database);
    server.run(&format!("CREATE DATABASE {name} {}", snapshot.creation.how))?;
    let options = ["--jobs=2", "--no-tablespaces", "--no-subscriptions"];
    let dump = snapshot::dump(from);
    tools::restore(&address, &snapshot.database, &options, &dump, from, go_on)?;
    snapshot.properties.give(&mut server, &snapshot.database)?;
    private.be_durable(&mut server)?;
    Ok((address, private))
}
