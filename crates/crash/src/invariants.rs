//! What must hold after every round, one file each.

use std::time::{Duration, Instant};

use anyhow::Result;
use obnova_engine::api::Request;

use crate::life::Facts;
use crate::world::{Who, World};

mod announced;
mod desktop;
mod exactly;
mod held;
mod journal;
pub mod left_over;
mod writes;

/// Finds what must not be.
type Look<'a> = &'a dyn Fn() -> Result<Vec<String>>;

/// Looks while it runs. `mails` becomes the number of mails that were expected and came.
pub fn running(facts: &Facts<'_>, mails: &mut usize) -> Vec<String> {
    let mut violations = Vec::new();
    let looks: [(&str, Look<'_>); 6] = [
        ("exactly old or new", &|| exactly::look(facts)),
        ("Desktop", &|| desktop::look(facts)),
        ("journal", &|| journal::look(facts)),
        ("acknowledged writes", &|| writes::look(facts)),
        ("held requests", &|| held::look(facts)),
        ("left over", &|| left_over::look(facts)),
    ];
    for (what, look) in looks {
        match look() {
            Ok(found) => violations.extend(found.into_iter().map(|it| format!("{what}: {it}"))),
            Err(error) => violations.push(format!("{what}: {error:#}")),
        }
    }
    match announced::look(facts) {
        Ok((found, came)) => {
            *mails = came;
            violations.extend(found.into_iter().map(|it| format!("announced: {it}")));
        }
        Err(error) => violations.push(format!("announced: {error:#}")),
    }
    violations
}

/// Ends all in order and looks at what is left.
///
/// # Errors
/// It does not end.
pub fn ended(world: &World) -> Result<Vec<String>> {
    for who in [Who::Engine, Who::Centre, Who::Front, Who::Database] {
        world.supervisor.stop(who);
    }
    world.ask(&Request::Shutdown {
        stop_application: true,
    })?;
    let until = Instant::now() + world.patience();
    while world.pid(Who::Engine).is_some() {
        anyhow::ensure!(
            Instant::now() < until,
            "the engine does not end when it is told to"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    left_over::after_the_end(world)
}
