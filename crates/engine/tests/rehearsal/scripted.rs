//! An application that keeps its data on a database server: it asks that before it serves, and a version changes it by SQL.

use std::path::Path;

use anyhow::Result;
use obnova_engine::{Installation, setup};
use obnova_release::publish::{BuildOptions, InitOptions, Vendor, build, init, publish};

use crate::fixture::{Try, test_app};

/// What is published: each version and the SQL of its migration.
pub struct Scripted<'a> {
    /// The part of the installation file about the database.
    pub database: &'a str,
    /// A shell command that asks the database `$1` something.
    pub ask: &'a str,
    /// A command that changes the database; `${sql}` in it is the SQL.
    pub migrate: &'a [&'a str],
    /// Versions, the first of them to be installed, and their SQL.
    pub versions: &'a [(&'a str, &'a str)],
}

/// The password of the application's account.
pub const PASSWORD: &str = "tajne-heslo";

impl Scripted<'_> {
    /// The first version, installed and serving, in a new folder of this one.
    pub fn install(&self, place: &Path) -> Result<Try> {
        let dir = tempfile::tempdir_in(place)?;
        let (keys, state) = (dir.path().join("keys"), dir.path().join("state"));
        let vendor = Vendor::new(dir.path().join("repository"), vec![keys.clone()]);
        let options = InitOptions {
            online_keys: keys.clone(),
            offline_keys: keys,
            root: (1, 1),
            targets: (1, 1),
        };
        let initialised = init(&vendor, &options)?;
        for (version, sql) in self.versions {
            self.publish(dir.path(), &vendor, version, sql)?;
        }
        std::fs::create_dir_all(&state)?;
        std::fs::copy(initialised.root, state.join("root.json"))?;
        std::fs::write(state.join("password"), PASSWORD)?;
        std::fs::write(
            state.join("installation.toml"),
            format!(
                "product = \"test-app\"\n[releases]\nsource = \"../repository\"\n\
                 [data]\ndirectories = [\"data\"]\n[front]\nlisten = \"127.0.0.1:0\"\n\
                 [center]\nlisten = \"127.0.0.1:0\"\n[database]\npassword_file = \"password\"\n{}\n",
                self.database
            ),
        )?;
        let installation = Installation::load(&state).map_err(failed)?;
        let first = self.versions[0].0.parse()?;
        setup::install(&installation, Some(first), &mut |_, _| ()).map_err(failed)?;
        let mut it = Try::of(dir)?;
        it.start(None)?;
        it.check()?;
        it.settled()?;
        Ok(it)
    }

    fn publish(&self, dir: &Path, vendor: &Vendor, version: &str, sql: &str) -> Result<()> {
        let work = dir.join(format!("work-{version}"));
        std::fs::create_dir_all(work.join("tree/bin"))?;
        std::fs::copy(test_app()?, work.join("tree/bin/test-app"))?;
        let serve = format!(
            "{} && exec \"$2\" serve --port \"$3\" --version {version} --database \"$4/local.db\" --data \"$4\"",
            self.ask
        );
        let (tree, database) = ("${tree}/bin/test-app", "${database}");
        let start = [
            "/bin/sh", "-c", &serve, "sh", database, tree, "${port}", "${data}",
        ];
        let migrate: Vec<String> = self
            .migrate
            .iter()
            .map(|word| word.replace("${sql}", sql))
            .collect();
        let text = format!(
            "product = \"test-app\"\nname = \"Test\"\nversion = \"{version}\"\ndate = \"2026-01-01\"\n\
             [server]\nstart = {}\nmigrate = {}\nhealth_seconds = 20\n\
             [[server.health]]\npath = \"/health\"\ncontains = \"{version}\"\n[database]\nchange = \"migrate\"\n",
            serde_json::to_string(&start)?,
            serde_json::to_string(&migrate)?
        );
        std::fs::write(work.join("release.toml"), text)?;
        let out = dir.join(format!("built-{version}"));
        build(&BuildOptions {
            description: work.join("release.toml"),
            tree: work.join("tree"),
            out: out.clone(),
        })?;
        publish(vendor, &out)?;
        Ok(())
    }
}

fn failed(problem: obnova_engine::api::Problem) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", problem.code, problem.detail.unwrap_or_default())
}
