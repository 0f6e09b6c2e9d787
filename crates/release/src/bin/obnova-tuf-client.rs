//! Obnova's way of looking at a repository, as a program in the client-under-test protocol of TUF's public conformance
//! suite (<https://github.com/theupdateframework/tuf-conformance>, `CLIENT-CLI.md`). Not part of the product.
//!
//! ```text
//! obnova-tuf-client --metadata-dir DIR init ROOT
//! obnova-tuf-client --metadata-dir DIR --metadata-url URL refresh
//! obnova-tuf-client --metadata-dir DIR --metadata-url URL --target-name PATH… --target-base-url URL --target-dir DIR download
//! ```
//!
//! What the product keeps is in `DIR/store`; the suite wants the newest file of each role in `DIR` itself and gets copies.
//! The suite sets the clock, also to times before this program existed, which the product would not believe; here it is
//! believed.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use obnova_release::{Error, Limits, Options, Repository, durable};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("obnova-tuf-client: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let arguments = Arguments::read(std::env::args().skip(1))?;
    let directory = PathBuf::from(arguments.one("--metadata-dir")?);
    match arguments.words().as_slice() {
        ["init", root] => init(&directory, Path::new(root)),
        ["refresh"] => {
            let looked = refresh(&arguments, &directory, &[]);
            show(&directory).and(looked)
        }
        ["download"] => {
            let looked = refresh(&arguments, &directory, arguments.all("--target-name"));
            show(&directory).and(looked)
        }
        other => Err(format!("init, refresh or download expected, not {other:?}")),
    }
}

/// Takes over the root that everything else is trusted by.
fn init(directory: &Path, root: &Path) -> Result<(), String> {
    let bytes = fs::read(root).map_err(|error| format!("{}: {error}", root.display()))?;
    durable::write(&first_root(directory), &bytes, 0o644).map_err(|error| error.to_string())?;
    let options = options(directory, "file:///", bytes)?;
    Repository::open(&options, Limits::default()).map_err(told)?;
    show(directory)
}

/// Looks at the repository, and brings these signed files.
fn refresh(arguments: &Arguments, directory: &Path, targets: &[String]) -> Result<(), String> {
    let root = first_root(directory);
    let root = fs::read(&root).map_err(|error| format!("{}: {error}", root.display()))?;
    let source = base(arguments.one("--metadata-url")?, "metadata")?;
    let repository = Repository::open(&options(directory, source, root)?, Limits::default());
    let repository = repository.map_err(told)?;
    let mut look = repository.look(Timestamp::now()).map_err(told)?;
    if targets.is_empty() {
        return Ok(());
    }
    if base(arguments.one("--target-base-url")?, "targets")? != source {
        return Err("metadata/ and targets/ are expected beside each other".into());
    }
    let to = PathBuf::from(arguments.one("--target-dir")?);
    for target in targets {
        // A name of one component whatever the signed path is.
        let name: String = target.bytes().map(|byte| format!("{byte:02x}")).collect();
        look.download(target, &to.join(name)).map_err(told)?;
    }
    Ok(())
}

fn options(directory: &Path, source: &str, root: Vec<u8>) -> Result<Options, String> {
    Ok(Options {
        source: source.parse().map_err(told)?,
        root,
        store: directory.join("store"),
        product: String::new(),
        authorities: Vec::new(),
    })
}

fn first_root(directory: &Path) -> PathBuf {
    directory.join("first-root")
}

/// The address above `metadata/` or `targets/`: a repository of Obnova has both in one place.
fn base<'a>(url: &'a str, directory: &str) -> Result<&'a str, String> {
    url.trim_end_matches('/')
        .strip_suffix(directory)
        .ok_or_else(|| format!("{url} does not end in /{directory}/"))
}

/// Copies the newest verified file of each role to where the suite looks for them.
fn show(directory: &Path) -> Result<(), String> {
    let kept = directory.join("store/metadata");
    let failed = |error: std::io::Error| error.to_string();
    if !kept.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(&kept).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(name) = name.filter(|name| name.ends_with(".json")) {
            let bytes = fs::read(&path).map_err(failed)?;
            durable::write(&directory.join(name), &bytes, 0o644).map_err(failed)?;
        }
    }
    Ok(())
}

fn told(error: Error) -> String {
    error.chain()
}

/// Options with their values, and the words between them.
struct Arguments {
    options: HashMap<String, Vec<String>>,
    words: Vec<String>,
}

impl Arguments {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut read = Self {
            options: HashMap::new(),
            words: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            if argument.starts_with("--") {
                let value = arguments
                    .next()
                    .ok_or_else(|| format!("{argument} without a value"))?;
                read.options.entry(argument).or_default().push(value);
            } else {
                read.words.push(argument);
            }
        }
        Ok(read)
    }

    fn words(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }

    fn all(&self, option: &str) -> &[String] {
        self.options.get(option).map_or(&[], Vec::as_slice)
    }

    fn one(&self, option: &str) -> Result<&str, String> {
        match self.all(option) {
            [value] => Ok(value),
            _ => Err(format!("{option} is to be given once")),
        }
    }
}
