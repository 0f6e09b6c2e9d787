//! The pages, one file each beside its template of the same name.

pub mod audit;
pub mod copies;
pub mod desktops;
pub mod faults;
pub mod groups;
pub mod history;
pub mod imports;
pub mod install;
pub mod live;
pub mod notifications;
pub mod paging;
pub mod preferences;
pub mod progress;
pub mod refused;
pub mod rehearsal;
pub mod report;
pub mod revert;
pub mod settings;
pub mod setup;
pub mod sign_in;
pub mod updates;
pub mod user;
pub mod users;
pub mod welcome;
