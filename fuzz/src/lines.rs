//! Lines between the engine and those that talk to it, and what it keeps: refused, or the same after they were written and
//! read again.

use obnova_engine::api::{Answer, Event, Line, Report, Request, Settings, TrafficOrder, TrafficReport};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One line of any kind.
pub fn lines(data: &[u8]) {
    again::<Request>(data);
    again::<Answer>(data);
    again::<Line>(data);
    again::<Event>(data);
    again::<Report>(data);
    again::<Settings>(data);
    again::<TrafficOrder>(data);
    again::<TrafficReport>(data);
}

fn again<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(data: &[u8]) {
    if let Ok(read) = serde_json::from_slice::<T>(data) {
        let line = serde_json::to_vec(&read).unwrap();
        assert!(!line.contains(&b'\n'), "a line is one line");
        assert_eq!(serde_json::from_slice::<T>(&line).unwrap(), read);
    }
}
