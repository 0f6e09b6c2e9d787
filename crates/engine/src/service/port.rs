//! A port for the application to listen on.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::TcpListener;

use crate::api::Problem;
use crate::problem;

/// The application listens on a port from here on.
const FIRST_PORT: u16 = 10_000;
/// Ports to try.
const PORT_TRIES: u16 = 200;

/// A port of loopback that nobody uses.
pub(super) fn free() -> Result<u16, Problem> {
    let mut error = io::Error::other("no port is free");
    for port in candidates() {
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(listener) => return Ok(listener.local_addr().map_or(port, |it| it.port())),
            Err(refused) => error = refused,
        }
    }
    Err(Problem::new(problem::SYSTEM)
        .arg("path", "127.0.0.1")
        .detail(error))
}

/// Ports to try, in no order that repeats. They lie below those that the kernel gives to outgoing connections: one of these
/// might take the port between our looking and the application's listening. The last one is the kernel's own choice.
fn candidates() -> impl Iterator<Item = u16> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let outgoing = range.split_whitespace().next();
    let end = outgoing.and_then(|low| low.parse().ok()).unwrap_or(32_768);
    let count = u16::saturating_sub(end, FIRST_PORT);
    let chance = RandomState::new().build_hasher().finish();
    let tries = count.min(PORT_TRIES);
    let own = (0..tries).map(move |number| {
        let place = chance.wrapping_add(u64::from(number)) % u64::from(count);
        FIRST_PORT + u16::try_from(place).unwrap_or(0)
    });
    own.chain([0])
}
