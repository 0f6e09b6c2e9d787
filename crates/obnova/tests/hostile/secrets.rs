//! Secrets planted wherever an installation has some, an update that works, one that fails and says all that it knows, a report to
//! support: and then everything that anybody can read is searched for them.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use obnova_center::{Administrator, FirstSettings, prepare};
use obnova_engine::api::Request;
use obnova_engine::client::Client;
use obnova_testkit::cases::Case;
use obnova_testkit::postgres::Postgres;
use obnova_testkit::sink::{Sink, SinkOptions};

use crate::world::{PATIENCE, World};

/// The cases.
pub const CASES: &[Case] = &[(
    "secrets_come_to_light_nowhere_in_an_update_that_works_and_one_that_fails",
    nowhere,
)];

/// All of them have this in common, so that a part of one is found as well.
const CANARY: &str = "KANAREK";

fn planted(what: &str) -> String {
    format!("{CANARY}-{what}-x7 q&1")
}

/// As a form or an address has it.
fn encoded(text: &str) -> String {
    text.replace(' ', "%20").replace('&', "%26")
}

fn nowhere() -> Result<String> {
    let postgres = Postgres::start()?;
    let password = planted("DATABASE");
    postgres.sql(
        "postgres",
        "postgres",
        &format!("CREATE ROLE crm LOGIN CREATEDB PASSWORD '{password}'"),
    )?;
    postgres.sql(
        "postgres",
        "postgres",
        "CREATE DATABASE crm OWNER crm TEMPLATE template0",
    )?;
    let mut world = installed(&postgres, &password)?;
    let arguments = Watch::start();
    let mail = Sink::with(SinkOptions {
        login: Some(("obnova".to_owned(), planted("SMTP"))),
        ..SinkOptions::default()
    })?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(prepared(&world))?;
    let mut up = world.obnova(&["up"]);
    up.env("PAYMENT_KEY", planted("ENVIRONMENT"));
    world.start(up)?;
    world.wait("the application", || is_serving(&world))?;
    let centre = runtime.block_on(Centre::enter(&world, &mail))?;
    world.run(&["check"], 0)?;
    world.run(&["rehearse", "1.1.0"], 0)?;
    world.run(&["install", "1.1.0"], 0)?;
    // A program that tells all it knows, in its own words and as its tools do, and then fails.
    let tells = "env; cat ../../secrets.toml; echo \"sending $API_KEY with $TOKEN to https://u:$PGPASSWORD@pay.example/\"; \
                 echo \"key=$API_KEY\" | sed 's/ /%20/g; s/&/%26/g' >&2; \"$@\"";
    world.publish("1.2.0", r#""3", "--fail-at", "3""#, tells)?;
    world.run(&["check"], 0)?;
    let failed = world.run(&["install", "1.2.0"], 3)?;
    let said = world.migration_log(2)?;
    ensure!(said.contains(CANARY), "the migration told nothing:\n{said}");
    let mut seen = BTreeMap::from([("the command line".to_owned(), failed)]);
    for words in [
        vec!["status", "--json"],
        vec!["history", "--json"],
        vec!["report", "2", "--json"],
        vec!["plan", "--json"],
        vec!["copies", "--json"],
    ] {
        let output = world.obnova(&words).output()?;
        let said = [output.stdout, output.stderr].concat();
        seen.insert(words.join(" "), String::from_utf8_lossy(&said).into_owned());
    }
    runtime.block_on(centre.pages(&mut seen))?;
    runtime.block_on(answers(&world, &mut seen))?;
    runtime.block_on(centre.mails(&mail, &mut seen))?;
    seen.insert("the log of the roles".to_owned(), world.log());
    seen.insert("arguments".to_owned(), arguments.end());
    for (place, text) in &seen {
        if let Some(at) = text.find(CANARY) {
            let from = text[..at]
                .char_indices()
                .rev()
                .nth(120)
                .map_or(0, |it| it.0);
            let end = text[at..]
                .char_indices()
                .nth(60)
                .map_or(text.len(), |it| at + it.0);
            anyhow::bail!("in {place}: ...{}...", &text[from..end]);
        }
    }
    let files = expect_files(&world)?;
    Ok(format!("{} places and {files} files", seen.len()))
}

fn installed(postgres: &Postgres, password: &str) -> Result<World> {
    let world = World::new(&format!(
        "[database]\ndriver = \"postgres\"\nurl = \"postgres://crm@127.0.0.1:{}/crm\"\npassword_file = \"password\"\n\
         [service]\nsecrets = \"secrets.toml\"\n[service.env]\nAPI_KEY = \"{}\"\n\
         [rehearsal]\nwithhold = [\"API_KEY\"]\n[rehearsal.env]\nSANDBOX_KEY = \"{}\"\n",
        postgres.port(),
        planted("SERVICE"),
        planted("REHEARSAL"),
    ))?;
    let private = |name: &str, text: String| {
        let path = world.state().join(name);
        std::fs::write(&path, text)?;
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600))
    };
    private("password", format!("{password}\n"))?;
    private(
        "secrets.toml",
        format!(
            "TOKEN = \"{}\"\nCERTIFICATE = \"\"\"-----BEGIN-----\n{}\n-----END-----\"\"\"\n",
            planted("SECRETS"),
            planted("MANY-LINES"),
        ),
    )?;
    let file = world.state().join("installation.toml");
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o640))?;
    world.publish("1.1.0", r#""2""#, "exec \"$@\"")?;
    world.run(&["setup", "--version", "1.0.0"], 0)?;
    Ok(world)
}

/// A centre with an administrator.
async fn prepared(world: &World) -> Result<()> {
    let administrator = Administrator {
        name: "Anna".to_owned(),
        email: "anna@example.com".to_owned(),
        password: planted("ADMINISTRATOR"),
        language: Default::default(),
    };
    let data = world.state().join("center");
    prepare(&data, &administrator, &FirstSettings::default()).await?;
    Ok(())
}

fn is_serving(world: &World) -> bool {
    let status = world.run(&["status", "--json"], 0);
    status.is_ok_and(|status| status.contains("\"serving\": \"127.0.0.1"))
}

/// What any user of the machine sees of processes.
struct Watch {
    ended: Arc<AtomicBool>,
    seen: Arc<Mutex<BTreeSet<String>>>,
    thread: std::thread::JoinHandle<()>,
}

impl Watch {
    fn start() -> Watch {
        let ended = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let (end, sight) = (Arc::clone(&ended), Arc::clone(&seen));
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let found = arguments();
                if let Ok(mut sight) = sight.lock() {
                    sight.extend(found);
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Watch {
            ended,
            seen,
            thread,
        }
    }

    fn end(self) -> String {
        self.ended.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
        let seen = self
            .seen
            .lock()
            .map(|seen| seen.iter().cloned().collect::<Vec<_>>());
        seen.unwrap_or_default().join("\n")
    }
}

fn arguments() -> Vec<String> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        // A shell's own text in the release names no value, and this test's own look for it is not one.
        .filter(|line| !line.is_empty())
        .collect()
}

/// An administrator's browser.
struct Centre {
    client: reqwest::Client,
    base: String,
    token: String,
}

impl Centre {
    async fn enter(world: &World, mail: &Sink) -> Result<Centre> {
        let text = std::fs::read_to_string(world.state().join("installation.toml"))?;
        let listen = text
            .split("[center]\nlisten = \"")
            .nth(1)
            .context("no centre")?;
        let base = format!("http://{}", listen.split('"').next().unwrap_or_default());
        let client = reqwest::Client::builder().cookie_store(true).build()?;
        let sign_in = |password: String| {
            let form = [
                ("email", "anna@example.com".to_owned()),
                ("password", password),
            ];
            client.post(format!("{base}/sign-in")).form(&form).send()
        };
        world
            .wait_async("the centre", async || {
                client.get(&base).send().await.is_ok()
            })
            .await?;
        // A wrong one is a secret as well: that of another account, most often.
        sign_in(planted("ANOTHER")).await?;
        sign_in(planted("ADMINISTRATOR"))
            .await?
            .error_for_status()?;
        let page = client
            .get(format!("{base}/users/new"))
            .send()
            .await?
            .text()
            .await?;
        let token = page
            .split("name=\"_csrf\" value=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .context("no form")?
            .to_owned();
        let centre = Centre {
            client,
            base,
            token,
        };
        let port = mail.port().to_string();
        let url = format!(
            "postgres://crm:{}@127.0.0.1:1/crm",
            encoded(&planted("IMPORT"))
        );
        let settings = [
            ("notify_groups", "Administrator"),
            ("notify_groups", "Everyone"),
            ("mail_from", "Obnova <obnova@example.com>"),
            ("smtp_host", "127.0.0.1"),
            ("smtp_port", &port),
            ("smtp_security", "none"),
            ("smtp_username", "obnova"),
            ("smtp_password", &planted("SMTP")),
            ("default_language", "en"),
            ("import_url", &url),
            ("import_query", "SELECT 1"),
        ];
        centre.post("/settings", &settings).await?;
        centre
            .post("/notifications/test", &[("to", "anna@example.com")])
            .await?;
        // It does not reach that database, and says so.
        centre.post("/users/import/now", &[]).await?;
        Ok(centre)
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Result<String> {
        let mut form = fields.to_vec();
        form.push(("_csrf", &self.token));
        let answer = self
            .client
            .post(format!("{}{path}", self.base))
            .form(&form)
            .send()
            .await?;
        Ok(answer.text().await?)
    }

    async fn pages(&self, seen: &mut BTreeMap<String, String>) -> Result<()> {
        let sent = self.post("/updates/report/2/send", &[]).await?;
        seen.insert("sending the report".to_owned(), sent);
        for path in [
            "/",
            "/updates?known=yes",
            "/updates/offer?known=yes",
            "/updates/install",
            "/updates/rehearsal/1.1.0",
            "/updates/report/1",
            "/updates/report/2",
            "/updates/report/2/download",
            "/history",
            "/history/1",
            "/history/2",
            "/history/1/revert",
            "/history/copies",
            "/users",
            "/users/1",
            "/users/import",
            "/groups",
            "/notifications",
            "/notifications/1",
            "/notifications/1/html",
            "/settings",
            "/audit",
            "/openapi.json",
            "/desktop/v1/hello",
        ] {
            let answer = self
                .client
                .get(format!("{}{path}", self.base))
                .send()
                .await?;
            ensure!(answer.url().path() != "/sign-in", "{path} is closed");
            let headers = format!("{:?}", answer.headers());
            let page = headers + answer.text().await?.as_str();
            seen.insert(path.to_owned(), page);
        }
        Ok(())
    }

    /// The test, the starts and ends of two updates, and the report with its attachment.
    async fn mails(&self, mail: &Sink, seen: &mut BTreeMap<String, String>) -> Result<()> {
        let mails = mail.wait_for(6, PATIENCE).await?;
        ensure!(
            mails
                .iter()
                .any(|mail| mail.to.contains(&"support@vendor.example".to_owned())),
            "no report was sent"
        );
        for (number, mail) in mails.iter().enumerate() {
            let message = mail_parser::MessageParser::default().parse(&mail.raw);
            let message = message.context("no mail")?;
            let parts = message.parts.iter();
            let decoded = parts.map(|part| String::from_utf8_lossy(part.contents()).into_owned());
            let text = decoded.collect::<Vec<_>>().join("\n");
            let raw = String::from_utf8_lossy(&mail.raw);
            seen.insert(
                format!("mail {number}, {}", mail.subject),
                format!("{raw}\n{text}"),
            );
        }
        Ok(())
    }
}

/// What the engine answers on its socket, as programs read it.
async fn answers(world: &World, seen: &mut BTreeMap<String, String>) -> Result<()> {
    let client = Client::new(&world.state());
    for request in [
        Request::State,
        Request::Settings,
        Request::History,
        Request::Report { update: Some(1) },
        Request::Report { update: Some(2) },
        Request::RevertPlan,
        Request::Copies,
        Request::Doctor { measure: false },
        Request::RehearsalLog {
            version: "1.1.0".parse()?,
        },
    ] {
        let answer = client.call(&request).await;
        seen.insert(format!("{request:?}"), format!("{answer:?}"));
    }
    let mut events = client
        .events(0, false)
        .await
        .map_err(|problem| anyhow::anyhow!(problem.code))?;
    let mut text = String::new();
    while let Some(line) = events.next().await? {
        text += &format!("{line:?}\n");
    }
    seen.insert("events".to_owned(), text);
    Ok(())
}

/// On the disk they are in their own files and in those that nobody else may read.
fn expect_files(world: &World) -> Result<usize> {
    let mut files = 0;
    let mut waiting = vec![world.state()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory)? {
            let path = entry?.path();
            let kind = path.symlink_metadata()?;
            if kind.is_dir() {
                waiting.push(path);
            } else if kind.is_file() {
                files += 1;
                expect_file(world, &path)?;
            }
        }
    }
    Ok(files)
}

fn expect_file(world: &World, path: &Path) -> Result<()> {
    let bytes = std::fs::read(path)?;
    let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    if !has(CANARY.as_bytes()) {
        return Ok(());
    }
    let place = path.strip_prefix(world.state())?;
    let given = ["installation.toml", "secrets.toml", "password"].map(PathBuf::from);
    // The centre keeps the mail server's password, the application is started again with its environment, and what a program
    // of the vendor's prints is in its log.
    let kept = place.starts_with("center")
        || place.starts_with("log")
        || place == Path::new("service.json")
        || place == Path::new("migration.json");
    ensure!(
        given.iter().any(|it| it == place) || kept,
        "a secret is in {}",
        place.display()
    );
    for open in path.ancestors() {
        let mode = open.metadata()?.permissions().mode();
        if mode & 0o007 == 0 {
            return Ok(());
        }
        if open == world.state() {
            break;
        }
    }
    anyhow::bail!("everybody may read {}", place.display())
}
