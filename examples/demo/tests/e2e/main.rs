//! The whole story as a person lives it: an administrator in a real browser, from the first look at the welcome page to the
//! fourth update, once in each language.
//!
//! Everywhere they come, the page is looked at for barriers (axe-core, light and dark), for what its console complains of, and for
//! whether it fits a phone. With `OBNOVA_SCREENSHOTS` naming a folder, the documentation's pictures are taken on the way.

mod crm;
mod first_day;
mod installing;
mod keyboard;
mod looking;
mod mails;
mod person;
mod pictures;
mod rehearsing;
mod undone;
mod waiting;

use anyhow::{Context, Result};
use obnova_demo::world::World;
use obnova_text::Lang;

use self::person::Person;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_lives_the_whole_story_in_czech() -> Result<()> {
    live(Lang::Cs, 20_000).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_lives_the_whole_story_in_english() -> Result<()> {
    live(Lang::En, 2_000).await
}

/// A part of the story, whose name says where it went wrong.
macro_rules! chapter {
    ($chapter:expr) => {
        $chapter.await.context(stringify!($chapter))?
    };
}

async fn live(lang: Lang, contacts: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut world = World::make_at(folder.path(), contacts, [0, 0])?;
    world.start().await?;
    let mut admin = Person::new(&world, lang).await?;

    chapter!(first_day::arrives(&mut admin, &world));
    chapter!(first_day::sets_the_centre_up(&mut admin, &world));
    chapter!(first_day::looks_around(&mut admin, &world));

    chapter!(installing::is_offered(&mut admin, &world, "1.1.0"));
    chapter!(installing::reads_the_offer(&mut admin, &world));
    chapter!(installing::cannot_reach_the_vendor(&mut admin, &world));
    chapter!(rehearsing::passes(&mut admin, &world));
    chapter!(installing::installs_while_others_watch(&mut admin, &world));
    chapter!(crm::has_the_new_version(&mut admin, &world));
    chapter!(mails::have_been_sent(&mut admin, &world));
    chapter!(installing::finds_nothing_newer(&mut admin));

    chapter!(installing::is_offered(&mut admin, &world, "1.2.0"));
    chapter!(rehearsing::fails_and_is_refused(&mut admin, &world));
    chapter!(undone::fails_and_is_explained(&mut admin, &world));
    chapter!(undone::reports_to_support(&mut admin, &world));
    chapter!(undone::is_in_the_history(&mut admin, &world));

    chapter!(installing::is_offered(&mut admin, &world, "1.3.0"));
    chapter!(keyboard::installs_without_a_mouse(&mut admin, &world));

    chapter!(installing::is_offered(&mut admin, &world, "1.4.0"));
    chapter!(undone::is_not_offered_again_as_if_nothing_had_happened(
        &mut admin, &world
    ));
    chapter!(undone::keeps_all_of_it(&mut admin));
    chapter!(rehearsing::goes_back(&mut admin, &world));
    chapter!(first_day::signs_out(&mut admin));

    println!("{}", admin.summary());
    admin.leave().await?;
    world.stop()
}
