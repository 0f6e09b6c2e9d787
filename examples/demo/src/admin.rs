//! An administrator without a screen: opens pages, reads their texts and sends their forms, like a browser does.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, bail};
use reqwest::redirect::Policy;
use scraper::{ElementRef, Html, Selector};

/// Signed in, or about to be.
pub struct Admin {
    client: reqwest::Client,
    base: String,
}

/// A page as it came.
pub struct Page {
    /// The path it came from, after redirects.
    pub path: String,
    html: String,
}

impl Admin {
    /// Somebody who prefers this language.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(center: SocketAddr, language: &str) -> Result<Admin> {
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert("accept-language", language.parse()?);
        headers.insert("accept", "text/html".parse()?);
        let client = reqwest::Client::builder()
            .cookie_store(true)
            .default_headers(headers)
            .redirect(Policy::limited(5))
            .no_proxy()
            .build()?;
        Ok(Admin {
            client,
            base: format!("http://{center}"),
        })
    }

    /// Opens a page.
    ///
    /// # Errors
    /// It does not come, or comes with an error.
    pub async fn open(&self, path: &str) -> Result<Page> {
        let answer = self
            .client
            .get(format!("{}{path}", self.base))
            .send()
            .await?;
        Page::of(answer).await
    }

    /// Fills in a form of a page and sends it: fields not named keep what the page put in them.
    ///
    /// # Errors
    /// There is no such form, or its answer is an error.
    pub async fn send(&self, page: &Page, action: &str, fields: &[(&str, &str)]) -> Result<Page> {
        let mut body: Vec<(String, String)> = page.form(action)?;
        body.retain(|(name, _)| !fields.iter().any(|(field, _)| field == name));
        body.extend(
            fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let request = self
            .client
            .post(format!("{}{action}", self.base))
            .header("origin", &self.base)
            .form(&body);
        Page::of(request.send().await?).await
    }

    /// Makes the first administrator with the code from the centre's data directory, and is signed in then.
    ///
    /// # Errors
    /// The code is not there or not taken.
    pub async fn set_up(
        &self,
        center_dir: &Path,
        name: &str,
        email: &str,
        password: &str,
    ) -> Result<()> {
        let code =
            std::fs::read_to_string(center_dir.join("setup-code")).context("the set-up code")?;
        let page = self.open("/setup").await?;
        let fields = [
            ("code", code.trim()),
            ("name", name),
            ("email", email),
            ("password", password),
            ("again", password),
        ];
        self.send(&page, "/setup", &fields).await?;
        match self.open("/updates").await?.path.as_str() {
            "/updates" => Ok(()),
            other => bail!("after the set-up, /updates led to {other}"),
        }
    }

    /// Fetches something that is no page.
    ///
    /// # Errors
    /// It does not come.
    pub async fn fetch(&self, path: &str) -> Result<String> {
        let answer = self
            .client
            .get(format!("{}{path}", self.base))
            .send()
            .await?
            .error_for_status()?;
        Ok(answer.text().await?)
    }
}

impl Page {
    async fn of(answer: reqwest::Response) -> Result<Page> {
        let (status, path) = (answer.status(), answer.url().path().to_owned());
        let html = answer.text().await?;
        let page = Page { path, html };
        if !status.is_success() {
            bail!("{} answered {status}: {}", page.path, page.text());
        }
        Ok(page)
    }

    /// Everything that can be read on it, white space folded.
    pub fn text(&self) -> String {
        let html = Html::parse_document(&self.html);
        html.root_element()
            .text()
            .collect::<Vec<_>>()
            .join(" ")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Whether it has a form that is sent there.
    pub fn has_form(&self, action: &str) -> bool {
        self.form(action).is_ok()
    }

    /// What the form would send as it stands.
    fn form(&self, action: &str) -> Result<Vec<(String, String)>> {
        let html = Html::parse_document(&self.html);
        let wanted = |form: &ElementRef<'_>| form.attr("action").unwrap_or(&self.path) == action;
        let form = html.select(&selector("form")?).find(wanted);
        let form = form
            .with_context(|| format!("{} has no form for {action}: {}", self.path, self.text()))?;
        let mut fields = Vec::new();
        for element in form.select(&selector("input, select, textarea")?) {
            let Some(name) = element.attr("name") else {
                continue;
            };
            let ticked = !matches!(element.attr("type"), Some("checkbox" | "radio"))
                || element.attr("checked").is_some();
            if ticked && !matches!(element.attr("type"), Some("submit" | "file")) {
                fields.extend(value(&element)?.map(|value| (name.to_owned(), value)));
            }
        }
        Ok(fields)
    }
}

fn value(element: &ElementRef<'_>) -> Result<Option<String>> {
    Ok(match element.value().name() {
        "textarea" => Some(element.text().collect()),
        "select" => {
            let chosen = element.select(&selector("option[selected]")?).next();
            let first = element.select(&selector("option")?).next();
            chosen.or(first).map(|option| {
                option
                    .attr("value")
                    .map_or_else(|| option.text().collect(), str::to_owned)
            })
        }
        _ => Some(element.attr("value").unwrap_or("").to_owned()),
    })
}

fn selector(text: &str) -> Result<Selector> {
    Selector::parse(text).map_err(|error| anyhow::anyhow!("{error}"))
}
