//! A running centre, and a browser's part in talking to it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use obnova_center::Options;
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::engine::Engine;

pub const EMAIL: &str = "anna@example.com";
pub const PASSWORD: &str = "correct horse battery";

/// A centre with its own folder; its engine, unless it was told to do without.
pub struct Centre {
    pub base: String,
    pub folder: TempDir,
    pub engine: Option<Engine>,
    stop: Option<oneshot::Sender<()>>,
    serving: tokio::task::JoinHandle<Result<(), obnova_center::Error>>,
}

impl Centre {
    pub async fn start() -> Centre {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::start(folder.path());
        Centre::start_with(folder, Some(engine)).await
    }

    /// One on this address of the machine's.
    pub async fn start_at(address: IpAddr) -> Centre {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::start(folder.path());
        Centre::listen_on(address, folder, Some(engine)).await
    }

    pub async fn start_without_engine() -> Centre {
        Centre::start_with(tempfile::tempdir().unwrap(), None).await
    }

    async fn start_with(folder: TempDir, engine: Option<Engine>) -> Centre {
        Centre::listen_on(Ipv4Addr::LOCALHOST.into(), folder, engine).await
    }

    async fn listen_on(address: IpAddr, folder: TempDir, engine: Option<Engine>) -> Centre {
        let listener = TcpListener::bind(SocketAddr::from((address, 0)))
            .await
            .unwrap();
        let listen = listener.local_addr().unwrap();
        let options = Options {
            listen,
            state_dir: folder.path().to_owned(),
            data_dir: folder.path().to_owned(),
            public_url: None,
            secure_cookies: false,
            trusted_proxies: Vec::new(),
        };
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(obnova_center::serve(listener, options, async {
            let _ = stopped.await;
        }));
        let centre = Centre {
            base: format!("http://{listen}"),
            folder,
            engine,
            stop: Some(stop),
            serving,
        };
        // Answers as soon as the store is open.
        let answer = tokio::time::timeout(
            Duration::from_secs(20),
            reqwest::get(centre.url("/healthz")),
        )
        .await;
        assert_eq!(answer.unwrap().unwrap().text().await.unwrap(), "ok");
        centre
    }

    pub fn engine(&self) -> &Engine {
        self.engine.as_ref().unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub fn setup_code(&self) -> PathBuf {
        self.folder.path().join("setup-code")
    }

    /// A browser that has set the centre up and so is signed in as Anna.
    pub async fn signed_in(&self) -> Browser {
        let browser = Browser::new(self, "en");
        let answer = browser.set_up().await;
        assert_eq!(
            answer.status(),
            StatusCode::SEE_OTHER,
            "{}",
            answer.text().await.unwrap()
        );
        browser
    }

    /// Ends it in order.
    pub async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        (&mut self.serving).await.unwrap().unwrap();
    }
}

impl Drop for Centre {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Keeps cookies and follows no redirects, so that a test sees them.
pub struct Browser {
    base: String,
    client: Client,
    lang: &'static str,
    code: PathBuf,
}

impl Browser {
    pub fn new(centre: &Centre, lang: &'static str) -> Browser {
        let client = Client::builder()
            .cookie_store(true)
            .redirect(redirect::Policy::none())
            .build()
            .unwrap();
        Browser {
            base: centre.base.clone(),
            client,
            lang,
            code: centre.setup_code(),
        }
    }

    fn request(&self, request: RequestBuilder) -> RequestBuilder {
        request.header("accept-language", self.lang)
    }

    pub async fn get(&self, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.base));
        self.request(request).send().await.unwrap()
    }

    /// The text of a page that has to be there.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    }

    /// A part of a page, as htmx fetches it.
    pub async fn fragment(&self, path: &str) -> String {
        let request = self
            .client
            .get(format!("{}{path}", self.base))
            .header("hx-request", "true");
        self.request(request)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    }

    /// A form, with the token of this session.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let token = self.token().await;
        let mut fields = fields.to_vec();
        fields.push(("_csrf", &token));
        self.post_bare(path, &fields, &[]).await
    }

    /// A form exactly so, with these headers.
    pub async fn post_bare(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Response {
        let mut request = self
            .client
            .post(format!("{}{path}", self.base))
            .form(fields);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.request(request).send().await.unwrap()
    }

    pub async fn token(&self) -> String {
        let page = self.page("/users/new").await;
        between(&page, "name=\"_csrf\" value=\"", "\"").to_owned()
    }

    pub async fn set_up(&self) -> Response {
        let code = std::fs::read_to_string(&self.code).unwrap();
        self.set_up_with(code.trim()).await
    }

    pub async fn set_up_with(&self, code: &str) -> Response {
        let fields = [
            ("code", code),
            ("name", "Anna Nováková"),
            ("email", EMAIL),
            ("password", PASSWORD),
            ("again", PASSWORD),
        ];
        self.post_bare("/setup", &fields, &[]).await
    }

    pub async fn sign_in(&self, email: &str, password: &str) -> Response {
        self.post_bare("/sign-in", &[("email", email), ("password", password)], &[])
            .await
    }

    pub fn client(&self) -> &Client {
        &self.client
    }
}

pub fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let rest = text
        .split(before)
        .nth(1)
        .unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split(after).next().unwrap()
}

/// Where a redirect leads.
pub fn place(answer: &Response) -> &str {
    answer.headers()["location"].to_str().unwrap()
}
