//! axe-core, run inside the page.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::Browser;

/// A rule that the page breaks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Violation {
    /// The rule, such as `color-contrast`.
    pub id: String,
    /// `minor`, `moderate`, `serious` or `critical`.
    #[serde(default)]
    pub impact: Option<String>,
    /// What the rule asks for.
    pub help: String,
    /// The elements that break it, as HTML.
    pub elements: Vec<String>,
}

impl Violation {
    /// Whether it keeps people from using the page.
    pub fn is_serious(&self) -> bool {
        matches!(self.impact.as_deref(), Some("serious" | "critical"))
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let impact = self.impact.as_deref().unwrap_or("unrated");
        write!(f, "{} ({impact}): {}", self.id, self.help)?;
        for element in &self.elements {
            write!(f, "\n    {element}")?;
        }
        Ok(())
    }
}

const RUN: &str = r#"
    const done = arguments[arguments.length - 1];
    axe.run(document, { resultTypes: ["violations"] }).then(
        result => done({ found: result.violations.map(rule => ({
            id: rule.id,
            impact: rule.impact,
            help: rule.help,
            elements: rule.nodes.map(node => node.html + "  " + (node.failureSummary || "")),
        })) }),
        error => done({ error: String(error) }),
    );
"#;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Found(Vec<Violation>),
    Error(String),
}

/// A script given through WebDriver is not bound by the page's security policy, so the page can stay as strict as it is.
pub(super) async fn run(browser: &Browser) -> Result<Vec<Violation>> {
    let file = script_file();
    let script = std::fs::read_to_string(&file).with_context(|| {
        format!(
            "no axe-core at {}; `cargo xtask test` installs it",
            file.display()
        )
    })?;
    // Half a megabyte, and a page keeps it until it is left.
    let there = browser
        .execute("return typeof axe !== 'undefined'", Vec::new())
        .await?;
    if there.json() != &serde_json::Value::Bool(true) {
        browser.execute(script, Vec::new()).await?;
    }
    let answer = browser.execute_async(RUN, Vec::new()).await?;
    match answer.convert()? {
        Answer::Found(violations) => Ok(violations),
        Answer::Error(error) => bail!("axe-core failed: {error}"),
    }
}

/// Where `cargo xtask test` says it is, or where it has put it.
fn script_file() -> PathBuf {
    if let Some(file) = std::env::var_os("OBNOVA_AXE") {
        return file.into();
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    workspace.join("target/tools/npm/node_modules/axe-core/axe.min.js")
}
