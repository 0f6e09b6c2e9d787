//! What Desktops ask: real ones, fifty at once, that follow a server up and down; and requests that are no Desktop's.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;
use obnova_desktop::{Code, Configuration, Confirmed, Desktop, Health};
use obnova_release::publish::{self, BuildOptions, InitOptions, Vendor};
use obnova_release::{Client, Options};
use reqwest::StatusCode;
use serde_json::json;
use sqlx::Row;
use tempfile::TempDir;

use crate::centre::Centre;

const PRODUCT: &str = "vzor-crm";
const CLIENTS: usize = 50;

/// A vendor with Desktops for versions 1.0.0 and 1.1.0, each for servers of its own version.
struct Vendors {
    folder: TempDir,
}

impl Vendors {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vendors = Self { folder };
        let options = InitOptions {
            online_keys: vendors.path("keys"),
            offline_keys: vendors.path("keys"),
            root: (1, 1),
            targets: (1, 1),
        };
        publish::init(&vendors.vendor(), &options).unwrap();
        for version in ["1.0.0", "1.1.0"] {
            vendors.publish(version);
        }
        vendors
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn vendor(&self) -> Vendor {
        Vendor::new(self.path("repository"), vec![self.path("keys")])
    }

    fn root(&self) -> Vec<u8> {
        std::fs::read(self.path("repository/metadata/1.root.json")).unwrap()
    }

    fn publish(&self, version: &str) {
        let work = self.path(version);
        for name in ["tree/server", "desktop/program"] {
            let path = work.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, version).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        // Long enough to be sent in pieces; what it holds cannot be made smaller.
        let noise: Vec<u8> = (0..300_000).map(|_| rand::random()).collect();
        std::fs::write(work.join("desktop/large"), noise).unwrap();
        let platform = obnova_desktop::platform();
        let text = format!(
            "product = \"{PRODUCT}\"\nname = \"CRM\"\nversion = \"{version}\"\ndate = \"2026-11-24\"\n\
             [server]\nstart = [\"${{tree}}/server\"]\n[[server.health]]\npath = \"/\"\n\
             [desktop]\nrange = \"={version}\"\n[desktop.platforms.{platform}]\nstart = [\"${{tree}}/program\"]\n"
        );
        std::fs::write(work.join("release.toml"), text).unwrap();
        let options = BuildOptions {
            description: work.join("release.toml"),
            tree: work.join("tree"),
            out: work.join("built"),
        };
        let desktops = BTreeMap::from([(platform, work.join("desktop"))]);
        publish::build_with_desktops(&options, &desktops).unwrap();
        publish::publish(&self.vendor(), &work.join("built")).unwrap();
    }

    /// The copy that the engine makes for Desktops.
    fn copy(&self, state_dir: &Path) {
        let client = Client::open(Options {
            source: self.path("repository").to_str().unwrap().parse().unwrap(),
            root: self.root(),
            store: self.path("store"),
            product: PRODUCT.into(),
            authorities: vec![],
        })
        .unwrap();
        let catalog = client.refresh(Timestamp::now()).unwrap();
        let platform = obnova_desktop::platform();
        let releases = catalog.releases().iter();
        let desktops: Vec<_> = releases
            .filter_map(|release| release.desktop(&platform))
            .collect();
        let to = state_dir.join(obnova_engine::api::DESKTOPS_NAME);
        client
            .mirror(&catalog, &desktops, &to, &AtomicBool::new(false))
            .unwrap();
    }
}

/// A centre, a copy behind it, and a computer with nothing installed for each client.
async fn with_clients(clients: usize) -> (Centre, Vendors, Vec<PathBuf>) {
    let centre = Centre::start().await;
    let vendors = Vendors::new();
    // The copy is made by a blocking client, as in the engine.
    tokio::task::block_in_place(|| vendors.copy(centre.folder.path()));
    is(&centre, "1.0.0");
    let configuration = Configuration {
        product: PRODUCT.into(),
        server: centre.base.parse().unwrap(),
        authorities: None,
    };
    let roots: Vec<PathBuf> = (0..clients)
        .map(|number| vendors.path(&format!("computer-{number}")))
        .collect();
    for root in &roots {
        configuration.install(root, &vendors.root()).unwrap();
    }
    (centre, vendors, roots)
}

fn is(centre: &Centre, version: &str) {
    centre.engine().change(|facts| {
        facts.state.product = PRODUCT.into();
        facts.state.installed = version.parse().unwrap();
    });
}

fn follow(root: &Path, to: &str) -> Result<(), obnova_desktop::Error> {
    let desktop = Desktop::open(root)?;
    // What a server is may be kept for a second.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let wanted = loop {
        match desktop.check()?.wanted {
            Some(wanted) if wanted.version.to_string() == to => break wanted,
            other => assert!(std::time::Instant::now() < until, "{other:?}"),
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    };
    desktop.download(&wanted, &mut |_, _| ())?;
    desktop.apply(desktop.stage(&wanted)?)?;
    let confirmed = desktop.confirm(|| Health::Good)?;
    assert_ne!(confirmed, Confirmed::No);
    assert_eq!(desktop.current()?.unwrap().version.to_string(), to);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_desktops_follow_their_server_up_and_down() {
    let (centre, _vendors, roots) = with_clients(CLIENTS).await;
    for to in ["1.0.0", "1.1.0", "1.0.0"] {
        is(&centre, to);
        let roots = roots.clone();
        let all = tokio::task::spawn_blocking(move || {
            std::thread::scope(|scope| {
                let following: Vec<_> = roots
                    .iter()
                    .map(|root| scope.spawn(move || follow(root, to)))
                    .collect();
                following
                    .into_iter()
                    .try_for_each(|one| one.join().unwrap())
            })
        });
        all.await.unwrap().unwrap();
    }
    // Each tells the last of it at its next look.
    let last = roots.clone();
    let told = tokio::task::spawn_blocking(move || {
        last.iter().try_for_each(|root| {
            Desktop::open(root)?
                .check()
                .map(|found| assert!(found.wanted.is_none()))
        })
    });
    told.await.unwrap().unwrap();
    let database = centre.folder.path().join("center.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(database)
        .read_only(true);
    let pool = sqlx::sqlite::SqlitePool::connect_with(options)
        .await
        .unwrap();
    let query =
        "SELECT count(*), count(DISTINCT installation) FROM desktops WHERE version = '1.0.0'";
    let row = sqlx::query(query).fetch_one(&pool).await.unwrap();
    assert_eq!((row.get::<i64, _>(0), row.get::<i64, _>(1)), (50, 50));
    let query = "SELECT count(*) FROM desktop_reports WHERE event = 'installed'";
    assert_eq!(
        sqlx::query(query)
            .fetch_one(&pool)
            .await
            .unwrap()
            .get::<i64, _>(0),
        150
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_centre_whose_engine_is_away_tells_desktops_to_come_again() {
    let centre = Centre::start_without_engine().await;
    let answer = reqwest::get(centre.url("/desktop/v1/hello")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let folder = tempfile::tempdir().unwrap();
    let configuration = Configuration {
        product: PRODUCT.into(),
        server: centre.base.parse().unwrap(),
        authorities: None,
    };
    let vendors = Vendors::new();
    configuration
        .install(folder.path(), &vendors.root())
        .unwrap();
    let root = folder.path().to_owned();
    let error = tokio::task::spawn_blocking(move || Desktop::open(&root)?.check())
        .await
        .unwrap();
    assert_eq!(error.unwrap_err().code, Code::ServerUnreachable);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_the_copy_are_served_whole_in_part_or_as_unchanged_and_nothing_else_is() {
    let (centre, _vendors, _) = with_clients(0).await;
    let content = centre.folder.path().join("desktops/content");
    let large = walk(&content)
        .into_iter()
        .find(|path| path.metadata().unwrap().len() > 200_000)
        .unwrap();
    let bytes = std::fs::read(&large).unwrap();
    let path = large
        .strip_prefix(centre.folder.path().join("desktops"))
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let client = reqwest::Client::new();
    let get = |path: &str, headers: &[(&'static str, String)]| {
        let mut request = client.get(centre.url(&format!("/desktop/v1/repository/{path}")));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        async { request.send().await.unwrap() }
    };
    let whole = get(&path, &[]).await;
    assert_eq!(whole.status(), StatusCode::OK);
    let tag = whole.headers()["etag"].to_str().unwrap().to_owned();
    assert!(
        whole.headers()["cache-control"]
            .to_str()
            .unwrap()
            .contains("immutable")
    );
    assert_eq!(whole.bytes().await.unwrap(), bytes);
    let part = get(
        &path,
        &[("range", "bytes=100000-".into()), ("if-range", tag.clone())],
    )
    .await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    let range = format!("bytes 100000-{}/{}", bytes.len() - 1, bytes.len());
    assert_eq!(part.headers()["content-range"].to_str().unwrap(), range);
    assert_eq!(part.bytes().await.unwrap(), bytes[100_000..]);
    let other = get(
        &path,
        &[
            ("range", "bytes=100000-".into()),
            ("if-range", "\"other\"".into()),
        ],
    )
    .await;
    assert_eq!(
        (other.status(), other.content_length()),
        (StatusCode::OK, Some(bytes.len() as u64))
    );
    assert_eq!(
        get(&path, &[("if-none-match", tag)]).await.status(),
        StatusCode::NOT_MODIFIED
    );
    let behind = get(&path, &[("range", format!("bytes={}-", bytes.len()))]).await;
    assert_eq!(behind.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    let newest = get("metadata/timestamp.json", &[]).await;
    assert_eq!(newest.headers()["cache-control"], "no-cache");
    for wrong in [
        "metadata/..%2f..%2fcenter.db",
        "..%2fcenter.db",
        "metadata/none.json",
        ".lock",
        "content/",
        "metadata/%2e%2e/%2e%2e/setup-code",
        "metadata",
    ] {
        assert_eq!(
            get(wrong, &[]).await.status(),
            StatusCode::NOT_FOUND,
            "{wrong}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_that_are_none_are_not_taken() {
    let centre = Centre::start().await;
    let client = reqwest::Client::new();
    let send = |body: serde_json::Value| {
        let request = client.post(centre.url("/desktop/v1/report")).json(&body);
        async { request.send().await.unwrap().status() }
    };
    let number = "0123456789abcdef0123456789abcdef";
    let good = json!({ "installation": number, "platform": "linux-x86_64", "version": "1.0.0", "reports": [] });
    assert_eq!(send(good.clone()).await, StatusCode::NO_CONTENT);
    for (key, wrong) in [
        ("installation", json!("anna@example.com")),
        ("platform", json!("<script>")),
        ("version", json!("new")),
        (
            "reports",
            json!([{ "at": "2026-11-24T00:00:00Z", "version": "1.0.0", "event": "exploded" }]),
        ),
        (
            "reports",
            json!([{ "at": "2026-11-24T00:00:00Z", "version": "1.0.0", "event": "returned", "reason": "x".repeat(5000) }]),
        ),
    ] {
        let mut body = good.clone();
        body[key] = wrong;
        let status = send(body).await;
        assert!(
            matches!(
                status,
                StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY
            ),
            "{key}: {status}"
        );
    }
    let long = client
        .post(centre.url("/desktop/v1/report"))
        .body("x".repeat(100_000))
        .header("content-type", "application/json");
    assert_eq!(long.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    let refused = client
        .post(centre.url("/desktop/v1/report"))
        .header("sec-fetch-site", "cross-site")
        .json(&good);
    assert!(
        refused.send().await.unwrap().status().is_success(),
        "no cookie goes with it, so another site gains nothing"
    );
}

fn walk(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                walk(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}
