//! The Desktop of a release: `desktop/tree/` is what all versions have, `releases/<version>/desktop/` what a version lays over that
//! of the one before. The programs are the same in all versions, so that an update costs what its tree has changed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::{Assembly, lay_over};

/// The Desktop itself, and the program that talks to its user about updates.
const PROGRAMS: [&str; 2] = ["crm-desktop", "obnova-desktop-gui"];

/// What computers like this one are called.
fn platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

/// Makes `desktop/` beside `tree/`.
pub(super) fn assemble(assembly: &Assembly, programs: &Path, versions: &[String]) -> Result<()> {
    let target = assembly.out.join("desktop");
    lay_over(&assembly.source.join("desktop/tree"), &target)?;
    for version in versions {
        let layer = assembly
            .source
            .join("releases")
            .join(version)
            .join("desktop");
        if layer.is_dir() {
            lay_over(&layer, &target)?;
        }
        if *version == assembly.version {
            break;
        }
    }
    fs::write(target.join("VERSION"), format!("{}\n", assembly.version))?;
    let icon = assembly.source.join("tree/static/icon.svg");
    fs::copy(icon, target.join("icon.svg")).context("the icon")?;
    fs::create_dir_all(target.join("bin"))?;
    for program in PROGRAMS {
        let place = target.join("bin").join(program);
        bring(&programs.join(program), &place).with_context(|| program.to_owned())?;
    }
    Ok(())
}

/// Says how it is started and what it needs.
pub(super) fn describe(description: &mut Table) -> Result<()> {
    let words = |words: &[&str]| {
        words
            .iter()
            .map(|word| Value::from(*word))
            .collect::<Vec<_>>()
    };
    let mut program = Table::new();
    program.insert("start".into(), words(&["${tree}/bin/crm-desktop"]).into());
    let check = words(&["${tree}/bin/crm-desktop", "--self-check"]);
    program.insert("check".into(), check.into());
    let mut requires = Table::new();
    for (language, text) in [
        (
            "cs",
            "64bitový Linux s grafickým prostředím a OpenGL 2 nebo novějším",
        ),
        (
            "en",
            "64-bit Linux with a graphical desktop and OpenGL 2 or newer",
        ),
    ] {
        requires.insert(language.into(), text.into());
    }
    let desktop = description
        .get_mut("desktop")
        .and_then(Value::as_table_mut)
        .context("release.toml has no [desktop]")?;
    let of_platform = |value: Table| Value::Table(Table::from_iter([(platform(), value.into())]));
    desktop.insert("platforms".into(), of_platform(program));
    let installer = Table::from_iter([("requires".to_owned(), requires.into())]);
    desktop.insert("installers".into(), of_platform(installer));
    Ok(())
}

/// Copies a program without what only its developers need, where there is a tool to take that away.
fn bring(from: &Path, to: &Path) -> Result<()> {
    let stripped = Command::new("strip")
        .arg("-o")
        .args([to, from])
        .stderr(Stdio::null())
        .status();
    if !stripped.is_ok_and(|status| status.success()) {
        fs::copy(from, to)?;
    }
    Ok(())
}
