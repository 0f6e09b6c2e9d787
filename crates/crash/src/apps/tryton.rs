//! Tryton, a real ERP whose makers never prepared it for Obnova, on a PostgreSQL server of its own: the releases of
//! `docs/guide/examples/tryton`, two of which its vendor got wrong.
//!
//! Every invariant is looked at. What Desktops are told is looked at, too, but no Desktop is part of a release: Tryton's own client
//! is no Obnova Desktop. What an update makes anew has the time at which it was made, in every row: times that were there before
//! must stay, those that were not count as one and the same.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use obnova_demo::programs::run;
use obnova_testkit::fingerprint::Fingerprint;
use obnova_tryton::users::{self, User};
use obnova_tryton::vendor::Vendor;
use serde_json::json;

use crate::app::{Answer, Application, Clients, Contents, Kind, Makings};
use crate::load::PREFIX;
use crate::round::Scenario;
use crate::world::{Ports, World};
use crate::{place, postgres};

/// Directories of the example's releases, in the order in which they are published.
const RELEASES: [&str; 4] = [
    "releases/7.0.0",
    "mistakes/7.2.0",
    "mistakes/7.2.1",
    "releases/7.2.2",
];
/// Parties in the database, half as many opportunities, and so many files beside it.
const PARTIES: &str = "60";
const FILES: u32 = 12;
/// Users beside the administrator.
const USERS: u32 = 20;
/// Of Tryton's user admin, made for this and worth nothing.
const PASSWORD: &str = "zkusebni-heslo-spravce";
/// Sessions last longer than any clock jumps.
const TEN_YEARS_S: u64 = 10 * 365 * 24 * 3600;
/// What counts upwards when a party is written or somebody signs in: keys, the code of parties.
const COUNTERS: [&str; 4] = [
    "public.party_",
    "public.\"party_",
    "public.ir_session_",
    "public.ir_sequence_1'",
];

/// See the module.
pub struct Tryton;

impl Application for Tryton {
    fn kind(&self) -> Kind {
        Kind::Tryton
    }

    fn name(&self) -> &'static str {
        "tryton"
    }

    fn is_in_all(&self) -> bool {
        false
    }

    fn rungs(&self) -> &'static [&'static str] {
        &postgres::RUNGS
    }

    fn product(&self) -> &'static str {
        "crm-on-tryton"
    }

    fn version(&self, scenario: Scenario) -> &'static str {
        match scenario {
            Scenario::Good => "7.2.2",
            Scenario::MigrationFails => "7.2.1",
            Scenario::Unhealthy => "7.2.0",
            Scenario::Revert => "7.0.0",
        }
    }

    fn publish(&self, makings: &Makings<'_>) -> Result<()> {
        let sources = makings.sources;
        let (Some(example), Some(wheels)) = (&sources.example, &sources.wheels) else {
            bail!(
                "of Tryton --tryton-example and --wheels are needed; cargo xtask crash gives them"
            );
        };
        let (obnova, folder) = (&makings.programs.obnova, makings.vendor());
        std::fs::create_dir_all(&folder)?;
        let vendor = Vendor::make(obnova, &folder, example, wheels, &RELEASES)?;
        for release in RELEASES {
            let version = release.rsplit('/').next().unwrap_or_default();
            vendor.publish(version)?;
        }
        // All of it is in the repository now.
        for name in ["trees", "built"] {
            std::fs::remove_dir_all(folder.join(name))?;
        }
        Ok(())
    }

    fn section(&self, folder: &Path, ports: &Ports, rung: &str) -> String {
        let state = folder.join("state");
        // Without a fixed seed, Tryton's migration makes rows in another order each time, as Python's sets are.
        postgres::section(folder, ports, rung)
            + format!(
                "\n[service.env]\nTRYTONPASSFILE = {:?}\nTRYTOND_ATTACHMENT__FILESTORE = \"True\"\n\
                 TRYTOND_SESSION__TIMEOUT = \"{TEN_YEARS_S}\"\nTRYTOND_SESSION__MAX_AGE = \"{TEN_YEARS_S}\"\n\
                 PYTHONHASHSEED = \"0\"\n",
                state.join("admin-password").display().to_string()
            )
            .as_str()
    }

    fn secrets(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            ("database-password", postgres::PASSWORD),
            ("admin-password", PASSWORD),
        ]
    }

    fn fill(&self, world: &World, makings: &Makings<'_>) -> Result<()> {
        let example = makings.sources.example.as_ref().context("the example")?;
        run(Command::new("python3")
            .arg(example.join("seed"))
            .arg("--tree")
            .arg(world.state_dir().join("current"))
            .args(["--database", &postgres::url(&world.ports)])
            .args(["--parties", PARTIES])
            .env("PGPASSWORD", postgres::PASSWORD))?;
        let users = format!(
            "INSERT INTO res_user (name, login, email, active, menu) \
             SELECT 'Uživatel ' || n, 'u' || n, 'u' || n || '@firma.example', true, menu \
             FROM res_user, generate_series(1, {USERS}) n WHERE login = 'admin'"
        );
        postgres::sql(&world.folder, &world.ports, postgres::CRM, &users)?;
        Ok(())
    }

    /// Attachments, which Tryton keeps in files here, and the session with which everybody works ever after.
    fn furnish(&self, world: &World) -> Result<()> {
        let http = world.http().clone();
        let people = People::new(http, world.ports.front);
        world.block_on(async {
            let user = people.user().await?;
            for number in 0..FILES {
                let text = format!("{number:04} ").repeat(50 + 500 * number as usize);
                let record = json!({
                    "name": format!("Smlouva {number}"),
                    "type": "data",
                    "resource": format!("party.party,{}", 3 + number),
                    "data": users::bytes(text.as_bytes()),
                });
                let created = user.call("model.ir.attachment.create", json!([[record], {}]));
                created.await?;
            }
            Ok(())
        })
    }

    fn import_url(&self, _folder: &Path, ports: &Ports) -> String {
        postgres::import_url(ports)
    }

    fn people(&self) -> &'static str {
        "SELECT name, email, CASE WHEN id % 2 = 0 THEN 'cs' ELSE 'en' END AS language, '' AS groups \
         FROM res_user WHERE active AND login LIKE 'u%'"
    }

    fn clients(&self, http: reqwest::Client, port: u16) -> Arc<dyn Clients> {
        Arc::new(People::new(http, port))
    }

    /// Tryton takes one request after the other: all that were held for minutes on a busy machine have to be answered soon afterwards.
    fn pace(&self) -> Duration {
        Duration::from_millis(800)
    }

    /// Hundreds of waiting requests would keep it from ever catching up on a machine with other work.
    fn at_once(&self) -> usize {
        12
    }

    /// Ten seconds of work for its migration alone.
    fn slowness(&self) -> u32 {
        4
    }

    fn database(&self, world: &World) -> Result<Fingerprint> {
        let session = std::fs::read_to_string(session_file())?;
        Ok(Fingerprint::of_entries(entries(
            &postgres::dump(world)?,
            &users::key(&session)?,
        )))
    }

    fn made_anew<'a>(&self, before: &'a Contents) -> Box<dyn Fn(&str) -> String + 'a> {
        let was_there: HashSet<&str> = before
            .values()
            .flat_map(|value| value.split('\t'))
            .filter(|cell| is_time(cell))
            .collect();
        Box::new(move |value| {
            let cells = value.split('\t').map(|cell| {
                let is_new = is_time(cell) && !was_there.contains(cell);
                if is_new { "(made anew)" } else { cell }
            });
            cells.collect::<Vec<_>>().join("\t")
        })
    }
}

/// Whether a column of a dump is a time.
fn is_time(cell: &str) -> bool {
    let shape: String = cell
        .chars()
        .take(19)
        .map(|it| if it.is_ascii_digit() { '0' } else { it })
        .collect();
    shape == "0000-00-00 00:00:00"
}

/// Rows by table and key, and the lines that make the schema by number, of a dump; without what belongs to the load's parties, counters of
/// their keys, and sessions but the one with this key.
fn entries(dump: &str, session: &str) -> BTreeMap<String, String> {
    let parties = parties_of_the_load(dump);
    let mut entries = BTreeMap::new();
    let mut lines = 0;
    for line in lines_of(dump) {
        match line {
            Line::Row {
                table,
                columns,
                row,
            } => {
                let cell = |name: &str| {
                    let at = columns.split(", ").position(|it| it == name)?;
                    row.split('\t').nth(at)
                };
                let is_of_a_session = table == "ir_session" && cell("key") != Some(session);
                let is_of_the_load =
                    row.contains(PREFIX) || cell("party").is_some_and(|it| parties.contains(it));
                if is_of_a_session || is_of_the_load {
                    continue;
                }
                // It is written to whenever the server starts.
                let row = if table == "ir_session" {
                    "signed in"
                } else {
                    row
                };
                let key = row_key(row);
                entries.insert(format!("table {table} row {key}"), row.to_owned());
            }
            Line::Other(text) => {
                let is_counter = text
                    .strip_prefix("SELECT pg_catalog.setval('")
                    .is_some_and(|it| COUNTERS.iter().any(|counter| it.starts_with(counter)));
                if !is_counter {
                    lines += 1;
                    entries.insert(format!("schema line {lines:06}"), text.to_owned());
                }
            }
        }
    }
    entries
}

fn row_key(row: &str) -> &str {
    row.split('\t').next().unwrap_or_default()
}

/// Keys of the parties that the load has written.
fn parties_of_the_load(dump: &str) -> BTreeSet<&str> {
    lines_of(dump)
        .filter_map(|line| match line {
            Line::Row { table, row, .. } if table == "party_party" && row.contains(PREFIX) => {
                Some(row_key(row))
            }
            _ => None,
        })
        .collect()
}

/// A line of a dump.
enum Line<'a> {
    /// A row of a table.
    Row {
        table: &'a str,
        columns: &'a str,
        row: &'a str,
    },
    /// Anything else.
    Other(&'a str),
}

fn lines_of(dump: &str) -> impl Iterator<Item = Line<'_>> {
    let mut within: Option<(&str, &str)> = None;
    dump.lines().map(move |line| match within {
        Some(_) if line == "\\." => {
            within = None;
            Line::Other(line)
        }
        Some((table, columns)) => Line::Row {
            table,
            columns,
            row: line,
        },
        None => {
            within = line
                .strip_prefix("COPY public.")
                .and_then(|rest| rest.strip_suffix(") FROM stdin;"))
                .and_then(|rest| rest.split_once(" ("));
            Line::Other(line)
        }
    })
}

/// Where the session lies with which everybody works: it was begun before all updates and has to last through them.
fn session_file() -> PathBuf {
    place::prepared().join("session")
}

/// Whoever works with Tryton's own interface, as its desktop client does.
struct People {
    http: reqwest::Client,
    front: SocketAddr,
}

impl People {
    fn new(http: reqwest::Client, port: u16) -> People {
        let front = (Ipv4Addr::LOCALHOST, port).into();
        People { http, front }
    }

    /// Signed in once, while it is prepared.
    async fn user(&self) -> Result<User> {
        let (http, file) = (self.http.clone(), session_file());
        if let Ok(session) = std::fs::read_to_string(&file) {
            return Ok(User::signed_in(http, self.front, session));
        }
        let user = User::sign_in(http, self.front, PASSWORD).await?;
        std::fs::write(file, user.session())?;
        Ok(user)
    }
}

impl Clients for People {
    /// A server on a database of another series tells its version, too: only a call that needs the data shows that it works.
    fn read(&self) -> Answer<'_, String> {
        Box::pin(async {
            let user = self.user().await?;
            let tryton = user.version().await?;
            user.parties().await?;
            // Of the two releases with series 7.2 that never may serve, one would tell the same, and not be what is installed.
            let release = match tryton.get(..4) {
                Some("7.0.") => Scenario::Revert,
                Some("7.2.") => Scenario::Good,
                _ => bail!("no release has Tryton {tryton}"),
            };
            Ok(Tryton.version(release).to_owned())
        })
    }

    fn write<'a>(&'a self, reference: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { self.user().await?.write(reference).await })
    }

    fn stored<'a>(&'a self, prefix: &'a str) -> Answer<'a, BTreeMap<String, u32>> {
        Box::pin(async move {
            let names = self.user().await?.names(prefix).await?;
            Ok(crate::load::counted(names))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "\
CREATE TABLE public.party_party (
COPY public.party_party (id, name, write_date) FROM stdin;
1\tOur company\t2026-11-24 19:21:25.36
2\tload-during-7\t2026-11-24 19:21:26
\\.
COPY public.party_party_lang (id, lang, party) FROM stdin;
5\ten\t1
6\ten\t2
\\.
COPY public.ir_session (id, create_date, key) FROM stdin;
1\t2026-11-24 19:21:25\tkept
2\t2026-11-24 19:21:25\tother
\\.
SELECT pg_catalog.setval('public.party_party_id_seq', 2, true);
SELECT pg_catalog.setval('public.ir_sequence_1', 2, true);
SELECT pg_catalog.setval('public.ir_sequence_11', 2, true);
";

    #[test]
    fn what_the_load_wrote_does_not_count_and_all_else_does() {
        let entries = entries(DUMP, "kept");
        let mut names: Vec<&str> = entries.keys().map(String::as_str).collect();
        names.retain(|name| name.starts_with("table"));
        assert_eq!(
            names,
            [
                "table ir_session row signed in",
                "table party_party row 1",
                "table party_party_lang row 5"
            ]
        );
        let counters = entries.values().filter(|it| it.contains("setval"));
        assert_eq!(counters.count(), 1);
    }

    #[test]
    fn times_that_were_there_before_must_stay() {
        let before = entries(DUMP, "kept");
        let seen = Tryton.made_anew(&before);
        let row = |time: &str| seen(&format!("1\tOur company\t{time}"));
        assert_eq!(row("2026-11-25 01:00:00.5"), row("2027-11-25 02:00:00"));
        assert_ne!(row("2026-11-24 19:21:25.36"), row("2027-11-25 02:00:00"));
    }
}
