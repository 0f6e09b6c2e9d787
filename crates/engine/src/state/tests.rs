use proptest::prelude::*;

use super::*;
use crate::recovery::{POINT_OF_NO_RETURN, Recovery, decide};

fn event(number: u64, kind: EventKind) -> Event {
    Event {
        number,
        at: Timestamp::UNIX_EPOCH,
        update: 1,
        kind,
    }
}

fn started() -> EventKind {
    EventKind::UpdateStarted {
        from: Version::new(1, 0, 0),
        to: Version::new(1, 1, 0),
        then: vec![],
        hop: 1,
        actor: "admin".to_owned(),
        kind: Default::default(),
        forecast: None,
    }
}

const STEPS: [&str; 4] = ["hold", "migrate", POINT_OF_NO_RETURN, "commit"];

/// Any event, in any order: most sequences are nonsense, which the state machine has to refuse without harm.
fn any_event() -> impl Strategy<Value = EventKind> {
    let step = prop::sample::select(STEPS.to_vec()).prop_map(str::to_owned);
    let problem = Problem::new("migration-failed");
    prop_oneof![
        Just(started()),
        step.clone()
            .prop_map(|step| EventKind::StepStarted { step }),
        step.clone().prop_map(|step| EventKind::StepFinished {
            step,
            took_ms: 1,
            detail: None
        }),
        step.clone().prop_map({
            let problem = problem.clone();
            move |step| EventKind::StepFailed {
                step,
                problem: problem.clone(),
            }
        }),
        step.clone()
            .prop_map(|step| EventKind::UndoStarted { step }),
        step.prop_map(|step| EventKind::UndoFinished { step, took_ms: 1 }),
        Just(EventKind::Completed { blackout_ms: 1 }),
        Just(EventKind::RolledBack {
            problem,
            blackout_ms: 1
        }),
    ]
}

/// What the engine does after a crash, step by step, until nothing is open; what it wrote for that.
fn recover(history: &mut History, mut number: u64) -> Vec<Event> {
    let mut written = Vec::new();
    let mut append = |history: &mut History, kind: EventKind| {
        number += 1;
        let event = Event {
            number,
            at: Timestamp::UNIX_EPOCH,
            update: history.open().map_or(1, |update| update.id),
            kind,
        };
        history.apply(&event).unwrap();
        written.push(event);
    };
    match decide(history.open()) {
        Recovery::NothingToDo => {}
        Recovery::RollForward => {
            let from = STEPS
                .iter()
                .position(|step| *step == POINT_OF_NO_RETURN)
                .unwrap();
            let done = |history: &History, name: &str| {
                history
                    .open()
                    .unwrap()
                    .step(name)
                    .is_some_and(|step| step.status == StepStatus::Done)
            };
            // Random events begin steps in any order; whichever is under way is finished first.
            let under_way = history
                .open()
                .unwrap()
                .steps
                .last()
                .map(|step| step.name.clone());
            let rest = STEPS[from..].iter().map(|step| (*step).to_owned());
            for step in under_way.into_iter().chain(rest) {
                if !done(history, &step) {
                    append(history, EventKind::StepStarted { step: step.clone() });
                    append(
                        history,
                        EventKind::StepFinished {
                            step,
                            took_ms: 1,
                            detail: None,
                        },
                    );
                }
            }
            append(history, EventKind::Completed { blackout_ms: 1 });
        }
        decision => {
            let problem = Problem::new("interrupted");
            if let Recovery::RollBack { step } = decision {
                let step = step.unwrap_or_default();
                append(
                    history,
                    EventKind::StepFailed {
                        step,
                        problem: problem.clone(),
                    },
                );
            }
            let steps: Vec<String> = history
                .open()
                .unwrap()
                .steps
                .iter()
                .rev()
                .filter(|step| step.status != StepStatus::Undone)
                .map(|step| step.name.clone())
                .collect();
            for step in steps {
                append(history, EventKind::UndoStarted { step: step.clone() });
                append(history, EventKind::UndoFinished { step, took_ms: 1 });
            }
            append(
                history,
                EventKind::RolledBack {
                    problem,
                    blackout_ms: 1,
                },
            );
        }
    }
    written
}

proptest! {
    #[test]
    fn every_sequence_of_events_ends_old_or_new(kinds in prop::collection::vec(any_event(), 0..40)) {
        let mut history = History::default();
        let mut number = 0;
        for kind in kinds {
            let before = history.clone();
            let update = match &kind { EventKind::UpdateStarted { .. } => history.next_id(), _ => history.updates().last().map_or(1, |u| u.id) };
            let event = Event { number: number + 1, at: Timestamp::UNIX_EPOCH, update, kind };
            match history.apply(&event) {
                Ok(()) => number += 1,
                Err(_) => prop_assert_eq!(&before.updates, &history.updates, "a refused event must change nothing"),
            }
        }
        recover(&mut history, number);
        prop_assert!(history.open().is_none());
        for update in history.updates() {
            match update.direction {
                Direction::Completed => prop_assert!(update.steps.iter().all(|s| s.status == StepStatus::Done)),
                Direction::RolledBack => prop_assert!(update.steps.iter().all(|s| s.status == StepStatus::Undone)),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}

/// The history that these make, without those that are refused.
fn history_of(kinds: Vec<EventKind>) -> (History, u64) {
    let mut history = History::default();
    let mut number = 0;
    for kind in kinds {
        let update = match &kind {
            EventKind::UpdateStarted { .. } => history.next_id(),
            _ => history.updates().last().map_or(1, |update| update.id),
        };
        let event = Event {
            number: number + 1,
            at: Timestamp::UNIX_EPOCH,
            update,
            kind,
        };
        number += u64::from(history.apply(&event).is_ok());
    }
    (history, number)
}

proptest! {
    #[test]
    fn a_recovery_broken_off_anywhere_and_again_ends_where_the_first_was_going(
        kinds in prop::collection::vec(any_event(), 0..40),
        cuts in prop::collection::vec(0_usize..12, 0..4),
    ) {
        let (mut history, mut number) = history_of(kinds);
        let first = decide(history.open());
        let open = history.open().map(|update| update.id);
        for cut in cuts {
            let all = recover(&mut history.clone(), number);
            for event in all.into_iter().take(cut) {
                prop_assert!(history.apply(&event).is_ok(), "the next engine reads what this one wrote");
                number += 1;
            }
        }
        recover(&mut history, number);
        let ended = history.updates().iter().find(|update| Some(update.id) == open);
        match (first, ended.map(|update| update.direction)) {
            (Recovery::NothingToDo, None) => {}
            (Recovery::RollForward, Some(Direction::Completed)) => {}
            (Recovery::RollBack { .. } | Recovery::ContinueBack, Some(Direction::RolledBack)) => {}
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn what_is_cut_off_the_end_of_a_journal_leaves_a_history_that_can_be_ended(
        kinds in prop::collection::vec(any_event(), 0..40),
        cut in 0_usize..40,
    ) {
        let mut history = History::default();
        let (whole, _) = history_of(kinds.clone());
        let (mut shorter, number) = history_of(kinds.into_iter().take(cut).collect());
        prop_assert!(shorter.updates().len() <= whole.updates().len());
        recover(&mut shorter, number);
        prop_assert!(shorter.open().is_none());
        // And from nothing at all, as when the journal is gone.
        prop_assert!(recover(&mut history, 0).is_empty());
    }
}

#[test]
fn an_update_interrupted_before_requests_were_let_through_is_undone() {
    let history = History::of(&[
        event(1, started()),
        event(
            2,
            EventKind::StepStarted {
                step: "migrate".into(),
            },
        ),
    ])
    .unwrap();
    assert_eq!(
        decide(history.open()),
        Recovery::RollBack {
            step: Some("migrate".into())
        }
    );
}

#[test]
fn an_update_interrupted_while_letting_requests_through_is_finished() {
    let step = POINT_OF_NO_RETURN.to_owned();
    let history = History::of(&[
        event(1, started()),
        event(2, EventKind::StepStarted { step }),
    ])
    .unwrap();
    assert_eq!(decide(history.open()), Recovery::RollForward);
}

#[test]
fn a_version_that_failed_and_later_succeeded_has_not_failed() {
    let version = Version::new(1, 1, 0);
    let problem = Problem::new("unhealthy");
    let mut events = vec![
        event(1, started()),
        event(
            2,
            EventKind::StepFailed {
                step: "check".into(),
                problem: problem.clone(),
            },
        ),
        event(
            3,
            EventKind::RolledBack {
                problem,
                blackout_ms: 0,
            },
        ),
    ];
    assert!(History::of(&events).unwrap().failed_before(&version));
    let mut again = event(4, started());
    again.update = 2;
    let mut completed = event(5, EventKind::Completed { blackout_ms: 1 });
    completed.update = 2;
    events.extend([again, completed]);
    assert!(!History::of(&events).unwrap().failed_before(&version));
}

#[test]
fn the_step_that_failed_is_known_after_everything_was_undone() {
    let step = || "migrate".to_owned();
    let problem = Problem::new("migration-failed");
    let events = [
        event(1, started()),
        event(
            2,
            EventKind::StepStarted {
                step: "hold".into(),
            },
        ),
        event(
            3,
            EventKind::StepFinished {
                step: "hold".into(),
                took_ms: 1,
                detail: None,
            },
        ),
        event(4, EventKind::StepStarted { step: step() }),
        event(
            5,
            EventKind::StepFailed {
                step: step(),
                problem: problem.clone(),
            },
        ),
        event(6, EventKind::UndoStarted { step: step() }),
        event(
            7,
            EventKind::UndoFinished {
                step: step(),
                took_ms: 1,
            },
        ),
        event(
            8,
            EventKind::UndoStarted {
                step: "hold".into(),
            },
        ),
        event(
            9,
            EventKind::UndoFinished {
                step: "hold".into(),
                took_ms: 1,
            },
        ),
        event(
            10,
            EventKind::RolledBack {
                problem,
                blackout_ms: 1,
            },
        ),
    ];
    let history = History::of(&events).unwrap();
    let failed: Vec<bool> = history.updates()[0]
        .steps
        .iter()
        .map(|step| step.failed)
        .collect();
    assert_eq!(failed, [false, true]);
}
