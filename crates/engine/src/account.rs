//! The account that the application and its migrations run as, where that is not the engine's own.

use std::ffi::CString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::unistd::{Group, User, getgrouplist};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::api::Problem;
use crate::database::Database;
use crate::installation::{Installation, Service};
use crate::problem;

/// A user and a group of this system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user's name.
    pub user: String,
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// Numbers of all groups that the user is in.
    pub groups: Vec<u32>,
    /// The user's home directory.
    pub home: PathBuf,
}

impl Account {
    /// The account that the installation names; `None` when the application runs as the engine's own user.
    ///
    /// # Errors
    /// No such user or group.
    pub fn of(service: &Service) -> io::Result<Option<Account>> {
        let user = service.user.as_deref();
        user.map(|user| Account::find(user, service.group.as_deref()))
            .transpose()
    }

    /// Looks a user up, and the group if it is not to be the user's own.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn find(user: &str, group: Option<&str>) -> io::Result<Account> {
        let unknown = |kind: &str, name: &str| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("there is no {kind} named {name} on this machine"),
            )
        };
        let found = User::from_name(user)?.ok_or_else(|| unknown("user", user))?;
        let gid = match group {
            Some(group) => {
                Group::from_name(group)?
                    .ok_or_else(|| unknown("group", group))?
                    .gid
            }
            None => found.gid,
        };
        let groups = getgrouplist(&CString::new(user)?, gid)?;
        Ok(Account {
            user: user.to_owned(),
            uid: found.uid.as_raw(),
            gid: gid.as_raw(),
            groups: groups.into_iter().map(nix::unistd::Gid::as_raw).collect(),
            home: found.dir,
        })
    }

    /// What names it to programs, and where its home is.
    pub fn env(&self) -> [(String, String); 3] {
        [
            ("HOME".to_owned(), self.home.display().to_string()),
            ("USER".to_owned(), self.user.clone()),
            ("LOGNAME".to_owned(), self.user.clone()),
        ]
    }

    /// Makes the calling thread run as this account, for good, and whatever it becomes by exec. The kernel forgets the signal
    /// for the parent's death with this.
    ///
    /// # Errors
    /// Only root may, unless the account is the one that it runs as anyway.
    pub fn enter(&self) -> io::Result<()> {
        if geteuid().as_raw() == self.uid && !geteuid().is_root() {
            return Ok(());
        }
        let refused = |error: rustix::io::Errno| {
            io::Error::other(format!(
                "only root may start the application as {}: {error}",
                self.user
            ))
        };
        let groups: Vec<Gid> = self.groups.iter().map(|it| Gid::from_raw(*it)).collect();
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        set_thread_groups(&groups).map_err(refused)?;
        set_thread_res_gid(gid, gid, gid).map_err(refused)?;
        set_thread_res_uid(uid, uid, uid).map_err(refused)?;
        Ok(())
    }

    /// Paths of these that the account cannot use as it must. The kernel is asked, in a thread that has become the account, so
    /// access control lists and the directories above count too.
    ///
    /// # Errors
    /// Only root may ask for another user.
    fn lacks(&self, wanted: Vec<(PathBuf, Access)>) -> io::Result<Vec<(PathBuf, Access)>> {
        let account = self.clone();
        let ask = move || {
            account.enter()?;
            let lacks = |(path, access): &(PathBuf, Access)| {
                accessat(CWD, path, *access, AtFlags::EACCESS).is_err()
            };
            Ok(wanted.into_iter().filter(lacks).collect())
        };
        let asking = std::thread::Builder::new()
            .name("account".to_owned())
            .spawn(ask)?;
        asking
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that asked has ended")))
    }
}

/// Sees that the account that the installation names exists and can use what it must: read the tree of every version, write
/// the data directories and, where the database is a file, that file and its directory.
///
/// # Errors
/// `account`: what is missing, and the commands that help.
pub fn check(installation: &Installation, database: &dyn Database) -> Result<(), Problem> {
    let name = installation.service.user.clone().unwrap_or_default();
    let wrong = |detail: String| {
        Problem::new(problem::ACCOUNT)
            .arg("user", &name)
            .detail(detail)
    };
    let account = match Account::of(&installation.service) {
        Ok(Some(account)) => account,
        Ok(None) => return Ok(()),
        Err(error) => return Err(wrong(error.to_string())),
    };
    let lacking = account
        .lacks(needs(installation, database))
        .map_err(|error| wrong(error.to_string()))?;
    match lacking.is_empty() {
        true => Ok(()),
        false => Err(wrong(advice(installation, &account, &lacking))),
    }
}

/// What must be usable, of what is there already.
fn needs(installation: &Installation, database: &dyn Database) -> Vec<(PathBuf, Access)> {
    let (read, write) = (
        Access::READ_OK | Access::EXEC_OK,
        Access::READ_OK | Access::WRITE_OK,
    );
    let mut needs = vec![(installation.versions(), read)];
    let data = installation.data.directories.iter();
    needs.extend(data.map(|it| (it.clone(), write | Access::EXEC_OK)));
    for file in database.files() {
        if let Some(parent) = file.parent() {
            needs.push((parent.to_owned(), write | Access::EXEC_OK));
        }
        needs.push((file, write));
    }
    needs.retain(|(path, _)| path.exists());
    needs
}

fn advice(installation: &Installation, account: &Account, lacking: &[(PathBuf, Access)]) -> String {
    let user = &account.user;
    let line = |(path, access): &(PathBuf, Access)| {
        let shown = path.display();
        if *path == installation.state_dir {
            format!(
                "{user} may not write {shown}: give the database a directory of its own below it"
            )
        } else if access.contains(Access::WRITE_OK) {
            format!(
                "{user} cannot write {shown}: chown -R {user}: {shown}, and chmod o+x for the directories above"
            )
        } else {
            format!(
                "{user} cannot read {shown}: chmod o+rx {shown}, and o+x for the directories above"
            )
        }
    };
    lacking.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Runs a command to its end as the account that the installation names.
///
/// # Errors
/// No such account, only root may, or the command could not be started.
pub fn output(service: &Service, command: &mut Command) -> io::Result<Output> {
    let Some(account) = Account::of(service)? else {
        return command.output();
    };
    // A thread that has become the account: what it starts is that account's.
    std::thread::scope(|scope| {
        let run = || {
            account.enter()?;
            command.output()
        };
        let running = std::thread::Builder::new()
            .name("account".to_owned())
            .spawn_scoped(scope, run)?;
        running
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that waited has ended")))
    })
}

/// Gives what has just been made to the account that the application runs as.
///
/// # Errors
/// No such account, or only root may.
pub fn give(service: &Service, path: &Path) -> io::Result<()> {
    match Account::of(service)? {
        Some(account) => std::os::unix::fs::chown(path, Some(account.uid), Some(account.gid)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
