//! Tryton's vendor and its users, for whoever updates a real ERP: this example, and the crash harness.

pub mod users;
pub mod vendor;
