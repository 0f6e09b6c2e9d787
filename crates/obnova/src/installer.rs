//! `obnova release installer`: a built release's Desktop becomes one file that a user runs, without root, on Linux and its
//! like. A readable shell script (`installer/header.sh`), and behind it a packed archive: the Desktop as a bundle, whom to trust,
//! the launcher and `obnova-desktop`, which does the work.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::{Compression, GzBuilder};
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
const PROGRAMS: [&str; 2] = ["obnova-launcher", "obnova-desktop"];

/// What to make an installer of.
#[derive(Debug)]
pub struct Wanted {
    /// What `build` has made.
    pub built: PathBuf,
    /// The Desktop's platform.
    pub platform: String,
    /// The `root.json` that installations begin to trust with.
    pub trust: PathBuf,
    /// A directory with `obnova-launcher` and `obnova-desktop` for that platform.
    pub programs: PathBuf,
    /// An SVG for menus.
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
    let name = wanted.name.clone().unwrap_or_else(|| {
        let (product, version) = (&description.product, &description.version);
        format!("{product}-{version}-{}.run", wanted.platform)
    });
    let machine = machine(&wanted.platform)?;
    let beside = tempfile::Builder::new()
        .prefix(".installer-")
        .tempdir_in(&wanted.built)?;
    let payload = beside.path().join("payload");
    let unpacked = pack(wanted, &payload)?;
    let (sha256, packed) = Digest::of_reader(std::fs::File::open(&payload)?)?;
    let tree = Bundle::of_built_bytes(&wanted.built, &wanted.platform)?;
    // The archive, unpacked, and what becomes of it, at the same time; and a tenth more.
    let needs = (unpacked + tree) * 11 / 10 / 1024 + 1;
    let header = header(wanted, &description, &name, machine, needs, &sha256);
    let script = beside.path().join("script");
    let mut file = durable::create_new(&script, 0o755)?;
    file.write_all(header.as_bytes())?;
    let copied = std::io::copy(&mut std::fs::File::open(&payload)?, &mut file)?;
    file.finish()?;
    if copied != packed {
        bail!("{} has changed meanwhile", payload.display());
    }
    Ok(publish::add_installer(
        &wanted.built,
        &wanted.platform,
        &script,
        &name,
    )?)
}

/// Packs the archive; gives back the bytes in it. The same things always give the same archive.
fn pack(wanted: &Wanted, to: &Path) -> Result<u64> {
    let mut files = Bundle::of_built(&wanted.built, &wanted.platform)?;
    files.push(("root.json".into(), wanted.trust.clone()));
    for program in PROGRAMS {
        let path = wanted.programs.join(program);
        if !path.is_file() {
            bail!(
                "{} is not there; name the directory with it by --programs",
                path.display()
            );
        }
        files.push((format!("bin/{program}"), path));
    }
    if let Some(icon) = &wanted.icon {
        files.push(("icon.svg".into(), icon.clone()));
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

/// What `uname` calls the system and the machine of a platform.
fn machine(platform: &str) -> Result<(&'static str, &str)> {
    match platform.split_once('-') {
        Some(("linux", machine)) => Ok(("Linux", machine)),
        _ => bail!("installers of this kind are for Linux; name the file of another one by --file"),
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
