//! The one list of applications.

use crate::app::{Application, Kind};

mod crm;
mod crm_postgres;
mod crm_sqlite;
mod tryton;

/// All of them.
pub fn all() -> [&'static dyn Application; 3] {
    [
        &crm_sqlite::CrmSqlite,
        &crm_postgres::CrmPostgres,
        &tryton::Tryton,
    ]
}

/// The one of this kind.
pub fn of(kind: Kind) -> &'static dyn Application {
    match kind {
        Kind::CrmSqlite => &crm_sqlite::CrmSqlite,
        Kind::CrmPostgres => &crm_postgres::CrmPostgres,
        Kind::Tryton => &tryton::Tryton,
    }
}
