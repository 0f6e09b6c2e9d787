//! Data and databases in places that are not a plain directory beside the journal, and files that are not plain files: an undone
//! update leaves all of them as they were.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use obnova_engine::api::Outcome;
use obnova_testkit::cases::Case;

use crate::fixture::Try;

/// The cases.
pub const CASES: &[Case] = &[
    ("data_behind_a_link_comes_back_there", link),
    ("data_in_another_file_system_comes_back_there", mounted),
    ("a_file_system_mounted_inside_the_data_stays_there", nested),
    (
        "a_data_directory_that_the_update_made_is_gone_again",
        missing,
    ),
    (
        "several_data_directories_and_odd_files_come_back",
        odd_files,
    ),
    ("a_database_behind_a_link_comes_back_there", linked_database),
    (
        "a_database_inside_the_data_comes_back_there",
        inner_database,
    ),
    (
        "a_database_inside_data_in_another_file_system_comes_back_there",
        inner_database_mounted,
    ),
    ("a_data_directory_around_the_engines_own_is_refused", around),
];

/// A file system in memory, unmounted when dropped.
pub struct Mount(PathBuf);

impl Mount {
    /// Mounts one of this size, or says why it could not be.
    pub fn new(at: &Path, size: &str) -> Result<Mount, String> {
        std::fs::create_dir_all(at).map_err(|error| error.to_string())?;
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(at)
            .output()
            .map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(Mount(at.to_owned())),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Runs an update whose migration changes data and database and then fails, twice; all must be as before each time.
fn undone(mut it: Try) -> Result<Try> {
    it.start(None)?;
    it.write("one")?;
    for _ in 0..2 {
        let before = it.now()?.without_database_files();
        let update = it.update("1.2.0")?;
        ensure!(update.outcome == Outcome::RolledBack, "it was installed");
        let code = update.problem.context("no reason")?.code;
        ensure!(code == "migration-failed", "{code}\n{}", it.engine_log());
        before.expect_same(&it.now()?.without_database_files())?;
        it.write("two")?;
    }
    Ok(it)
}

fn link() -> Result<String> {
    let it = Try::new()?;
    let (data, place) = (it.state_dir().join("data"), it.state_dir().join("big disk"));
    std::fs::rename(&data, &place)?;
    symlink("big disk", &data)?;
    let it = undone(it)?;
    ensure!(
        std::fs::read_link(&data)? == Path::new("big disk"),
        "the link is gone"
    );
    it.end()?;
    Ok("the link is still there".to_owned())
}

/// Moves a directory's content into a file system of its own.
fn mount_over(directory: &Path) -> Result<Result<Mount, String>> {
    let aside = directory.with_extension("aside");
    std::fs::rename(directory, &aside)?;
    let mount = Mount::new(directory, "64m");
    if mount.is_ok() {
        let status = Command::new("cp")
            .arg("-a")
            .arg(aside.join("."))
            .arg(directory)
            .status()?;
        ensure!(status.success(), "cp failed");
    }
    Ok(mount)
}

fn mounted() -> Result<String> {
    let it = Try::new()?;
    let data = it.state_dir().join("data");
    let _mount = match mount_over(&data)? {
        Ok(mount) => mount,
        Err(why) => return Ok(format!("NOT TRIED, nothing can be mounted here: {why}")),
    };
    let device = std::fs::metadata(&data)?.dev();
    let it = undone(it)?;
    ensure!(
        std::fs::metadata(&data)?.dev() == device,
        "it lies elsewhere now"
    );
    it.end()?;
    Ok("in the same file system".to_owned())
}

fn nested() -> Result<String> {
    let it = Try::new()?;
    let letters = it.state_dir().join("data/letters");
    let _mount = match mount_over(&letters)? {
        Ok(mount) => mount,
        Err(why) => return Ok(format!("NOT TRIED, nothing can be mounted here: {why}")),
    };
    let device = std::fs::metadata(&letters)?.dev();
    let it = undone(it)?;
    ensure!(
        std::fs::metadata(&letters)?.dev() == device,
        "it lies elsewhere now"
    );
    it.end()?;
    Ok("in the same file system".to_owned())
}

fn configure(it: &Try, from: &str, to: &str) -> Result<()> {
    let path = it.state_dir().join("installation.toml");
    let text = std::fs::read_to_string(&path)?;
    ensure!(text.contains(from), "{text}");
    Ok(std::fs::write(path, text.replace(from, to))?)
}

fn missing() -> Result<String> {
    let mut it = Try::new()?;
    configure(&it, "[\"data\"]", "[\"data\", \"late\"]")?;
    let late = it.state_dir().join("late");
    it.publish(&crate::fixture::Release {
        version: "1.2.1",
        schema: 3,
        migrate: &["--fail-at", "3"],
        serve: &[],
        shell: Some("mkdir -p ../../late/deep && exec \"$@\""),
        more: "",
        server: "",
    })?;
    it.start(None)?;
    let before = it.now()?;
    let update = it.update("1.2.1")?;
    ensure!(update.outcome == Outcome::RolledBack, "it was installed");
    before.expect_same(&it.now()?)?;
    ensure!(!late.exists(), "what the update made is still there");
    it.end()?;
    Ok("gone".to_owned())
}

fn odd_files() -> Result<String> {
    let it = Try::new()?;
    configure(&it, "[\"data\"]", "[\"data\", \"archive\"]")?;
    let state = it.state_dir();
    let (data, archive) = (state.join("data"), state.join("archive"));
    std::fs::create_dir_all(archive.join("sealed"))?;
    std::fs::write(archive.join("sealed/one"), "1")?;
    std::fs::set_permissions(archive.join("sealed"), PermissionsExt::from_mode(0o555))?;
    std::fs::hard_link(data.join("letters/first.txt"), data.join("same.txt"))?;
    symlink("/nowhere", data.join("dangling"))?;
    let status = Command::new("mkfifo").arg(data.join("pipe")).status()?;
    ensure!(status.success(), "mkfifo failed");
    let it = undone(it)?;
    let number = |name: &str| std::fs::metadata(data.join(name)).map(|metadata| metadata.ino());
    ensure!(
        number("same.txt")? == number("letters/first.txt")?,
        "two names of one file are two files"
    );
    it.end()?;
    Ok("a pipe, links, a sealed directory".to_owned())
}

fn linked_database() -> Result<String> {
    let it = Try::new()?;
    let (database, place) = (
        it.state_dir().join("app.db"),
        it.state_dir().join("elsewhere"),
    );
    std::fs::create_dir(&place)?;
    for suffix in ["", "-wal", "-shm"] {
        let from = it.state_dir().join(format!("app.db{suffix}"));
        if from.exists() {
            std::fs::rename(from, place.join(format!("real.db{suffix}")))?;
        }
    }
    symlink("elsewhere/real.db", &database)?;
    let it = undone(it)?;
    ensure!(database.is_symlink(), "the link is gone");
    it.end()?;
    Ok("the link is still there".to_owned())
}

/// Moves the database into the data directory; a link stays for those who look for it where it was.
fn move_in(it: &Try) -> Result<()> {
    configure(it, "\"app.db\"", "\"data/app.db\"")?;
    let state = it.state_dir();
    for suffix in ["", "-wal", "-shm"] {
        let from = state.join(format!("app.db{suffix}"));
        if from.exists() {
            std::fs::rename(from, state.join(format!("data/app.db{suffix}")))?;
        }
    }
    Ok(symlink("data/app.db", state.join("app.db"))?)
}

fn inner_database() -> Result<String> {
    let it = Try::new()?;
    move_in(&it)?;
    let it = undone(it)?;
    let written = it.written()?;
    ensure!(written == ["one", "two"], "{written:?}");
    it.end()?;
    Ok("with what was written".to_owned())
}

fn inner_database_mounted() -> Result<String> {
    let it = Try::new()?;
    move_in(&it)?;
    let _mount = match mount_over(&it.state_dir().join("data"))? {
        Ok(mount) => mount,
        Err(why) => return Ok(format!("NOT TRIED, nothing can be mounted here: {why}")),
    };
    let it = undone(it)?;
    let written = it.written()?;
    ensure!(written == ["one", "two"], "{written:?}");
    it.end()?;
    Ok("with what was written".to_owned())
}

fn around() -> Result<String> {
    let it = Try::new()?;
    configure(&it, "[\"data\"]", "[\".\"]")?;
    let refused = obnova_engine::Installation::load(&it.state_dir());
    let code = refused.err().context("it was taken")?.code;
    ensure!(code == "configuration", "{code}");
    Ok(code)
}
