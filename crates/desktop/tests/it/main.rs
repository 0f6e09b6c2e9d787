//! A Desktop on a real disk, with real processes, and a server that may be slow, cut off, older or hostile.

mod disks;
mod following;
mod hostile;
mod instances;
mod kills;
mod server;
mod trials;
mod world;
