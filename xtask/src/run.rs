//! Running other programs: what, for how long, and whether it went well.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// Stages one after the other, each told with its duration; all that is not the result goes to stderr.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    done: Vec<(String, f64)>,
}

impl Stages {
    /// Does one stage.
    pub(crate) fn stage(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        eprintln!("==> {name}");
        let started = Instant::now();
        let result = work().with_context(|| format!("{name} failed"));
        let seconds = started.elapsed().as_secs_f64();
        eprintln!("<== {name}: {seconds:.1} s");
        self.done.push((name.to_owned(), seconds));
        result
    }

    /// Prints all stages and their durations to stdout.
    pub(crate) fn report(&self, as_json: bool) {
        let total: f64 = self.done.iter().map(|(_, seconds)| seconds).sum();
        if as_json {
            let stages: Vec<Value> = self
                .done
                .iter()
                .map(|(name, seconds)| json!({ "stage": name, "seconds": seconds }))
                .collect();
            println!("{}", json!({ "stages": stages, "seconds": total }));
            return;
        }
        for (name, seconds) in &self.done {
            println!("{seconds:>8.1} s  {name}");
        }
        println!("{total:>8.1} s  in all");
    }
}

/// The cargo that runs this program, in the workspace's root.
pub(crate) fn cargo<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(root());
    command
}

/// Runs a command with its output on stderr.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    eprintln!("  $ {shown}");
    let status = command
        .stdout(Stdio::from(std::io::stderr()))
        .status()
        .with_context(|| format!("cannot start {shown}"))?;
    if !status.success() {
        bail!("{shown}: {status}");
    }
    Ok(())
}

/// Runs a command and returns what it prints.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {shown}"))?;
    if !output.status.success() {
        bail!("{shown}: {}", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether a program is on the search path.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// What `cargo metadata` says about the workspace.
pub(crate) fn metadata(arguments: &[&str]) -> Result<Value> {
    let text = output(cargo(["metadata", "--format-version", "1", "--locked"]).args(arguments))?;
    Ok(serde_json::from_str(&text)?)
}

/// Where cargo builds to.
pub(crate) fn target_directory() -> Result<PathBuf> {
    let metadata = metadata(&["--no-deps"])?;
    let directory = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target directory")?;
    Ok(directory.into())
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or(program.as_os_str())];
    words.extend(command.get_args());
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}
