//! A problem in words: what happened, the state of the data now, what to do. Page and mail say the same.

use obnova_engine::api::Problem;
use obnova_text::Text;

/// A problem's three texts, and what the machine said.
pub struct Explained {
    /// The problem's code, for telling support.
    pub code: String,
    /// What happened.
    pub what: String,
    /// The state of the data now.
    pub state: String,
    /// What to do.
    pub todo: String,
    /// What the machine said.
    pub detail: Option<String>,
}

/// The texts of this problem. Sizes among its values become readable ones, and a step's name becomes its words.
pub fn explain(t: &Text, problem: &Problem) -> Explained {
    let values: Vec<(String, String)> = problem
        .args
        .iter()
        .map(|(name, value)| (name.clone(), t.problem_value(name, value)))
        .collect();
    let values: Vec<(&str, &str)> = values
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let code = &problem.code;
    let key = format!("problem-{code}");
    Explained {
        what: t.with(&key, &values),
        state: t.with(&format!("{key}-state"), &values),
        todo: t.with(&format!("{key}-do"), &values),
        code: code.clone(),
        detail: problem.detail.clone(),
    }
}
