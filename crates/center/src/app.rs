//! Every address of the centre on one screen, and what all handlers share.

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use obnova_engine::api::{Answer, Problem, Request, State};
use obnova_engine::client::Client;
use obnova_engine::problem;
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::pages::{
    audit, copies, groups, history, imports, install, live, notifications, preferences, rehearsal,
    report, revert, settings, setup, sign_in, updates, user, users, welcome,
};
use crate::run::{Error, Options};
use crate::store::Store;
use crate::{assets, desktops, error, headers, openapi, pages, session, visitor};

/// Largest upload: users as CSV, bytes.
const MAX_UPLOAD: usize = 16 << 20;

/// Longest pause in what a browser sends: those who only keep connections busy are shown the door.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// All routes. What is in `signed_in` needs an administrator's session; the rest is for everybody.
pub fn router(centre: Centre) -> Router {
    let signed_in = Router::new()
        .route("/updates", get(updates::show))
        .route("/updates/offer", get(updates::offer))
        .route("/updates/seen", post(updates::seen))
        .route(
            "/updates/install",
            get(install::confirm).post(install::start),
        )
        .route("/updates/rehearsal", post(rehearsal::start))
        .route("/updates/rehearsal/cancel", post(rehearsal::cancel))
        .route("/updates/rehearsal/{version}", get(rehearsal::show))
        .route("/updates/live", get(live::stream))
        .route("/updates/report/{update}", get(report::show))
        .route("/updates/report/{update}/download", get(report::download))
        .route("/updates/report/{update}/send", post(report::send))
        .route("/history", get(history::list))
        .route("/history/{update}", get(history::show))
        .route("/history/copies", get(copies::list))
        .route(
            "/history/copies/{update}/delete",
            get(copies::confirm).post(copies::delete),
        )
        .route(
            "/history/{update}/revert",
            get(revert::show).post(revert::start),
        )
        .route(
            "/history/{update}/revert/export",
            get(revert::export::show).post(revert::export::start),
        )
        .route("/desktops", get(pages::desktops::show))
        .route("/desktops/export", get(pages::desktops::export::send))
        .route("/users", get(users::list).post(user::add))
        .route("/users/new", get(user::new))
        .route("/users/import", get(imports::show).post(imports::upload))
        .route("/users/import/now", post(imports::now))
        .route("/users/{id}", get(user::edit).post(user::change))
        .route("/users/{id}/password", post(user::set_password))
        .route(
            "/users/{id}/remove",
            get(user::confirm_removal).post(user::remove),
        )
        .route("/groups", get(groups::list).post(groups::add))
        .route("/groups/{id}", post(groups::rename))
        .route("/groups/{id}/remove", post(groups::remove))
        .route("/notifications", get(notifications::list))
        .route(
            "/notifications/resend-failed",
            post(notifications::resend_failed),
        )
        .route("/notifications/test", post(notifications::test))
        .route("/notifications/{id}", get(notifications::show))
        .route("/notifications/{id}/html", get(notifications::html_part))
        .route("/notifications/{id}/resend", post(notifications::resend))
        .route("/settings", get(settings::show).post(settings::save))
        .route("/audit", get(audit::show))
        .route("/sign-out", post(sign_in::sign_out))
        .route_layer(from_fn_with_state(centre.clone(), session::required));
    let pages = Router::new()
        .route("/", get(welcome::show))
        .route(
            "/download/{version}/{platform}/{file}",
            get(desktops::installers::send),
        )
        .route("/setup", get(setup::show).post(setup::create))
        .route("/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/preferences", post(preferences::save))
        .merge(signed_in)
        .fallback(|| async { error::Failure::NotFound })
        .layer(DefaultBodyLimit::max(MAX_UPLOAD))
        .layer(RequestBodyTimeoutLayer::new(LONGEST_PAUSE))
        .layer(CatchPanicLayer::new())
        .layer(from_fn(headers::same_site))
        .layer(from_fn_with_state(centre.clone(), error::dress))
        .layer(from_fn_with_state(centre.clone(), session::recognise));
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/openapi.json", get(openapi::show))
        .route(
            "/assets/{digest}/{name}",
            get(assets::serve).layer(CompressionLayer::new()),
        )
        .merge(desktops::routes())
        .merge(pages)
        .layer(from_fn(headers::secure))
        .layer(from_fn_with_state(centre.clone(), visitor::recognise))
        .with_state(centre)
}

/// What all handlers share. Cheap to clone.
#[derive(Clone)]
pub struct Centre(Arc<Shared>);

struct Shared {
    store: Store,
    engine: Client,
    options: Options,
    /// The application's name as the engine last gave it, for pages while it is down.
    product: RwLock<String>,
    ended: watch::Receiver<bool>,
    greeting: desktops::Greeting,
    turns: desktops::Turns,
    exports: revert::export::Exports,
}

/// Longest wait for an answer that the engine has ready, before a page is shown without it.
const PATIENCE: Duration = Duration::from_secs(3);
/// The file with the code that the first administrator is made with.
pub const SETUP_CODE: &str = "setup-code";

impl Centre {
    /// Opens the store and, while there is no administrator, makes the set-up code.
    ///
    /// # Errors
    /// The data directory or the database cannot be used.
    pub async fn open(options: Options, ended: watch::Receiver<bool>) -> Result<Centre, Error> {
        let store = Store::open(&options.data_dir).await?;
        if let Some(url) = &options.public_url {
            let mut settings = store.settings().await?;
            if settings.public_url.is_empty() {
                settings.public_url = url.clone();
                store.save_settings(&settings).await?;
            }
        }
        let product = store.product_name().await?;
        let code = options.data_dir.join(SETUP_CODE);
        if store.administrator_count().await? == 0 {
            make_setup_code(&code).map_err(|source| Error::Directory {
                path: code.clone(),
                source,
            })?;
            tracing::info!(path = %code.display(), "no administrator yet; the code for the set-up page is in {}", code.display());
        } else {
            let _ = std::fs::remove_file(&code);
        }
        Ok(Centre(Arc::new(Shared {
            engine: Client::new(&options.state_dir),
            product: RwLock::new(product),
            store,
            options,
            ended,
            greeting: desktops::Greeting::default(),
            turns: desktops::Turns::default(),
            exports: revert::export::Exports::default(),
        })))
    }

    /// The centre's database.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The engine.
    pub fn engine(&self) -> &Client {
        &self.0.engine
    }

    /// What Desktops are told, kept for a moment.
    pub fn greeting(&self) -> &desktops::Greeting {
        &self.0.greeting
    }

    /// Turns of Desktops.
    pub fn turns(&self) -> &desktops::Turns {
        &self.0.turns
    }

    /// The newest export of what going back would lose.
    pub fn exports(&self) -> &revert::export::Exports {
        &self.0.exports
    }

    /// What it was started with.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Where the code for the first administrator is.
    pub fn setup_code(&self) -> PathBuf {
        self.0.options.data_dir.join(SETUP_CODE)
    }

    /// Becomes true when the centre ends.
    pub fn ended(&self) -> watch::Receiver<bool> {
        self.0.ended.clone()
    }

    /// The application's name; Obnova's own before the engine has ever been reached.
    pub fn product(&self) -> String {
        let name = self
            .0
            .product
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if name.is_empty() {
            "Obnova".to_owned()
        } else {
            name.clone()
        }
    }

    /// The engine's state as it knows it, without the network.
    ///
    /// # Errors
    /// The engine cannot be reached, or did not answer in time.
    pub async fn state(&self) -> Result<Box<State>, Problem> {
        let answer = self.ask(&Request::State, PATIENCE).await?;
        let Answer::State(state) = answer else {
            return Err(unexpected());
        };
        let mut name = self
            .0
            .product
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if *name != state.name {
            name.clone_from(&state.name);
        }
        Ok(state)
    }

    /// Asks the engine, but not for ever.
    ///
    /// # Errors
    /// The engine's problem; `engine-unreachable` when it is not there or too slow.
    pub async fn ask(&self, request: &Request, patience: Duration) -> Result<Answer, Problem> {
        match tokio::time::timeout(patience, self.engine().call(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(Problem::new(problem::ENGINE_UNREACHABLE).detail("no answer in time")),
        }
    }
}

/// The engine answered something else than what was asked: it is of another version.
pub fn unexpected() -> Problem {
    Problem::new(problem::ENGINE_UNREACHABLE)
        .detail("the engine answered something that was not asked")
}

/// A code of 80 random bits, readable by the centre's user only. One from an earlier start stays valid.
fn make_setup_code(path: &Path) -> std::io::Result<()> {
    use std::io::Write;
    let opened = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match opened {
        Ok(mut file) => {
            let code: Vec<String> = rand::random::<[[u8; 2]; 5]>()
                .iter()
                .map(hex::encode)
                .collect();
            writeln!(file, "{}", code.join("-"))
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}
