//! What a tree may not hold besides, when it is for Windows. Names of devices, dots and spaces at the end, and names that differ
//! only in case are refused for all systems already.

use super::{Entry, Tree};

/// Of an ending such as `:stream`, which would hide content in another file, of wildcards and of quotes.
const FORBIDDEN: [char; 7] = [':', '*', '?', '"', '<', '>', '|'];

impl Tree {
    /// Says why Windows could not hold this tree, if it could not.
    pub(crate) fn check_for_windows(&self) -> Result<(), String> {
        for (path, entry) in &self.entries {
            if let Some(character) = path.chars().find(|found| FORBIDDEN.contains(found)) {
                return Err(format!(
                    "{path:?} has {character:?}, which Windows does not allow in names"
                ));
            }
            if let Entry::Link { .. } = entry {
                return Err(format!(
                    "{path:?} is a symbolic link, which most users of Windows may not make"
                ));
            }
        }
        Ok(())
    }

    /// As [`Tree::check_for_windows`], for what a vendor calls a platform.
    pub(crate) fn check_for_platform(&self, platform: &str) -> Result<(), String> {
        match platform.starts_with("windows") {
            true => self.check_for_windows(),
            false => Ok(()),
        }
    }
}
