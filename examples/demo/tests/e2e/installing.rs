//! Updates that go well.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use obnova_demo::world::World;

use crate::first_day::enters;
use crate::person::Person;
use crate::waiting::Saving;

/// How long an update may take on a busy machine.
const LONGEST: Duration = Duration::from_secs(120);

/// The step that an update is at, as the page marks it.
const STEP: &str = "
    const step = document.querySelector('[aria-current=step] .what > span');
    return step ? step.firstChild.textContent : '';
";

/// The vendor publishes; opening Updates finds out by itself.
pub(crate) async fn is_offered(admin: &mut Person, world: &World, version: &str) -> Result<()> {
    tokio::task::block_in_place(|| world.vendor.publish(version))?;
    admin.clicks("updates-title").await?;
    let found = admin.t.with("updates-found", &[("version", version)]);
    admin.sees(&found).await?;
    admin.sees(&first_line_of_notes(admin, version)?).await?;
    admin.hears_no_complaint().await
}

fn first_line_of_notes(admin: &Person, version: &str) -> Result<String> {
    let releases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crm/releases");
    let file = format!("{version}/notes.{}.md", admin.t.lang().tag());
    let notes = std::fs::read_to_string(releases.join(file))?;
    let line = notes.lines().next().context("no notes")?;
    Ok(line.to_owned())
}

/// What is new, and what exactly would be done.
pub(crate) async fn reads_the_offer(admin: &mut Person, _world: &World) -> Result<()> {
    admin.looks_at("updates").await?;
    admin.takes_picture("updates").await?;
    admin.takes_picture_in_the_dark("updates-dark").await?;
    admin.takes_picture_on_a_phone("updates-phone").await?;
    admin.clicks("updates-plan").await?;
    admin.sees_text("install-steps").await?;
    admin.sees_text("step-migrate").await?;
    admin.looks_at("plan").await?;
    admin.clicks("updates-title").await
}

/// An unreachable repository is a message, and what was known stays.
pub(crate) async fn cannot_reach_the_vendor(admin: &mut Person, world: &World) -> Result<()> {
    let repository = world.vendor.repository();
    let away = repository.with_extension("away");
    std::fs::rename(&repository, &away)?;
    // The page may still be looking by itself; what was asked for last is what counts.
    admin.clicks("updates-refresh").await?;
    admin.sees_text("problem-repository-unreachable-do").await?;
    admin.sees_text("updates-known-from-before").await?;
    admin.sees(&install_text(admin, "1.1.0")).await?;
    admin
        .hears_only_of(&["htmx:sendAbort", "htmx:afterRequest"])
        .await?;
    admin.looks_at("updates, repository away").await?;
    std::fs::rename(&away, &repository)?;
    admin.clicks("updates-refresh").await?;
    let found = admin.t.with("updates-found", &[("version", "1.1.0")]);
    admin.sees(&found).await?;
    let gone = admin.says("problem-repository-unreachable-do")?;
    admin.does_not_see(&gone).await
}

/// What the button that installs says.
pub(crate) fn install_text(admin: &Person, version: &str) -> String {
    admin.t.with("updates-install", &[("version", version)])
}

/// Clicks Install and, in the window that asks, Install.
pub(crate) async fn clicks_install(admin: &Person, version: &str) -> Result<()> {
    admin.clicks_on(&install_text(admin, version)).await?;
    admin.sees_a_window().await?;
    let question = admin.t.with("install-question", &[("version", version)]);
    admin.sees(&question).await?;
    admin.clicks("install-start").await
}

/// The update to 1.1.0, with a colleague in the CRM, another at the centre, and a reload in the middle.
pub(crate) async fn installs_while_others_watch(admin: &mut Person, world: &World) -> Result<()> {
    thinks_twice(admin).await?;
    let saving = Saving::begin(world.front).await?;
    clicks_install(admin, "1.1.0").await?;
    is_at_hold(admin).await?;
    admin.looks_at("running").await?;
    let colleague = Person::new(world, admin.t.lang()).await?;
    colleague.opens("/updates").await?;
    enters(&colleague).await?;
    is_at_hold(&colleague).await?;
    admin.browser.refresh().await?;
    is_at_hold(admin).await?;
    admin.takes_picture("updates-running").await?;
    saving.finish().await?;
    let steps = watch(&[admin, &colleague]).await?;
    ensure!(steps[0].len() > 1, "after the reload: {:?}", steps[0]);
    ensure!(steps[1].len() > 1, "at the other computer: {:?}", steps[1]);
    for person in [&*admin, &colleague] {
        has_finished(person, "1.1.0").await?;
    }
    admin.looks_at("success").await?;
    admin.takes_picture("updates-success").await?;
    admin.clicks("verdict-ok").await?;
    admin.sees_no_window().await?;
    colleague.hears_no_complaint().await?;
    colleague.leave().await
}

async fn thinks_twice(admin: &mut Person) -> Result<()> {
    admin.clicks_on(&install_text(admin, "1.1.0")).await?;
    admin.sees_text("install-if-it-fails").await?;
    admin.looks_at("updates, asking").await?;
    admin.clicks("cancel").await?;
    admin.sees_no_window().await?;
    Ok(())
}

/// Sees that the update waits for the colleague who is saving.
async fn is_at_hold(person: &Person) -> Result<()> {
    let title = person.t.with("progress-updating", &[("to", "1.1.0")]);
    person.sees(&title).await?;
    let requests = [("total", "1"), ("done", "0")];
    person
        .sees(&person.t.with("progress-requests", &requests))
        .await?;
    let step = step(person).await?;
    ensure!(step == person.says("step-hold")?, "it is at “{step}”");
    Ok(())
}

async fn step(person: &Person) -> Result<String> {
    let step = person.browser.execute(STEP, Vec::new()).await;
    let step = step.ok().map(|step| step.json().clone());
    let step = step.as_ref().and_then(|step| step.as_str());
    Ok(step.unwrap_or_default().to_owned())
}

/// Which steps each of them sees, until all see the window at the end, without touching anything.
async fn watch(people: &[&Person]) -> Result<Vec<BTreeSet<String>>> {
    let mut seen = vec![BTreeSet::new(); people.len()];
    let mut ended = vec![false; people.len()];
    let until = Instant::now() + LONGEST;
    while ended.contains(&false) {
        if Instant::now() > until {
            bail!("it does not end; seen: {seen:?}");
        }
        for (index, person) in people.iter().enumerate() {
            seen[index].insert(step(person).await?);
            ended[index] = person.has_window().await.unwrap_or(false);
        }
    }
    for seen in &mut seen {
        seen.remove("");
    }
    Ok(seen)
}

/// Sees the window that tells of success.
pub(crate) async fn has_finished(person: &Person, version: &str) -> Result<()> {
    person.sees_text("verdict-done").await?;
    let words = [("name", "Vzor CRM"), ("version", version)];
    person
        .sees(&person.t.with("verdict-done-text", &words))
        .await?;
    person.sees_a_window().await?;
    Ok(())
}

/// Refresh, when the vendor has nothing newer.
pub(crate) async fn finds_nothing_newer(admin: &mut Person) -> Result<()> {
    admin.clicks("updates-title").await?;
    admin.sees_text("updates-nothing-newer").await?;
    admin.clicks("updates-refresh").await?;
    admin.sees_text("updates-nothing-newer").await?;
    admin.sees_text("updates-current").await?;
    admin.looks_at("updates, nothing newer").await
}
