//! The return of the rung *dump* where the role may not create databases: everything that it owns in the database is dropped, and the
//! dump is loaded into the same database, by one session that was there before the door was shut. Nobody else gets in meanwhile, and a
//! call that died in the middle is simply made again: the migrated state is gone from its first step on.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde::Deserialize;

use super::address::Address;
use super::failure::Failure;
use super::note::Note;
use super::programs;
use super::server::Server;
use super::tools;
use crate::durable;

/// What `pg_restore` says before all else from version 17 on, and in how many lines at most.
const TIMEOUT: &[u8] = b"SET transaction_timeout = 0;\n";
const FIRST_LINES: usize = 40;
/// Which parts of the dump are loaded.
const LIST: &str = "dump.list";
/// At most so many things in the way are named.
const NAMED: usize = 5;

/// Run by the session that loads: says its number, and takes back what the migrated database or role set for sessions.
const BEGIN: &str = r"SELECT pg_catalog.pg_backend_pid();
\o /dev/null
SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings
    WHERE name IN ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout');
SET default_transaction_read_only = off;
SET default_transaction_isolation = 'read committed';
SET client_min_messages = warning;
SET synchronous_commit = off;
";
/// Everything of the role goes, each thing in a transaction of its own: the server has locks for some thousands only.
const CLEAR: &str = include_str!("refill/clear.sql");
/// With this acknowledged, everything before it is on the server's disk.
const END: &str =
    "\nSET synchronous_commit = on;\nSELECT pg_catalog.lo_unlink(pg_catalog.lo_create(0));\n";

/// What this role could not bring back.
const OBSTACLES: &str = include_str!("refill/obstacles.sql");
/// Whose things stay.
const FACTS: &str = "SELECT jsonb_build_object(\
    'own', (SELECT coalesce(jsonb_agg(rolname), '[]') FROM pg_roles \
        WHERE pg_has_role(oid, 'USAGE') AND pg_has_role(oid, 'MEMBER')), \
    'foreign', (SELECT coalesce(jsonb_agg(rolname), '[]') FROM pg_roles \
        WHERE NOT (pg_has_role(oid, 'USAGE') AND pg_has_role(oid, 'MEMBER'))), \
    'extensions', (SELECT coalesce(jsonb_agg(extname), '[]') FROM pg_extension WHERE NOT pg_has_role(extowner, 'USAGE')), \
    'schemas', (SELECT coalesce(jsonb_agg(DISTINCT n.nspname), '[]') FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace \
        WHERE NOT pg_has_role(e.extowner, 'USAGE')))::text WHERE $1 <> ''";

#[derive(Debug, Deserialize)]
struct Facts {
    own: Vec<String>,
    foreign: Vec<String>,
    extensions: Vec<String>,
    schemas: Vec<String>,
}

/// What is in the way of returning a database like that. `inside` is a session in it.
pub(super) fn obstacles(inside: &mut Server, database: &str) -> Result<Vec<String>, Failure> {
    let found: Vec<String> = inside.ask(OBSTACLES, database)?.unwrap_or_default();
    if found.is_empty() {
        return Ok(found);
    }
    let more = match found.len() > NAMED {
        true => format!(" and {} more", found.len() - NAMED),
        false => String::new(),
    };
    let named = &found[..found.len().min(NAMED)];
    Ok(vec![format!(
        "the role may not create databases, and could not bring back into this one: {}{more}",
        named.join(", ")
    )])
}

/// Loads the dump of this protected directory into the database. Repeatable until `note` says that it is done; the database is shut
/// until then, whatever happens.
pub(super) fn restore(
    server: &mut Server,
    address: &Address,
    database: &str,
    from: &Path,
    dump: &Path,
    mut note: Note,
) -> Result<(), Failure> {
    if note.oid.is_none() {
        // An engine that was killed may have left it shut.
        server.open(database)?;
        let version = address.major()?;
        let program = tools::find("pg_restore", version)?;
        let list = list(address, database, from, &program, dump)?;
        read_through(from, &program, dump, &list)?;
        let mut session = Session::begin(address, database, from)?;
        server.shut_but(database, session.pid)?;
        session.say(CLEAR.as_bytes())?;
        session.load(&program, version, dump, &list)?;
        session.end()?;
        note.properties.give_anew(server, database)?;
        note.oid = server.oid(database)?;
        note.write(from)?;
    }
    server.open(database)
}

/// The parts of the dump that this role can make: not what belongs to others, which nobody but they could have changed.
fn list(
    address: &Address,
    database: &str,
    from: &Path,
    program: &Path,
    dump: &Path,
) -> Result<PathBuf, Failure> {
    let facts: Facts = Server::connect(address.options(database)?)?
        .ask(FACTS, database)?
        .ok_or_else(|| Failure::Unsuitable("the server says nothing about its roles".to_owned()))?;
    let output = Command::new(program)
        .arg("--list")
        .arg(dump)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::disk(program, error))?;
    if !output.status.success() {
        return Err(Failure::Tool {
            tool: "pg_restore".into(),
            output: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    let mut text = Vec::new();
    for line in output.stdout.split(|byte| *byte == b'\n') {
        if facts.can_make(&String::from_utf8_lossy(line)) {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
    }
    let list = from.join(LIST);
    durable::write(&list, &text, 0o600).map_err(|error| Failure::disk(&list, error))?;
    Ok(list)
}

/// Reads all of the dump once: nothing is dropped for one that cannot be loaded.
fn read_through(from: &Path, program: &Path, dump: &Path, list: &Path) -> Result<(), Failure> {
    let mut restore = Command::new(program);
    restore
        .args(["--file=/dev/null", "--use-list"])
        .arg(list)
        .arg(dump)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(tools::log(from)?);
    tools::run("pg_restore", restore, from, &|| true)
}

impl Facts {
    /// Looks at `215; 1259 16390 TABLE sales deal crm`: number; catalog, number there, kind, schema, name, owner.
    fn can_make(&self, line: &str) -> bool {
        let ends_with = |role: &&String| {
            let rest = line.strip_suffix(role.as_str());
            rest.is_some_and(|rest| rest.ends_with(' '))
        };
        let longest = |roles: &[String]| {
            let fitting = roles.iter().filter(ends_with).map(String::len);
            fitting.max().unwrap_or(0)
        };
        let has = |what: String| line.contains(&what);
        let of_extension = |name: &String| has(format!(" COMMENT - EXTENSION {name} "));
        let stays = |name: &String| {
            has(format!(" SCHEMA - {name} ")) && !has(" COMMENT ".into()) && !has(" ACL ".into())
        };
        longest(&self.foreign) <= longest(&self.own)
            && !self.extensions.iter().any(of_extension)
            && !self.schemas.iter().any(stays)
    }
}

/// The one session that loads.
struct Session {
    psql: Child,
    input: Option<ChildStdin>,
    pid: i64,
    directory: PathBuf,
}

impl Session {
    fn begin(address: &Address, database: &str, directory: &Path) -> Result<Session, Failure> {
        let program = tools::find("psql", 0)?;
        let disk = |error| Failure::disk(&program, error);
        let mut psql = tools::connected(Command::new(&program), address, database)?
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args(["--set=ON_ERROR_STOP=1", "--file=-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(tools::log(directory)?)
            .spawn()
            .map_err(disk)?;
        let (input, output) = (psql.stdin.take(), psql.stdout.take());
        let mut session = Session {
            psql,
            input,
            pid: 0,
            directory: directory.to_owned(),
        };
        session.say(BEGIN.as_bytes())?;
        let mut line = String::new();
        let read = output.map(|output| BufReader::new(output).read_line(&mut line));
        read.transpose().map_err(disk)?;
        session.pid = line.trim().parse().map_err(|_| session.failure())?;
        Ok(session)
    }

    fn say(&mut self, sql: &[u8]) -> Result<(), Failure> {
        let said = self.input.as_mut().map(|input| input.write_all(sql));
        match said {
            Some(Ok(())) => Ok(()),
            _ => Err(self.failure()),
        }
    }

    /// Hands on what `pg_restore` makes of the dump.
    fn load(
        &mut self,
        program: &Path,
        server: u32,
        dump: &Path,
        list: &Path,
    ) -> Result<(), Failure> {
        let disk = |error| Failure::disk(program, error);
        let mut restore = Command::new(program)
            .args(["--file=-", "--use-list"])
            .arg(list)
            .arg(dump)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(tools::log(&self.directory)?)
            .spawn()
            .map_err(disk)?;
        let handed = match (restore.stdout.take(), self.input.as_mut()) {
            (Some(output), Some(input)) => hand_on(output, input, server).is_ok(),
            _ => false,
        };
        if !handed {
            // The session has ended; nobody reads this one any more.
            let _ = restore.kill();
        }
        let status = restore.wait().map_err(disk)?;
        match handed && status.success() {
            true => Ok(()),
            false => Err(self.failure()),
        }
    }

    fn end(mut self) -> Result<(), Failure> {
        self.say(END.as_bytes())?;
        self.input = None;
        let status = self.psql.wait();
        match status {
            Ok(status) if status.success() => Ok(()),
            _ => Err(self.failure()),
        }
    }

    /// Why it did not do what it was told.
    fn failure(&mut self) -> Failure {
        self.input = None;
        // It ends by itself, as its input has, or has already.
        let _ = self.psql.wait();
        Failure::Tool {
            tool: "psql".into(),
            output: programs::tail(&tools::log_path(&self.directory)),
        }
    }
}

/// Hands on what `pg_restore` says, without what a server of this version does not understand.
fn hand_on(output: impl Read, input: &mut impl Write, server: u32) -> std::io::Result<()> {
    let mut output = BufReader::new(output);
    // It is among the first lines, before any data.
    for _ in 0..FIRST_LINES {
        let mut line = Vec::new();
        output.read_until(b'\n', &mut line)?;
        if server >= tools::TIMEOUT_SINCE || line != TIMEOUT {
            input.write_all(&line)?;
        }
    }
    std::io::copy(&mut output, input).map(drop)
}

impl Drop for Session {
    fn drop(&mut self) {
        // Half a statement comes to nothing, and what was said before may be done.
        self.input = None;
        let _ = self.psql.kill();
        let _ = self.psql.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_others_is_not_loaded() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let facts = Facts {
            own: list(&["crm", "of crm"]),
            foreign: list(&["postgres", "crm two", "crm\u{fe}"]),
            extensions: list(&["pgcrypto"]),
            schemas: list(&["tools"]),
        };
        for line in [
            "; Archive created at",
            "215; 1259 16390 TABLE sales deal crm",
            "216; 1259 16391 TABLE sales deal of crm",
            "2; 3079 16400 EXTENSION - pgcrypto ",
            "7; 0 0 ACL - SCHEMA tools crm",
            "9; 0 0 ENCODING - ENCODING ",
        ] {
            assert!(facts.can_make(line), "{line}");
        }
        for line in [
            "217; 0 0 ACL public FUNCTION crypt(text, text) postgres",
            "218; 1259 16391 TABLE sales deal crm two",
            "3; 0 0 COMMENT - EXTENSION pgcrypto ",
            "6; 2615 16999 SCHEMA - tools crm",
        ] {
            assert!(!facts.can_make(line), "{line}");
        }
    }
}
