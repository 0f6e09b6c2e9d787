//! `obnova release installer`: a built release's Desktop becomes one file that a user runs, without rights. On Linux and its like a
//! readable shell script (`installer/header.sh`), on Windows the program `obnova-setup.exe`; and behind it a packed archive: the
//! Desktop as a bundle, whom to trust, the launcher and `obnova-desktop`, which does the work.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::{Compression, GzBuilder};
use obnova_release::appended::{self, Facts};
use obnova_release::publish::{self, AddedInstaller};
use obnova_release::{Bundle, Description, Digest, durable};
use obnova_text::{Lang, Text};

const HEADER: &str = include_str!("installer/header.sh");

/// What the script says itself: the name in it, and the text.
const TEXTS: [(&str, &str); 23] = [
    ("USAGE", "usage"),
    ("SERVER", "server"),
    ("AUTHORITIES", "authorities"),
    ("DIR", "dir"),
    ("SILENT", "silent"),
    ("AUTOSTART", "autostart"),
    ("NO_MENU", "no-menu"),
    ("START", "start"),
    ("UNINSTALL", "uninstall"),
    ("ALL_USERS", "all-users"),
    ("ROOT", "root"),
    ("CHECK", "check"),
    ("ASK", "ask"),
    ("NO_SERVER", "no-server"),
    ("DAMAGED", "damaged"),
    ("WHOLE", "whole"),
    ("READ_ONLY", "read-only"),
    ("FULL", "full"),
    ("OTHER_COMPUTER", "other-computer"),
    ("MISSING", "missing"),
    ("UNKNOWN", "unknown"),
    ("NO_HOME", "no-home"),
    ("UNPACK", "unpack"),
];

/// The programs that every installation has besides the Desktop's own.
const PROGRAMS: &[&str] = &["obnova-launcher", "obnova-desktop"];
/// Those on Windows: with and without a console window.
const WINDOWS_PROGRAMS: &[&str] = &[
    "obnova-launcher.exe",
    "obnova-launcherw.exe",
    "obnova-desktop.exe",
    "obnova-desktopw.exe",
];
/// What carries the archive there.
const WINDOWS_SETUP: &str = "obnova-setup.exe";
/// How a file with icons for Windows begins.
const ICO: [u8; 4] = [0, 0, 1, 0];

/// What to make an installer of.
#[derive(Debug)]
pub struct Wanted {
    /// What `build` has made.
    pub built: PathBuf,
    /// The Desktop's platform.
    pub platform: String,
    /// The `root.json` that installations begin to trust with.
    pub trust: PathBuf,
    /// A directory with `obnova-launcher` and `obnova-desktop` for that platform; on Windows also `obnova-launcherw`,
    /// `obnova-desktopw` and `obnova-setup`.
    pub programs: PathBuf,
    /// An SVG for menus; an ICO on Windows.
    pub icon: Option<PathBuf>,
    /// The server to follow unless the user names one.
    pub server: Option<String>,
    /// The file's name; product, version and platform unless given.
    pub name: Option<String>,
}

/// Makes the installer and puts it beside the release, where `publish` finds it.
///
/// # Errors
/// Something of it is not there, or the disk refuses.
pub fn make(wanted: &Wanted) -> Result<AddedInstaller> {
    let description = publish::description(&wanted.built)?;
    let system = system(&wanted.platform)?;
    let name = wanted.name.clone().unwrap_or_else(|| {
        let (product, version) = (&description.product, &description.version);
        format!("{product}-{version}-{}{}", wanted.platform, system.ending())
    });
    let beside = tempfile::Builder::new()
        .prefix(".installer-")
        .tempdir_in(&wanted.built)?;
    let payload = beside.path().join("payload");
    let unpacked = pack(wanted, system, &payload)?;
    let tree = Bundle::of_built_bytes(&wanted.built, &wanted.platform)?;
    // The archive, unpacked, and what becomes of it, at the same time; and a tenth more.
    let needs = (unpacked + tree) * 11 / 10;
    let made = beside.path().join("installer");
    match system {
        System::Linux { machine } => {
            let (sha256, packed) = Digest::of_reader(std::fs::File::open(&payload)?)?;
            let machine = ("Linux", machine);
            let needs = needs / 1024 + 1;
            let header = header(wanted, &description, &name, machine, needs, &sha256);
            let mut file = durable::create_new(&made, 0o755)?;
            file.write_all(header.as_bytes())?;
            let copied = std::io::copy(&mut std::fs::File::open(&payload)?, &mut file)?;
            file.finish()?;
            if copied != packed {
                bail!("{} has changed meanwhile", payload.display());
            }
        }
        System::Windows => {
            let facts = Facts {
                product: description.product.clone(),
                name: description.name.clone(),
                version: description.version.clone(),
                platform: wanted.platform.clone(),
                server: wanted.server.clone(),
                needed_bytes: needs,
            };
            let setup = program(wanted, WINDOWS_SETUP)?;
            appended::append(&setup, &payload, &facts, &made)?;
        }
    }
    Ok(publish::add_installer(
        &wanted.built,
        &wanted.platform,
        &made,
        &name,
    )?)
}

/// Packs the archive; gives back the bytes in it. The same things always give the same archive.
fn pack(wanted: &Wanted, system: System, to: &Path) -> Result<u64> {
    let mut files = Bundle::of_built(&wanted.built, &wanted.platform)?;
    files.push(("root.json".into(), wanted.trust.clone()));
    for name in system.programs() {
        files.push((format!("bin/{name}"), program(wanted, name)?));
    }
    if let Some(icon) = &wanted.icon {
        files.push((system.icon(icon)?.into(), icon.clone()));
    }
    files.sort();
    let file = durable::create_new(to, 0o644)?;
    let packed = GzBuilder::new()
        .mtime(0)
        .write(file, Compression::default());
    let mut archive = tar::Builder::new(packed);
    let mut unpacked = 0;
    for (name, path) in files {
        let source = std::fs::File::open(&path).with_context(|| path.display().to_string())?;
        let length = source.metadata()?.len();
        let mut header = tar::Header::new_gnu();
        header.set_size(length);
        header.set_mode(if name.starts_with("bin/") {
            0o755
        } else {
            0o644
        });
        header.set_mtime(0);
        archive.append_data(&mut header, &name, source)?;
        unpacked += length;
    }
    archive.into_inner()?.finish()?.finish()?;
    Ok(unpacked)
}

/// One of the programs that come with every installation.
fn program(wanted: &Wanted, name: &str) -> Result<PathBuf> {
    let path = wanted.programs.join(name);
    if !path.is_file() {
        bail!(
            "{} is not there; name the directory with it by --programs",
            path.display()
        );
    }
    Ok(path)
}

/// The systems that installers are made for.
#[derive(Debug, Clone, Copy)]
enum System<'a> {
    Linux {
        /// What `uname` calls the machine.
        machine: &'a str,
    },
    Windows,
}

fn system(platform: &str) -> Result<System<'_>> {
    match platform.split_once('-') {
        Some(("linux", machine)) => Ok(System::Linux { machine }),
        Some(("windows", _)) => Ok(System::Windows),
        _ => bail!("installers are made for Linux and Windows; name the file of another by --file"),
    }
}

impl System<'_> {
    fn programs(self) -> &'static [&'static str] {
        match self {
            System::Linux { .. } => PROGRAMS,
            System::Windows => WINDOWS_PROGRAMS,
        }
    }

    /// How the names of its installers end.
    fn ending(self) -> &'static str {
        match self {
            System::Linux { .. } => ".run",
            System::Windows => "-setup.exe",
        }
    }

    /// What the icon is called in the archive.
    fn icon(self, file: &Path) -> Result<&'static str> {
        match self {
            System::Linux { .. } => Ok("icon.svg"),
            System::Windows => {
                let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
                if !bytes.starts_with(&ICO) {
                    bail!("{} is no ICO file, which Windows needs", file.display());
                }
                Ok("icon.ico")
            }
        }
    }
}

fn header(
    wanted: &Wanted,
    description: &Description,
    file: &str,
    (system, machine): (&str, &str),
    needs: u64,
    sha256: &Digest,
) -> String {
    let one_line = |text: &str| text.replace(char::is_control, " ");
    let filled = HEADER
        .replace("@TEXTS_CS@", &texts(Lang::Cs))
        .replace("@TEXTS_EN@", &texts(Lang::En))
        .replace("@QNAME@", &quoted(&one_line(&description.name)))
        .replace("@NAME@", &one_line(&description.name))
        .replace("@VERSION@", &description.version.to_string())
        .replace("@FILE@", file)
        .replace("@QPRODUCT@", &quoted(&description.product))
        .replace("@QSYSTEM@", &quoted(system))
        .replace("@QMACHINE@", &quoted(machine))
        .replace("@NEEDS_KIB@", &needs.to_string())
        .replace(
            "@QSERVER@",
            &quoted(wanted.server.as_deref().unwrap_or_default()),
        )
        .replace("@SHA256@", &sha256.to_string());
    // The archive begins behind the header, whose length depends on how that is written.
    let rest = filled.len() - "@OFFSET@".len();
    let offset = (1..20)
        .map(|digits| rest + digits + 1)
        .find(|offset| rest + offset.to_string().len() + 1 == *offset)
        .unwrap_or_default();
    filled.replace("@OFFSET@", &offset.to_string())
}

fn texts(lang: Lang) -> String {
    let text = Text::of(lang);
    let line = |(name, key): (&str, &str)| {
        let said = text.get(&format!("installer-script-{key}"));
        format!("    T_{name}={}", quoted(&said))
    };
    TEXTS.map(line).join("\n")
}

/// A word of the shell that means itself.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_vendor_calls_things_is_no_command_in_the_script() {
        assert_eq!(quoted("O'Neill $(id)"), r"'O'\''Neill $(id)'");
    }

    #[test]
    fn the_script_says_everything_in_both_languages() {
        for lang in Lang::ALL {
            let texts = texts(lang);
            for name in HEADER.split("$T_").skip(1) {
                let end = name.find(|c: char| !(c.is_ascii_uppercase() || c == '_'));
                let name = &name[..end.unwrap_or(name.len())];
                assert!(texts.contains(&format!("T_{name}='")), "{name}");
            }
            assert!(!texts.contains("installer-script"), "{texts}");
        }
    }
}
