//! The whole story without a browser: every station is checked against the database, the files and the mails themselves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use obnova_engine::api::{Outcome, Request, UpdateSummary};
use obnova_testkit::sink::Received;
use serde::Serialize;

use crate::admin::Admin;
use crate::computer::Computer;
use crate::world::World;

mod following;
mod rehearsing;

/// The administrator of the tour.
pub const ADMIN_NAME: &str = "Alena Správcová";
/// Their address, and name to sign in with.
pub const ADMIN_EMAIL: &str = "spravce@firma.example";
/// How long mails may take to arrive.
const MAIL_PATIENCE: Duration = Duration::from_secs(60);

/// What a station found.
#[derive(Debug, Serialize)]
pub struct Station {
    /// What was to hold.
    pub station: String,
    /// Whether it did.
    pub ok: bool,
    /// How long it took.
    pub took_ms: u64,
    /// What was found: figures, or what went wrong.
    pub found: String,
}

/// Somebody who walks the tour.
pub struct Tour<'a> {
    world: &'a mut World,
    admin: Admin,
    password: &'a str,
    told: &'a mut dyn FnMut(&Station),
    /// Active people of the application, the administrator included.
    people: usize,
    /// Mails seen so far.
    mails: usize,
    /// A user's computer, once the Desktop is on it.
    computer: Option<Computer>,
}

impl<'a> Tour<'a> {
    /// A tour of this world, which has been made and not started.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(
        world: &'a mut World,
        password: &'a str,
        told: &'a mut dyn FnMut(&Station),
    ) -> Result<Tour<'a>> {
        let admin = Admin::new(world.center, "cs")?;
        Ok(Tour {
            world,
            admin,
            password,
            told,
            people: 0,
            mails: 0,
            computer: None,
        })
    }

    /// Walks it; stops at the first station that does not hold.
    pub async fn walk(mut self) -> bool {
        macro_rules! station {
            ($name:expr, $work:expr) => {{
                let began = Instant::now();
                let result: Result<String> = $work.await;
                let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                let (ok, found) = match result {
                    Ok(found) => (true, found),
                    Err(error) => (false, format!("{error:#}")),
                };
                (self.told)(&Station {
                    station: $name.to_owned(),
                    ok,
                    took_ms,
                    found,
                });
                if !ok {
                    return false;
                }
            }};
        }
        station!("1.0.0 is installed with its data and serves", self.starts());
        station!("the first administrator sets the centre up", self.sets_up());
        station!("a mail reaches the mail server", self.test_mail());
        station!(
            "a user installs the Desktop 1.0.0 from what the server offers",
            self.installs_desktop("1.0.0")
        );
        station!(
            "1.1.0 is offered, with what is new",
            self.offered("1.1.0", &["1.1.0"])
        );
        station!(
            "1.1.0 is rehearsed on a clone: it will work, and how long it will take",
            self.rehearses("1.1.0")
        );
        station!(
            "1.1.0 is installed: data migrated, everybody told",
            self.installs("1.1.0")
        );
        station!(
            "the Desktop follows to 1.1.0",
            self.desktop_follows("1.1.0", false)
        );
        station!("1.2.0 is offered", self.offered("1.2.0", &["1.2.0"]));
        station!(
            "1.2.0 is rehearsed on a clone: it will not work, Install is refused",
            self.rehearses_in_vain("1.2.0", "migration-failed")
        );
        station!(
            "1.2.0 is insisted on and fails on real data: everything is as before",
            self.fails("1.2.0", "migration-failed")
        );
        station!("the Desktop stays at 1.1.0", self.desktop_stays("1.1.0"));
        station!("the report about it holds no secrets", self.reports());
        station!(
            "1.3.0 is offered, with what is new in 1.2.0 too",
            self.offered("1.3.0", &["1.3.0", "1.2.0"])
        );
        station!("1.3.0 is installed", self.installs("1.3.0"));
        station!(
            "the Desktop 1.1.0 is refused, and follows to 1.3.0",
            self.desktop_follows("1.3.0", true)
        );
        station!("1.4.0 is offered", self.offered("1.4.0", &["1.4.0"]));
        station!(
            "1.4.0 is not healthy: everything is as before",
            self.fails("1.4.0", "unhealthy")
        );
        station!(
            "1.3.0 is left again for 1.1.0 and its data",
            self.goes_back("1.1.0")
        );
        station!(
            "the Desktop is refused again, and follows back down to 1.1.0",
            self.desktop_follows("1.1.0", true)
        );
        station!(
            "the engine is killed and adopts the running CRM again",
            self.adopts()
        );
        station!("everything ends when asked to", self.ends());
        station!(
            "without its server the Desktop shows what it had",
            self.desktop_alone()
        );
        true
    }

    async fn starts(&mut self) -> Result<String> {
        self.world.start().await?;
        let version = self.world.served_version().await?;
        ensure!(version == "1.0.0", "it serves {version}");
        let contacts = self.count("SELECT COUNT(*) FROM contact").await?;
        ensure!(
            contacts >= crate::world::CONTACTS as i64,
            "only {contacts} contacts"
        );
        let welcome = Admin::new(self.world.center, "cs")?.open("/").await?;
        ensure!(
            welcome.text().contains("1.0.0"),
            "the welcome page lacks the version: {}",
            welcome.text()
        );
        Ok(format!("{contacts} contacts"))
    }

    async fn sets_up(&mut self) -> Result<String> {
        let found = set_up(self.world, &self.admin, self.password).await?;
        self.people = found;
        Ok(format!("{found} people get mails"))
    }

    async fn test_mail(&mut self) -> Result<String> {
        let page = self.admin.open("/notifications").await?;
        self.admin
            .send(
                &page,
                "/notifications/test",
                &[("to", ADMIN_EMAIL), ("email", ADMIN_EMAIL)],
            )
            .await?;
        let mails = self.new_mails(1).await?;
        ensure!(mails[0].to == [ADMIN_EMAIL], "it went to {:?}", mails[0].to);
        Ok(format!("“{}”", mails[0].subject))
    }

    async fn offered(&mut self, version: &str, notes: &[&str]) -> Result<String> {
        self.world.vendor.publish(version)?;
        let page = self.admin.open("/updates/offer").await?;
        let text = page.text();
        ensure!(
            page.has_form("/updates/install"),
            "there is no Install button: {text}"
        );
        for wanted in notes {
            ensure!(text.contains(wanted), "the page lacks {wanted}: {text}");
        }
        let state = self.world.state(Request::State).await?;
        let offer = state
            .check
            .and_then(|check| check.offer)
            .context("nothing is offered")?;
        ensure!(
            offer.version.to_string() == version,
            "{} is offered",
            offer.version
        );
        ensure!(
            offer.notes.len() == notes.len(),
            "{} notes are shown",
            offer.notes.len()
        );
        Ok(format!("{} bytes to download", offer.download_bytes))
    }

    async fn installs(&mut self, version: &str) -> Result<String> {
        let update = self.click_install().await?;
        ensure!(
            update.outcome == Outcome::Completed,
            "it was undone: {:?}",
            update.problem
        );
        let served = self.world.served_version().await?;
        ensure!(served == version, "it serves {served}");
        self.check_migrated(version).await?;
        let page = self.admin.open("/updates").await?;
        ensure!(
            page.text().contains(version),
            "the Updates page lacks {version}"
        );
        let mails = self.expect_mails(2).await?;
        let held = update.blackout_ms.unwrap_or(0);
        Ok(match update.forecast {
            Some(forecast) => format!(
                "requests held for {held} ms, {} were foretold, {mails}",
                forecast.blackout_ms
            ),
            None => format!("requests held for {held} ms, {mails}"),
        })
    }

    /// What 1.1.0 and 1.3.0 are known to do to the data.
    async fn check_migrated(&self, version: &str) -> Result<()> {
        let (done, left) = match version {
            "1.1.0" => (
                "SELECT COUNT(*) FROM contact WHERE full_name <> ''",
                "SELECT COUNT(*) FROM contact WHERE full_name IS NULL OR full_name = ''",
            ),
            "1.3.0" => (
                "SELECT COUNT(*) FROM contact WHERE duplicate_of IS NOT NULL",
                "SELECT COUNT(email_key) - COUNT(DISTINCT email_key) FROM contact WHERE duplicate_of IS NULL",
            ),
            other => bail!("what {other} does to the data is not known here"),
        };
        ensure!(self.count(done).await? > 0, "nothing was migrated");
        let left = self.count(left).await?;
        ensure!(left == 0, "{left} contacts were not migrated");
        Ok(())
    }

    async fn fails(&mut self, version: &str, code: &str) -> Result<String> {
        let served = self.world.served_version().await?;
        let before = self.world.fingerprints().await?;
        let watch = Watch::start(self.world.front.to_string());
        let update = self.click_install().await?;
        let seen = watch.end().await?;
        ensure!(update.outcome == Outcome::RolledBack, "it was installed");
        let problem = update.problem.context("no reason is given")?;
        ensure!(
            problem.code == code,
            "the reason is {}: {:?}",
            problem.code,
            problem.detail
        );
        let after = self.world.fingerprints().await?;
        for (before, after) in before.iter().zip(&after) {
            before.expect_same(after)?;
        }
        let now = self.world.served_version().await?;
        ensure!(now == served, "it serves {now} instead of {served}");
        ensure!(
            seen.keys().all(|answer| answer == &format!("200 {served}")),
            "the CRM was seen broken: {seen:?}"
        );
        let page = self.admin.open("/updates").await?;
        ensure!(
            page.text().contains(version),
            "the Updates page does not say what failed"
        );
        let mails = self.expect_mails(2).await?;
        let requests: u64 = seen.values().sum();
        Ok(format!(
            "{requests} requests meanwhile, all answered by {served}; held for {} ms, {mails}",
            update.blackout_ms.unwrap_or(0)
        ))
    }

    async fn reports(&mut self) -> Result<String> {
        let last = self
            .world
            .state(Request::State)
            .await?
            .last_update
            .context("no update")?;
        let report = self
            .admin
            .fetch(&format!("/updates/report/{}/download", last.update))
            .await?;
        let parsed: serde_json::Value = serde_json::from_str(&report)?;
        ensure!(
            parsed["update"]["problem"]["code"] == "migration-failed",
            "it is about something else: {report}"
        );
        ensure!(
            !report.contains(self.password),
            "it holds the administrator's password"
        );
        let database_password = self.world.central.password();
        ensure!(
            database_password.is_none_or(|password| !report.contains(password)),
            "it holds the database's password"
        );
        Ok(format!("{} bytes", report.len()))
    }

    async fn adopts(&mut self) -> Result<String> {
        let record = self.world.state_dir.join("service.json");
        let before = std::fs::read_to_string(&record)?;
        let engine = crate::world::engine_pid(&self.world.state_dir)?;
        rustix::process::kill_process(engine, rustix::process::Signal::KILL)?;
        let served = self.world.served_version().await?;
        let until = Instant::now() + Duration::from_secs(20);
        while self.world.state(Request::State).await.is_err() {
            ensure!(Instant::now() < until, "the engine did not come back");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        ensure!(
            before == std::fs::read_to_string(&record)?,
            "the CRM was started anew"
        );
        Ok(format!("{served} served all the time"))
    }

    async fn ends(&mut self) -> Result<String> {
        let front = self.world.front;
        self.world.stop()?;
        ensure!(
            tokio::net::TcpStream::connect(front).await.is_err(),
            "something still listens on {front}"
        );
        ensure!(
            !self.world.state_dir.join("service.json").exists(),
            "the CRM still runs"
        );
        Ok("nothing is left running".to_owned())
    }

    /// Presses Install on the Updates page and waits for the end.
    async fn click_install(&self) -> Result<UpdateSummary> {
        let before = self
            .world
            .state(Request::State)
            .await?
            .last_update
            .map_or(0, |update| update.update);
        let page = self.admin.open("/updates/offer").await?;
        self.admin.send(&page, "/updates/install", &[]).await?;
        self.world.ended_update(before + 1).await
    }

    /// Waits for `states` mails to each person and compares: everybody gets each of them once.
    async fn expect_mails(&mut self, states: usize) -> Result<String> {
        let mails = self.new_mails(states * self.people).await?;
        let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
        for mail in &mails {
            for to in &mail.to {
                *counts
                    .entry((to.clone(), mail.subject.clone()))
                    .or_default() += 1;
            }
        }
        if let Some((twice, _)) = counts.iter().find(|(_, count)| **count > 1) {
            bail!("{} got “{}” more than once", twice.0, twice.1);
        }
        let recipients: std::collections::BTreeSet<&String> =
            counts.keys().map(|(to, _)| to).collect();
        ensure!(
            recipients.len() == self.people,
            "{} of {} people were told",
            recipients.len(),
            self.people
        );
        Ok(format!("{} mails to {} people", mails.len(), self.people))
    }

    /// The mails that came since the last call, once there are as many as expected; and no more.
    async fn new_mails(&mut self, count: usize) -> Result<Vec<Received>> {
        let all = self
            .world
            .sink
            .wait_for(self.mails + count, MAIL_PATIENCE)
            .await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let all_now = self.world.sink.messages();
        ensure!(
            all_now.len() == all.len(),
            "{} mails came too many",
            all_now.len() - all.len()
        );
        let new = all_now[self.mails..].to_vec();
        self.mails = all_now.len();
        Ok(new)
    }

    async fn count(&self, query: &'static str) -> Result<i64> {
        self.world.central.count(query).await
    }
}

/// Sets the centre up as its first administrator would: account, mail server, users from the CRM. Returns how many people get mails.
///
/// # Errors
/// A page does not do what it should.
pub async fn set_up(world: &World, admin: &Admin, password: &str) -> Result<usize> {
    admin
        .set_up(
            &world.state_dir.join("center"),
            ADMIN_NAME,
            ADMIN_EMAIL,
            password,
        )
        .await?;
    let page = admin.open("/settings").await?;
    let database = world.central.import_url();
    let port = world.sink.port().to_string();
    let address = format!("http://{}/", world.center);
    let fields = [
        ("public_url", address.as_str()),
        ("smtp_host", "127.0.0.1"),
        ("smtp_port", port.as_str()),
        ("smtp_security", "none"),
        ("mail_from", "Vzor CRM <crm@firma.example>"),
        ("import_url", database.as_str()),
        (
            "import_query",
            "SELECT name, email, language, groups FROM app_user WHERE active = 1",
        ),
        ("import_enabled", "yes"),
        // Where nobody may make network namespaces: this CRM talks to nobody.
        ("rehearsal_unisolated", "yes"),
    ];
    admin.send(&page, "/settings", &fields).await?;
    let page = admin.open("/users/import").await?;
    admin.send(&page, "/users/import/now", &[]).await?;
    let people = world
        .central
        .count("SELECT COUNT(*) FROM app_user WHERE active = 1 AND groups NOT LIKE '%System%'")
        .await?;
    Ok(usize::try_from(people)? + 1)
}

/// Asks the application through the front, again and again, and counts the different answers.
struct Watch {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<BTreeMap<String, u64>>,
}

impl Watch {
    fn start(front: String) -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut seen = BTreeMap::new();
            let client = reqwest::Client::new();
            while !stopped.load(Ordering::Relaxed) {
                let answer = ask(&client, &front)
                    .await
                    .unwrap_or_else(|error| format!("{error:#}"));
                *seen.entry(answer).or_default() += 1;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            seen
        });
        Watch { stop, task }
    }

    async fn end(self) -> Result<BTreeMap<String, u64>> {
        self.stop.store(true, Ordering::Relaxed);
        Ok(self.task.await?)
    }
}

async fn ask(client: &reqwest::Client, front: &str) -> Result<String> {
    let answer = client
        .get(format!("http://{front}/api/version"))
        .send()
        .await?;
    let status = answer.status().as_u16();
    let body: serde_json::Value = answer.json().await.unwrap_or_default();
    Ok(format!(
        "{status} {}",
        body["version"].as_str().unwrap_or("?")
    ))
}
