//! Everything that the engine can say has its words in both languages.

use obnova_engine::api::UpdateKind;
use obnova_text::{Lang, Text};

#[test]
fn every_problem_says_what_happened_what_state_the_data_is_in_and_what_to_do() {
    for lang in Lang::ALL {
        for code in obnova_engine::problem::ALL {
            for suffix in ["", "-state", "-do"] {
                let key = format!("problem-{code}{suffix}");
                assert!(Text::of(lang).has(&key), "{key} is missing in {lang}");
            }
        }
    }
}

#[test]
fn every_step_has_a_name_for_people() {
    for lang in Lang::ALL {
        let kinds = [UpdateKind::Install, UpdateKind::Revert { of: 1 }];
        for step in kinds.into_iter().flat_map(obnova_engine::step_names) {
            let key = format!("step-{}", step.replace('_', "-"));
            assert!(Text::of(lang).has(&key), "{key} is missing in {lang}");
        }
    }
}
