//! Moments at which a test may kill the process. In production nobody observes them.

use std::sync::OnceLock;

static OBSERVER: OnceLock<fn(&str)> = OnceLock::new();

/// Has `observer` told of every moment from now on; the first one to ask stays.
pub fn observe(observer: fn(&str)) {
    let _ = OBSERVER.set(observer);
}

pub(crate) fn reached(name: &str) {
    if let Some(observer) = OBSERVER.get() {
        observer(name);
    }
}
