//! What is looked at on every page: barriers, the console, and whether it fits a phone.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::person::Person;

const PHONE: (u32, u32) = (390, 844);
const DESK: (u32, u32) = (1280, 800);

/// What wide content that does not scroll by itself makes wider than the window, if anything.
const TOO_WIDE: &str = "
    // A phone makes its window as wide as the page, so the window's own width says nothing.
    const [most] = arguments;
    const page = document.scrollingElement;
    if (page.scrollWidth <= most) return '';
    const wide = [...document.querySelectorAll('body *')].filter(element =>
        element.getBoundingClientRect().right > most + 1);
    return `${page.scrollWidth}: ` + wide.slice(0, 3).map(e => e.outerHTML.slice(0, 200)).join('\\n');
";

/// How much was looked at.
#[derive(Default)]
pub(crate) struct Findings {
    pages: Vec<String>,
    took: Duration,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pages, took) = (self.pages.len(), self.took);
        write!(f, "{pages} pages looked at in {took:.1?}: ")?;
        f.write_str(&self.pages.join(", "))
    }
}

impl Person {
    /// Looks closely at the page as it is now, and gives it a name for what is reported.
    pub(crate) async fn looks_at(&mut self, name: &str) -> Result<()> {
        let began = Instant::now();
        self.looks()
            .await
            .with_context(|| format!("the page “{name}”, in {}", self.t.lang().tag()))?;
        self.findings.pages.push(name.to_owned());
        self.findings.took += began.elapsed();
        Ok(())
    }

    async fn looks(&mut self) -> Result<()> {
        self.hears_no_complaint().await?;
        self.browser.expect_no_serious_violations().await?;
        self.browser.set_dark(true).await?;
        let dark = self.browser.expect_no_serious_violations().await;
        self.browser.set_dark(false).await?;
        dark.context("when dark")?;
        self.browser.set_size(PHONE.0, PHONE.1).await?;
        let too_wide = self.browser.execute(TOO_WIDE, vec![json!(PHONE.0)]).await;
        self.browser.set_size(DESK.0, DESK.1).await?;
        let too_wide = too_wide?;
        let too_wide = too_wide.json().as_str().unwrap_or("?");
        ensure!(
            too_wide.is_empty(),
            "wider than a phone's window: {too_wide}"
        );
        self.hears_no_complaint().await
    }

    /// Fails when the console has something in it: a script's error, a violation of the security policy, a request that failed.
    pub(crate) async fn hears_no_complaint(&self) -> Result<()> {
        let said = self.browser.console().await?;
        ensure!(said.is_empty(), "the console says: {said:#?}");
        Ok(())
    }

    /// Takes note of complaints that have one of these in them: browsers complain of each answer that is no success, and htmx of
    /// each question that a later one has replaced.
    pub(crate) async fn hears_only_of(&self, expected: &[&str]) -> Result<()> {
        let mut said = self.browser.console().await?;
        said.retain(|line| !expected.iter().any(|part| line.contains(part)));
        ensure!(said.is_empty(), "the console says: {said:#?}");
        Ok(())
    }
}
