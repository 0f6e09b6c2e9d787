//! What the outbox shows, against what arrived.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use obnova_demo::tour::ADMIN_EMAIL;
use obnova_demo::world::World;

use crate::person::Person;

/// How long the mails of an update may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everybody was told, and each mail can be read.
pub(crate) async fn have_been_sent(admin: &mut Person, world: &World) -> Result<()> {
    let names = [
        ("product", "Vzor CRM"),
        ("first", "1.0.0"),
        ("target", "1.1.0"),
    ];
    let group = admin.t.with("mail-update-completed-group-subject", &names);
    arrives(world, &group, Some(ADMIN_EMAIL)).await?;
    let subject = admin
        .t
        .with("mail-update-completed-everyone-subject", &names);
    arrives(world, &subject, None).await?;
    all_are_sent(admin).await?;
    admin.takes_picture("notifications").await?;
    admin.fills("search", &subject).await?;
    admin.clicks("search").await?;
    admin.sees(&subject).await?;
    admin.looks_at("notifications, found").await?;
    admin.clicks_on(&subject).await?;
    let what = admin.t.with("mail-update-completed-everyone-what", &names);
    admin.sees(&what).await?;
    admin.sees_text("mail-html").await?;
    admin.looks_at("mail").await?;
    admin.takes_picture("mail").await
}

/// Waits for a mail with this subject, to this address if one is given.
async fn arrives(world: &World, subject: &str, to: Option<&str>) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let mails = world.sink.messages();
        let mut same = mails.iter().filter(|mail| mail.subject == subject);
        if same.any(|mail| to.is_none_or(|to| mail.to == [to])) {
            return Ok(());
        }
        ensure!(
            Instant::now() < until,
            "“{subject}” did not arrive at {}",
            to.unwrap_or("anybody's")
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until none is waiting, and has the list of all before them.
async fn all_are_sent(admin: &Person) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    let waiting = format!("{} 0", admin.says("mail-state-waiting")?).to_lowercase();
    loop {
        admin.opens("/notifications").await?;
        let seen = admin.reads().await?;
        if seen.contains(&waiting) {
            break;
        }
        ensure!(Instant::now() < until, "mails are still waiting: {seen}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let failed = format!("{} 0", admin.says("mail-state-failed")?);
    admin.sees(&failed).await
}
