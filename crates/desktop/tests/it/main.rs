//! A Desktop on a real disk, with real processes, and a server that may be slow, cut off, older or hostile.

#[cfg(unix)] // needs small file systems of its own
mod disks;
mod following;
mod hostile;
mod instances;
mod kills;
mod server;
mod trials;
#[cfg(windows)]
mod windows;
mod world;
