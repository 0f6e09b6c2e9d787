//! What the tests need besides a Rust toolchain, and how it comes onto the machine.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run;

/// Checks licences, banned crates and sources.
const DENY_VERSION: &str = "0.20.2";

/// Debian packages by the program that shows they are there.
const BROWSER: &[(&str, &str)] = &[
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("fc-list", "fontconfig"),
];
/// Debian packages by the font in them; the product's style sheets name these fonts.
const FONTS: &[(&str, &str)] = &[
    ("Noto Sans", "fonts-noto-core"),
    ("P052", "fonts-urw-base35"),
];
/// Where Debian puts each PostgreSQL version's programs; they are not on the search path.
const POSTGRES: &str = "/usr/lib/postgresql";
/// A systemd and a message bus for it. The tests start their own; what this machine is run by does not matter.
const SYSTEMD: &[(&str, &str)] = &[("busctl", "systemd"), ("dbus-daemon", "dbus")];
const FILE_SYSTEMS: &[(&str, &str)] = &[
    ("mkfs.xfs", "xfsprogs"),
    ("mkfs.btrfs", "btrfs-progs"),
    ("btrfs", "btrfs-progs"),
    ("filefrag", "e2fsprogs"),
    ("unshare", "util-linux"),
    ("setpriv", "util-linux"),
    ("ip", "iproute2"),
];
/// A MariaDB server's programs and its clients'.
const MARIADB: &[(&str, &str)] = &[
    ("/usr/sbin/mariadbd", "mariadb-server"),
    ("/usr/bin/mariadb-install-db", "mariadb-server"),
    ("/usr/bin/mariadb-dump", "mariadb-client"),
];
const NGINX: &[(&str, &str)] = &[("/usr/sbin/nginx", "nginx")];
/// A Rust compiler with the sources of its standard library, from Debian's security updates where its own is too old, and a linker
/// for Windows. NASM is for the assembler parts of aws-lc.
const WINDOWS: &[(&str, &str)] = &[
    ("/usr/bin/rustc", "rustc-web"),
    ("/usr/bin/cargo", "cargo-web"),
    (
        "/usr/lib/rustlib/src/rust/library/std/Cargo.toml",
        "rust-web-src",
    ),
    (
        "/usr/bin/x86_64-w64-mingw32-gcc-posix",
        "gcc-mingw-w64-x86-64-posix",
    ),
    (
        "/usr/bin/x86_64-w64-mingw32-g++-posix",
        "g++-mingw-w64-x86-64-posix",
    ),
    ("/usr/bin/nasm", "nasm"),
];
/// What runs programs of Windows.
const WINE: &[(&str, &str)] = &[("/usr/lib/wine/wine64", "wine64")];
/// Debian asks this program whether a package may start what it brings; 101 is no.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const NPM: &[(&str, &str)] = &[("npm", "npm")];
/// A screen that is not there, with hands for it.
const SCREEN: &[(&str, &str)] = &[
    ("Xvfb", "xvfb"),
    ("xdotool", "xdotool"),
    ("dbus-daemon", "dbus"),
    ("import", "imagemagick"),
];
/// What draws windows without a graphics card, and what windows are made with, by library.
const WINDOWS_LIBRARIES: &[(&str, &str)] = &[
    ("dri/swrast_dri.so", "libgl1-mesa-dri"),
    ("libGL.so.1", "libgl1"),
    ("libEGL.so.1", "libegl1"),
    ("libX11-xcb.so.1", "libx11-xcb1"),
    ("libXcursor.so.1", "libxcursor1"),
    ("libXi.so.6", "libxi6"),
    ("libXrandr.so.2", "libxrandr2"),
    ("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
];
/// How screen readers are told what is in windows.
const READER: (&str, &str) = ("/usr/libexec/at-spi-bus-launcher", "at-spi2-core");

/// Chromium, its WebDriver, and the fonts with which pictures look the same everywhere.
pub(crate) fn ensure_browser() -> Result<()> {
    let mut packages = missing(BROWSER);
    let absent = FONTS.iter().filter(|(font, _)| !has_font(font));
    packages.extend(absent.map(|(_, package)| *package));
    install(&packages)
}

/// A PostgreSQL server's programs. The tests make clusters of their own with them, each gone with its test.
pub(crate) fn ensure_postgres() -> Result<()> {
    let mut versions = std::fs::read_dir(POSTGRES).into_iter().flatten().flatten();
    if versions.any(|version| version.path().join("bin/initdb").is_file()) {
        return Ok(());
    }
    install(&["postgresql"])
}

/// Programs that make file systems which clone files, and namespaces for mounting them.
pub(crate) fn ensure_file_systems() -> Result<()> {
    install(&missing(FILE_SYSTEMS))
}

/// A clock that jumps for those processes only that are to see it.
pub(crate) fn ensure_clock() -> Result<()> {
    let mut libraries = std::fs::read_dir("/usr/lib")?.flatten();
    if libraries.any(|it| it.path().join("faketime/libfaketime.so.1").is_file()) {
        return Ok(());
    }
    install(&["libfaketime"])
}

/// The servers of all versions of PostgreSQL that are known, and the client programs of the newest, which reads all others' data:
/// no Debian has them beside its own.
pub(crate) fn ensure_postgres_versions() -> Result<()> {
    npm("npm-postgres")?;
    pip("pip-postgres")
}

/// systemd's programs, of which the tests make a systemd of their own in new namespaces.
pub(crate) fn ensure_systemd() -> Result<()> {
    let mut packages = missing(SYSTEMD);
    // Its policy and its user come apart from the program.
    if !Path::new("/usr/share/dbus-1/system.conf").is_file() && !packages.contains(&"dbus") {
        packages.push("dbus");
    }
    install(&packages)
}

/// Python and pip, with which the example builds Tryton's releases.
pub(crate) fn ensure_python() -> Result<()> {
    let has_pip = Command::new("python3")
        .args(["-m", "pip", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if has_pip {
        return Ok(());
    }
    install(&["python3", "python3-pip"])
}

/// Schemathesis, which makes requests from a description of addresses; returns the directory that it is in.
pub(crate) fn ensure_schemathesis() -> Result<PathBuf> {
    ensure_python()?;
    let home = run::target_directory()?.join("tools/schemathesis");
    let source = run::root().join("xtask/schemathesis/requirements.txt");
    let done = home.join("requirements.txt");
    if same_content(&source, &done) {
        return Ok(home);
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--upgrade", "--target"]);
    run::run(pip.arg(&home).arg("--requirement").arg(&source))?;
    std::fs::copy(&source, &done)?;
    Ok(home)
}

/// A MariaDB server's programs. The tests make servers of their own with them.
pub(crate) fn ensure_mariadb() -> Result<()> {
    install_servers(MARIADB)
}

/// A web server to compare ours with.
pub(crate) fn ensure_nginx() -> Result<()> {
    install_servers(NGINX)
}

/// Packages that would start a server for everybody, by files in them.
fn install_servers(all: &[(&str, &'static str)]) -> Result<()> {
    let absent = all
        .iter()
        .filter(|(program, _)| !Path::new(program).is_file());
    let mut packages: Vec<&str> = absent.map(|(_, package)| *package).collect();
    packages.dedup();
    let has_policy = Path::new(POLICY).exists();
    if !packages.is_empty() && !has_policy {
        // Only root can, and only root installs.
        let written = std::fs::write(POLICY, "#!/bin/sh\nexit 101\n");
        if written.is_ok() {
            std::fs::set_permissions(POLICY, PermissionsExt::from_mode(0o755))?;
        }
    }
    let installed = install(&packages);
    if !packages.is_empty() && !has_policy {
        std::fs::remove_file(POLICY).ok();
    }
    installed
}

/// What builds programs for Windows, and runs them when they are to be tested.
pub(crate) fn ensure_windows(with_wine: bool) -> Result<()> {
    let wine = if with_wine { WINE } else { &[] };
    let all = WINDOWS.iter().chain(wine);
    let absent = all.filter(|(file, _)| !Path::new(file).is_file());
    install(&absent.map(|(_, package)| *package).collect::<Vec<_>>())
}

/// axe-core, which finds barriers in pages; returns its script. The lock file pins it by content.
pub(crate) fn ensure_axe() -> Result<PathBuf> {
    Ok(npm("npm")?.join("node_modules/axe-core/axe.min.js"))
}

/// The packages of a folder of `xtask`, whose lock file pins them by content; returns where they are.
fn npm(folder: &str) -> Result<PathBuf> {
    let home = run::target_directory()?.join("tools").join(folder);
    let source = run::root().join("xtask").join(folder);
    let lock = source.join("package-lock.json");
    let is_there = home.join("node_modules/.package-lock.json").is_file();
    if is_there && same_content(&lock, &home.join("package-lock.json")) {
        return Ok(home);
    }
    install(&missing(NPM))?;
    std::fs::create_dir_all(&home)?;
    for file in ["package.json", "package-lock.json"] {
        std::fs::copy(source.join(file), home.join(file))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    run::run(npm.current_dir(&home))?;
    Ok(home)
}

/// cargo-deny in exactly one version, built without optimisation: it runs for seconds, so building it is what costs.
pub(crate) fn ensure_deny() -> Result<PathBuf> {
    let home = run::target_directory()?.join("tools");
    let program = home.join("bin/cargo-deny");
    for candidate in [Path::new("cargo-deny"), &program] {
        let version = Command::new(candidate).arg("--version").output();
        let wanted = format!("cargo-deny {DENY_VERSION}");
        if version.is_ok_and(|v| String::from_utf8_lossy(&v.stdout).trim() == wanted) {
            return Ok(candidate.to_owned());
        }
    }
    let mut install = run::cargo([
        "install",
        "cargo-deny",
        "--locked",
        "--version",
        DENY_VERSION,
    ]);
    install
        .arg("--root")
        .arg(&home)
        .arg("--target-dir")
        .arg(home.join("build"))
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_RELEASE_LTO", "false")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .current_dir(std::env::temp_dir());
    run::run(&mut install)?;
    // A gigabyte that is not needed again.
    std::fs::remove_dir_all(home.join("build")).ok();
    Ok(program)
}

/// The packages of a folder of `xtask` whose list pins them by content.
fn pip(folder: &str) -> Result<()> {
    const LIST: &str = "requirements.txt";
    let home = run::target_directory()?.join("tools").join(folder);
    let list = run::root().join("xtask").join(folder).join(LIST);
    // Copied last: what is there is complete.
    if same_content(&list, &home.join(LIST)) {
        return Ok(());
    }
    ensure_python()?;
    if home.exists() {
        std::fs::remove_dir_all(&home)?;
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps"])
        .args(["--disable-pip-version-check", "--root-user-action=ignore"])
        .args(["--only-binary=:all:", "--require-hashes", "--target"])
        .arg(&home)
        .arg("--requirement")
        .arg(&list);
    run::run(&mut pip)?;
    std::fs::copy(&list, home.join(LIST))?;
    Ok(())
}

/// A screen, a message bus and a screen reader's interface, of which the tests of windows start their own.
pub(crate) fn ensure_screen() -> Result<()> {
    let mut packages = missing(SCREEN);
    let absent = WINDOWS_LIBRARIES.iter().filter(|(it, _)| !has_library(it));
    packages.extend(absent.map(|(_, package)| *package));
    if !Path::new(READER.0).is_file() {
        packages.push(READER.1);
    }
    install(&packages)
}

fn has_library(name: &str) -> bool {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten();
    let mut folders = folders.flatten();
    folders.any(|folder| folder.path().join(name).is_file())
}

fn missing(packages: &[(&'static str, &'static str)]) -> Vec<&'static str> {
    let absent = packages.iter().filter(|(p, _)| !run::is_installed(p));
    absent.map(|(_, package)| *package).collect()
}

fn has_font(name: &str) -> bool {
    let fonts = Command::new("fc-list").arg(name).output();
    fonts.is_ok_and(|output| !output.stdout.is_empty())
}

fn same_content(a: &Path, b: &Path) -> bool {
    matches!((std::fs::read(a), std::fs::read(b)), (Ok(a), Ok(b)) if a == b)
}

fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    if !run::is_installed("apt-get") {
        bail!("these Debian packages are needed, or what they are called here: {list}");
    }
    let is_root = run::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !is_root {
        bail!("please run: sudo apt-get install --no-install-recommends {list}");
    }
    run::run(Command::new("apt-get").args(["update", "--quiet"]))?;
    let mut apt = Command::new("apt-get");
    apt.args(["install", "--yes", "--quiet", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive");
    run::run(&mut apt).with_context(|| format!("cannot install {list}"))
}
