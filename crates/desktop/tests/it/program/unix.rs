//! A published Desktop where there is a shell.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Its program, in the tree.
pub const FILE: &str = "bin/crm";
/// Something else that it needs, and that can be removed while it runs.
pub const PART: &str = FILE;

/// Makes a program that says its version, and then does what it is to do. The check before a switch is told apart by its
/// argument.
pub fn write(tree: &Path, version: &str, does: &str) {
    let program = tree.join(FILE);
    let script = format!(
        "#!/bin/sh\n# {version}\nif [ \"$1\" = self-check ]; then [ ! -e \"$OBNOVA_TEST_UNFIT\" ]; exit; fi\n\
         echo \"$OBNOVA_DESKTOP_VERSION\"\n{does}\n"
    );
    fs::write(&program, script).unwrap();
    make_executable(&program);
}

pub fn make_executable(file: &Path) {
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}
