//! An installation of one version, made for a trial.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use obnova_engine::api::Problem;
use obnova_engine::database::{self, Database};
use obnova_engine::{INSTALLATION_FILE, Installation, setup};
use semver::Version;

/// What installations are made of.
pub(super) struct Place<'a> {
    /// The vendor's installation file: its releases and ports are replaced.
    pub(super) template: &'a Path,
    /// Where releases come from.
    pub(super) repository: &'a Path,
    /// That repository's root of trust.
    pub(super) root: &'a Path,
}

/// An installation for a trial.
pub(super) struct Installed {
    pub(super) from: Version,
    pub(super) installation: Installation,
    /// The database as it was found, which is nobody else's but also the next trial's.
    found: Option<PathBuf>,
}

impl Place<'_> {
    /// Installs a version in this new directory.
    pub(super) fn install(&self, directory: &Path, from: &Version) -> Result<Installed> {
        let state = directory.join("state");
        std::fs::create_dir_all(&state)?;
        self.write(&state)?;
        let installation = Installation::load(&state).map_err(|it| failed(&it))?;
        let database = database::open(&installation);
        let found = directory.join("found");
        let is_there = database.files().is_empty() || database.files().iter().any(|it| it.exists());
        if is_there {
            std::fs::create_dir_all(&found)?;
            database
                .protect(&found, &|| true)
                .map_err(|it| failed(&it))
                .context("the database cannot be kept as it is now, to be given back")?;
        }
        setup::install(&installation, Some(from.clone()), &mut |_, _| ())
            .map_err(|it| failed(&it))
            .with_context(|| format!("version {from} cannot be installed"))?;
        Ok(Installed {
            from: from.clone(),
            installation,
            found: is_there.then_some(found),
        })
    }

    fn write(&self, state: &Path) -> Result<()> {
        let name = self.template.display();
        let text = std::fs::read_to_string(self.template).with_context(|| name.to_string())?;
        let mut table: toml::Table = text.parse().with_context(|| name.to_string())?;
        let mut set = |section: &str, key: &str, value: String| -> Result<()> {
            let section = table
                .entry(section)
                .or_insert_with(|| toml::Table::new().into());
            let section = section
                .as_table_mut()
                .with_context(|| format!("{name}: releases, front and center are tables"))?;
            section.insert(key.to_owned(), value.into());
            Ok(())
        };
        set("releases", "source", self.repository.display().to_string())?;
        set("releases", "root", self.root.display().to_string())?;
        set("front", "listen", "127.0.0.1:0".to_owned())?;
        set("center", "listen", "127.0.0.1:0".to_owned())?;
        std::fs::write(state.join(INSTALLATION_FILE), table.to_string())?;
        Ok(())
    }
}

impl Installed {
    pub(super) fn state(&self) -> &Path {
        &self.installation.state_dir
    }

    pub(super) fn database(&self) -> Box<dyn Database> {
        database::open(&self.installation)
    }

    /// Returns the database to what it was before the trial. What the protected copies of the trial have put into the server goes, too:
    /// their directory is about to be removed, and nobody would know of it any more.
    pub(super) fn give_back(&self) -> Result<()> {
        let database = self.database();
        let copies = std::fs::read_dir(self.installation.protected_root());
        for copy in copies.into_iter().flatten().flatten() {
            let protected = copy.path().join("database");
            database.forget(&protected).map_err(|it| failed(&it))?;
        }
        let Some(found) = &self.found else {
            return Ok(());
        };
        database.restore(found).map_err(|it| failed(&it))?;
        database.forget(found).map_err(|it| failed(&it))
    }
}

/// A problem of the engine's, as an error of a command for developers.
pub(super) fn failed(problem: &Problem) -> anyhow::Error {
    let arguments = problem.args.iter();
    let arguments: Vec<String> = arguments.map(|(name, it)| format!("{name} {it}")).collect();
    let detail = problem.detail.as_deref().unwrap_or_default();
    anyhow!("{} ({}) {detail}", problem.code, arguments.join(", "))
}
