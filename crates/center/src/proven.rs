//! What a vendor has proven of the way back from a version, in words.

use std::collections::BTreeSet;

use obnova_engine::api::Proof;
use obnova_text::Text;
use semver::Version;

/// One sentence after the other; `installed` is what a customer has.
pub fn words(t: &Text, proof: Option<&Proof>, installed: &Version) -> Vec<String> {
    let Some(proof) = proof.filter(|proof| !proof.trials.is_empty()) else {
        return vec![t.get("proof-none")];
    };
    let versions: BTreeSet<&Version> = proof.trials.iter().map(|trial| &trial.from).collect();
    let databases: BTreeSet<&str> = proof.trials.iter().map(|it| it.database.as_str()).collect();
    let versions: Vec<String> = versions.into_iter().map(ToString::to_string).collect();
    let databases: Vec<&str> = databases.into_iter().collect();
    let rounds: u64 = proof.trials.iter().map(|it| u64::from(it.rounds)).sum();
    let mut words = vec![
        t.with(
            "proof-from",
            &[
                ("versions", &versions.join(", ")),
                ("databases", &databases.join(", ")),
            ],
        ),
        t.with("proof-how", &[("rounds", &rounds.to_string())]),
    ];
    if !proof.covers(installed) {
        let installed = installed.to_string();
        words.push(t.with("proof-not-from", &[("installed", &installed)]));
    }
    words
}
