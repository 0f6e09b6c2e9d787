//! The CRM itself, as its users see it after the update.

use anyhow::{Result, ensure};
use obnova_demo::world::World;
use obnova_text::Lang;

use crate::person::Person;
use crate::waiting::NAME;

/// 1.1.0 has a page more, and what a colleague saved while the update began is there.
pub(crate) async fn has_the_new_version(admin: &mut Person, world: &World) -> Result<()> {
    let served = world.served_version().await?;
    ensure!(served == "1.1.0", "{served} is served");
    let crm = format!("http://{}", world.front);
    admin.visits(&crm).await?;
    admin.sees("1.1.0").await?;
    admin.looks_at("CRM").await?;
    admin.clicks_on(words(admin, "Dnes", "Today")).await?;
    let about = words(admin, "komu se máte ozvat", "whom to get in touch with");
    admin.sees(about).await?;
    admin.looks_at("CRM, today").await?;
    admin.takes_picture("crm").await?;
    admin
        .clicks_on(words(admin, "Kontakty", "Contacts"))
        .await?;
    admin.looks_at("CRM, contacts").await?;
    admin.visits(&format!("{crm}/contacts?q={NAME}")).await?;
    admin.clicks_on(&format!("Radka {NAME}")).await?;
    admin.looks_at("CRM, contact").await?;
    admin.clicks_on(words(admin, "Upravit", "Edit")).await?;
    admin.looks_at("CRM, form").await?;
    admin.opens("/updates").await
}

fn words(person: &Person, cs: &'static str, en: &'static str) -> &'static str {
    match person.t.lang() {
        Lang::Cs => cs,
        Lang::En => en,
    }
}
