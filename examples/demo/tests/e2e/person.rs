//! Somebody at a browser, who finds things by what is written on them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use obnova_demo::world::World;
use obnova_testkit::browser::{Browser, BrowserOptions, By, WebElement};
use obnova_text::{Lang, Text};
use serde_json::{Value, json};

use crate::looking::Findings;

/// How long somebody waits for a page to do something, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const GLANCE: Duration = Duration::from_millis(50);

/// Finds a visible element of the given kind by all of its text; only inside the window that is open, if one is.
const FIND: &str = "
    const [text, kind] = arguments;
    const words = element => element.textContent.replace(/\\s+/g, ' ').trim();
    const root = document.querySelector('dialog:modal') || document;
    for (const element of root.querySelectorAll(kind)) {
        if (words(element) === text && element.checkVisibility()) {
            element.scrollIntoView({ block: 'center' });
            return element;
        }
    }
    return null;
";

/// The field that a label with this text belongs to.
const FIELD: &str = "
    const [text] = arguments;
    const words = element => element.textContent.replace(/\\s+/g, ' ').trim();
    for (const label of document.querySelectorAll('label')) {
        const starts = words(label).startsWith(text) && label.querySelector('input');
        if ((words(label) === text || starts) && label.control) {
            label.control.scrollIntoView({ block: 'center' });
            return label.control;
        }
    }
    return null;
";

/// Whether the window is open that lies over the page.
const HAS_WINDOW: &str = "return document.querySelector('dialog:modal') !== null";

/// A person, their browser and their language.
pub(crate) struct Person {
    /// Their browser.
    pub(crate) browser: Browser,
    /// What pages say in their language.
    pub(crate) t: &'static Text,
    /// What was found on the pages they saw.
    pub(crate) findings: Findings,
    centre: String,
}

impl Person {
    /// Somebody who has never been here.
    pub(crate) async fn new(world: &World, lang: Lang) -> Result<Person> {
        let options = BrowserOptions {
            language: lang.tag().to_owned(),
            ..BrowserOptions::default()
        };
        Ok(Person {
            browser: Browser::start(options).await?,
            t: Text::of(lang),
            findings: Findings::default(),
            centre: format!("http://{}", world.center),
        })
    }

    /// What they saw, in a line.
    pub(crate) fn summary(&self) -> String {
        format!("{}: {}", self.t.lang().tag(), self.findings)
    }

    /// Closes the browser.
    pub(crate) async fn leave(self) -> Result<()> {
        self.browser.close().await
    }

    /// Types a path of the centre into the address bar.
    pub(crate) async fn opens(&self, path: &str) -> Result<()> {
        self.visits(&format!("{}{path}", self.centre)).await
    }

    /// Types an address into the address bar.
    pub(crate) async fn visits(&self, address: &str) -> Result<()> {
        let going = self.browser.goto(address).await;
        going.with_context(|| format!("{address} does not open"))
    }

    /// The path and query of the address bar.
    pub(crate) async fn path(&self) -> Result<String> {
        let url = self.browser.current_url().await?;
        let query = url.query().map(|query| format!("?{query}"));
        Ok(format!("{}{}", url.path(), query.unwrap_or_default()))
    }

    /// Everything that can be read, folded to one line in lower case: style sheets change the case of some texts.
    pub(crate) async fn reads(&self) -> Result<String> {
        // While a page is being replaced there may be nothing to read.
        Ok(folded(&self.browser.text().await.unwrap_or_default()))
    }

    /// Waits until this can be read.
    pub(crate) async fn sees(&self, text: &str) -> Result<()> {
        let wanted = folded(text);
        let until = Instant::now() + PATIENCE;
        loop {
            let seen = self.reads().await?;
            if seen.contains(&wanted) {
                return Ok(());
            }
            if Instant::now() > until {
                let address = self.browser.current_url().await?;
                bail!("“{text}” is not on {address}, but:\n{seen}");
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// The same, for a text of ours.
    pub(crate) async fn sees_text(&self, key: &str) -> Result<()> {
        self.sees(&self.says(key)?).await
    }

    /// What pages say there in their language; there must be such a text.
    pub(crate) fn says(&self, key: &str) -> Result<String> {
        ensure!(self.t.has(key), "there is no text {key}");
        Ok(self.t.get(key))
    }

    /// Fails if this can be read.
    pub(crate) async fn does_not_see(&self, text: &str) -> Result<()> {
        let seen = self.reads().await?;
        match seen.contains(&folded(text)) {
            true => bail!("“{text}” is there: {seen}"),
            false => Ok(()),
        }
    }

    /// Clicks a button or link with one of our texts on it.
    pub(crate) async fn clicks(&self, key: &str) -> Result<()> {
        self.clicks_on(&self.says(key)?).await
    }

    /// Clicks a button, a link, or what unfolds a part of the page.
    pub(crate) async fn clicks_on(&self, text: &str) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            // Between finding and clicking, the page may have put another in its place.
            let result = match self.finds(text, "a, button, summary").await {
                Ok(element) => element.click().await.map_err(Into::into),
                Err(error) => Err(error),
            };
            match result {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > until => {
                    let seen = self.reads().await?;
                    return Err(error)
                        .with_context(|| format!("“{text}” cannot be clicked on: {seen}"));
                }
                Err(_) => tokio::time::sleep(GLANCE).await,
            }
        }
    }

    /// An element that is there now.
    pub(crate) async fn finds(&self, text: &str, kind: &str) -> Result<WebElement> {
        let text: Vec<_> = text.split_whitespace().collect();
        let arguments = vec![json!(text.join(" ")), json!(kind)];
        let found = self.browser.execute(FIND, arguments).await?;
        found
            .element()
            .with_context(|| format!("no {kind} “{}”", text.join(" ")))
    }

    /// Writes into the field with this text as its label, instead of what is in it.
    pub(crate) async fn fills(&self, key: &str, value: &str) -> Result<()> {
        self.fills_field(&self.says(key)?, value).await
    }

    /// The same by the label as it is written.
    pub(crate) async fn fills_field(&self, label: &str, value: &str) -> Result<()> {
        let field = self.field(label).await?;
        field.clear().await?;
        Ok(field.send_keys(value).await?)
    }

    /// Chooses from a list by an option's value.
    pub(crate) async fn chooses(&self, key: &str, value: &str) -> Result<()> {
        let field = self.field(&self.says(key)?).await?;
        let option = field
            .find(By::Css(format!("option[value={value:?}]")))
            .await?;
        Ok(option.click().await?)
    }

    /// Sees to it that the box with this label is ticked.
    pub(crate) async fn ticks(&self, label: &str) -> Result<()> {
        let field = self.field(label).await?;
        if !field.is_selected().await? {
            field.click().await?;
        }
        Ok(())
    }

    /// The field that is labelled so.
    pub(crate) async fn field(&self, label: &str) -> Result<WebElement> {
        let found = self.browser.execute(FIELD, vec![json!(label)]).await?;
        let found = found.element();
        found.with_context(|| format!("no field is labelled “{label}”"))
    }

    /// Waits until no window lies over the page any more.
    pub(crate) async fn sees_no_window(&self) -> Result<()> {
        self.comes_to(HAS_WINDOW, &json!(false)).await
    }

    /// Waits until a window lies over the page.
    pub(crate) async fn sees_a_window(&self) -> Result<()> {
        self.comes_to(HAS_WINDOW, &json!(true)).await
    }

    /// Whether the window is open that lies over the page.
    pub(crate) async fn has_window(&self) -> Result<bool> {
        let found = self.browser.execute(HAS_WINDOW, Vec::new()).await?;
        Ok(found.json() == &json!(true))
    }

    /// Waits until a question to the page has this answer.
    pub(crate) async fn comes_to(&self, question: &str, answer: &Value) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            // While a page is being replaced the question has no answer.
            let now = self.browser.execute(question, Vec::new()).await;
            if now.as_ref().is_ok_and(|now| now.json() == answer) {
                return Ok(());
            }
            ensure!(
                Instant::now() < until,
                "“{question}” does not come to {answer}, but to {now:?}"
            );
            tokio::time::sleep(GLANCE).await;
        }
    }
}

/// One line, in lower case.
fn folded(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").to_lowercase()
}
