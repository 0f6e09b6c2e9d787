//! The first installation of a product on a machine: what every update starts from.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;

use obnova_release::{DatabaseChange, VerifiedRelease};
use semver::Version;

use crate::account;
use crate::api::Problem;
use crate::application;
use crate::database::{self, Database};
use crate::durable;
use crate::installation::Installation;
use crate::problem;
use crate::releases::Releases;
use crate::state::History;
use crate::step::{command, environment};
use crate::steps::migrate::exit_code;

/// Installs a version (default: the newest) where none is installed: downloads it, makes the data directories, and has its
/// migration make the database. The application is started by the engine.
///
/// # Errors
/// Whatever goes wrong; it can be run again, and goes on where it was.
pub fn install(
    installation: &Installation,
    version: Option<Version>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Version, Problem> {
    installation.whole()?;
    if let Some(installed) = application::installed(installation)? {
        return Err(Problem::new(problem::BAD_REQUEST)
            .detail(format!("version {installed} is installed already")));
    }
    let system = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| {
            Problem::new(problem::SYSTEM)
                .arg("path", &path)
                .detail(error)
        }
    };
    for directory in [&installation.state_dir, &installation.versions()] {
        durable::create_dir_all(directory).map_err(system(directory))?;
    }
    crate::engine::make_logs(installation).map_err(system(&installation.logs()))?;
    let releases = Releases::open(installation)?;
    releases.refresh();
    let release = choose(&releases, installation, version)?;
    let version = release.description().version.clone();
    releases.download(&release, progress, &AtomicBool::new(false))?;
    let database = database::open(installation);
    let files = database.files();
    let of_database = files.iter().filter_map(|file| file.parent());
    let of_data = installation.data.directories.iter().map(AsRef::as_ref);
    for directory in of_data.chain(of_database) {
        if !directory.exists() {
            durable::create_dir_all(directory)
                .and_then(|()| account::give(&installation.service, directory))
                .map_err(system(directory))?;
        }
    }
    account::check(installation, database.as_ref())?;
    make_database(installation, database.as_ref(), &release)?;
    let target = Path::new("versions").join(version.to_string());
    durable::symlink_swap(&installation.current(), &target)
        .map_err(system(&installation.current()))?;
    application::set_installed(installation, &version)?;
    Ok(version)
}

fn choose(
    releases: &Releases,
    installation: &Installation,
    version: Option<Version>,
) -> Result<VerifiedRelease, Problem> {
    let newest = || {
        let check = releases.check(
            &Version::new(0, 0, 0),
            &installation.releases.channel,
            &History::default(),
        );
        Some(check?.offer?.version)
    };
    let wanted = version
        .or_else(newest)
        .ok_or_else(|| Problem::new(problem::NOTHING_TO_INSTALL));
    let found = wanted.and_then(|version| {
        releases
            .release(&version)
            .ok_or_else(|| Problem::new(problem::UNKNOWN_VERSION).arg("version", version))
    });
    // Nothing was found because nobody answered: that is the thing to say.
    let asked = releases.check(
        &Version::new(0, 0, 0),
        &installation.releases.channel,
        &History::default(),
    );
    match (found, asked.and_then(|check| check.problem)) {
        (Err(_), Some(problem)) => Err(problem),
        (found, _) => found,
    }
}

fn make_database(
    installation: &Installation,
    database: &dyn Database,
    release: &VerifiedRelease,
) -> Result<(), Problem> {
    let description = release.description();
    let (DatabaseChange::Migrate, Some(words)) =
        (description.database, &description.server.migrate)
    else {
        return Ok(());
    };
    let failed = |status: String, detail: String| {
        let version = &description.version;
        Problem::new(problem::MIGRATION_FAILED)
            .arg("version", version)
            .arg("status", status)
            .detail(detail)
    };
    let words = command(installation, database, words, &description.version, 0);
    let (program, arguments) = words
        .split_first()
        .ok_or_else(|| failed(String::new(), "no command".to_owned()))?;
    let mut migration = Command::new(program);
    migration
        .args(arguments)
        .env_clear()
        .envs(environment(installation, database, description, 0))
        .current_dir(installation.tree(&description.version));
    let output = account::output(&installation.service, &mut migration)
        .map_err(|error| failed(String::new(), format!("{program}: {error}")))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(failed(
            exit_code(output.status),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )),
    }
}
