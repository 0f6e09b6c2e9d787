//! What a Desktop reads from its disk, from its server and from the service of its computer, fed with any bytes. The fuzz target
//! `desktop` calls this with ever new input; the test below with the input that was kept.

use std::path::Path;

use obnova_release::durable;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::journal::{Journal, Record};
use crate::layout::Layout;
use crate::machine::Machine;
use crate::pointer::Pointer;
use crate::server::Hello;
use crate::{Configuration, Policy, Refusal};

/// The first byte says what it is; the rest lies in its file, or comes over the line. `root` is an empty directory of its own.
///
/// # Panics
/// Something that was read is another thing when it was written and read again.
pub fn state(root: &Path, data: &[u8]) {
    let [kind, bytes @ ..] = data else { return };
    let layout = Layout::of(root);
    durable::create_dir_all(&layout.state()).expect("a directory");
    let lay = |path: &Path| durable::write(path, bytes, 0o644).expect("a file");
    match kind % 8 {
        0 => {
            lay(&layout.pointer());
            if let Ok(mut pointer) = Pointer::read(&layout) {
                pointer.write(&layout).expect("it can be written");
                assert_eq!(Pointer::read(&layout).expect("it can be read"), pointer);
            }
        }
        1 => {
            lay(&layout.machine());
            if let Ok(Some(machine)) = Machine::read(&layout) {
                let _ = machine.all().count();
                again::<Machine>(bytes);
            }
        }
        2 => {
            let path = root.join("policy.toml");
            lay(&path);
            if let Ok(Some(policy)) = Policy::read_file(&path) {
                // What does not fit into a number of TOML was in none.
                let text = toml::to_string(&policy).expect("it can be written");
                assert_eq!(
                    toml::from_str::<Policy>(&text).expect("it can be read"),
                    policy
                );
            }
        }
        3 => {
            lay(&layout.configuration());
            if let Ok(read) = Configuration::read(&layout) {
                assert!(["http", "https"].contains(&read.server.scheme()));
                let text = toml::to_string(&read).expect("it can be written");
                lay_text(&layout.configuration(), &text);
                let again = Configuration::read(&layout).expect("it can be read");
                assert_eq!(again.server, read.server);
            }
        }
        4 => journal(&layout, bytes),
        5 => again::<Hello>(bytes),
        6 => again::<Refusal>(bytes),
        _ => over_the_socket(bytes),
    }
    durable::remove_dir_all(&layout.state()).expect("a directory");
}

/// What is torn is taken off; what is appended then is what counts at the next start.
fn journal(layout: &Layout, bytes: &[u8]) {
    durable::write(&layout.journal(), bytes, 0o644).expect("a file");
    let last = match Journal::open(layout) {
        Ok(mut journal) => {
            let last = journal.last.clone();
            journal.append(Record::Swept).expect("it can be appended");
            last
        }
        Err(_) => return,
    };
    let mut journal = Journal::open(layout).expect("it can be opened");
    assert_eq!(journal.last, Some(Record::Swept));
    if let Some(last) = last {
        journal.append(last.clone()).expect("it can be appended");
        drop(journal);
        let journal = Journal::open(layout).expect("it can be opened");
        assert_eq!(journal.last, Some(last));
    }
}

#[cfg(unix)]
fn over_the_socket(bytes: &[u8]) {
    again::<crate::service::Request>(bytes);
    again::<crate::service::Answer>(bytes);
}

#[cfg(not(unix))]
fn over_the_socket(_bytes: &[u8]) {}

fn lay_text(path: &Path, text: &str) {
    durable::write(path, text.as_bytes(), 0o644).expect("a file");
}

/// Refused, or the same after it was written and read again.
fn again<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(read) = serde_json::from_slice::<T>(bytes) {
        let written = serde_json::to_vec(&read).expect("it can be written");
        let again = serde_json::from_slice::<T>(&written).expect("it can be read");
        assert_eq!(again, read);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn state_of_any_bytes_is_refused_or_read_and_written_the_same() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/desktop");
        let root = tempfile::tempdir().unwrap();
        let mut count = 0;
        for entry in std::fs::read_dir(&corpus).unwrap() {
            let path = entry.unwrap().path();
            eprintln!("{}", path.display());
            super::state(root.path(), &std::fs::read(&path).unwrap());
            count += 1;
        }
        assert!(count > 0, "{} is empty", corpus.display());
    }
}
