//! The CRM's JSON API. Every request says which version this program is; a server that it does not work with answers 426.

use std::time::Duration;

use anyhow::Context;
use obnova_desktop::Refusal;
use reqwest::{RequestBuilder, StatusCode};
use semver::Version;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use url::Url;

use crate::data::Record;

/// In which a Desktop says its version.
const HEADER: &str = "x-crm-desktop";
/// How long records may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it may take to say who one is. The launcher waits for it after an update: a slow server must not look like a version
/// that does not work.
const QUICK: Duration = Duration::from_secs(5);
/// Records in one answer, the most that the server gives.
const AT_ONCE: usize = 500;

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// The server does not work with this version of the program.
    Refused(Refusal),
    /// It cannot be reached, or does not answer as it should.
    Away(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Away(error.into())
    }
}

/// The way to the server.
pub struct Client {
    http: reqwest::Client,
    runtime: Runtime,
    version: Version,
}

impl Client {
    /// Of a program of this version.
    ///
    /// # Errors
    /// There is no way to the network.
    pub fn new(version: Version) -> anyhow::Result<Self> {
        Ok(Self {
            http: reqwest::Client::builder()
                .connect_timeout(Duration::from_secs(5))
                .timeout(PATIENCE)
                .build()?,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            version,
        })
    }

    /// Where the application is, as the Administration Centre says.
    ///
    /// # Errors
    /// It cannot be reached, or does not say.
    pub fn application(&self, centre: &Url) -> Result<Url, Failure> {
        let hello = self.json(
            self.http
                .get(centre.join("desktop/v1/hello")?)
                .timeout(QUICK),
        )?;
        let address = hello["application"].as_str();
        Ok(address
            .context("the server does not say where the application is")?
            .parse()?)
    }

    /// The version of the application.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub fn version(&self, application: &Url) -> Result<Version, Failure> {
        let answer = self.json(
            self.http
                .get(application.join("api/version")?)
                .timeout(QUICK),
        )?;
        let version = answer["version"].as_str().context("no version")?;
        Ok(version.parse()?)
    }

    /// All records of a kind.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub fn all(&self, application: &Url, plural: &str) -> Result<Vec<Record>, Failure> {
        let mut records = Vec::new();
        for page in 1_u64.. {
            let mut address = application.join(&format!("api/{plural}"))?;
            address
                .query_pairs_mut()
                .append_pair("page", &page.to_string())
                .append_pair("per_page", &AT_ONCE.to_string());
            let answer = self.json(self.http.get(address))?;
            let items = answer["items"].as_array().context("no records")?;
            records.extend(items.iter().filter_map(Value::as_object).cloned());
            if items.is_empty() || answer["pages"].as_u64().is_none_or(|pages| page >= pages) {
                break;
            }
        }
        Ok(records)
    }

    /// Writes a note into the journal of a record.
    ///
    /// # Errors
    /// As [`Failure`] says.
    pub fn note(&self, application: &Url, about: (&str, i64), text: &str) -> Result<(), Failure> {
        let (field, id) = about;
        let body = json!({ "kind": "note", "subject": text, field: id });
        let request = self
            .http
            .post(application.join("api/activities")?)
            .json(&body);
        self.json(request).map(|_| ())
    }

    fn json(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let request = request.header(HEADER, self.version.to_string());
        let (status, body) = self.runtime.block_on(async {
            let answer = request.send().await?;
            let status = answer.status();
            Ok::<_, reqwest::Error>((status, answer.bytes().await?))
        })?;
        if let Some(refusal) = Refusal::read(status.as_u16(), &body) {
            return Err(Failure::Refused(refusal));
        }
        if !matches!(status, StatusCode::OK | StatusCode::CREATED) {
            return Err(Failure::Away(anyhow::anyhow!("status {status}")));
        }
        Ok(serde_json::from_slice(&body)?)
    }
}
