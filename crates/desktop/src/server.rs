//! Asking the customer's server which version it is. What it says is a hint and nothing more.

use std::time::Duration;

use reqwest::{Certificate, Client, StatusCode};
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;
use url::Url;

use crate::configuration::Configuration;
use crate::error::{Code, Error};
use crate::layout::Layout;

/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest answer that is read, bytes.
const MAX_ANSWER: usize = 64 << 10;

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// The product.
    pub(crate) product: String,
    /// The version of the server component.
    pub(crate) server: Version,
    /// The Desktop version that it would like to see.
    #[serde(default)]
    pub(crate) desktop: Option<Version>,
}

/// What a server says that does not work with a Desktop of this version: the body of its answer 426.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The version of the server component.
    pub server: Version,
    /// The Desktop versions that it works with.
    pub desktop: VersionReq,
}

impl Refusal {
    /// Reads a server's answer to a request of the embedding program; `None` when it is not about the Desktop's version.
    pub fn read(status: u16, body: &[u8]) -> Option<Self> {
        match status {
            426 => serde_json::from_slice(body).ok(),
            _ => None,
        }
    }
}

/// The way to the server.
#[derive(Debug)]
pub(crate) struct Server {
    base: Url,
    client: Client,
    runtime: Runtime,
}

impl Server {
    pub(crate) fn of(configuration: &Configuration, layout: &Layout) -> Result<Self, Error> {
        let authorities = configuration.authorities(layout)?;
        let wrong = |error: reqwest::Error| {
            let path = layout.configuration();
            Error::new(Code::StateDamaged)
                .arg("path", path.display())
                .detail(chain(&error))
        };
        let authorities = match authorities.is_empty() {
            true => Vec::new(),
            false => Certificate::from_pem_bundle(&authorities).map_err(wrong)?,
        };
        let client = Client::builder()
            .user_agent(concat!("obnova-desktop/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(PATIENCE)
            .tls_certs_merge(authorities)
            .build()
            .map_err(wrong)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self {
            base: configuration.server.clone(),
            client,
            runtime,
        })
    }

    /// The address of a part of it.
    pub(crate) fn address(&self, path: &str) -> Url {
        self.base.join(path).unwrap_or_else(|_| self.base.clone())
    }

    /// What it says of itself.
    pub(crate) fn hello(&self) -> Result<Hello, Error> {
        self.hello_within(PATIENCE)
    }

    /// What it says of itself, if it does so soon.
    pub(crate) fn hello_within(&self, patience: Duration) -> Result<Hello, Error> {
        let address = self.address("desktop/v1/hello");
        let asked = async { tokio::time::timeout(patience, self.get(&address)).await };
        let answered = self.runtime.block_on(asked);
        let bytes =
            answered.unwrap_or_else(|_| Err(self.unreachable("no answer in time".into())))?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let wrong = Error::new(Code::WrongServer).arg("address", &self.base);
            wrong.detail(error)
        })
    }

    async fn get(&self, address: &Url) -> Result<Vec<u8>, Error> {
        let unreachable = |error: reqwest::Error| self.unreachable(chain(&error.without_url()));
        let mut response = self
            .client
            .get(address.clone())
            .send()
            .await
            .map_err(unreachable)?;
        match response.status() {
            status if status.is_success() => {}
            StatusCode::NOT_FOUND => {
                let wrong = Error::new(Code::WrongServer).arg("address", &self.base);
                return Err(wrong.detail(format!("{address}: there is nothing")));
            }
            status => return Err(self.unreachable(format!("{address}: status {status}"))),
        }
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(unreachable)? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > MAX_ANSWER {
                let wrong = Error::new(Code::WrongServer).arg("address", &self.base);
                return Err(wrong.detail(format!("{address}: the answer is too long")));
            }
        }
        Ok(bytes)
    }

    /// Tells it something.
    pub(crate) fn tell(&self, path: &str, what: &impl Serialize) -> Result<(), Error> {
        let request = self.client.post(self.address(path)).json(what);
        let answer = self.runtime.block_on(async { request.send().await });
        let answer = answer.map_err(|error| self.unreachable(chain(&error)))?;
        match answer.status().is_success() {
            true => Ok(()),
            false => Err(self.unreachable(format!("status {}", answer.status()))),
        }
    }

    fn unreachable(&self, detail: String) -> Error {
        Error::new(Code::ServerUnreachable)
            .arg("address", &self.base)
            .detail(detail)
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
