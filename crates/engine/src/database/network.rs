//! Where in the network a server of our own can be.

use std::net::{IpAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};

/// Set by whoever has put this process into a network of its own.
static IS_CUT_OFF: AtomicBool = AtomicBool::new(false);

/// Says that this process is in a network of its own, from which nothing leads anywhere. It cannot always see that itself: where
/// its processes are of a namespace of their own, the first of them is no other one's.
pub(crate) fn cut_off() {
    IS_CUT_OFF.store(true, Ordering::Relaxed);
}

/// Whether this process is in a network of its own, from which nothing leads anywhere.
pub(super) fn is_isolated() -> bool {
    let network = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let routes = std::fs::read_to_string("/proc/self/net/route").unwrap_or_default();
    let is_own = network("1").is_none_or(|of_the_system| Some(of_the_system) != network("self"));
    // The first line is a heading.
    IS_CUT_OFF.load(Ordering::Relaxed) || (is_own && routes.lines().count() <= 1)
}

/// Whether nobody has this port on loopback.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// A port on loopback that nobody has.
pub(super) fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Whether a host, as it stands in an address, is this machine by loopback.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
