//! The account that a server of our own runs as. Database servers refuse to run as root, and an account without rights often does
//! not get at a directory of root's: then the server sees that at another place, in a mount namespace of its own.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User};

use super::failure::Failure;
use super::programs;

/// The longest path of a directory with a socket: the kernel allows 107 bytes for all of it.
pub(super) const LONGEST_SOCKET: usize = 85;
/// An account without rights, by its name and by its numbers where it has none.
const NOBODY: (&str, (u32, u32)) = ("nobody", (65534, 65534));
/// Directories that systems have for mounting something.
const MOUNT_POINTS: [&str; 3] = ["/mnt", "/media", "/srv"];
/// Mounts its first argument at its second, and becomes the rest.
const MOUNTED: &str = r#"mount --bind "$1" "$2" && shift 2 && exec "$@""#;

/// See the module.
pub(super) struct Account {
    /// User and group, when they are not those of this process.
    pub(super) ids: Option<(u32, u32)>,
    /// Where the server's home is mounted for it.
    mounted: Option<PathBuf>,
}

impl Account {
    /// One for a server at home in this directory. `preferred` owns the original's files; else the account of this name is taken,
    /// or one without rights.
    pub(super) fn choose(
        home: &Path,
        preferred: Option<(u32, u32)>,
        name: &str,
    ) -> Result<Account, Failure> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Account {
                ids: None,
                mounted: None,
            });
        }
        let ids = preferred
            .filter(|(user, _)| *user != 0)
            .or_else(|| known(name))
            .or_else(|| known(NOBODY.0))
            .unwrap_or(NOBODY.1);
        let is_long = home.as_os_str().len() > LONGEST_SOCKET;
        let mounted = match is_long || !is_passable(home, ids) {
            true => Some(mount_point(home)?),
            false => None,
        };
        Ok(Account {
            ids: Some(ids),
            mounted,
        })
    }

    /// Where the server finds its home.
    pub(super) fn inside(&self, home: &Path) -> PathBuf {
        self.mounted.clone().unwrap_or_else(|| home.to_owned())
    }

    /// The program as this account; its arguments follow.
    pub(super) fn words(&self, home: &Path, program: &Path) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(mounted) = &self.mounted {
            words.extend(["unshare", "--mount", "sh", "-c", MOUNTED, "sh"].map(Into::into));
            words.extend([home.into(), mounted.into()]);
        }
        if let Some((user, group)) = self.ids {
            words.extend(["setpriv", "--reuid"].map(Into::into));
            words.push(user.to_string().into());
            words.push("--regid".into());
            words.push(group.to_string().into());
            words.push("--clear-groups".into());
        }
        words.push(program.into());
        words
    }
}

/// Whether an account gets at a directory.
fn is_passable(directory: &Path, (user, group): (u32, u32)) -> bool {
    let mut above = directory.ancestors().skip(1);
    above.all(|path| {
        std::fs::metadata(path).is_ok_and(|it| {
            let shift = match (it.uid() == user, it.gid() == group) {
                (true, _) => 6,
                (false, true) => 3,
                (false, false) => 0,
            };
            (it.mode() >> shift) & 1 != 0
        })
    })
}

fn mount_point(home: &Path) -> Result<PathBuf, Failure> {
    let can = programs::in_path("unshare")
        && Command::new("unshare")
            .args(["--mount", "true"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
    let point = MOUNT_POINTS.iter().map(Path::new).find(|it| it.is_dir());
    match point.filter(|_| can) {
        Some(point) => Ok(point.to_owned()),
        None => Err(Failure::Unsuitable(format!(
            "an account without rights, which a database server runs as, cannot get at {}, and mount namespaces are not \
             allowed here; let others pass (chmod o+x) the directories above it",
            home.display()
        ))),
    }
}

/// The user and the group of the account of this name.
fn known(name: &str) -> Option<(u32, u32)> {
    let user = User::from_name(name).ok().flatten()?;
    Some((user.uid.as_raw(), user.gid.as_raw()))
}

/// The name of this account.
pub(super) fn name(user: u32) -> Option<String> {
    let user = User::from_uid(Uid::from_raw(user)).ok().flatten()?;
    Some(user.name)
}
