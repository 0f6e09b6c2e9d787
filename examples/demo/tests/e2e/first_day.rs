//! The first day: the welcome page, the first administrator, the settings, users, and a look at every page there is.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use obnova_demo::tour::{ADMIN_EMAIL, ADMIN_NAME};
use obnova_demo::world::World;
use obnova_text::{Lang, Text};
use serde_json::json;

use crate::person::Person;

const PASSWORD: &str = "Obnova se zkouší dlouhou větou.";
const USERS: &str = "name,email,language,groups\n\
                     Dana Externí,dana@externi.example,cs,Externisté\n\
                     Bez Adresy,,cs,\n";

/// The welcome page, in both languages and both lights.
pub(crate) async fn arrives(admin: &mut Person, world: &World) -> Result<()> {
    admin.opens("/").await?;
    admin.sees("Vzor CRM").await?;
    admin.sees("1.0.0").await?;
    admin.sees_text("state-serving").await?;
    admin.looks_at("welcome").await?;
    admin.takes_picture("welcome").await?;
    let application = admin
        .finds(&admin.t.with("welcome-open", &[("name", "Vzor CRM")]), "a")
        .await?;
    let leads_to = application.attr("href").await?.unwrap_or_default();
    let front = world.front.to_string();
    ensure!(leads_to.contains(&front), "the button leads to {leads_to}");
    switches_language(admin).await?;
    switches_light(admin).await
}

async fn switches_language(admin: &Person) -> Result<()> {
    let names = match admin.t.lang() {
        Lang::Cs => ["English", "Čeština"],
        Lang::En => ["Čeština", "English"],
    };
    let other = match admin.t.lang() {
        Lang::Cs => Text::of(Lang::En),
        Lang::En => Text::of(Lang::Cs),
    };
    admin.clicks_on(names[0]).await?;
    admin.sees(&other.get("state-serving-text")).await?;
    admin.clicks_on(names[1]).await?;
    admin.sees_text("state-serving-text").await
}

async fn switches_light(admin: &Person) -> Result<()> {
    for (key, theme) in [("theme-dark", "dark"), ("theme-auto", "auto")] {
        admin.clicks(key).await?;
        let script = "return document.documentElement.dataset.theme";
        admin.comes_to(script, &json!(theme)).await?;
    }
    Ok(())
}

/// The one-time code makes the first administrator, once; then signing in and out, mail server, users, and a test mail.
pub(crate) async fn sets_the_centre_up(admin: &mut Person, world: &World) -> Result<()> {
    becomes_administrator(admin, world).await?;
    signs_out(admin).await?;
    signs_in(admin).await?;
    fills_in_the_settings(admin, world).await?;
    imports_users(admin, world).await?;
    sends_a_test_mail(admin, world).await
}

async fn becomes_administrator(admin: &mut Person, world: &World) -> Result<()> {
    admin.clicks("welcome-centre").await?;
    admin.sees_text("setup-title").await?;
    admin.looks_at("setup").await?;
    let code = std::fs::read_to_string(world.state_dir.join("center/setup-code"))?;
    fills_in_the_set_up(admin, "není to on").await?;
    admin.sees_text("setup-wrong-code").await?;
    admin.hears_only_of(&["status of 422"]).await?;
    fills_in_the_set_up(admin, code.trim()).await?;
    admin.sees_text("updates-title").await?;
    ensure!(admin.path().await? == "/updates", "{}", admin.path().await?);
    admin.opens("/setup").await?;
    admin.sees_text("error-not-found-title").await?;
    admin.hears_only_of(&["status of 404"]).await?;
    admin.looks_at("error").await?;
    admin.clicks("error-to-updates").await
}

async fn fills_in_the_set_up(admin: &Person, code: &str) -> Result<()> {
    admin.fills("setup-code", code).await?;
    admin.fills("name", ADMIN_NAME).await?;
    admin.fills("email", ADMIN_EMAIL).await?;
    admin.fills("password", PASSWORD).await?;
    admin.fills("password-again", PASSWORD).await?;
    admin.clicks("setup-create").await
}

/// Leaves nothing behind that could be opened.
pub(crate) async fn signs_out(admin: &mut Person) -> Result<()> {
    admin.clicks("sign-out").await?;
    admin.opens("/updates").await?;
    admin.sees_text("password").await?;
    admin.looks_at("sign-in").await
}

async fn signs_in(admin: &Person) -> Result<()> {
    admin.fills("email", ADMIN_EMAIL).await?;
    admin.fills("password", "ani to není ono").await?;
    admin.clicks("sign-in-do").await?;
    admin.sees_text("sign-in-wrong").await?;
    admin.hears_only_of(&["status of 401"]).await?;
    enters(admin).await
}

/// Signs in on the page that asks for it.
pub(crate) async fn enters(admin: &Person) -> Result<()> {
    admin.fills("email", ADMIN_EMAIL).await?;
    admin.fills("password", PASSWORD).await?;
    admin.clicks("sign-in-do").await
}

async fn fills_in_the_settings(admin: &mut Person, world: &World) -> Result<()> {
    admin.clicks("settings-title").await?;
    admin.sees_text("settings-lead").await?;
    admin
        .fills("settings-mail-from", "Vzor CRM <crm@firma.example>")
        .await?;
    admin.fills("settings-smtp-host", "127.0.0.1").await?;
    let port = world.sink.port().to_string();
    admin.fills("settings-smtp-port", &port).await?;
    admin.chooses("settings-smtp-security", "none").await?;
    // Long enough for everything that is looked at while the update waits for a colleague.
    admin.fills("settings-drain-seconds", "300").await?;
    let database = format!("sqlite://{}", world.database().display());
    admin.fills("settings-import-url", &database).await?;
    let query = "SELECT name, email, language, groups FROM app_user WHERE active = 1";
    admin.fills("settings-import-query", query).await?;
    admin.ticks(&admin.says("settings-import-daily")?).await?;
    admin.clicks("save").await?;
    admin.sees_text("done-settings-saved").await?;
    admin.looks_at("settings").await?;
    admin.opens("/settings").await?;
    let host = admin.field(&admin.says("settings-smtp-host")?).await?;
    ensure!(host.value().await?.as_deref() == Some("127.0.0.1"));
    Ok(())
}

async fn imports_users(admin: &mut Person, world: &World) -> Result<()> {
    admin.clicks("users-title").await?;
    admin.clicks("import-title").await?;
    admin.clicks("import-now").await?;
    admin.sees_text("import-done").await?;
    let file = world.state_dir.with_file_name("users.csv");
    std::fs::write(&file, USERS)?;
    let field = admin.field(&admin.says("import-file")?).await?;
    field.send_keys(file.display().to_string()).await?;
    admin.clicks("import-upload").await?;
    admin.sees_text("import-rows").await?;
    admin.sees_text("import-row-email-invalid").await?;
    admin.looks_at("import").await
}

async fn sends_a_test_mail(admin: &mut Person, world: &World) -> Result<()> {
    admin.clicks("notifications-title").await?;
    admin.sees_text("notifications-empty").await?;
    admin.clicks("mail-test-send").await?;
    admin.sees_text("done-mail-queued").await?;
    let mails = world.sink.wait_for(1, Duration::from_secs(30)).await?;
    let product = [("product", "Vzor CRM")];
    let subject = admin.t.with("mail-test-mail-subject", &product);
    ensure!(mails[0].subject == subject, "“{}” came", mails[0].subject);
    ensure!(mails[0].to == [ADMIN_EMAIL]);
    admin.looks_at("notifications").await
}

/// Every page that has not been seen yet.
pub(crate) async fn looks_around(admin: &mut Person, _world: &World) -> Result<()> {
    admin.clicks("history-title").await?;
    admin.sees_text("history-empty").await?;
    admin.looks_at("history, empty").await?;
    admin.clicks("users-title").await?;
    admin.sees("Dana Externí").await?;
    admin.looks_at("users").await?;
    admin.clicks("user-add").await?;
    admin.looks_at("new user").await?;
    changes_a_user(admin).await?;
    keeps_groups(admin).await?;
    admin.clicks("audit-title").await?;
    admin.sees_text("audit-settings-changed").await?;
    admin.looks_at("audit").await
}

async fn changes_a_user(admin: &mut Person) -> Result<()> {
    admin.clicks("users-title").await?;
    admin.clicks_on("Dana Externí").await?;
    admin.sees_text("user-imported").await?;
    admin.looks_at("user").await?;
    admin.fills("name", "Dana Nováková").await?;
    admin.clicks("save").await?;
    admin.sees_text("done-user-changed").await?;
    admin.clicks_on("Dana Nováková").await?;
    admin.clicks("user-remove").await?;
    admin.sees_text("user-remove-text").await?;
    admin.looks_at("user, to be removed").await?;
    admin.clicks("cancel").await
}

async fn keeps_groups(admin: &mut Person) -> Result<()> {
    admin.clicks("users-title").await?;
    admin.clicks("groups-title").await?;
    admin.sees("Externisté").await?;
    admin.looks_at("groups").await?;
    let change = format!("{} Externisté", admin.says("group-change")?);
    admin.clicks_on(&change).await?;
    admin.sees_text("group-remove-text").await?;
    admin.looks_at("groups, one unfolded").await?;
    admin.clicks("group-remove").await?;
    admin.sees_text("done-group-removed").await?;
    admin.fills("group-name", "Vedení").await?;
    let add = admin
        .finds(&admin.says("group-add")?, "button")
        .await
        .context("the button that adds")?;
    add.click().await?;
    admin.sees_text("done-group-added").await
}
