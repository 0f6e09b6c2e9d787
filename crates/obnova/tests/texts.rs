//! Everything that the engine can say has its words in both languages.

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
        for step in obnova_engine::step_names() {
            let key = format!("step-{}", step.replace('_', "-"));
            assert!(Text::of(lang).has(&key), "{key} is missing in {lang}");
        }
    }
}
