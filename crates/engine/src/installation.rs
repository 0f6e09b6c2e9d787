//! The installation file: what one customer's installation is, and where its parts lie.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::api::Problem;
use crate::problem;

/// The name of the installation file inside the state directory.
pub const FILE_NAME: &str = "installation.toml";

/// How many times longer a clone may take.
const CLONE_PATIENCE: u64 = 3;

/// How the names of protected copies end that have been used to go back.
pub(crate) const USED: &str = ".used";
/// How the names of protected copies end that were thrown away: nobody looks at them any more but who removes them.
pub(crate) const TRASH: &str = ".trash";

/// One customer's installation, as written in `installation.toml`. Relative paths start at the state directory.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Installation {
    /// The product's identifier, as in its releases.
    pub product: String,
    /// Where releases come from.
    pub releases: Releases,
    /// The central database.
    pub database: Database,
    /// Directories with data files of the application.
    #[serde(default)]
    pub data: Data,
    /// How the application runs.
    #[serde(default)]
    pub service: Service,
    /// What is different on the clone of a rehearsal.
    #[serde(default)]
    pub rehearsal: Rehearsal,
    /// The application's public port.
    pub front: Listen,
    /// The Administration Centre's port.
    pub center: Listen,
    /// Who may ask the engine for what.
    #[serde(default)]
    pub access: Access,
    /// The state directory; not in the file.
    #[serde(skip)]
    pub state_dir: PathBuf,
    /// This is the clone of a rehearsal; not in the file.
    #[serde(skip)]
    pub(crate) is_clone: bool,
}

/// Where releases come from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Releases {
    /// A directory or an HTTP(S) address.
    pub source: String,
    /// The vendor's root of trust, a `root.json`.
    #[serde(default = "default_root")]
    pub root: PathBuf,
    /// `stable` or `beta`, until an administrator chooses.
    #[serde(default = "default_channel")]
    pub channel: String,
    /// Certificate authorities to believe besides those of the operating system: a PEM file. For a repository inside a
    /// company. Signatures are what releases are trusted for; this is only about reaching the server.
    #[serde(default)]
    pub authorities: Option<PathBuf>,
}

fn default_root() -> PathBuf {
    "root.json".into()
}

fn default_channel() -> String {
    "stable".to_owned()
}

/// The central database.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "driver", rename_all = "snake_case", deny_unknown_fields)]
pub enum Database {
    /// A SQLite file.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
    /// A database of a PostgreSQL server.
    Postgres {
        /// `postgres://user@host:port/database`, without a password. The user owns the database and may create others.
        #[serde(default)]
        url: String,
        /// In the place of that: the name of a service in a connection service file (`pg_service.conf`).
        service: Option<String>,
        /// A file that holds the user's password, and nothing else.
        password_file: Option<PathBuf>,
        /// Another database of the same server that the user gets into.
        #[serde(default = "default_maintenance_db")]
        maintenance_db: String,
        /// How it is protected; the fastest possible way unless said otherwise.
        rung: Option<Rung>,
        /// The cluster, if it is on this machine and this application's alone: then faster ways are possible.
        cluster: Option<Cluster>,
        /// Roles of the application beside that user: they are let in while the database changes over, and nobody else is.
        #[serde(default)]
        roles: Vec<String>,
    },
    /// A database of a MariaDB or MySQL server.
    Mariadb {
        /// `mysql://user@host:port/database`, or with `?socket=/path`, without a password. The user has all privileges on the
        /// database.
        url: String,
        /// A file that holds the user's password, and nothing else.
        password_file: Option<PathBuf>,
        /// How it is protected, `file_system` or `dump`; the fastest possible way unless said otherwise.
        rung: Option<Rung>,
        /// The server, if it is on this machine and this application's alone: then its files can be cloned.
        cluster: Option<MariadbCluster>,
    },
}

/// A MariaDB server on this machine that is this application's alone, so that it may be stopped, and returned as a whole.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MariadbCluster {
    /// Its data directory.
    pub data: PathBuf,
    /// The command that starts it, such as `["systemctl", "start", "mariadb"]`; needed where a service manager looks after it.
    /// It returns when the server is up.
    #[serde(default)]
    pub start: Vec<String>,
    /// The command that stops it; given exactly where `start` is. It returns when the server has ended.
    #[serde(default)]
    pub stop: Vec<String>,
}

/// A PostgreSQL cluster on this machine that is this application's alone, so that it may be stopped, and returned as a whole.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Its data directory.
    pub data: PathBuf,
    /// The directory of the server's programs; those of the server that runs unless said otherwise.
    pub programs: Option<PathBuf>,
    /// The command that starts its server, such as `["systemctl", "start", "postgresql@15-main"]`; needed where a service
    /// manager looks after it. It returns when the server is up.
    #[serde(default)]
    pub start: Vec<String>,
    /// The command that stops it; given exactly where `start` is. It returns when the server has ended.
    #[serde(default)]
    pub stop: Vec<String>,
    /// A role with the right to replicate, for a standby. Otherwise the application's, if it has that right, or the account that
    /// the server runs as, by `peer` authentication.
    pub replication_user: Option<String>,
    /// A file that holds that role's password, and nothing else.
    pub replication_password_file: Option<PathBuf>,
    /// The most that making a standby may read in a second, as `pg_basebackup --max-rate` has it.
    #[serde(default = "default_base_backup_rate")]
    pub base_backup_rate: String,
}

fn default_base_backup_rate() -> String {
    "32M".to_owned()
}

fn default_maintenance_db() -> String {
    "postgres".to_owned()
}

/// How a database of a server is protected, the fastest way first. MariaDB knows the first and the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// By a clone of the cluster's files, where the file system shares blocks; the server is stopped for it.
    FileSystem,
    /// By a standby, made while the application works, and frozen before the change.
    Standby,
    /// By a copy at the server, which is renamed to go back.
    Copy,
    /// By `pg_dump` and `pg_restore`.
    Dump,
}

/// Directories with data files.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Each is protected and returned as a whole. The first one is `${data}` in a release's commands.
    #[serde(default)]
    pub directories: Vec<PathBuf>,
}

/// How the application runs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The kind of service; processes of the engine's own unless said otherwise.
    #[serde(default)]
    pub driver: ServiceDriver,
    /// With the systemd driver: an existing unit such as `crm.service` that Obnova starts and stops. Without one, Obnova makes a
    /// unit itself for as long as the application runs.
    pub unit: Option<String>,
    /// The user that the application and its migrations run as; the engine's own unless said otherwise.
    pub user: Option<String>,
    /// The group, if it is not to be the user's own.
    pub group: Option<String>,
    /// A file of more such variables, `NAME = "value"`, that only the engine need read: centre and front read this file, too.
    pub secrets: Option<PathBuf>,
    /// Whether that file is closed to this process.
    #[serde(skip)]
    pub lacks_secrets: bool,
    /// Environment of the application and its migrations, secrets included. Nothing else of the engine's own is passed on
    /// but `PATH`, `HOME`, `LANG` and `TZ`.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// The kind of service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceDriver {
    /// A process group that the engine starts, watches and adopts again.
    #[default]
    Process,
    /// A unit of systemd.
    Systemd,
}

impl Service {
    /// Adds the variables of the file with secrets. The roles that have no business with them go without.
    fn read_secrets(&mut self) -> Result<(), String> {
        let Some(path) = &self.secrets else {
            return Ok(());
        };
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                self.lacks_secrets = true;
                return Ok(());
            }
            Err(error) => return Err(wrong(&error)),
        };
        let mode = std::fs::metadata(path)
            .map_err(|error| wrong(&error))?
            .mode();
        if mode & 0o007 != 0 {
            return Err(wrong(&"it is open to everybody: chmod 600"));
        }
        // Not what the parser says, which may quote a secret.
        let more: BTreeMap<String, String> = toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            wrong(&format!("line {line} is not NAME = \"value\""))
        })?;
        self.env.extend(more);
        Ok(())
    }

    /// What is wrong with it, if anything is.
    fn wrong(&self) -> Option<&'static str> {
        let unit = self.unit.as_deref().unwrap_or("a.service");
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@:\\".contains(c);
        if self.group.is_some() && self.user.is_none() {
            Some("service.group needs service.user")
        } else if self.unit.is_some() && self.driver != ServiceDriver::Systemd {
            Some("service.unit needs driver = \"systemd\"")
        } else if !unit.ends_with(".service") || !unit.chars().all(is_plain) {
            Some("service.unit is the name of a service unit, such as crm.service")
        } else {
            None
        }
    }
}

/// What is different on the clone of a rehearsal.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rehearsal {
    /// Names of variables in `[service] env` that the clone does not get: keys to mail servers, payments, web hooks.
    #[serde(default)]
    pub withhold: Vec<String>,
    /// What it gets besides or instead.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// Who may ask the engine for what. Users are names or numbers; each must be able to open the engine's socket, as members of its
/// group are. Root and the engine's own user may always ask for everything.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// The user that the Administration Centre runs as.
    pub center: String,
    /// The user that the front runs as.
    pub front: String,
    /// Users who may ask for everything, as root may.
    pub administrators: Vec<String>,
    /// Directories below which the Administration Centre may have data exported.
    pub exports: Vec<PathBuf>,
}

impl Default for Access {
    fn default() -> Access {
        Access {
            center: "obnova-center".to_owned(),
            front: "obnova-front".to_owned(),
            administrators: Vec::new(),
            exports: vec!["exports".into()],
        }
    }
}

/// Where something listens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Address and port; loopback unless said otherwise.
    pub listen: SocketAddr,
    /// The address people type, where it differs (behind a reverse proxy).
    #[serde(default)]
    pub public_url: Option<String>,
    /// Reverse proxies on other machines whose word about their clients is taken. Those on this machine always are.
    #[serde(default)]
    pub trusted_proxies: Vec<IpAddr>,
}

impl Installation {
    /// Reads the installation file of a state directory.
    ///
    /// # Errors
    /// `configuration`, with what is wrong and where.
    pub fn load(state_dir: &Path) -> Result<Installation, Problem> {
        let path = state_dir.join(FILE_NAME);
        let wrong = |detail: String| {
            Problem::new(problem::CONFIGURATION)
                .arg("path", path.display())
                .detail(detail)
        };
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        let mut installation: Installation =
            toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        installation.state_dir =
            std::path::absolute(state_dir).map_err(|error| wrong(error.to_string()))?;
        if let Database::Mariadb {
            url, cluster, rung, ..
        } = &installation.database
        {
            crate::database::validate_mariadb(url, *rung, cluster.as_ref()).map_err(wrong)?;
        }
        if let Database::Postgres {
            url,
            service: Some(service),
            ..
        } = &mut installation.database
        {
            if !url.is_empty() {
                let detail = "database: url and service are not given both";
                return Err(wrong(detail.to_owned()));
            }
            *url = crate::database::of_service(service).map_err(wrong)?;
        }
        if let Database::Postgres { url, cluster, .. } = &installation.database {
            crate::database::validate_postgres(url).map_err(wrong)?;
            if cluster
                .as_ref()
                .is_some_and(|it| it.start.is_empty() != it.stop.is_empty())
            {
                return Err(wrong(
                    "database.cluster: start and stop are given both or not at all".to_owned(),
                ));
            }
        }
        if let Some(detail) = installation.service.wrong() {
            return Err(wrong(detail.to_owned()));
        }
        installation.make_paths_absolute();
        installation.service.read_secrets().map_err(wrong)?;
        match installation
            .data
            .directories
            .iter()
            .find(|directory| installation.state_dir.starts_with(directory))
        {
            Some(directory) => Err(wrong(format!(
                "the data directory {} holds the state directory, which would be copied into itself",
                directory.display()
            ))),
            None => Ok(installation),
        }
    }

    /// Refuses an installation whose secrets this process may not read: the application would miss them.
    pub(crate) fn whole(&self) -> Result<(), Problem> {
        match (&self.service.secrets, self.service.lacks_secrets) {
            (Some(path), true) => Err(Problem::new(problem::CONFIGURATION)
                .arg("path", path.display())
                .detail("the engine may not read it")),
            _ => Ok(()),
        }
    }

    fn make_paths_absolute(&mut self) {
        let base = self.state_dir.clone();
        self.releases.root = base.join(&self.releases.root);
        let authorities = self.releases.authorities.take();
        self.releases.authorities = authorities.map(|path| base.join(path));
        if !self.releases.source.contains("://") {
            self.releases.source = base.join(&self.releases.source).display().to_string();
        }
        match &mut self.database {
            Database::Sqlite { path } => *path = base.join(&*path),
            Database::Mariadb {
                password_file,
                cluster,
                ..
            } => {
                *password_file = password_file.take().map(|path| base.join(path));
                if let Some(cluster) = cluster {
                    cluster.data = base.join(&cluster.data);
                }
            }
            Database::Postgres {
                password_file,
                cluster,
                ..
            } => {
                *password_file = password_file.take().map(|path| base.join(path));
                if let Some(cluster) = cluster {
                    cluster.data = base.join(&cluster.data);
                    cluster.programs = cluster.programs.take().map(|path| base.join(path));
                    let file = &mut cluster.replication_password_file;
                    *file = file.take().map(|path| base.join(path));
                }
            }
        }
        for directory in &mut self.data.directories {
            *directory = base.join(&*directory);
        }
        self.service.secrets = self.service.secrets.take().map(|path| base.join(path));
        for place in &mut self.access.exports {
            *place = base.join(&*place);
        }
    }

    /// How long something may take that a release gives so many seconds. On a clone, which has the lowest priority of the
    /// machine, longer: what is slow there need not be in an update.
    pub(crate) fn patience(&self, seconds: u64) -> std::time::Duration {
        let factor = if self.is_clone { CLONE_PATIENCE } else { 1 };
        std::time::Duration::from_secs(seconds.saturating_mul(factor))
    }

    /// The journal.
    pub fn journal(&self) -> PathBuf {
        self.state_dir.join("journal.jsonl")
    }

    /// The copy of the release repository that Desktops read.
    pub fn desktops(&self) -> PathBuf {
        self.state_dir.join(crate::api::DESKTOPS_NAME)
    }

    /// Trees of the versions that are here.
    pub fn versions(&self) -> PathBuf {
        self.state_dir.join("versions")
    }

    /// The tree of one version.
    pub fn tree(&self, version: &Version) -> PathBuf {
        self.versions().join(version.to_string())
    }

    /// The link to the tree that runs.
    pub fn current(&self) -> PathBuf {
        self.state_dir.join("current")
    }

    /// What an update put in a safe place.
    pub fn protected(&self, update: u64) -> PathBuf {
        self.protected_root().join(update.to_string())
    }

    /// Where that is moved when it has been used to go back, so that it can never be used again.
    pub fn used(&self, update: u64) -> PathBuf {
        self.protected_root().join(format!("{update}{USED}"))
    }

    /// Where protected copies lie.
    pub fn protected_root(&self) -> PathBuf {
        self.state_dir.join("protected")
    }

    /// Output of the application and the migrations.
    pub fn logs(&self) -> PathBuf {
        self.state_dir.join("log")
    }

    /// The output of one update's migration.
    pub fn migration_log(&self, update: u64) -> PathBuf {
        self.logs().join(format!("migrate-{update}.log"))
    }

    /// The output of the check that ended one update's verification.
    pub fn check_log(&self, update: u64) -> PathBuf {
        self.logs().join(format!("check-{update}.log"))
    }

    /// The application's output.
    pub fn application_log(&self) -> PathBuf {
        self.logs().join("application.log")
    }

    /// The first data directory, `${data}`.
    pub fn data_dir(&self) -> PathBuf {
        self.data
            .directories
            .first()
            .cloned()
            .unwrap_or_else(|| self.state_dir.join("data"))
    }
}
