//! Windows.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use obnova_release::durable;
use windows_registry::{CURRENT_USER, Key, LOCAL_MACHINE, Type, Value};

use crate::error::{Code, Error};
use crate::policy::Policy;

/// How the registry says that there is no such key.
const HRESULT_FILE_NOT_FOUND: i32 = 0x8007_0002_u32.cast_signed();
const ERROR_SHARING_VIOLATION: i32 = 32;
/// No black window for a program that has none of its own.
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

/// What an administrator has set for all users of this computer: in the registry, as group policies and management tools do,
/// otherwise in a file.
pub(crate) fn machine_policy(product: &str) -> Result<Option<Policy>, Error> {
    if let Some(policy) = of_registry(LOCAL_MACHINE, "HKEY_LOCAL_MACHINE", product)? {
        return Ok(Some(policy));
    }
    let data = std::env::var_os("ProgramData").unwrap_or_else(|| "C:\\ProgramData".into());
    let file = format!("{product}.toml");
    Policy::read_file(&PathBuf::from(data).join("Obnova\\desktop").join(file))
}

/// What an administrator has set for this user.
pub(crate) fn user_policy(product: &str) -> Result<Option<Policy>, Error> {
    of_registry(CURRENT_USER, "HKEY_CURRENT_USER", product)
}

/// The values of a policy's key by the names that they have in `policy.toml`, so that both are checked in one way.
fn of_registry(hive: &Key, name: &str, product: &str) -> Result<Option<Policy>, Error> {
    let path = format!("Software\\Policies\\Obnova\\Desktop\\{product}");
    let damaged = |reason: String| {
        Error::new(Code::StateDamaged)
            .arg("path", format!("{name}\\{path}"))
            .detail(reason)
    };
    let key = match hive.open(&path).map_err(io::Error::from) {
        Ok(key) => key,
        Err(error) if error.raw_os_error() == Some(HRESULT_FILE_NOT_FOUND) => return Ok(None),
        Err(error) => return Err(damaged(error.to_string())),
    };
    let mut table = toml::Table::new();
    for (name, value) in key.values().map_err(|error| damaged(error.to_string()))? {
        let Some(value) = value_of(&name, value) else {
            return Err(damaged(format!("{name}: is neither text nor a number")));
        };
        table.insert(name, value);
    }
    if table.is_empty() {
        return Ok(None);
    }
    table
        .try_into()
        .map(Some)
        .map_err(|error| damaged(error.to_string()))
}

fn value_of(name: &str, value: Value) -> Option<toml::Value> {
    match value.ty() {
        Type::String | Type::ExpandString => String::try_from(value).ok().map(toml::Value::String),
        Type::U32 | Type::U64 => {
            let number = u64::try_from(value).ok()?;
            // Numbers and switches are one kind of value there.
            Some(match name {
                "silent" => toml::Value::Boolean(number != 0),
                _ => toml::Value::Integer(number.try_into().unwrap_or(i64::MAX)),
            })
        }
        _ => None,
    }
}

/// Menus are made of links that only Windows itself can write.
pub(crate) const MENU_OF_FILES: bool = false;

/// Puts a whole file in the place of another. A program that runs cannot be replaced, but it can be renamed; killed between the two,
/// its name is free, and whoever installs again puts it there.
pub(crate) fn put_in_place(new: &Path, place: &Path) -> io::Result<()> {
    if !is_open(place) {
        return durable::rename(new, place);
    }
    let number = rand::random::<u32>();
    let aside = place.with_file_name(format!("{}{number:08x}", durable::TEMPORARY_PREFIX));
    durable::rename(place, &aside)?;
    durable::rename(new, place)
}

/// Gives the launcher a second name, beside it: a copy, as most users may not make links.
pub(crate) fn give_name(launcher: &Path, name: &Path) -> Result<(), Error> {
    crate::install::put(launcher, name, 0o755)
}

/// Runs the program to its end: a program cannot become another one here, so the launcher stays, and with it its lock.
pub(crate) fn run(command: &mut Command) -> io::Result<i32> {
    Ok(command.status()?.code().unwrap_or(1))
}

/// Not needed where the launcher stays and holds the lock itself.
pub(crate) fn pass_on(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Whether a program is running from this directory, or has a library of it loaded, although no launcher says so any more:
/// somebody may have ended the launcher, and with it its lock. Removing the rest would break it.
pub(crate) fn has_open_files(directory: &Path) -> bool {
    let Ok(entries) = fs::read_dir(directory) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => has_open_files(&path),
            Ok(_) => is_open(&path),
            Err(_) => false,
        }
    })
}

fn is_open(path: &Path) -> bool {
    let alone = OpenOptions::new()
        .read(true)
        .write(true)
        .share_mode(0)
        .open(path);
    alone.is_err_and(|error| error.raw_os_error() == Some(ERROR_SHARING_VIOLATION))
}

/// Asks a program to end by closing its windows. One that has none cannot be asked.
pub(crate) fn ask_to_end(child: &Child) {
    let _ = Command::new("taskkill")
        .args(["/PID", &child.id().to_string()])
        .creation_flags(CREATE_NO_WINDOW)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
}

/// Bytes that may still be written where this path is.
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    fs4::available_space(path).ok()
}
