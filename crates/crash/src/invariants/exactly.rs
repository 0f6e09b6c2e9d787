//! Database, data files with modes and times, program and served version are exactly those of before or exactly those that an
//! undisturbed update leads to.

use anyhow::{Result, ensure};

use crate::app::Contents;
use crate::life::Facts;
use crate::round::End;

/// How many differences are shown.
const SHOWN: usize = 12;

/// Looks.
///
/// # Errors
/// There is nothing to compare with.
pub fn look(facts: &Facts<'_>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    if let Some(reference) = facts.reference {
        let differences = differences(&reference.before, facts.before, &|value| value.to_owned());
        ensure!(
            differences.is_empty(),
            "the beginning was another one: {}",
            differences.join("; ")
        );
    }
    match facts.end {
        End::Old => found.extend(differences(facts.before, facts.now, &|value| {
            value.to_owned()
        })),
        End::New => {
            if !facts.round.scenario.can_end_new() {
                found.push(format!("{} was installed", facts.now["installed"]));
            }
            if let Some(reference) = facts.reference {
                let made_anew = facts.round.app.of().made_anew(&reference.before);
                let seen = |value: &str| made_anew(&without_time(value));
                found.extend(differences(&reference.after, facts.now, &seen));
            }
        }
    }
    if facts.now["served"] != facts.now["installed"] {
        found.push(format!(
            "it serves {}, installed is {}",
            facts.now["served"], facts.now["installed"]
        ));
    }
    Ok(found)
}

/// What a new version makes has the time at which it was made.
fn without_time(value: &str) -> String {
    let value = match value.split_once(", changed ") {
        Some((head, _)) => head.to_owned(),
        None => value.to_owned(),
    };
    without_migration_time(&value)
}

/// The list of migrations says when each was made, and how long it took.
fn without_migration_time(value: &str) -> String {
    let is_row = value.contains("Z'") || value.contains("Z\t");
    let mut words: Vec<&str> = value.split([',', '\t']).collect();
    let is_time = |word: &&str| {
        let word = word.trim().trim_matches('\'');
        word.len() > 19 && word.ends_with('Z') && word.as_bytes()[4] == b'-' && word.contains('T')
    };
    match words.iter().rposition(is_time) {
        Some(at) if is_row && at + 2 == words.len() => {
            words.truncate(at);
            words.join(",")
        }
        _ => value.to_owned(),
    }
}

fn differences(wanted: &Contents, found: &Contents, seen: &dyn Fn(&str) -> String) -> Vec<String> {
    let mut list = Vec::new();
    for (name, value) in wanted {
        match found.get(name) {
            None => list.push(format!("{name} is missing: {value}")),
            Some(other) if seen(other) != seen(value) => {
                list.push(format!("{name} is {other} instead of {value}"));
            }
            Some(_) => {}
        }
    }
    let more = found.iter().filter(|(name, _)| !wanted.contains_key(*name));
    list.extend(more.map(|(name, value)| format!("{name} should not be there: {value}")));
    if list.len() > SHOWN {
        let rest = list.len() - SHOWN;
        list.truncate(SHOWN);
        list.push(format!("... and {rest} more"));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_migrations_do_not_count_and_others_do() {
        let row = |time: &str, took: &str| {
            without_time(&format!("'0002_full_name', 'ab12', '{time}', {took}"))
        };
        assert_eq!(
            row("2026-11-24T12:00:00.1Z", "3"),
            row("2026-11-24T12:00:01.2Z", "14")
        );
        assert_ne!(without_time("1, 'a'"), without_time("1, 'b'"));
        assert_eq!(
            without_time("file 0644 of 0:0, 3 bytes ab, changed 1.0"),
            without_time("file 0644 of 0:0, 3 bytes ab, changed 2.0")
        );
    }
}
