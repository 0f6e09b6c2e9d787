//! `obnova release prove`, as a vendor runs it: a release that holds is proven, one that leaves something behind is not.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A vendor's desk: keys, a repository, and the test application.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Desk {
        let desk = Desk(tempfile::tempdir().unwrap());
        desk.succeed("release init --repository @repo --keys @keys");
        desk.build("1.0.0", 1, "");
        desk.succeed("release publish @built-1.0.0 --repository @repo --keys @keys");
        std::fs::write(
            desk.path("sqlite.toml"),
            "product = \"test-app\"\n[releases]\nsource = \"elsewhere\"\n\
             [database]\ndriver = \"sqlite\"\npath = \"app.db\"\n[data]\ndirectories = [\"data\"]\n\
             [front]\nlisten = \"127.0.0.1:80\"\n[center]\nlisten = \"127.0.0.1:81\"\n",
        )
        .unwrap();
        let sample = desk.path("fill");
        std::fs::write(
            &sample,
            "#!/bin/sh\nset -e\necho letter > \"$OBNOVA_DATA/letter.txt\"\n\
             for n in 1 2 3; do curl -sf -H 'content-type: application/json' -d \"{\\\"id\\\":\\\"user-$n\\\"}\" \"$OBNOVA_APPLICATION/write\"; done\n",
        )
        .unwrap();
        std::fs::set_permissions(&sample, std::fs::Permissions::from_mode(0o755)).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Builds a version of the test application; `before` are a shell's words before its migration.
    fn build(&self, version: &str, schema: u32, before: &str) {
        let work = self.path(&format!("work-{version}"));
        std::fs::create_dir_all(work.join("tree/bin")).unwrap();
        std::fs::copy(test_app(), work.join("tree/bin/test-app")).unwrap();
        std::fs::write(work.join("tree/VERSION"), version).unwrap();
        let place = "\"--database\", \"${database}\", \"--data\", \"${data}\"";
        let app = "\"${tree}/bin/test-app\"";
        let shell = match before {
            "" => String::new(),
            words => format!("\"/bin/sh\", \"-c\", {words:?}, \"sh\", "),
        };
        let text = format!(
            "product = \"test-app\"\nname = \"Test\"\nversion = \"{version}\"\ndate = \"2026-01-01\"\n\
             [server]\nstart = [{app}, \"serve\", \"--port\", \"${{port}}\", \"--version\", \"{version}\", {place}]\n\
             migrate = [{shell}{app}, \"migrate\", \"--to\", \"{schema}\", {place}]\nhealth_seconds = 5\n\
             [[server.health]]\npath = \"/health\"\ncontains = \"{version}\"\n[database]\nchange = \"migrate\"\n"
        );
        std::fs::write(work.join("release.toml"), text).unwrap();
        let line = format!(
            "release build --description @work-{version}/release.toml --tree @work-{version}/tree --out @built-{version}"
        );
        self.succeed(&line);
    }

    fn run(&self, line: &str) -> Output {
        let words = line.split(' ').map(|word| match word.strip_prefix('@') {
            Some(name) => self.path(name).display().to_string(),
            None => word.to_owned(),
        });
        Command::new(env!("CARGO_BIN_EXE_obnova"))
            .args(words)
            .env("LANG", "en")
            .env("TMPDIR", self.0.path())
            .output()
            .unwrap()
    }

    fn succeed(&self, line: &str) -> String {
        let output = self.run(line);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }
}

fn test_app() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let path = here.ancestors().nth(2).unwrap().join("test-app");
    assert!(
        path.is_file(),
        "{} is not built; run: cargo build -p obnova-testkit --bins",
        path.display()
    );
    path
}

fn nothing_runs_below(directory: &Path) {
    let directory = directory.display().to_string();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        assert!(!line.contains(&directory), "still running: {line}");
    }
}

#[test]
fn a_release_whose_way_back_holds_is_proven_and_customers_read_that() {
    let desk = Desk::new();
    desk.build("1.1.0", 2, "");
    let printed = desk.succeed(
        "release prove @built-1.1.0 --repository @repo --installation @sqlite.toml --from 1.0.0 --sample @fill --rounds 16 --json",
    );
    let proof: Value = serde_json::from_str(&printed).unwrap();
    let trial = &proof["trials"][0];
    assert_eq!(trial["from"], "1.0.0");
    assert_eq!(trial["database"], "SQLite");
    assert_eq!(trial["rounds"], 16);
    let count = |name: &str| trial[name].as_u64().unwrap();
    assert_eq!(count("ended_before") + count("ended_after"), 16);
    assert!(
        count("ended_before") > 4 && count("ended_after") > 1,
        "{trial}"
    );
    assert!(count("worst_blackout_ms") > 0);
    nothing_runs_below(desk.0.path());
    let left: Vec<_> = std::fs::read_dir(desk.0.path())
        .unwrap()
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with("obnova-prove")
        })
        .collect();
    assert!(left.is_empty(), "{left:?}");

    desk.succeed("release publish @built-1.1.0 --repository @repo --keys @keys");
    let listed = std::fs::read_to_string(desk.path("repo/metadata/3.targets.json")).unwrap();
    assert!(listed.contains("\"ended_before\""), "{listed}");
}

#[test]
fn a_release_that_leaves_something_behind_is_not_proven() {
    let desk = Desk::new();
    // Its migration reaches out of its tree into that of the version before, which is nobody's data and so is not returned.
    desk.build(
        "1.1.0",
        2,
        "touch -d 2001-01-01 ../1.0.0/VERSION; exec \"$@\"",
    );
    let output = desk.run(
        "release prove @built-1.1.0 --repository @repo --installation @sqlite.toml --from 1.0.0 --rounds 12",
    );
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it was proven");
    assert!(
        error.contains("not proven: the update from 1.0.0"),
        "{error}"
    );
    assert!(error.contains("VERSION"), "{error}");
    assert!(!desk.path("built-1.1.0/proof.json").exists());
    nothing_runs_below(desk.0.path());
}

#[test]
fn a_version_that_the_release_cannot_be_installed_over_is_refused_at_once() {
    let desk = Desk::new();
    desk.build("1.1.0", 2, "");
    let output = desk.run(
        "release prove @built-1.1.0 --repository @repo --installation @sqlite.toml --from 2.0.0",
    );
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("cannot be installed over 2.0.0"), "{error}");
}
