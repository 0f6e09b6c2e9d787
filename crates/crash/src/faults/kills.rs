//! `kill -9`, of one process or of several at the same instant.

use anyhow::Result;
use rand::rngs::StdRng;

use crate::app::App;
use crate::fault::Fault;
use crate::world::{Who, World};

/// Kills all of these.
struct Kill {
    name: &'static str,
    who: &'static [Who],
}

/// One for each process and for those that die together.
pub fn all() -> impl Iterator<Item = Box<dyn Fault>> {
    const KILLS: [Kill; 9] = [
        Kill {
            name: "kill-engine",
            who: &[Who::Engine],
        },
        Kill {
            name: "kill-centre",
            who: &[Who::Centre],
        },
        Kill {
            name: "kill-front",
            who: &[Who::Front],
        },
        Kill {
            name: "kill-application",
            who: &[Who::Application],
        },
        Kill {
            name: "kill-migration",
            who: &[Who::Migration],
        },
        Kill {
            name: "kill-database",
            who: &[Who::Database],
        },
        Kill {
            name: "kill-engine-and-front",
            who: &[Who::Engine, Who::Front],
        },
        Kill {
            name: "kill-engine-and-application",
            who: &[Who::Engine, Who::Application, Who::Migration],
        },
        Kill {
            name: "kill-everything",
            who: &[
                Who::Engine,
                Who::Centre,
                Who::Front,
                Who::Application,
                Who::Migration,
                Who::Database,
            ],
        },
    ];
    KILLS
        .into_iter()
        .map(|kill| Box::new(kill) as Box<dyn Fault>)
}

impl Fault for Kill {
    fn name(&self) -> &'static str {
        self.name
    }

    fn suits(&self, app: &App) -> bool {
        self.who != [Who::Database] || app.has_server()
    }

    fn repeats_mails(&self) -> bool {
        self.who.contains(&Who::Centre)
    }

    fn strike(&self, world: &mut World, _random: &mut StdRng) -> Result<()> {
        world.kill(self.who)
    }
}
