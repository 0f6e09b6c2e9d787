//! People at work: Tryton's JSON-RPC, as its desktop client speaks it, on a fixed schedule.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use obnova_testkit::load::{Asked, Load, Outcome};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The database's name in addresses.
const PATH: &str = "/crm/";
/// How the names of parties begin that the load writes.
const WRITTEN: &str = "Load";
const CREATE: &str = "model.party.party.create";
/// A request may be held for a whole change-over.
pub const TIMEOUT: Duration = Duration::from_secs(900);

/// Somebody who is signed in.
#[derive(Clone)]
pub struct User {
    client: reqwest::Client,
    front: SocketAddr,
    session: String,
}

impl User {
    /// Signs in as admin.
    ///
    /// # Errors
    /// The server does not answer, or does not let anybody in.
    pub async fn sign_in(
        client: reqwest::Client,
        front: SocketAddr,
        password: &str,
    ) -> Result<User> {
        let mut user = User::signed_in(client, front, String::new());
        let params = json!(["admin", { "password": password }, "en"]);
        let answer = user.call("common.db.login", params).await?;
        let (id, key) = (&answer[0], answer[1].as_str().context("no session")?);
        let session = BASE64_STANDARD.encode(format!("admin:{id}:{key}"));
        user.session = format!("Session {session}");
        Ok(user)
    }

    /// Who has signed in already, with what [`User::session`] said.
    pub fn signed_in(client: reqwest::Client, front: SocketAddr, session: String) -> User {
        User {
            client,
            front,
            session,
        }
    }

    /// What the server knows the signed-in by: a header of each request.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// Calls a method of the server.
    ///
    /// # Errors
    /// It does not answer, or answers with an error.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value> {
        self.call_at(PATH, method, params).await
    }

    async fn call_at(&self, path: &str, method: &str, params: Value) -> Result<Value> {
        let mut request = self
            .client
            .post(format!("http://{}{path}", self.front))
            .json(&json!({ "id": 1, "method": method, "params": params }));
        if !self.session.is_empty() {
            request = request.header(AUTHORIZATION, &self.session);
        }
        let answer = request.send().await?.error_for_status()?;
        let mut answer: Value = answer.json().await?;
        match answer.get("error") {
            Some(error) => bail!("{method}: {error}"),
            None => Ok(answer["result"].take()),
        }
    }

    /// Tryton's version.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn version(&self) -> Result<String> {
        let method = "common.server.version";
        let version = self.call_at("/", method, json!([])).await?;
        Ok(version.as_str().context("no version")?.to_owned())
    }

    /// How many parties there are: needs the session, and changes nothing.
    ///
    /// # Errors
    /// The server does not answer, or answers with an error.
    pub async fn parties(&self) -> Result<u64> {
        let count = self
            .call("model.party.party.search_count", json!([[], {}]))
            .await?;
        count.as_u64().context("no number")
    }

    /// Writes a party.
    ///
    /// # Errors
    /// As [`User::call`]; the party may have been written all the same.
    pub async fn write(&self, name: &str) -> Result<()> {
        let params = json!([[{ "name": name }], {}]);
        self.call(CREATE, params).await.map(drop)
    }

    /// The names of the parties that begin so, in order.
    ///
    /// # Errors
    /// As [`User::call`].
    pub async fn names(&self, beginning: &str) -> Result<Vec<String>> {
        let domain = json!([["name", "like", format!("{beginning}%")]]);
        let params = json!([domain, 0, null, [["name", "ASC"]], ["name"], {}]);
        let found = self.call("model.party.party.search_read", params).await?;
        let name = |party: &Value| party["name"].as_str().map(str::to_owned);
        let found = found.as_array().context("no parties")?;
        found
            .iter()
            .map(|party| name(party).context("a party without name"))
            .collect()
    }

    /// The names of the parties that a load has written, in order.
    ///
    /// # Errors
    /// As [`User::call`].
    pub async fn written(&self) -> Result<Vec<String>> {
        self.names(&format!("{WRITTEN} ")).await
    }

    /// Works on until told to stop: half of the requests read, half write a new party.
    pub fn work(&self, rate: u32) -> Work {
        let (stop, stopped) = oneshot::channel();
        let user = self.clone();
        let load = Load::new(
            format!("http://{}", self.front),
            rate,
            move |shot| match shot.write {
                false => user.asked(
                    "model.sale.opportunity.search_read",
                    json!([
                        [],
                        shot.number % 50,
                        10,
                        [["id", "ASC"]],
                        ["rec_name", "amount"],
                        {}
                    ]),
                ),
                true => {
                    let name = format!("{WRITTEN} {:06}", shot.number);
                    let params = json!([[{ "name": name }], {}]);
                    user.asked(CREATE, params).write(name)
                }
            },
        );
        let load = load.timeout(TIMEOUT);
        let task = tokio::spawn(async move {
            let stopped = async {
                // Dropped is as good as told.
                let _ = stopped.await;
            };
            load.run_until(stopped).await
        });
        Work { stop, task }
    }

    fn asked(&self, method: &str, params: Value) -> Asked {
        let body = json!({ "id": 1, "method": method, "params": params }).to_string();
        let asked = Asked::post(PATH, "application/json", body).unless("\"error\"");
        match HeaderValue::from_str(&self.session) {
            Ok(session) => asked.header(AUTHORIZATION, session),
            Err(_) => asked,
        }
    }
}

/// Bytes as the server takes them.
pub fn bytes(data: &[u8]) -> Value {
    json!({ "__class__": "bytes", "base64": BASE64_STANDARD.encode(data) })
}

/// The key under which the server keeps this session ([`User::session`]) in its database.
///
/// # Errors
/// It is none.
pub fn key(session: &str) -> Result<String> {
    let encoded = session.strip_prefix("Session ").context("no session")?;
    let words = String::from_utf8(BASE64_STANDARD.decode(encoded)?)?;
    let key = words.rsplit(':').next().context("no key")?;
    Ok(key.to_owned())
}

/// People at work.
pub struct Work {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<Outcome>>,
}

impl Work {
    /// Lets them finish, and says how it went.
    ///
    /// # Errors
    /// They could not begin.
    pub async fn end(self) -> Result<Outcome> {
        // It has ended by itself only if it failed, which its result says.
        let _ = self.stop.send(());
        self.task.await?
    }
}
