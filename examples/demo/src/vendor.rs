//! The CRM's vendor: keys, a repository, and a release when the story wants one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::programs::{Programs, run};

/// What the Desktop is made for.
const PLATFORM: &str = "linux-x86_64";

/// A vendor with a key set and a repository of static files.
#[derive(Debug, Clone)]
pub struct Vendor {
    programs: Programs,
    folder: PathBuf,
    /// Where the programs of the Desktop are; without it releases have none.
    desktop: Option<PathBuf>,
}

impl Vendor {
    /// Makes keys and an empty repository. The keys of root and targets lie apart, as they should.
    ///
    /// # Errors
    /// They could not be made.
    pub fn make(programs: &Programs, folder: &Path) -> Result<Vendor> {
        std::fs::create_dir_all(folder)?;
        let vendor = Vendor {
            programs: programs.clone(),
            folder: folder.to_owned(),
            desktop: None,
        };
        let mut command = vendor.release("init");
        command
            .arg("--repository")
            .arg(vendor.repository())
            .arg("--keys")
            .arg(folder.join("online-keys"));
        run(command
            .arg("--offline-keys")
            .arg(folder.join("offline-keys")))?;
        Ok(vendor)
    }

    /// The same vendor, whose releases bring a Desktop and its installer along from now on.
    ///
    /// # Errors
    /// Its programs have not been built.
    pub fn with_desktop(mut self) -> Result<Vendor> {
        let programs = self.folder.join("desktop-programs");
        self.programs.desktop(&programs)?;
        self.desktop = Some(programs);
        Ok(self)
    }

    /// The repository.
    pub fn repository(&self) -> PathBuf {
        self.folder.join("repository")
    }

    /// The root of trust that every installation gets.
    pub fn root(&self) -> PathBuf {
        self.repository().join("metadata/1.root.json")
    }

    /// Builds and publishes a version of the CRM.
    ///
    /// # Errors
    /// One of the programs failed, with what it said.
    pub fn publish(&self, version: &str) -> Result<()> {
        let work = self.folder.join("work").join(version);
        let built = self.folder.join("built").join(version);
        let mut assemble = Command::new(&self.programs.crm);
        assemble
            .args(["assemble", "--version", version, "--out"])
            .arg(&work);
        if let Some(programs) = &self.desktop {
            assemble.arg("--desktop").arg(programs);
        }
        run(&mut assemble)?;
        let mut build = self.release("build");
        build
            .arg("--description")
            .arg(work.join("release.toml"))
            .arg("--tree")
            .arg(work.join("tree"));
        let desktop = work.join("desktop");
        if self.desktop.is_some() {
            let mut files = std::ffi::OsString::from(format!("{PLATFORM}="));
            files.push(&desktop);
            build.arg("--desktop").arg(files);
        }
        run(build.arg("--out").arg(&built))?;
        if let Some(programs) = &self.desktop {
            let mut installer = self.release("installer");
            installer.arg(&built).args(["--platform", PLATFORM]);
            installer.arg("--repository").arg(self.repository());
            installer.arg("--icon").arg(desktop.join("icon.svg"));
            run(installer.arg("--programs").arg(programs))?;
        }
        let mut publish = self.release("publish");
        publish
            .arg(&built)
            .arg("--repository")
            .arg(self.repository());
        publish.arg("--keys").arg(self.folder.join("online-keys"));
        run(publish.arg("--keys").arg(self.folder.join("offline-keys")))?;
        Ok(())
    }

    fn release(&self, command: &str) -> Command {
        let mut program = Command::new(&self.programs.obnova);
        program.args(["release", command]);
        program
    }
}
