//! Settings: who is told what, the mail server, the channel, how traffic is held, where users come from. The engine's own are
//! read from it and put in force by it.

use std::net::IpAddr;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use obnova_engine::api::{self, Answer, HoldLimits, RehearsalSettings, Request};
use obnova_text::Text;

use self::engine::{MIB, gigabytes, read_engine};
use crate::app::{Centre, unexpected};
use crate::error::Failure;
use crate::explain::{Explained, explain};
use crate::form::{Fields, Posted};
use crate::mails::sender_is_valid;
use crate::page::{Page, html};
use crate::store::desktops::kept::{DAYS, DesktopSettings, Kept};
use crate::store::settings::{CenterSettings, Secret, SmtpSecurity, SmtpSettings};

mod engine;

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    page: Page,
    t: &'static Text,
    settings: CenterSettings,
    groups: Vec<Choice>,
    engine: Option<api::Settings>,
    engine_problem: Option<Explained>,
    /// None of the groups that are told about updates has an active member.
    tells_nobody: bool,
    /// The mail server's password goes over a network in the clear.
    shows_password: bool,
    /// Faults, each as text.
    faults: Vec<String>,
}

struct Choice {
    name: String,
    members: u64,
    ticked: bool,
}

impl SettingsPage {
    fn security(&self, name: &str) -> bool {
        name == security_name(self.settings.smtp.security)
    }

    fn hold_mib(&self, hold: &HoldLimits) -> u64 {
        hold.bytes / MIB
    }

    fn keeps(&self) -> [(Kept, bool); 3] {
        Kept::ALL.map(|kept| (kept, kept == self.settings.desktops.kept))
    }

    fn words(&self, kept: &Kept, part: &str) -> String {
        self.t.get(&format!("desktops-kept-{}{part}", kept.name()))
    }

    fn daily_at(&self, rehearsal: &RehearsalSettings) -> String {
        let at = rehearsal.daily_at;
        at.map_or_else(String::new, |at| at.strftime("%H:%M").to_string())
    }

    fn disk_gb(&self, rehearsal: &RehearsalSettings) -> String {
        rehearsal.disk_bytes.map_or_else(String::new, gigabytes)
    }
}

/// `GET /settings`
pub async fn show(page: Page, State(centre): State<Centre>) -> Result<Response, Failure> {
    let settings = centre.store().settings().await?;
    let engine = engine_settings(&centre).await;
    form(page, &centre, settings, engine, Vec::new()).await
}

/// `POST /settings`
pub async fn save(
    page: Page,
    State(centre): State<Centre>,
    posted: Posted,
) -> Result<Response, Failure> {
    let t = page.t();
    let fields = &posted.fields;
    let known = centre
        .store()
        .groups()
        .await?
        .into_iter()
        .map(|group| group.identifier)
        .collect::<Vec<_>>();
    let mut faults = Vec::new();
    let settings = read(
        centre.store().settings().await?,
        fields,
        &known,
        &mut faults,
    );
    let engine = match fields.ticked("has_engine") {
        true => Some(read_engine(fields, &mut faults)),
        false => None,
    };
    let mut faults: Vec<String> = faults.into_iter().map(|key| t.get(key)).collect();
    if faults.is_empty() {
        if let Some(engine) = &engine
            && let Err(problem) = configure(&centre, engine).await
        {
            faults.push(explain(t, &problem).what);
        } else {
            centre.store().save_settings(&settings).await?;
            centre
                .store()
                .audit(&posted.session.email, "settings-changed", "")
                .await?;
            return Ok(Redirect::to("/settings?done=settings-saved").into_response());
        }
    }
    let engine = match engine {
        Some(engine) => Ok(engine),
        None => engine_settings(&centre).await,
    };
    let answer = form(page, &centre, settings, engine, faults).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, answer).into_response())
}

async fn engine_settings(centre: &Centre) -> Result<api::Settings, api::Problem> {
    match centre.ask(&Request::Settings, PATIENCE).await? {
        Answer::Settings(settings) => Ok(settings),
        _ => Err(unexpected()),
    }
}

async fn configure(centre: &Centre, wanted: &api::Settings) -> Result<(), api::Problem> {
    match centre
        .ask(&Request::Configure(wanted.clone()), PATIENCE)
        .await?
    {
        Answer::Settings(_) => Ok(()),
        _ => Err(unexpected()),
    }
}

/// The settings as the form has them; a secret left empty stays as it was.
fn read(
    before: CenterSettings,
    fields: &Fields,
    known: &[String],
    faults: &mut Vec<&'static str>,
) -> CenterSettings {
    let mut settings = before;
    settings.notify_groups = fields.all("notify_groups");
    settings.notify_groups.retain(|name| known.contains(name));
    settings.default_language = fields.text("default_language").parse().unwrap_or_default();
    settings.public_url = fields.text("public_url").trim_end_matches('/').to_owned();
    if !settings.public_url.is_empty() && !is_web_address(&settings.public_url) {
        faults.push("fault-public-url");
    }
    settings.mail_from = fields.text("mail_from").to_owned();
    if !settings.mail_from.is_empty() && !sender_is_valid(&settings.mail_from) {
        faults.push("fault-mail-from");
    }
    let smtp = &mut settings.smtp;
    let before = smtp.clone();
    smtp.host = fields.text("smtp_host").to_owned();
    match fields.text("smtp_port").parse() {
        Ok(port) if port > 0 => smtp.port = port,
        _ => faults.push("fault-smtp-port"),
    }
    smtp.security = security_of(fields.text("smtp_security"));
    smtp.username = fields.text("smtp_username").to_owned();
    secret(&mut smtp.password, fields, "smtp_password");
    if !may_keep_password(&before, smtp, fields.raw("smtp_password")) {
        faults.push("fault-smtp-password");
    }
    settings.import.enabled = fields.ticked("import_enabled");
    settings.import.query = fields.text("import_query").to_owned();
    secret(&mut settings.import.database_url, fields, "import_url");
    if settings.import.enabled
        && (settings.import.query.is_empty() || settings.import.database_url.is_empty())
    {
        faults.push("fault-import-incomplete");
    }
    desktops(&mut settings.desktops, fields, faults);
    settings
}

/// A form without these fields leaves them as they were.
fn desktops(settings: &mut DesktopSettings, fields: &Fields, faults: &mut Vec<&'static str>) {
    let named = |kept: &Kept| kept.name() == fields.text("desktops_kept");
    let Some(kept) = Kept::ALL.into_iter().find(named) else {
        return;
    };
    settings.kept = kept;
    let days = |name| {
        fields
            .text(name)
            .parse()
            .ok()
            .filter(|it| DAYS.contains(it))
    };
    match (days("desktops_used_days"), days("desktops_keep_days")) {
        (Some(used), Some(keep)) if used <= keep => {
            (settings.used_days, settings.keep_days) = (used, keep);
        }
        _ => faults.push("fault-desktop-days"),
    }
}

/// A password goes only where whoever typed it sent it: to another server, or unencrypted, it has to be typed again. Otherwise
/// whoever gets at the settings gets the password, by having it sent to a server of their own.
fn may_keep_password(before: &SmtpSettings, now: &SmtpSettings, typed: &str) -> bool {
    let is_same = before.host.eq_ignore_ascii_case(&now.host)
        && before.port == now.port
        && (before.security == now.security || now.security != SmtpSecurity::None);
    is_same || !typed.is_empty() || now.password.is_empty()
}

fn secret(secret: &mut Secret, fields: &Fields, name: &str) {
    if fields.ticked(&format!("{name}_forget")) {
        *secret = Secret::default();
    } else if !fields.raw(name).is_empty() {
        *secret = Secret::new(fields.raw(name));
    }
}

fn is_web_address(text: &str) -> bool {
    url::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

fn security_name(security: SmtpSecurity) -> &'static str {
    match security {
        SmtpSecurity::None => "none",
        SmtpSecurity::StartTls => "starttls",
        SmtpSecurity::Tls => "tls",
    }
}

fn security_of(name: &str) -> SmtpSecurity {
    match name {
        "none" => SmtpSecurity::None,
        "tls" => SmtpSecurity::Tls,
        _ => SmtpSecurity::StartTls,
    }
}

/// Whether the password would be sent unencrypted to another machine.
fn shows_password(smtp: &SmtpSettings) -> bool {
    let is_here = smtp.host.eq_ignore_ascii_case("localhost")
        || smtp
            .host
            .parse()
            .is_ok_and(|host: IpAddr| host.is_loopback());
    smtp.security == SmtpSecurity::None && !smtp.username.is_empty() && !is_here
}

async fn form(
    page: Page,
    centre: &Centre,
    settings: CenterSettings,
    engine: Result<api::Settings, api::Problem>,
    faults: Vec<String>,
) -> Result<Response, Failure> {
    let t = page.t();
    let groups = centre.store().groups().await?;
    let groups: Vec<Choice> = groups
        .into_iter()
        .map(|group| Choice {
            ticked: settings.notify_groups.contains(&group.identifier),
            members: group.members.unsigned_abs(),
            name: group.identifier,
        })
        .collect();
    let (engine, engine_problem) = match engine {
        Ok(engine) => (Some(engine), None),
        Err(problem) => (None, Some(explain(t, &problem))),
    };
    html(&SettingsPage {
        t,
        tells_nobody: !groups.iter().any(|group| group.ticked && group.members > 0),
        shows_password: shows_password(&settings.smtp),
        settings,
        groups,
        engine,
        engine_problem,
        faults,
        page,
    })
}
