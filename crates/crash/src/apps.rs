//! One file for each.

pub mod crm_postgres;
pub mod crm_sqlite;
