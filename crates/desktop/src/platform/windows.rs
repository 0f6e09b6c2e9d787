//! Windows.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::os::windows::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use obnova_release::durable;
use windows_registry::{CURRENT_USER, Key, LOCAL_MACHINE, Type, Value};
use winsafe::HWND;
use winsafe::co::{CREATE, MB};
use winsafe::prelude::*;

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

/// The programs that every installation has: the launcher for terminals and the one that opens no console window, and the command
/// line in the same two ways.
pub(crate) const TOOLS: [&str; 4] = [
    "obnova-launcher",
    "obnova-launcherw",
    "obnova-desktop",
    "obnova-desktopw",
];

/// The file with a program's icon, in an installation and in what an installer brings.
pub(crate) const ICON: &str = "icon.ico";

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

/// Gives the launcher the product's name, beside it: copies, as most users may not make links. `<product>.exe` is for menus; a
/// terminal takes `<product>.com` when its user types the name, waits for it and shows what it prints.
pub(crate) fn give_name(programs: &Path, product: &str) -> Result<PathBuf, Error> {
    for (launcher, ending) in [
        ("obnova-launcher.exe", "com"),
        ("obnova-launcherw.exe", "exe"),
    ] {
        let name = programs.join(format!("{product}.{ending}"));
        crate::install::put(&programs.join(launcher), &name, 0o755)?;
    }
    Ok(programs.join(format!("{product}.exe")))
}

/// Runs the program to its end: a program cannot become another one here, so the launcher stays, and with it its lock.
pub(crate) fn run(command: &mut Command) -> io::Result<i32> {
    Ok(command.status()?.code().unwrap_or(1))
}

/// Without a console of its own, a launcher opens none for a program of consoles either.
pub(crate) fn prepare(command: &mut Command) {
    let console = OpenOptions::new().read(true).write(true).open("CONOUT$");
    if console.is_err() {
        command.creation_flags(CREATE_NO_WINDOW);
    }
}

/// Says what has gone wrong: where somebody reads it, or else in a window, as nobody sees more of a program that was clicked.
pub fn tell(text: &str) {
    match io::stderr().as_raw_handle().is_null() {
        false => eprintln!("{text}"),
        true => show(text, MB::ICONERROR),
    }
}

/// Shows a text in a window, until its user closes that.
fn show(text: &str, kind: MB) {
    // Without a screen there is nobody to tell.
    let _ = HWND::NULL.MessageBox(text, "", MB::OK | kind | MB::SETFOREGROUND);
}

/// Moves programs that run, such as the one that removes all of this, out of a directory that is to be removed, and has Windows'
/// own command line remove them as soon as they have ended.
pub(crate) fn leave(programs: &Path) -> io::Result<()> {
    let mut left = Vec::new();
    for entry in fs::read_dir(programs).into_iter().flatten().flatten() {
        let path = entry.path();
        if !is_open(&path) {
            continue;
        }
        let name = format!("obnova-removed-{:08x}.exe", rand::random::<u32>());
        let aside = std::env::temp_dir().join(&name);
        let aside = match durable::rename(&path, &aside) {
            Ok(()) => aside,
            // Another disk. The directory beside the installation is on the same one.
            Err(_) => {
                let root = programs.parent().and_then(Path::parent);
                let aside = root.unwrap_or(programs).join(name);
                durable::rename(&path, &aside)?;
                aside
            }
        };
        left.push(aside);
    }
    for path in left {
        remove_later(&path)?;
    }
    Ok(())
}

/// Seconds between attempts to remove a program that is about to end.
const ATTEMPTS: [u32; 5] = [1, 2, 4, 8, 16];

/// Has the file removed by somebody who is not in it.
fn remove_later(path: &Path) -> io::Result<()> {
    let path = path.display();
    // One pings itself at once, and then once a second.
    let attempt = |seconds: u32| {
        let pings = seconds + 1;
        format!("ping -n {pings} 127.0.0.1 >nul & del /f /q \"{path}\" >nul 2>nul")
    };
    let script = ATTEMPTS.map(attempt).join(" & ");
    let variable =
        |name: &str, otherwise: &str| std::env::var(name).unwrap_or_else(|_| otherwise.to_owned());
    let shell = variable("ComSpec", "C:\\Windows\\System32\\cmd.exe");
    // It gets nothing that is open here, as whoever reads what this program prints would wait for its end; and it is in none of the
    // directories that are to be removed.
    winsafe::CreateProcess(
        Some(&shell),
        Some(&format!("cmd.exe /d /c {script}")),
        None,
        None,
        false,
        CREATE::NO_WINDOW,
        &[],
        Some(&variable("SystemRoot", "C:\\")),
        &mut winsafe::STARTUPINFO::default(),
    )
    .map(drop)
    .map_err(|error| io::Error::from_raw_os_error(error.raw().cast_signed()))
}

/// What the user has set Windows to speak.
pub(crate) fn language() -> Option<String> {
    let key = CURRENT_USER.open("Control Panel\\International").ok()?;
    key.get_string("LocaleName").ok()
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
