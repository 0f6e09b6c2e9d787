//! Who is at the other end of the engine's socket, and what that one may ask for.
//!
//! The kernel says which user a peer was when it connected; nothing that a peer says about itself counts. Centre and front may
//! do what they are for and no more, so that whoever gets one of them in hand has not got the engine. Where all roles run as
//! the engine's own user, as with `obnova up`, there is nothing to tell them apart by, and each may do everything.

use std::os::unix::net::UnixStream;
use std::path::{Component, Path};

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::User;
use rustix::process::geteuid;

use crate::api::{Answer, Phase, Problem, Request, State};
use crate::installation::{Access, Installation};
use crate::problem;

/// Longest name of who asked, in characters.
const LONGEST_ACTOR: usize = 200;
/// What names of those begin with who ask at the command line.
const COMMAND_LINE: &str = "cli:";

/// A process at the other end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// Its user.
    pub(crate) uid: u32,
    /// Its number, for the log; 0 when it is in another container.
    pub(crate) pid: i32,
    /// What it is.
    pub(crate) role: Role,
}

/// What a peer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Root, the engine's own user, and users that the installation file names: everything.
    Administrator,
    /// The Administration Centre: what its pages and mails need.
    Centre,
    /// The front: orders and reports.
    Front,
    /// Somebody who can open the socket and has no business here.
    Stranger,
}

impl Peer {
    /// Who is connected.
    ///
    /// # Errors
    /// The kernel does not say.
    pub(crate) fn of(stream: &UnixStream, access: &Access) -> std::io::Result<Peer> {
        let said = getsockopt(stream, sockopt::PeerCredentials)?;
        Ok(Peer {
            uid: said.uid(),
            pid: said.pid(),
            role: Role::of(said.uid(), access),
        })
    }

    /// Whether it may ask for this; written down when it may not.
    ///
    /// # Errors
    /// `not-allowed`, `bad-request`.
    pub(crate) fn allow(
        &self,
        request: &Request,
        installation: &Installation,
    ) -> Result<(), Problem> {
        let refusal = self.refusal(request, installation);
        if let Err(problem) = &refusal {
            let Peer { uid, pid, role } = self;
            let (call, detail) = (name(request), problem.detail.as_deref().unwrap_or_default());
            tracing::warn!(uid, pid, ?role, call, "a request was refused: {detail}");
        }
        refusal
    }

    fn refusal(&self, request: &Request, installation: &Installation) -> Result<(), Problem> {
        if !self.role.may(request) {
            return Err(not_allowed(format!(
                "user {} may not ask for {} here; see [access] in installation.toml",
                self.uid,
                name(request)
            )));
        }
        if let Some(actor) = actor(request) {
            self.check_actor(actor)?;
        }
        match request {
            Request::Export { directory } if self.role == Role::Centre => {
                check_export(directory, installation)
            }
            _ => Ok(()),
        }
    }

    /// It is shown, mailed and kept for ever; and the centre does not speak for those at the command line.
    fn check_actor(&self, actor: &str) -> Result<(), Problem> {
        if actor.trim().is_empty()
            || actor.chars().count() > LONGEST_ACTOR
            || actor.chars().any(char::is_control)
        {
            return Err(Problem::new(problem::BAD_REQUEST).detail("this is no name of anybody"));
        }
        match self.role == Role::Centre && actor.starts_with(COMMAND_LINE) {
            true => Err(not_allowed(format!(
                "names with {COMMAND_LINE} are those of the command line"
            ))),
            false => Ok(()),
        }
    }

    /// What it sees of an answer.
    pub(crate) fn answer(&self, answer: Answer) -> Answer {
        match answer {
            Answer::State(state) if self.role == Role::Front => {
                Answer::State(Box::new(for_the_front(*state)))
            }
            answer => answer,
        }
    }
}

impl Role {
    fn of(uid: u32, access: &Access) -> Role {
        let is = |name: &String| number(name) == Some(uid);
        if uid == 0 || uid == geteuid().as_raw() || access.administrators.iter().any(is) {
            Role::Administrator
        } else if is(&access.center) {
            Role::Centre
        } else if is(&access.front) {
            Role::Front
        } else {
            Role::Stranger
        }
    }

    /// Every request that there is, so that a new one cannot be forgotten.
    fn may(self, request: &Request) -> bool {
        use Role::{Centre, Front};
        let others: &[Role] = match request {
            Request::State => &[Centre, Front],
            Request::Traffic => &[Front],
            Request::Check
            | Request::Plan { .. }
            | Request::Install { .. }
            | Request::Rehearse { .. }
            | Request::CancelRehearsal
            | Request::RehearsalLog { .. }
            | Request::Copies
            | Request::DeleteCopy { .. }
            | Request::RevertPlan
            | Request::Export { .. }
            | Request::Revert { .. }
            | Request::Events { .. }
            | Request::History
            | Request::Report { .. }
            | Request::Settings
            | Request::Configure(_) => &[Centre],
            Request::Doctor { .. } | Request::Recover | Request::Shutdown { .. } => &[],
        };
        self == Role::Administrator || others.contains(&self)
    }

    /// How many connections peers of this role may have at once. Together less than there may be, so that whatever the others
    /// do, an administrator gets in.
    pub(crate) fn connections(self) -> usize {
        match self {
            Role::Administrator => usize::MAX,
            Role::Centre => 128,
            Role::Front => 32,
            Role::Stranger => 8,
        }
    }
}

/// The number of a user: looked up each time, as accounts may be made while the engine runs. Where there are no names, as in
/// containers, it is given as a number.
fn number(name: &str) -> Option<u32> {
    name.parse().ok().or_else(|| {
        let found = User::from_name(name).ok().flatten();
        found.map(|user| user.uid.as_raw())
    })
}

/// The name of a request, as on the wire.
fn name(request: &Request) -> String {
    let value = serde_json::to_value(request).unwrap_or_default();
    let call = value.get("call").and_then(|call| call.as_str());
    call.unwrap_or_default().to_owned()
}

fn actor(request: &Request) -> Option<&str> {
    match request {
        Request::Install { actor, .. }
        | Request::Rehearse { actor, .. }
        | Request::Revert { actor, .. } => Some(actor),
        _ => None,
    }
}

/// The engine may write where the centre may not: from there data go to one place only, and the files that an application made
/// do not come to lie where the machine takes orders from.
fn check_export(directory: &Path, installation: &Installation) -> Result<(), Problem> {
    let plain = directory
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    let mut places = installation.access.exports.iter();
    match plain && places.any(|place| directory.starts_with(place) && directory != place) {
        true => Ok(()),
        false => Err(not_allowed(format!(
            "from the Administration Centre data are exported below {} only; see [access] exports in installation.toml",
            installation
                .access
                .exports
                .iter()
                .map(|place| place.display().to_string())
                .collect::<Vec<_>>()
                .join(", ")
        ))),
    }
}

fn not_allowed(detail: String) -> Problem {
    Problem::new(problem::NOT_ALLOWED).detail(detail)
}

/// The front shows the product's name on the maintenance page, and has no use for more.
fn for_the_front(state: State) -> State {
    State {
        phase: Phase::Idle,
        serving: None,
        support_email: None,
        check: None,
        last_event: 0,
        last_update: None,
        rehearsing: None,
        rehearsed: None,
        fronts: Vec::new(),
        ..state
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn access() -> Access {
        Access {
            center: "60001".to_owned(),
            front: "60002".to_owned(),
            administrators: vec!["60003".to_owned()],
            exports: vec!["/state/exports".into()],
        }
    }

    #[test]
    fn a_peer_is_what_its_user_is() {
        let role = |uid| Role::of(uid, &access());
        assert_eq!(role(0), Role::Administrator);
        assert_eq!(role(60001), Role::Centre);
        assert_eq!(role(60002), Role::Front);
        assert_eq!(role(60003), Role::Administrator);
        assert_eq!(role(60004), Role::Stranger);
        assert_eq!(Role::of(geteuid().as_raw(), &access()), Role::Administrator);
    }

    #[test]
    fn a_name_that_nobody_has_is_nobody() {
        let nobody = Access {
            center: "there-is-no-such-user".to_owned(),
            front: String::new(),
            ..access()
        };
        assert_eq!(Role::of(60001, &nobody), Role::Stranger);
    }

    #[test]
    fn limits_of_all_others_leave_room_for_administrators() {
        let others = [Role::Centre, Role::Front, Role::Stranger];
        let all: usize = others.into_iter().map(Role::connections).sum();
        assert!(all < crate::server::MAX_CONNECTIONS);
    }

    #[test]
    fn the_centre_has_data_put_in_one_place_only() {
        let exports = access().exports;
        let installation = |path: &str| check_in(&exports, path);
        assert!(installation("/state/exports/1.0.0-1"));
        for path in [
            "/state/exports",
            "/state/exports/../bin",
            "/state/exports2/a",
            "/etc/systemd/system/ssh.service.d",
            "exports/a",
        ] {
            assert!(!installation(path), "{path}");
        }
    }

    fn check_in(exports: &[PathBuf], path: &str) -> bool {
        let text = "product = \"p\"\n[releases]\nsource = \"r\"\n[database]\ndriver = \"sqlite\"\npath = \"d\"\n\
                    [front]\nlisten = \"127.0.0.1:0\"\n[center]\nlisten = \"127.0.0.1:0\"\n";
        let mut installation: Installation = toml::from_str(text).unwrap();
        installation.access.exports = exports.to_vec();
        check_export(Path::new(path), &installation).is_ok()
    }
}
