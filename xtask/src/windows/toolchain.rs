//! A cargo that builds for Windows. Rust's own distribution of the standard library for Windows comes over the network from a
//! server of its own; Debian has its sources, beside the compiler that they belong to, so it is built here, once.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::TARGET;
use crate::run;

/// Debian's programs, whatever else is on the search path. The standard library's sources fit to these only.
const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
const LINKER: &str = "x86_64-w64-mingw32-gcc-posix";
const CXX: &str = "x86_64-w64-mingw32-g++-posix";
/// The parts of the standard library that programs and their tests are linked with.
const PARTS: &str = "build-std=std,panic_unwind,panic_abort,proc_macro,test";

/// Builds below `target/windows`, so that nothing of it is mixed with what is built for this machine.
pub(crate) struct Cargo {
    home: PathBuf,
    sysroot: PathBuf,
}

impl Cargo {
    /// Builds the standard library unless it was built with this compiler before.
    pub(crate) fn ensure() -> Result<Self> {
        let home = run::target_directory()?.join("windows");
        let cargo = Self {
            sysroot: home.join("sysroot"),
            home,
        };
        let compiler = run::output(Command::new(RUSTC).arg("--version").arg("--verbose"))?;
        let done = cargo.sysroot.join("compiler");
        if std::fs::read_to_string(&done).is_ok_and(|built_with| built_with == compiler) {
            return Ok(cargo);
        }
        if cargo.sysroot.exists() {
            std::fs::remove_dir_all(&cargo.sysroot)?;
        }
        cargo.build_sysroot()?;
        // Written last: what is there is complete.
        std::fs::write(done, compiler)?;
        Ok(cargo)
    }

    /// The directory of all that is made for Windows.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// A command of cargo's for the workspace.
    pub(crate) fn command<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = debians_cargo();
        command
            .args(arguments)
            .args(["--locked", "--target", TARGET])
            .env("CARGO_TARGET_DIR", &self.home)
            .env(variable("LINKER"), LINKER)
            .env(variable("RUSTFLAGS"), self.rustflags())
            .env("CC_x86_64_pc_windows_gnu", LINKER)
            .env("CXX_x86_64_pc_windows_gnu", CXX)
            .current_dir(run::root());
        command
    }

    fn rustflags(&self) -> String {
        format!("--sysroot {}", self.sysroot.display())
    }

    /// Builds an empty crate, and keeps the standard library that came with it.
    fn build_sysroot(&self) -> Result<()> {
        let place = self.home.join("sysroot-build");
        std::fs::create_dir_all(place.join("src"))?;
        // A workspace of its own: it is below this one's directory.
        let manifest = "[package]\nname = \"sysroot-build\"\nedition = \"2024\"\n\n[workspace]\n";
        std::fs::write(place.join("Cargo.toml"), manifest)?;
        std::fs::write(place.join("src/lib.rs"), "")?;
        let mut build = debians_cargo();
        build
            .args(["build", "--release", "--target", TARGET, "-Z", PARTS])
            .arg("--message-format=json-render-diagnostics")
            // Debian's compiler is a stable one, and building its standard library is not a stable feature.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_DIR", place.join("target"))
            .env(variable("LINKER"), LINKER)
            .current_dir(&place);
        let messages = run::output(&mut build).context("cannot build the standard library")?;
        let libraries = self.sysroot.join("lib/rustlib").join(TARGET).join("lib");
        std::fs::create_dir_all(&libraries)?;
        let mut count = 0;
        for library in messages.lines().flat_map(libraries_of) {
            let name = library.file_name().context("a library without a name")?;
            std::fs::copy(&library, libraries.join(name))?;
            count += 1;
        }
        if count == 0 {
            bail!("cargo has built no standard library");
        }
        std::fs::remove_dir_all(place)?;
        Ok(())
    }
}

/// The libraries for Windows that a message of cargo's names; those of build scripts are for this machine.
fn libraries_of(message: &str) -> Vec<PathBuf> {
    let message: Value = serde_json::from_str(message).unwrap_or_default();
    if message["reason"] != "compiler-artifact" || message["target"]["name"] == "sysroot_build" {
        return vec![];
    }
    let files = message["filenames"].as_array().into_iter().flatten();
    files
        .filter_map(Value::as_str)
        .map(PathBuf::from)
        .filter(|file| file.extension().is_some_and(|it| it == "rlib"))
        .filter(|file| file.iter().any(|part| part == TARGET))
        .collect()
}

/// Without what the cargo that runs this program has left in the environment for its own compiler.
fn debians_cargo() -> Command {
    let mut command = Command::new(CARGO);
    for variable in ["LD_LIBRARY_PATH", "RUSTUP_TOOLCHAIN", "RUSTFLAGS", "CARGO"] {
        command.env_remove(variable);
    }
    command.env("RUSTC", RUSTC).stdin(Stdio::null());
    command
}

/// Cargo's variable for a setting of this target.
fn variable(setting: &str) -> String {
    let target = TARGET.to_uppercase().replace('-', "_");
    format!("CARGO_TARGET_{target}_{setting}")
}
