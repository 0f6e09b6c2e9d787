//! The CRM on a SQLite file in the state directory.

use std::path::Path;

use anyhow::Result;
use obnova_testkit::fingerprint::Fingerprint;

use crate::load::PREFIX;
use crate::world::World;

/// Its section of `installation.toml`.
pub fn section() -> String {
    "[database]\ndriver = \"sqlite\"\npath = \"data/crm.db\"\n".to_owned()
}

/// Its address.
pub fn url(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("state/data/crm.db").display())
}

/// Every row but those of the load, the counter of their keys, and the times in the list of migrations.
///
/// # Errors
/// The file cannot be read.
pub fn database(world: &World) -> Result<Fingerprint> {
    let path = world.state_dir().join("data/crm.db");
    let all = world.block_on(Fingerprint::of_sqlite(path))?;
    let left_out: Vec<String> = all
        .entries()
        .filter(|(name, value)| {
            let is_written = name.starts_with("table activity ") && value.contains(PREFIX);
            let is_counter =
                name.starts_with("table sqlite_sequence ") && value.contains("activity");
            is_written || is_counter
        })
        .map(|(name, _)| name.to_owned())
        .collect();
    Ok(all.without(|name| left_out.iter().any(|it| it == name)))
}
