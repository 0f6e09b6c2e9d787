//! The crash harness: whole installations, killed, starved and cut off at every moment of an update, each of which must end exactly
//! old or exactly new and serve, with no hand touching it.
//!
//! ```text
//!  campaign   which rounds (listed), several at a time          table, proof   what they add up to
//!    life     one round, in namespaces of its own (place)
//!      world        the installation as real processes (supervisor), under load (load)
//!      watch        counts changes to the disk (control) and stops one at the moment of a fault (moment)
//!      faults/      what is done to it
//!      invariants/  what must hold afterwards
//! ```

pub mod app;
pub mod apps;
pub mod campaign;
pub mod control;
pub mod fault;
pub mod faults;
pub mod invariants;
pub mod life;
pub mod listed;
pub mod load;
pub mod moment;
pub mod place;
pub mod planted;
pub mod postgres;
pub mod prepared;
pub mod processes;
pub mod proof;
pub mod repository;
pub mod roles;
pub mod round;
pub mod supervisor;
pub mod table;
pub mod watch;
pub mod world;
