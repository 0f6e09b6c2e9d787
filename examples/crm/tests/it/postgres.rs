//! The database of these tests is one of many in a PostgreSQL cluster that ends with them.

use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use obnova_testkit::postgres::Postgres;

/// What it says about the index that 1.2.0 cannot make.
pub const DUPLICATES: &str = "could not create unique index";

/// The password of the role `crm`, known to the cluster of this run only.
const PASSWORD: &str = "only-in-the-environment";

static CLUSTER: LazyLock<Postgres> = LazyLock::new(|| {
    let cluster = Postgres::start().expect("a PostgreSQL of our own");
    let role = format!("CREATE ROLE crm LOGIN PASSWORD '{PASSWORD}'");
    cluster.sql("postgres", "postgres", &role).expect("a role");
    cluster
});

/// Environment that the CRM needs to get in.
pub fn environment() -> Vec<(&'static str, String)> {
    vec![("PGPASSWORD", PASSWORD.to_owned())]
}

/// The address of a database for an installation.
pub fn make(_directory: &Path) -> String {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let name = format!("crm_{}", MADE.fetch_add(1, Ordering::Relaxed));
    let create = format!("CREATE DATABASE {name} OWNER crm");
    CLUSTER
        .sql("postgres", "postgres", &create)
        .expect("a database");
    format!("postgres://crm@127.0.0.1:{}/{name}", CLUSTER.port())
}
