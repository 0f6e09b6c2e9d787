//! A published Desktop on Windows: a real program, which reads what it is to do from a file beside it.

use std::fs;
use std::path::Path;

/// Its program, in the tree.
pub const FILE: &str = "bin/crm.exe";
/// Something else that it needs, and that can be removed while it runs.
pub const PART: &str = "bin/crm.txt";

/// Makes a program that says its version, and then does what it is to do. The check before a switch is told apart by its
/// argument.
pub fn write(tree: &Path, version: &str, does: &str) {
    let tests = std::env::current_exe().unwrap();
    let built = tests.parent().unwrap().parent().unwrap();
    let program = built.join("examples").join("desktop-program.exe");
    fs::copy(program, tree.join(FILE)).unwrap();
    fs::write(tree.join(PART), format!("# {version}\n{does}\n")).unwrap();
}

pub fn make_executable(_file: &Path) {}
