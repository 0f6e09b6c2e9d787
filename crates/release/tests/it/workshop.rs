//! A vendor and a customer in one temporary directory.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::Timestamp;
use obnova_release::publish::{self, BuildOptions, InitOptions, Published, Vendor};
use obnova_release::{
    Catalog, Client, Destination, Error, InstalledRelease, Limits, Options, VerifiedRelease,
};
use semver::Version;
use tempfile::TempDir;

/// Everything of one test; gone at its end.
pub struct Workshop {
    directory: PathBuf,
    _temporary: Option<TempDir>,
}

impl Workshop {
    /// With keys and an empty repository.
    pub fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let workshop = Self {
            directory: temporary.path().to_owned(),
            _temporary: Some(temporary),
        };
        publish::init(
            &workshop.vendor(),
            &InitOptions {
                online_keys: workshop.path("keys"),
                offline_keys: workshop.path("offline"),
                root: (1, 1),
                targets: (1, 1),
            },
        )
        .unwrap();
        workshop
    }

    /// The one of another process.
    pub fn existing(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            _temporary: None,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub fn repository(&self) -> PathBuf {
        self.path("repository")
    }

    pub fn vendor(&self) -> Vendor {
        let keys = [self.path("keys"), self.path("offline")];
        let keys = keys.into_iter().filter(|path| path.exists()).collect();
        Vendor::new(self.repository(), keys)
    }

    /// Writes a program's files, afresh.
    pub fn write_tree(&self, files: &[(&str, &[u8])]) -> PathBuf {
        let tree = self.path("tree");
        let _ = fs::remove_dir_all(&tree);
        fs::create_dir_all(&tree).unwrap();
        for (path, content) in files {
            let place = tree.join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(&place, content).unwrap();
            let mode = if path.starts_with("bin/") {
                0o755
            } else {
                0o644
            };
            fs::set_permissions(&place, fs::Permissions::from_mode(mode)).unwrap();
        }
        tree
    }

    pub fn build(&self, version: &str, more: &str) -> Result<PathBuf, Error> {
        let description = self.path("release.toml");
        fs::write(&description, description_of(version, more)).unwrap();
        let out = self.path(&format!("build-{version}"));
        publish::build(&BuildOptions {
            description,
            tree: self.path("tree"),
            out: out.clone(),
        })?;
        Ok(out)
    }

    /// Builds and publishes a version with these files; `more` are further lines of its description.
    pub fn publish(&self, version: &str, more: &str, files: &[(&str, &[u8])]) -> Published {
        self.write_tree(files);
        let built = self.build(version, more).unwrap();
        publish::publish(&self.vendor(), &built).unwrap()
    }

    pub fn first_root(&self) -> Vec<u8> {
        fs::read(self.repository().join("metadata/1.root.json")).unwrap()
    }

    pub fn options(&self, source: &str) -> Options {
        Options {
            source: source.parse().unwrap(),
            root: self.first_root(),
            store: self.path("store"),
            product: "crm".into(),
            authorities: Vec::new(),
        }
    }

    /// A client of the directory itself.
    pub fn client(&self) -> Client {
        self.client_of(self.repository().to_str().unwrap())
    }

    /// A client of some address, impatient enough for tests.
    pub fn client_of(&self, source: &str) -> Client {
        Client::open_with(self.options(source), impatient()).unwrap()
    }

    pub fn destination(&self) -> Destination {
        Destination {
            content: self.path("content"),
            versions: self.path("versions"),
        }
    }

    pub fn download(&self, client: &Client, release: &VerifiedRelease) -> Result<Vec<u64>, Error> {
        let mut seen = Vec::new();
        client.download(
            release,
            &self.destination(),
            &mut |done, total| {
                assert!(done <= total, "{done} of {total}");
                seen.push(done);
            },
            &AtomicBool::new(false),
        )?;
        Ok(seen)
    }

    /// Refreshes and downloads the newest version, and checks it against its record.
    pub fn install_newest(&self, client: &Client) -> Result<PathBuf, Error> {
        let catalog = client.refresh(Timestamp::now())?;
        let newest = newest(&catalog);
        self.download(client, &newest)?;
        let version = &newest.description().version;
        let versions = self.destination().versions;
        InstalledRelease::load(&versions, version)?.verify(&versions)?;
        Ok(InstalledRelease::directory(&versions, version))
    }
}

pub fn impatient() -> Limits {
    Limits {
        connect: Duration::from_millis(500),
        idle: Duration::from_millis(400),
        total: Duration::from_secs(3),
        bytes_per_second: 1 << 20,
        attempts: 3,
        pause: Duration::from_millis(10),
        parallel: 4,
        most_bytes_per_second: None,
    }
}

pub fn newest(catalog: &Catalog) -> VerifiedRelease {
    catalog.releases().last().unwrap().clone()
}

pub fn versions(catalog: &Catalog) -> Vec<String> {
    let releases = catalog.releases().iter();
    releases
        .map(|release| release.description().version.to_string())
        .collect()
}

pub fn version(text: &str) -> Version {
    text.parse().unwrap()
}

pub fn in_days(days: i64) -> Timestamp {
    Timestamp::now() + jiff::SignedDuration::from_hours(24 * days)
}

/// Bytes that zstd cannot make smaller, always the same for a seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// All files of a directory with their content, sorted.
pub fn files_of(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = walk(directory);
    files.sort();
    files
}

fn walk(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else {
            files.push(path);
        }
    }
    files
}

pub fn description_of(version: &str, more: &str) -> String {
    format!(
        r#"
product = "crm"
name = "Example CRM"
version = "{version}"
date = 2026-11-24
{more}
[server]
start = ["${{tree}}/bin/crm", "--port", "${{port}}"]
[[server.health]]
path = "/health"
[notes]
cs = "Novinky verze {version}."
en = "What is new in {version}."
"#
    )
}
