//! What `obnova doctor` is told: every rung, what is in its way, and what it costs here, measured on a small scale.

use std::time::{Duration, Instant};

use super::Postgres;
use super::clone::{self, Means};
use super::cluster::Cluster;
use super::failure::Failure;
use super::ladder::{self, Ladder};
use super::sample;
use super::server::{Server, identifier};
use crate::api::RungFacts;
use crate::database::Database;
use crate::installation::Rung;
use crate::step::chain;

/// How long trying one rung may take.
const PATIENCE: Duration = Duration::from_secs(4);
/// What stopping and starting a server takes where that is not tried: production runs on it.
const RESTART: Duration = Duration::from_millis(900);

/// What a rung would take, and how that was found out.
struct Cost {
    protect: Duration,
    restore: Duration,
    how: String,
}

pub(super) fn rungs(postgres: &Postgres, measure: bool) -> Vec<RungFacts> {
    let (mut server, ladder) = match postgres.survey() {
        Ok(found) => found,
        Err(failure) => return unreachable(&chain(&failure)),
    };
    let chosen = ladder.choose(postgres.forced).ok();
    let fact = |(rung, obstacles): &(Rung, Vec<String>)| {
        let cost = match measure && obstacles.is_empty() {
            true => cost(postgres, &ladder, *rung, &mut server),
            false => Ok(None),
        };
        let (cost, failed) = match cost {
            Ok(cost) => (cost, None),
            // It is possible all the same.
            Err(failure) if *rung == Rung::Dump => {
                tracing::warn!(
                    error = chain(&failure),
                    "what a dump takes could not be tried"
                );
                (None, None)
            }
            Err(failure) => (None, Some(chain(&failure))),
        };
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let size = ladder.rights.size();
        RungFacts {
            rung: ladder::name(*rung).to_owned(),
            why_not: (!obstacles.is_empty())
                .then(|| obstacles.join("; "))
                .or(failed),
            chosen: chosen == Some(*rung),
            protect_ms: cost.as_ref().map(|it| milliseconds(it.protect)),
            restore_ms: cost.as_ref().map(|it| milliseconds(it.restore)),
            disk_bytes: Some(match rung {
                Rung::FileSystem => 0,
                _ => size,
            }),
            measured: cost.map(|it| it.how),
        }
    };
    ladder.rungs.iter().map(fact).collect()
}

fn unreachable(why: &str) -> Vec<RungFacts> {
    let rungs = [Rung::FileSystem, Rung::Standby, Rung::Copy, Rung::Dump];
    let fact = |rung| RungFacts {
        rung: ladder::name(rung).to_owned(),
        why_not: Some(why.to_owned()),
        chosen: false,
        protect_ms: None,
        restore_ms: None,
        disk_bytes: None,
        measured: None,
    };
    rungs.map(fact).into()
}

fn cost(
    postgres: &Postgres,
    ladder: &Ladder,
    rung: Rung,
    server: &mut Server,
) -> Result<Option<Cost>, Failure> {
    match (rung, &postgres.cluster, ladder.means) {
        (Rung::FileSystem, Some(cluster), Some(means)) => files(cluster, means).map(Some),
        (Rung::Copy, ..) => copy(postgres, ladder, server).map(Some),
        // What it takes in the blackout is stopping and starting; how long making it takes is said by the rate.
        (Rung::Standby, Some(cluster), _) => Ok(Some(Cost {
            protect: RESTART / 2,
            restore: RESTART,
            how: format!(
                "not tried: it does not depend on the size; made beforehand at no more than {} a second",
                cluster.config().base_backup_rate
            ),
        })),
        (Rung::Dump, ..) => dump(postgres, ladder).map(Some),
        _ => Ok(None),
    }
}

fn dump(postgres: &Postgres, ladder: &Ladder) -> Result<Cost, Failure> {
    let sample = sample::take(&postgres.address)?;
    let jobs = match ladder.is_in_place() {
        true => "dumping has two processes, loading one",
        false => "dumping and loading have two processes",
    };
    Ok(Cost {
        protect: sample.protect,
        restore: sample.restore,
        how: format!("{}; {jobs}", sample.how),
    })
}

/// A clone of the files of the running server, which is worth nothing but takes as long.
fn files(cluster: &Cluster, means: Means) -> Result<Cost, Failure> {
    let trial = clone::scratch(&cluster.beside())?;
    let until = Instant::now() + PATIENCE;
    let began = Instant::now();
    let cloned = clone::clone(cluster.data(), &trial, means, &|| Instant::now() < until);
    let took = began.elapsed();
    clone::remove(&trial)?;
    cloned?;
    Ok(Cost {
        protect: RESTART + took,
        restore: RESTART + took,
        how: format!(
            "clone of all files in {} ms; stopping and starting the server is assumed to take {} ms",
            took.as_millis(),
            RESTART.as_millis()
        ),
    })
}

/// A copy of an empty database, and what the disk takes for the rest of the bytes.
fn copy(postgres: &Postgres, ladder: &Ladder, server: &mut Server) -> Result<Cost, Failure> {
    let (trial, renamed) = (
        format!("obnova_trial_{}", std::process::id()),
        format!("obnova_trial_{}_", std::process::id()),
    );
    let (name, other) = (identifier(&trial), identifier(&renamed));
    let until = Instant::now() + PATIENCE;
    let go_on = || Instant::now() < until;
    let began = Instant::now();
    let strategy = if ladder.rights.version() >= 15 {
        " STRATEGY FILE_COPY"
    } else {
        ""
    };
    let made = server.run_while(
        &format!("CREATE DATABASE {name} TEMPLATE template0{strategy}"),
        &go_on,
    );
    let (took, bytes) = (began.elapsed(), server.size(&trial).unwrap_or(0).max(1));
    let began = Instant::now();
    let again = made.and_then(|()| server.run(&format!("ALTER DATABASE {name} RENAME TO {other}")));
    let renaming = began.elapsed() * 2;
    server.drop(&trial)?;
    server.drop(&renamed)?;
    again?;
    let size = postgres.size();
    let protect = took.mul_f64((size as f64 / bytes as f64).max(1.0));
    Ok(Cost {
        protect,
        restore: renaming,
        how: format!(
            "copy of an empty database of {bytes} bytes in {} ms, taken as often as it goes into {size} bytes: an upper limit",
            took.as_millis()
        ),
    })
}
