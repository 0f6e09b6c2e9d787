//! A person's browser: Chromium without a window, driven through its WebDriver.

mod axe;
mod process;

use std::ops::Deref;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use thirtyfour::Capabilities;
use thirtyfour::common::command::FormatRequestData;
use thirtyfour::extensions::cdp::ChromeDevTools;
use thirtyfour::{RequestData, SessionId, WebDriver};

pub use self::axe::Violation;
pub use thirtyfour::prelude::{By, ElementQueryable, ElementWaitable};
pub use thirtyfour::{Key, WebElement};

const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Whose browser it is.
#[derive(Debug, Clone)]
pub struct BrowserOptions {
    /// The language it asks pages for, such as `cs` or `en`.
    pub language: String,
    /// Inner width of its window, in CSS pixels.
    pub width: u32,
    /// Inner height of its window, in CSS pixels.
    pub height: u32,
    /// Device pixels a CSS pixel; 2 gives sharp pictures.
    pub scale: f64,
    /// Whether its owner prefers dark pages.
    pub dark: bool,
}

impl Default for BrowserOptions {
    fn default() -> Self {
        Self {
            language: "en".to_owned(),
            width: 1280,
            height: 800,
            scale: 1.0,
            dark: false,
        }
    }
}

/// A running browser with one page. All of thirtyfour's methods can be called on it.
pub struct Browser {
    session: Option<WebDriver>,
    options: BrowserOptions,
    process: process::Chromedriver,
}

impl Browser {
    /// Starts a browser that knows nothing: no cookies, no history, no cache.
    pub async fn start(options: BrowserOptions) -> Result<Self> {
        let process = process::Chromedriver::start(&options.language).await?;
        let capabilities = capabilities(&options, process.profile());
        let session = WebDriver::new(process.address(), capabilities)
            .await
            .context("Chromium does not start")?;
        session.set_script_timeout(LONGEST_WAIT).await?;
        session.set_page_load_timeout(LONGEST_WAIT).await?;
        let browser = Self {
            session: Some(session),
            options,
            process,
        };
        browser.apply().await?;
        Ok(browser)
    }

    /// Changes what its owner prefers, dark or light pages.
    pub async fn set_dark(&mut self, dark: bool) -> Result<()> {
        self.options.dark = dark;
        self.apply().await
    }

    /// Changes its window's size, to that of a phone for example.
    pub async fn set_size(&mut self, width: u32, height: u32) -> Result<()> {
        (self.options.width, self.options.height) = (width, height);
        self.apply().await
    }

    /// Waits until the page's visible text contains `text`.
    pub async fn wait_for_text(&self, text: &str) -> Result<()> {
        self.wait_for_text_within(text, LONGEST_WAIT).await
    }

    /// Waits until the page's visible text contains `text`; after `timeout` fails with what is there instead.
    pub async fn wait_for_text_within(&self, text: &str, timeout: Duration) -> Result<()> {
        let deadline = tokio::time::Instant::now() + timeout;
        loop {
            // While a page is being replaced there may be no body to read.
            let seen = self.text().await.unwrap_or_default();
            if seen.contains(text) {
                return Ok(());
            }
            if tokio::time::Instant::now() > deadline {
                let address = self.current_url().await?;
                bail!("no {text:?} on {address} after {timeout:?}, but:\n{seen}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The page's visible text.
    pub async fn text(&self) -> Result<String> {
        let script = "return document.body ? document.body.innerText : ''";
        let text = self.execute(script, Vec::new()).await?;
        Ok(text.json().as_str().unwrap_or_default().to_owned())
    }

    /// Keeps a picture of what the window shows, as PNG.
    pub async fn screenshot(&self, file: impl AsRef<Path>) -> Result<()> {
        self.capture(file.as_ref(), json!({ "format": "png" }))
            .await
    }

    /// Keeps a picture of the whole page, however long, as PNG.
    pub async fn screenshot_of_page(&self, file: impl AsRef<Path>) -> Result<()> {
        let metrics = self.devtools("Page.getLayoutMetrics", json!({})).await?;
        let size = &metrics["cssContentSize"];
        let clip = json!({
            "x": 0, "y": 0, "scale": 1,
            "width": size["width"], "height": size["height"],
        });
        let how = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        self.capture(file.as_ref(), how).await
    }

    /// What keeps people with a disability from using the page, as axe-core finds it.
    pub async fn axe(&self) -> Result<Vec<Violation>> {
        axe::run(self).await
    }

    /// Fails when axe-core finds anything serious or critical.
    pub async fn expect_no_serious_violations(&self) -> Result<()> {
        let mut violations = self.axe().await?;
        violations.retain(Violation::is_serious);
        if !violations.is_empty() {
            let address = self.current_url().await?;
            let list: Vec<_> = violations.iter().map(Violation::to_string).collect();
            bail!("barriers on {address}:\n{}", list.join("\n"));
        }
        Ok(())
    }

    /// What the page's console has said since the last call: errors of scripts, violations of its security policy,
    /// requests that failed.
    pub async fn console(&self) -> Result<Vec<String>> {
        let entries: Value = self.cmd(ConsoleLog).await?.value()?;
        let entries = entries.as_array().map(Vec::as_slice).unwrap_or_default();
        let message = |entry: &Value| entry["message"].as_str().unwrap_or_default().to_owned();
        Ok(entries.iter().map(message).collect())
    }

    /// One command of the Chrome DevTools Protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Result<Value> {
        let tools = ChromeDevTools::new(self.handle.clone());
        let answer = tools.execute_cdp_with_params(command, parameters).await;
        answer.with_context(|| format!("{command} failed"))
    }

    /// Closes it. Dropping does too, less politely.
    pub async fn close(mut self) -> Result<()> {
        if let Some(session) = self.session.take() {
            session.quit().await?;
        }
        Ok(())
    }

    async fn apply(&self) -> Result<()> {
        let options = &self.options;
        let metrics = json!({
            "width": options.width, "height": options.height,
            "deviceScaleFactor": options.scale, "mobile": options.width < 600,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)
            .await?;
        let scheme = if options.dark { "dark" } else { "light" };
        // Without motion a picture taken at any moment is the same.
        let features = json!({ "features": [
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]});
        self.devtools("Emulation.setEmulatedMedia", features)
            .await?;
        Ok(())
    }

    async fn capture(&self, file: &Path, how: Value) -> Result<()> {
        let picture = self.devtools("Page.captureScreenshot", how).await?;
        let data = picture["data"].as_str().context("no picture")?;
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory)?;
        }
        std::fs::write(file, BASE64_STANDARD.decode(data)?)?;
        Ok(())
    }
}

impl Deref for Browser {
    type Target = WebDriver;

    fn deref(&self) -> &WebDriver {
        self.session
            .as_ref()
            .expect("the session lives until close()")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            // The session would be ended by blocking this thread; ending the processes is quicker and surer.
            let _ = session.leak();
        }
        self.process.kill();
    }
}

fn capabilities(options: &BrowserOptions, profile: &Path) -> Capabilities {
    let arguments = json!([
        "--headless=new",
        // Containers and CI run as root, where Chromium's sandbox does not work; only own pages are opened.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-sync",
        "--hide-scrollbars",
        format!("--lang={}", options.language),
        format!("--accept-lang={}", options.language),
        format!("--window-size={},{}", options.width, options.height),
        format!("--user-data-dir={}", profile.display()),
    ]);
    let preferences = json!({ "intl.accept_languages": options.language });
    let capabilities = json!({
        "browserName": "chrome",
        "goog:chromeOptions": { "args": arguments, "prefs": preferences },
        "goog:loggingPrefs": { "browser": "WARNING" },
    });
    capabilities.as_object().cloned().unwrap_or_default()
}

/// Chromedriver's own command for the console; the WebDriver standard has none.
#[derive(Debug)]
struct ConsoleLog;

impl FormatRequestData for ConsoleLog {
    fn format_request(&self, session: &SessionId) -> RequestData {
        RequestData::new(reqwest::Method::POST, format!("/session/{session}/se/log"))
            .add_body(json!({ "type": "browser" }))
    }
}

#[cfg(test)]
mod tests;
