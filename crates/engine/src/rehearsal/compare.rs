//! Whether data files are after the way back what they were before the update.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use walkdir::WalkDir;

/// Differences that are named; there may be more.
const NAMED: usize = 20;

/// Every file, directory and link in data directories: what it is, its mode, owner, time and content.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Files(BTreeMap<PathBuf, String>);

impl Files {
    /// Those in these directories.
    ///
    /// # Errors
    /// Something cannot be read.
    pub(crate) fn of(directories: &[PathBuf]) -> io::Result<Files> {
        let mut found = BTreeMap::new();
        for directory in directories.iter().filter(|it| it.exists()) {
            for entry in WalkDir::new(directory) {
                let entry = entry?;
                let metadata = entry.metadata()?;
                if is_socket(&metadata) {
                    continue;
                }
                let content = match (metadata.is_file(), metadata.is_symlink()) {
                    (true, _) => digest(entry.path())?,
                    (_, true) => std::fs::read_link(entry.path())?.display().to_string(),
                    _ => String::new(),
                };
                let facts = format!(
                    "{:o} {}:{} {}.{} {content}",
                    metadata.mode(),
                    metadata.uid(),
                    metadata.gid(),
                    metadata.mtime(),
                    metadata.mtime_nsec(),
                );
                found.insert(entry.into_path(), facts);
            }
        }
        Ok(Files(found))
    }

    /// All but these, and what lies beside them under names that begin like theirs.
    pub(crate) fn without(mut self, files: &[PathBuf]) -> Files {
        let is_one = |path: &Path| {
            let path = path.as_os_str().as_encoded_bytes();
            let begins = |file: &PathBuf| path.starts_with(file.as_os_str().as_encoded_bytes());
            files.iter().any(begins)
        };
        self.0.retain(|path, _| !is_one(path));
        self
    }

    /// What is in these and not the same in the others; empty when they are equal.
    pub(crate) fn differences(&self, later: &Files) -> Vec<String> {
        let all = self.0.keys().chain(later.0.keys());
        let mut differing: Vec<&PathBuf> = all
            .filter(|path| self.0.get(*path) != later.0.get(*path))
            .collect();
        differing.sort();
        differing.dedup();
        let say = |path: &&PathBuf| {
            let facts = |files: &Files| files.0.get(*path).cloned();
            format!(
                "{}: {} before, {} after",
                path.display(),
                facts(self).unwrap_or_else(|| "absent".to_owned()),
                facts(later).unwrap_or_else(|| "absent".to_owned())
            )
        };
        let more = differing.len().saturating_sub(NAMED);
        let mut named: Vec<String> = differing.iter().take(NAMED).map(say).collect();
        if more > 0 {
            named.push(format!("and {more} more"));
        }
        named
    }
}

/// Whoever listened on it makes it anew.
fn is_socket(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    metadata.file_type().is_socket()
}

fn digest(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = Sha256::new();
    io::copy(&mut file, &mut hasher)?;
    Ok(hex::encode(hasher.finalize()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn content_mode_and_new_files_are_seen() {
        let dir = tempfile::tempdir().unwrap();
        let directories = [dir.path().to_owned()];
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        std::fs::write(&one, "1").unwrap();
        let before = Files::of(&directories).unwrap();
        assert!(
            before
                .differences(&Files::of(&directories).unwrap())
                .is_empty()
        );
        std::fs::set_permissions(&one, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::fs::write(&two, "2").unwrap();
        let found = before.differences(&Files::of(&directories).unwrap());
        let said = found.join("\n");
        assert!(
            said.contains("one") && said.contains("absent before"),
            "{said}"
        );
    }
}
