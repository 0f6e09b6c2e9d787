//! What an installation holds, for comparing it with what it holds later: when nobody works with it.

use crate::api::Problem;
use crate::application;
use crate::database;
use crate::installation::Installation;
use crate::problem;
use crate::rehearsal::compare::Files;

/// Database, data files and the installed program, each with modes, owners and times.
#[derive(Debug)]
pub struct Contents {
    database: String,
    files: Files,
}

impl Contents {
    /// What is there now.
    ///
    /// # Errors
    /// `database-unusable`; `system`: something cannot be read.
    pub fn of(installation: &Installation) -> Result<Contents, Problem> {
        let mut directories = installation.data.directories.clone();
        let installed = application::installed(installation)?;
        directories.extend(installed.map(|version| installation.tree(&version)));
        // A program may keep the database among its data; what is in it is compared as such.
        let of_database = database::open(installation).files();
        let files = Files::of(&directories).map_err(|error| {
            Problem::new(problem::SYSTEM)
                .arg("path", installation.data_dir().display())
                .detail(error)
        })?;
        Ok(Contents {
            database: database::open(installation).fingerprint()?,
            files: files.without(&of_database),
        })
    }

    /// What is not the same later; empty when all is.
    pub fn differences(&self, later: &Contents) -> Vec<String> {
        let mut found = self.files.differences(&later.files);
        if self.database != later.database {
            found.insert(0, "the database".to_owned());
        }
        found
    }
}
