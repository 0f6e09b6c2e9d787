//! The setup program: one file that a user downloads and runs. Behind it lies a packed archive with the Desktop, as
//! `obnova release installer` has put it there; see `obnova_release::appended`. What is in it is verified before anything of it is
//! used, and `obnova-desktop` in it does the work, which may be run again after whatever has interrupted it.
//!
//! Ends with 0 when all is well, 1 when it failed and what was there before is untouched, 2 for a wrong option, 3 when the file is
//! damaged.

#![windows_subsystem = "windows"]

mod options;
mod unpack;
#[cfg_attr(windows, path = "voice/windows.rs")]
#[cfg_attr(unix, path = "voice/terminal.rs")]
mod voice;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use obnova_release::appended::{Appended, Facts};
use obnova_text::Text;

use options::{Action, Options};

/// A wrong option, or something that nobody can be asked is missing.
const WRONG: u8 = 2;
/// The file is not as it was made.
const DAMAGED: u8 = 3;

/// Why it ended: for the user, and for whoever has started it.
struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    fn new(code: u8, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}

fn main() -> ExitCode {
    voice::begin();
    let text = Text::of(obnova_desktop::language());
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let silent = options::is_silent(&arguments);
    match run(arguments, text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !(silent && voice::is_window()) {
                obnova_desktop::tell(&failure.text);
            }
            ExitCode::from(failure.code)
        }
    }
}

fn run(arguments: Vec<OsString>, text: &Text) -> Result<(), Failure> {
    let said = |key: &str| text.get(&format!("installer-script-{key}"));
    let options = Options::parse(arguments)
        .map_err(|option| Failure::new(WRONG, format!("{} {option}", said("unknown"))))?;
    if options.action == Action::Help {
        voice::say(&options::usage(text));
        return Ok(());
    }
    let own = std::env::current_exe().and_then(|own| Appended::open(&own));
    let mut carried = own.map_err(|_| Failure::new(DAMAGED, said("damaged")))?;
    if options.action == Action::Check {
        if !options.silent {
            voice::say(&said("whole"));
        }
        return Ok(());
    }
    let facts = carried.facts.clone();
    if facts.platform != obnova_desktop::platform() {
        let text = format!("{} {}", said("other-computer"), facts.platform);
        return Err(Failure::new(1, text));
    }
    let directory = options.directory.clone().or_else(|| place(&facts.product));
    let directory = directory.ok_or_else(|| Failure::new(WRONG, said("no-home")))?;
    let directory = std::path::absolute(directory)
        .map_err(|error| Failure::new(WRONG, format!("{} {error}", said("no-home"))))?;
    let Some(options) = complete(options, &facts, &directory, text)? else {
        return Ok(());
    };
    let work = unpack::Work::make(&directory, &facts.product)
        .map_err(|error| Failure::new(1, format!("{} {error}", said("read-only"))))?;
    unpack::unpack(&mut carried, work.path())
        .map_err(|error| Failure::new(1, format!("{}\n{error}", said("unpack"))))?;
    let done = work_with(&options, work.path(), &directory)?;
    drop(work);
    let program = directory.join("bin").join(&facts.product);
    let start = match options.silent || options.action == Action::Uninstall {
        true => options.start,
        false => voice::done(&done, options.start, text),
    };
    match start {
        true => start_program(&program).map_err(|error| Failure::new(1, error.to_string())),
        false => Ok(()),
    }
}

/// Where programs of users are, on this system.
fn place(product: &str) -> Option<PathBuf> {
    let absolute = |name: &str| {
        let named = std::env::var_os(name).map(PathBuf::from);
        named.filter(|named| named.is_absolute())
    };
    if cfg!(windows) {
        return Some(absolute("LOCALAPPDATA")?.join("Programs").join(product));
    }
    let data = absolute("XDG_DATA_HOME");
    let data = data.or_else(|| Some(std::env::home_dir()?.join(".local/share")));
    Some(data?.join(product))
}

/// What is still to be known before anything is done; nothing when the user does not want it any more.
fn complete(
    mut options: Options,
    facts: &Facts,
    directory: &Path,
    text: &Text,
) -> Result<Option<Options>, Failure> {
    let is_known = options.server.is_some() || directory.join("desktop.toml").exists();
    if options.action != Action::Install || is_known {
        return Ok(Some(options));
    }
    if !options.silent && voice::is_window() {
        let Some(answer) = voice::ask(facts, text) else {
            return Ok(None);
        };
        options.server = Some(answer.server);
        options.autostart = answer.autostart;
        return Ok(Some(options));
    }
    options.server.clone_from(&facts.server);
    match options.server {
        Some(_) => Ok(Some(options)),
        None => Err(Failure::new(WRONG, text.get("installer-script-no-server"))),
    }
}

/// Has the program in the archive do what is wanted; gives what it says.
fn work_with(options: &Options, work: &Path, directory: &Path) -> Result<String, Failure> {
    let tool = format!("obnova-desktop{}", std::env::consts::EXE_SUFFIX);
    let mut command = Command::new(work.join("bin").join(tool));
    voice::without_window(&mut command);
    command
        .args(["--lang", obnova_desktop::language().tag(), "--root"])
        .arg(directory)
        .stdin(Stdio::null());
    match options.action {
        Action::Uninstall => command.arg("uninstall"),
        _ => command.arg("install").arg("--package").arg(work),
    };
    if options.action == Action::Install {
        if let Some(server) = &options.server {
            command.arg("--server").arg(server);
        }
        if let Some(authorities) = &options.authorities {
            command.arg("--authorities").arg(authorities);
        }
        for (wanted, argument) in [
            (!options.menu, "--no-menu"),
            (options.autostart, "--autostart"),
        ] {
            if wanted {
                command.arg(argument);
            }
        }
    }
    let failed = |text: String| Failure::new(1, text);
    let output = command
        .output()
        .map_err(|error| failed(error.to_string()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.code() {
        Some(0) => {
            let said = text(&output.stdout);
            let is_shown = voice::is_window() && options.action == Action::Install;
            if !options.silent && !is_shown {
                voice::say(&said);
            }
            Ok(said)
        }
        // Wrong arguments are the user's, which it has explained.
        Some(code) if u8::try_from(code) == Ok(WRONG) => {
            Err(Failure::new(WRONG, text(&output.stderr)))
        }
        _ => Err(failed(text(&output.stderr))),
    }
}

/// Starts what was installed; it goes on when this has ended.
fn start_program(program: &Path) -> std::io::Result<()> {
    let program = program.with_file_name(format!(
        "{}{}",
        program.file_name().unwrap_or_default().display(),
        std::env::consts::EXE_SUFFIX
    ));
    let mut command = Command::new(program);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().map(drop)
}
