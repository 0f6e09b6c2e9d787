//! `cargo xtask arrows`: which part may know which, and that none knows more.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::run;

/// Each part, with the parts it may depend on; the product's first, then what is built around it.
const MAY: &[(&str, &[&str])] = &[
    ("obnova-text", &[]),
    ("obnova-release", &[]),
    ("obnova-engine", &["obnova-release"]),
    ("obnova-desktop", &["obnova-release", "obnova-text"]),
    ("obnova-desktop-c", &["obnova-desktop", "obnova-text"]),
    ("obnova-desktop-gui", &["obnova-desktop", "obnova-text"]),
    ("obnova-front", &["obnova-engine", "obnova-text"]),
    ("obnova-center", &["obnova-engine", "obnova-text"]),
    (
        "obnova",
        &[
            "obnova-center",
            "obnova-engine",
            "obnova-front",
            "obnova-release",
            "obnova-text",
        ],
    ),
    ("obnova-testkit", &[]),
    ("obnova-crm", &[]),
    ("obnova-crm-desktop", &["obnova-desktop"]),
    (
        "obnova-demo",
        &[
            "obnova-engine",
            "obnova-release",
            "obnova-testkit",
            "obnova-text",
        ],
    ),
    ("obnova-tryton", &["obnova-engine", "obnova-testkit"]),
    (
        "obnova-crash",
        &[
            "obnova-demo",
            "obnova-engine",
            "obnova-release",
            "obnova-testkit",
            "obnova-tryton",
        ],
    ),
    (
        "obnova-bench",
        &["obnova-demo", "obnova-engine", "obnova-testkit"],
    ),
    ("xtask", &[]),
];

/// What the privileged parts must not contain, however far down: web server, templates, mail, command line.
const PRIVILEGED: &[&str] = &["obnova-release", "obnova-engine"];
const FORBIDDEN: &[&str] = &[
    "axum",
    "askama",
    "minijinja",
    "lettre",
    "clap",
    "indicatif",
    "sqlx",
];
/// But for this: the engine's way to a PostgreSQL server.
const EXCEPT: (&str, &str) = ("obnova-engine", "sqlx");

pub(crate) fn run() -> Result<()> {
    let graph = Graph::read(&run::metadata(&[])?)?;
    let mut wrong = graph.wrong_arrows();
    wrong.extend(graph.forbidden());
    for (part, _) in MAY {
        println!("{part:<16} -> {}", graph.parts_of(part).join(", "));
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(())
}

/// Normal and build dependencies by name; those of tests may point anywhere.
struct Graph {
    members: BTreeSet<String>,
    depends: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn read(metadata: &Value) -> Result<Self> {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let packages = list(&metadata["packages"]);
        let names: BTreeMap<String, String> = packages
            .iter()
            .map(|package| (text(&package["id"]), text(&package["name"])))
            .collect();
        let name = |id: &Value| {
            names
                .get(&text(id))
                .cloned()
                .context("a package without name")
        };
        let mut depends: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in list(&metadata["resolve"]["nodes"]) {
            let entry = depends.entry(name(&node["id"])?).or_default();
            for dependency in list(&node["deps"]) {
                let kinds = list(&dependency["dep_kinds"]);
                if kinds.iter().any(|kind| kind["kind"] != "dev") {
                    entry.insert(name(&dependency["pkg"])?);
                }
            }
        }
        let members = list(&metadata["workspace_members"]);
        let members = members.iter().map(name).collect::<Result<_>>()?;
        Ok(Self { members, depends })
    }

    fn parts_of(&self, part: &str) -> Vec<&str> {
        let all = self.depends.get(part).into_iter().flatten();
        let parts = all.filter(|name| self.members.contains(*name));
        parts.map(String::as_str).collect()
    }

    fn wrong_arrows(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for member in &self.members {
            let Some((_, may)) = MAY.iter().find(|(part, _)| part == member) else {
                wrong.push(format!("{member} has no place in xtask/src/arrows.rs"));
                continue;
            };
            for part in self.parts_of(member) {
                if !may.contains(&part) {
                    wrong.push(format!("{member} must not depend on {part}"));
                }
            }
        }
        wrong
    }

    fn forbidden(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for part in PRIVILEGED {
            let mut below = BTreeSet::new();
            let mut left = vec![*part];
            while let Some(name) = left.pop() {
                for dependency in self.depends.get(name).into_iter().flatten() {
                    if below.insert(dependency.as_str()) {
                        left.push(dependency);
                    }
                }
            }
            let found = FORBIDDEN
                .iter()
                .filter(|name| below.contains(*name) && (*part, **name) != EXCEPT);
            wrong.extend(found.map(|name| format!("{part} must not contain {name}")));
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn graph(engine_depends_on: &[(&str, Value)]) -> Graph {
        let names = ["obnova-engine", "obnova-release", "obnova-center", "clap"];
        let packages: Vec<_> = names.iter().map(|n| json!({"id": n, "name": n})).collect();
        let deps: Vec<_> = engine_depends_on
            .iter()
            .map(|(name, kind)| json!({"pkg": name, "dep_kinds": [{"kind": kind}]}))
            .collect();
        let metadata = json!({
            "packages": packages,
            "workspace_members": &names[..3],
            "resolve": {"nodes": [
                {"id": "obnova-engine", "deps": deps},
                {"id": "obnova-release", "deps": []},
                {"id": "obnova-center", "deps": []},
            ]},
        });
        Graph::read(&metadata).unwrap()
    }

    #[test]
    fn an_arrow_that_points_down_is_right() {
        let graph = graph(&[("obnova-release", Value::Null)]);
        assert!(graph.wrong_arrows().is_empty());
        assert_eq!(graph.parts_of("obnova-engine"), ["obnova-release"]);
    }

    #[test]
    fn an_arrow_that_points_back_is_wrong() {
        let graph = graph(&[("obnova-center", Value::Null)]);
        let wrong = graph.wrong_arrows();
        assert_eq!(wrong, ["obnova-engine must not depend on obnova-center"]);
    }

    #[test]
    fn tests_may_depend_on_anything() {
        let graph = graph(&[("obnova-center", json!("dev")), ("clap", json!("dev"))]);
        assert!(graph.wrong_arrows().is_empty());
        assert!(graph.forbidden().is_empty());
    }

    #[test]
    fn a_command_line_library_in_the_engine_is_wrong() {
        let graph = graph(&[("clap", Value::Null)]);
        assert_eq!(graph.forbidden(), ["obnova-engine must not contain clap"]);
    }
}
