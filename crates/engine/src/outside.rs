//! What an engine reads at its start, also after a crash and from a damaged disk, fed with any bytes. The fuzz targets `journal`
//! and `notes` call these functions with ever new input; the tests below with the input that was kept.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::rehearsal::{Task, Word};
use crate::{api, application, database, files, journal, launch, service, since, state};

/// A reader of notes.
pub(crate) type Reader = fn(&[u8]);

/// A journal: its first byte says where it is torn, the rest is a file as it is, and lines that are made to follow one another.
pub fn journal(data: &[u8]) {
    journal::outside(data);
}

/// A note of one kind, which the first byte chooses.
pub fn notes(data: &[u8]) {
    let [kind, bytes @ ..] = data else { return };
    let mut readers: Vec<Reader> = vec![
        again::<application::Installed>,
        again::<api::Settings>,
        again::<launch::Record>,
        again::<Vec<files::Place>>,
        again::<since::Since>,
        again::<database::Spare>,
        again::<api::Rehearsal>,
        again::<Task>,
        again::<Word>,
        again::<std::path::PathBuf>,
    ];
    readers.extend(database::notes());
    readers.extend(service::notes());
    readers[usize::from(*kind) % readers.len()](bytes);
}

/// Refused, or the same after it was written and read again: what one engine has noted, the next one understands.
pub(crate) fn again<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(bytes) else {
        return;
    };
    let written = serde_json::to_vec(&read).expect("what was read can be written");
    let read = serde_json::from_slice::<T>(&written).expect("what was written can be read");
    assert_eq!(
        serde_json::to_vec(&read).expect("what was read can be written"),
        written
    );
}

/// Whatever the events are: the history is refused, or after each of them it is clear what the next start does.
pub(crate) fn history(events: &[api::Event]) {
    use crate::recovery::{POINT_OF_NO_RETURN, Recovery, decide};
    let mut history = state::History::default();
    for event in events {
        if history.apply(event).is_err() {
            return;
        }
        let _ = (history.next_id(), history.unfinished_click());
        for update in history.updates() {
            let _ = (update.summary(), update.step_states());
        }
        let open = history.open();
        let has_come = open.is_some_and(|update| update.step(POINT_OF_NO_RETURN).is_some());
        match decide(open) {
            Recovery::NothingToDo => assert!(open.is_none(), "nobody would end {open:?}"),
            Recovery::RollForward => assert!(has_come, "it would go on with {open:?}"),
            Recovery::RollBack { .. } => assert!(!has_come, "it would go back in {open:?}"),
            Recovery::ContinueBack => assert!(open.is_some()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    fn each(target: &str, check: fn(&[u8])) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../fuzz/corpus")
            .join(target);
        let mut count = 0;
        for entry in std::fs::read_dir(&corpus).unwrap() {
            let path = entry.unwrap().path();
            eprintln!("{}", path.display());
            check(&std::fs::read(&path).unwrap());
            count += 1;
        }
        assert!(count > 0, "{} is empty", corpus.display());
    }

    #[test]
    fn journals_of_any_bytes_are_refused_or_read_and_the_next_start_is_clear() {
        each("journal", super::journal);
    }

    #[test]
    fn notes_of_any_bytes_are_refused_or_read() {
        each("notes", super::notes);
    }
}
