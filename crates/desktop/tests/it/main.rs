//! A Desktop on a real disk, with real processes, and a server that may be slow, cut off, older or hostile.

#[cfg(unix)] // kills whole groups of processes, and cuts the power of file systems
mod acts;
#[cfg(unix)] // needs small file systems of its own
mod disks;
mod following;
mod hostile;
#[cfg(unix)]
mod installs;
mod instances;
mod kills;
#[cfg(unix)]
mod power;
mod server;
#[cfg(unix)] // needs users, and a socket
mod shared;
mod trials;
#[cfg(windows)]
mod windows;
mod world;
