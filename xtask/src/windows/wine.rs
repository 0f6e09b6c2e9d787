//! A Windows of the tests' own: a Wine with its disk below `target/windows`, gone from memory when the tests are over.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::run;

/// Debian puts it nowhere on the search path.
const WINE: &str = "/usr/lib/wine/wine64";
const SERVER: &str = "/usr/lib/wine/wineserver64";
const COMPILER: &str = "x86_64-w64-mingw32-gcc-posix";
const SHIM: &str = "bcryptprimitives.dll";

pub(crate) struct Wine {
    prefix: PathBuf,
}

impl Wine {
    /// Makes its disk, with the library in it that an old Wine lacks.
    pub(crate) fn ensure(home: &Path) -> Result<Self> {
        let wine = Self {
            prefix: home.join("wine"),
        };
        let system = wine.prefix.join("drive_c/windows/system32");
        // Made by the last step of all that Wine does when it makes a disk.
        if !wine.prefix.join(".update-timestamp").is_file() {
            std::fs::create_dir_all(home)?;
            let mut boot = Command::new(WINE);
            wine.set(boot.args(["wineboot", "--init"]));
            run::run(&mut boot)?;
        }
        if !system.join(SHIM).is_file() {
            let source = run::root().join("xtask/windows/bcryptprimitives.c");
            let mut compile = Command::new(COMPILER);
            compile.args(["-shared", "-O2", "-s", "-o"]);
            compile.arg(system.join(SHIM)).arg(source).arg("-ladvapi32");
            run::run(&mut compile)?;
        }
        Ok(wine)
    }

    /// Has cargo run what it builds for Windows in this Wine.
    pub(crate) fn run_with(&self, cargo: &mut Command) {
        let runner = "CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER";
        self.set(cargo).env(runner, WINE);
    }

    /// Ends it, with everything that still runs in it.
    pub(crate) fn stop(&self) {
        let mut kill = Command::new(SERVER);
        let _ = self.set(kill.arg("--kill")).stderr(Stdio::null()).status();
    }

    /// Quiet, and without asking for the packages of .NET and HTML that it offers to download.
    fn set<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("WINEPREFIX", &self.prefix)
            .env("WINEDEBUG", "-all")
            .env("WINEDLLOVERRIDES", "mscoree=d;mshtml=d")
            .env_remove("DISPLAY")
    }
}
