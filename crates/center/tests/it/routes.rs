//! Every address of the centre, taken from the one list in `app.rs`, so that none is forgotten when one is added.

use std::collections::BTreeMap;
use std::path::Path;

use reqwest::{Method, Response, StatusCode};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row};

use crate::centre::{Browser, Centre, EMAIL, PASSWORD, between, place};

/// What is open to everybody; what is added here has to be harmless for everybody.
const OPEN: &[(&str, &str)] = &[
    ("GET", "/"),
    ("GET", "/setup"),
    ("POST", "/setup"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("POST", "/preferences"),
    ("GET", "/healthz"),
    ("GET", "/openapi.json"),
    ("GET", "/assets/{digest}/{name}"),
    // Programs without a session: which version the server has, the vendor's public repository, and a report of a failure.
    ("GET", "/desktop/v1/hello"),
    ("GET", "/desktop/v1/repository/{*path}"),
    ("POST", "/desktop/v1/report"),
    // The installers that the welcome page offers.
    ("GET", "/download/{version}/{platform}/{file}"),
];

/// What is on pages that strangers must not see: anything of this is.
const SECRETS: &[&str] = &[
    "Anna Nov",
    EMAIL,
    "_csrf\" value=\"",
    "eve@example.com",
    "migrating contacts",
    "/srv/",
];

/// A method at an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    pub method: String,
    pub path: String,
}

impl Route {
    /// With something in the place of each parameter.
    pub fn address(&self) -> String {
        let mut address = String::new();
        for part in self.path.split_inclusive('/') {
            address += &match part.trim_end_matches('/') {
                "{version}" => part.replace("{version}", "1.1.0"),
                "{*path}" => "1.root.json".to_owned(),
                name if name.starts_with('{') => part.replace(name, "1"),
                _ => part.to_owned(),
            };
        }
        address
    }

    /// Whether it is for everybody.
    pub fn is_open(&self) -> bool {
        let rest = self.path.replace("{path}", "{*path}");
        OPEN.contains(&(self.method.as_str(), rest.as_str()))
    }

    /// Whether it changes something.
    pub fn changes(&self) -> bool {
        self.method != "GET"
    }
}

/// All routes in the centre's source.
pub fn all() -> Vec<Route> {
    let mut routes = Vec::new();
    for source in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        for call in source.split(".route(").skip(1) {
            let end = call.find("\n        .").unwrap_or(call.len());
            let path = between(call, "\"", "\"").to_owned();
            let handlers = &call[..end];
            let before = routes.len();
            for (method, name) in [("get(", "GET"), ("post(", "POST")] {
                if handlers.contains(method) {
                    routes.push(Route {
                        method: name.to_owned(),
                        path: path.clone(),
                    });
                }
            }
            assert!(routes.len() > before, "no method is known at {path}");
        }
    }
    assert!(routes.len() > 50, "only {} routes were found", routes.len());
    routes
}

/// All files with Rust in a directory.
fn sources(directory: &Path) -> Vec<String> {
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources.extend(self::sources(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            sources.push(std::fs::read_to_string(path).unwrap());
        }
    }
    sources
}

/// Somebody's request at an address, as a form where something would be changed.
async fn ask(
    browser: &Browser,
    route: &Route,
    fields: &[(&str, &str)],
    headers: &[(&str, &str)],
) -> Response {
    let address = route.address();
    match route.changes() {
        true => browser.post_bare(&address, fields, headers).await,
        false => browser.get(&address).await,
    }
}

/// Refuses an answer that tells or does anything.
async fn expect_nothing(route: &Route, answer: Response) {
    let status = answer.status();
    let leads = answer
        .headers()
        .get("location")
        .map(|_| place(&answer).to_owned());
    if let Some(place) = &leads {
        assert!(place.starts_with("/sign-in"), "{route:?} leads to {place}");
    } else {
        assert!(
            matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN),
            "{route:?}: {status}"
        );
    }
    let told = answer.text().await.unwrap();
    for secret in SECRETS {
        assert!(!told.contains(secret), "{route:?} tells {secret}");
    }
}

/// All that the centre keeps, but what it does by itself: sign-ins, the log, the state of mails, where it is in the events.
async fn kept(centre: &Centre) -> BTreeMap<String, Vec<String>> {
    let file = centre.folder.path().join("center.db");
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let mut connection = options.connect().await.unwrap();
    let mut kept = BTreeMap::new();
    let tables = sqlx::query(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('sessions', 'audit', 'outbox', 'event_cursor', 'sign_in_attempts')",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    for table in tables {
        let table: String = table.get(0);
        let columns = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT name FROM pragma_table_info('{table}')"
        )))
        .fetch_all(&mut connection)
        .await
        .unwrap();
        let columns: Vec<String> = columns
            .iter()
            .map(|column| format!("quote(\"{}\")", column.get::<String, _>(0)))
            .collect();
        let all = format!(
            "SELECT {} FROM \"{table}\" ORDER BY 1",
            columns.join(" || ',' || ")
        );
        let rows = sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(all))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        kept.insert(table, rows);
    }
    kept
}

/// The engine was asked to do nothing.
fn expect_idle(centre: &Centre) {
    let facts = centre.engine().facts();
    assert!(facts.installs.is_empty() && facts.reverts.is_empty() && facts.exports.is_empty());
}

/// A centre with something at each address.
async fn full() -> (Centre, Browser) {
    let centre = Centre::start().await;
    crate::rehearsals::can_go_back(&centre);
    let anna = centre.signed_in().await;
    let fields = [("to", "eve@example.com")];
    let sent = anna.post("/notifications/test", &fields).await;
    assert_eq!(sent.status(), StatusCode::SEE_OTHER);
    (centre, anna)
}

#[tokio::test]
async fn whoever_is_not_signed_in_gets_nothing_from_any_address_but_the_open_ones() {
    let (centre, anna) = full().await;
    let before = kept(&centre).await;
    let token = anna.token().await;
    let stranger = Browser::new(&centre, "en");
    for route in all().iter().filter(|route| !route.is_open()) {
        // Also with what only somebody who is signed in can know.
        let fields = [("_csrf", token.as_str()), ("name", "x"), ("confirm", "1")];
        expect_nothing(route, ask(&stranger, route, &fields, &[]).await).await;
        for cookie in [
            "obnova_session=",
            "obnova_session=1",
            "obnova_session=' OR 1=1 --",
            "obnova_session=%00; obnova_session=%00",
            "__Host-obnova_session=x; obnova_device=x",
        ] {
            let request = stranger.client().request(
                Method::from_bytes(route.method.as_bytes()).unwrap(),
                centre.url(&route.address()),
            );
            let request = request
                .header("cookie", cookie)
                .header("x-csrf-token", &token);
            expect_nothing(route, request.send().await.unwrap()).await;
        }
        let part = stranger.client().get(centre.url(&route.address()));
        let answer = part.header("hx-request", "true").send().await.unwrap();
        let status = answer.status();
        assert!(
            matches!(
                status,
                StatusCode::UNAUTHORIZED | StatusCode::METHOD_NOT_ALLOWED
            ),
            "{route:?}: {status}"
        );
    }
    assert_eq!(kept(&centre).await, before);
    expect_idle(&centre);
}

#[tokio::test]
async fn whoever_is_no_administrator_any_more_gets_nothing_either() {
    for fate in ["ordinary", "inactive", "removed"] {
        let (centre, anna) = full().await;
        let add = [
            ("name", "Bob"),
            ("email", "bob@example.com"),
            ("language", "en"),
            ("active", "yes"),
            ("password", PASSWORD),
            ("again", PASSWORD),
        ];
        let administrators = anna.page("/users/new").await;
        let group = between(&administrators, "name=\"groups\" value=\"", "\"").to_owned();
        let mut bob = add.to_vec();
        bob.push(("groups", &group));
        assert_eq!(
            anna.post("/users", &bob).await.status(),
            StatusCode::SEE_OTHER
        );
        let browser = Browser::new(&centre, "en");
        browser.sign_in("bob@example.com", PASSWORD).await;
        let token = browser.token().await;
        let list = anna.page("/users?search=bob").await;
        let id = between(&list, "href=\"/users/", "\"");
        let id = id
            .parse::<u64>()
            .map_or_else(|_| "2".to_owned(), |id| id.to_string());
        let done = match fate {
            "removed" => anna.post(&format!("/users/{id}/remove"), &[]).await,
            "inactive" => {
                let fields = &bob[..3];
                let mut fields = fields.to_vec();
                fields.push(("groups", &group));
                anna.post(&format!("/users/{id}"), &fields).await
            }
            _ => anna.post(&format!("/users/{id}"), &add[..4]).await,
        };
        assert_eq!(done.status(), StatusCode::SEE_OTHER, "{fate}");
        let before = kept(&centre).await;
        for route in all().iter().filter(|route| !route.is_open()) {
            let fields = [("_csrf", token.as_str()), ("name", "x")];
            expect_nothing(route, ask(&browser, route, &fields, &[]).await).await;
        }
        assert_eq!(kept(&centre).await, before, "{fate}");
        // And the token that was theirs.
        assert_eq!(browser.get("/users").await.status(), StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn no_form_anywhere_is_taken_without_its_token_or_from_another_site() {
    let (centre, anna) = full().await;
    let token = anna.token().await;
    let before = kept(&centre).await;
    let forms: Vec<Route> = all()
        .into_iter()
        .filter(|it| it.changes() && !it.is_open())
        .collect();
    for route in &forms {
        let fields = [
            ("name", "x"),
            ("active", "yes"),
            ("update", "1"),
            ("confirm", ""),
        ];
        let forged: [(&[(&str, &str)], &str); 3] = [
            (&[], ""),
            (&[("x-csrf-token", "guessed")], ""),
            (&[], "guessed"),
        ];
        for (headers, guessed) in forged {
            let mut fields = fields.to_vec();
            if !guessed.is_empty() {
                fields.push(("_csrf", guessed));
            }
            let answer = ask(&anna, route, &fields, headers).await;
            expect_refused(route, answer).await;
        }
        for header in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let answer = ask(&anna, route, &[("_csrf", &token)], &[header]).await;
            assert_eq!(
                answer.status(),
                StatusCode::FORBIDDEN,
                "{route:?} {header:?}"
            );
        }
        // What a page elsewhere can send without asking first: text, or nothing.
        for kind in ["text/plain", "application/json", ""] {
            let body =
                format!("{{\"_csrf\": \"guessed\", \"name\": \"x\"}}&_csrf=guessed&name=x&{kind}");
            let request = anna.client().post(centre.url(&route.address())).body(body);
            let request = match kind {
                "" => request,
                kind => request.header("content-type", kind),
            };
            expect_refused(route, request.send().await.unwrap()).await;
        }
    }
    assert_eq!(kept(&centre).await, before);
    expect_idle(&centre);
    // Those for strangers have no token, and are not for pages of others either.
    for route in all().iter().filter(|it| it.changes() && it.is_open()) {
        if route.path.starts_with("/desktop/") {
            continue;
        }
        for header in [
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "cross-site"),
        ] {
            let answer = ask(&anna, route, &[("email", "x")], &[header]).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{route:?}");
        }
    }
    assert!(forms.len() > 20, "only {} forms", forms.len());
}

async fn expect_refused(route: &Route, answer: Response) {
    let status = answer.status();
    assert!(
        // An upload is no upload before anything of it was read.
        status == StatusCode::FORBIDDEN
            || (route.path == "/users/import" && status == StatusCode::BAD_REQUEST),
        "{route:?}: {status}"
    );
}

#[tokio::test]
async fn no_page_can_be_put_into_a_page_of_others() {
    let (centre, anna) = full().await;
    let stranger = Browser::new(&centre, "en");
    for route in all().iter().filter(|route| !route.changes()) {
        for browser in [&anna, &stranger] {
            if route.path == "/updates/live" {
                continue;
            }
            let answer = browser.get(&route.address()).await;
            let policy = answer.headers()["content-security-policy"]
                .to_str()
                .unwrap();
            // A mail's own text is in a frame of ours.
            let ours = route.path == "/notifications/{id}/html"
                && policy.contains("frame-ancestors 'self'");
            assert!(
                ours || policy.contains("frame-ancestors 'none'"),
                "{route:?}: {policy}"
            );
            assert_eq!(
                answer.headers()["x-content-type-options"],
                "nosniff",
                "{route:?}"
            );
            let is_script = policy.contains("script-src") && !policy.contains("script-src 'self'");
            assert!(!is_script, "{route:?}: {policy}");
        }
    }
}

#[tokio::test]
async fn no_address_takes_a_path_out_of_the_centre() {
    let (centre, anna) = full().await;
    let outside = centre.folder.path().join("outside.txt");
    std::fs::write(&outside, "outside-of-everything").unwrap();
    let tricks = [
        "..%2foutside.txt",
        "%2e%2e%2foutside.txt",
        "..%5coutside.txt",
        "%2fetc%2fpasswd",
        "..;%2foutside.txt",
        "%c0%ae%c0%ae%2foutside.txt",
        "outside.txt%00",
        "....%2f%2foutside.txt",
    ];
    for route in all() {
        if route.changes() || !route.path.contains('{') {
            continue;
        }
        for trick in tricks {
            let address = route
                .path
                .split('/')
                .map(|part| match part.starts_with('{') {
                    true => trick,
                    false => part,
                });
            let address = address.collect::<Vec<_>>().join("/");
            let answer = anna.get(&address).await;
            let status = answer.status();
            assert!(status.is_client_error(), "{address}: {status}");
            let told = answer.text().await.unwrap();
            assert!(
                !told.contains("outside-of-everything") && !told.contains("root:x:"),
                "{address}"
            );
        }
    }
}
