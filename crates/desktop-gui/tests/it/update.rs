//! The dialog that offers an update.

use std::fs;

use crate::reader::{BUTTON, HEADING, PROGRESS};
use crate::scene::Scene;
use crate::seat::Seat;

#[test]
fn a_click_with_the_mouse_updates_and_the_program_opens_again_in_the_new_version_when_it_has_closed()
 {
    let (scene, seat) = (Scene::new("1.2.0", false), Seat::new());
    let mut program = scene.launch();
    scene.until("the program", |scene| scene.log() == ["started 1.0.0"]);
    let mut gui = seat.gui(&scene, &["update", "--", "--open", "invoices"]);
    seat.reader.find(HEADING, "CRM 1.2.0 is ready for you");
    let all = seat.reader.all();
    for said in [
        "Limited until you update",
        "no longer works with the server",
        "Offers can be read, but not signed.",
        "What is new",
        "Click Sign",
        "The calendar shows",
        "It cannot be put off any longer.",
    ] {
        assert!(all.contains(said), "{said} is not in:\n{all}");
    }
    assert_eq!(seat.reader.buttons(), ["Update now"], "there is no Later");
    // Unfinished work holds it all up, for as long as it takes.
    fs::write(
        scene.world.path("hold"),
        "The offer for Novák is not saved.",
    )
    .unwrap();
    seat.click(&seat.reader.button("Update now"));
    seat.reader.find(HEADING, "CRM 1.2.0 is installed");
    seat.reader.text("The offer for Novák is not saved.");
    seat.click(&seat.reader.button("Restart now"));
    seat.reader.find(HEADING, "Waiting for CRM to close");
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert!(program.0.try_wait().unwrap().is_none(), "it was not closed");
    assert_eq!(scene.log(), ["started 1.0.0"]);
    fs::remove_file(scene.world.path("hold")).unwrap();
    assert_eq!(gui.code(), 0);
    assert_eq!(program.code(), 0);
    scene.until("the new version", |scene| {
        scene.log() == ["started 1.0.0", "started 1.2.0 --open invoices"]
    });
    scene.until("its word", |scene| {
        scene.desktop().status().unwrap().trial_starts.is_none()
    });
    assert_eq!(scene.world.current().as_deref(), Some("1.2.0"));
}

#[test]
fn the_keyboard_alone_is_enough_and_escape_is_later() {
    let (scene, seat) = (Scene::new("1.2.0", true), Seat::new());
    scene.policy("deadline_hours = 48\n");
    let mut gui = seat.gui(&scene, &["update", "--if-needed"]);
    seat.focus("Update now");
    assert_eq!(seat.reader.buttons(), ["Update now", "Later"]);
    seat.reader.text("You can do it later, until");
    seat.reader.text("Offers can be read, but not signed.");
    seat.press(&["Tab"]);
    seat.focus("Later");
    seat.press(&["Escape"]);
    assert_eq!(gui.code(), 3);
    assert_eq!(scene.world.current().as_deref(), Some("1.0.0"));
    // It is back at the next start.
    let mut gui = seat.gui(&scene, &["update", "--if-needed"]);
    seat.focus("Update now");
    seat.press(&["Return"]);
    seat.reader.find(HEADING, "CRM 1.2.0 is installed");
    seat.focus("Start CRM");
    seat.press(&["Escape"]);
    assert_eq!(gui.code(), 0);
    assert_eq!(scene.world.current().as_deref(), Some("1.2.0"));
    // And then no more.
    let mut gui = seat.gui(&scene, &["update", "--if-needed"]);
    assert_eq!(gui.code(), 0);
    assert!(!seat.has_window());
}

#[test]
fn a_dialog_that_cannot_be_put_off_may_be_closed_and_its_program_hears_of_it() {
    let (scene, seat) = (Scene::new("1.2.0", false), Seat::new());
    let mut gui = seat.gui(&scene, &["update", "--if-needed"]);
    seat.focus("Update now");
    assert_eq!(seat.reader.buttons(), ["Update now"]);
    seat.press(&["Escape"]);
    assert_eq!(gui.code(), 7);
    assert_eq!(scene.world.current().as_deref(), Some("1.0.0"));
    // It is back at the next start.
    let _gui = seat.gui(&scene, &["update", "--if-needed"]);
    seat.focus("Update now");
}

#[test]
fn an_update_that_may_not_be_put_off_any_more_begins_by_itself() {
    let (scene, seat) = (Scene::new("1.2.0", true), Seat::new());
    scene.policy("deadline_hours = 0\n");
    scene.wanted();
    let _gui = seat.gui(&scene, &["update", "--if-needed"]);
    seat.reader.find(HEADING, "CRM 1.2.0 is installed");
    assert_eq!(scene.world.current().as_deref(), Some("1.2.0"));
}

#[test]
fn a_download_shows_where_it_is_can_be_stopped_and_goes_on_from_there() {
    let script = crate::program::SCRIPT;
    let scene = Scene::with("1.2.0", false, 6 << 20, script);
    let seat = Seat::new();
    scene.policy("bytes_per_second = 500000\n");
    let _gui = seat.gui(&scene, &["update"]);
    seat.reader.act(&seat.reader.button("Update now"));
    let bar = seat.reader.find(PROGRESS, "Progress");
    assert!(bar.name.contains('%'), "{bar:?}");
    seat.reader.text("/s · about");
    seat.reader.act(&seat.reader.button("Cancel"));
    seat.reader.text("What has been downloaded is kept");
    scene.world.server.facts().requests.clear();
    seat.reader.act(&seat.reader.button("Update now"));
    seat.reader.button("Cancel");
    scene.until("the rest", |scene| {
        let facts = scene.world.server.facts();
        facts.requests.iter().any(|(_, range)| range.is_some())
    });
    seat.press(&["Escape"]);
    seat.reader.text("What has been downloaded is kept");
}

#[test]
fn an_older_server_is_followed_down_and_the_dialog_says_why() {
    let (scene, seat) = (Scene::new("1.2.0", false), Seat::new());
    scene.update();
    scene.world.server.is("1.0.0");
    let mut gui = seat.gui(&scene, &["--lang", "cs", "update", "--if-needed"]);
    seat.reader
        .find(HEADING, "K vašemu serveru patří CRM 1.0.0");
    let all = seat.reader.all();
    assert!(
        all.contains("Proč starší verze") && all.contains("novější"),
        "{all}"
    );
    seat.reader.act(&seat.reader.button("Změnit nyní"));
    seat.reader.find(HEADING, "Nainstalováno: CRM 1.0.0");
    seat.reader.act(&seat.reader.button("Zavřít"));
    assert_eq!(gui.code(), 0);
    assert_eq!(scene.world.current().as_deref(), Some("1.0.0"));
}

#[test]
fn an_error_says_what_happened_what_is_true_now_and_what_to_do() {
    let (scene, seat) = (Scene::new("1.2.0", false), Seat::new());
    let hello = scene.world.server.facts().hello.take();
    let mut quiet = seat.gui(&scene, &["update", "--if-needed"]);
    assert_eq!(quiet.code(), 4);
    assert!(!seat.has_window(), "nobody asked");
    let mut gui = seat.gui(&scene, &["update"]);
    seat.reader.find(HEADING, "CRM could not be updated");
    let all = seat.reader.all();
    for said in [
        "is not responding",
        "Nothing was changed",
        "Check the network",
        "status 503",
    ] {
        assert!(all.contains(said), "{said} is not in:\n{all}");
    }
    scene.world.server.facts().hello = hello;
    seat.reader.act(&seat.reader.button("Try again"));
    seat.reader.find(BUTTON, "Update now");
    scene.policy("mode = \"off\"\n");
    drop(gui);
    gui = seat.gui(&scene, &["update"]);
    seat.reader
        .text("Your administrator has turned updates of this program off.");
    seat.press(&["Escape"]);
    assert_eq!(gui.code(), 5);
}

#[test]
fn a_version_that_failed_here_is_installed_only_when_the_user_insists() {
    let scene = Scene::with("1.2.0", true, 1 << 10, "exit 7");
    let seat = Seat::new();
    scene.update();
    let mut program = scene.launch();
    scene.until("the return", |scene| scene.log() == ["started 1.0.0"]);
    let _gui = seat.gui(&scene, &["update"]);
    seat.reader.text("it ended by itself soon after its start");
    assert_eq!(seat.reader.buttons(), ["Install it all the same", "Later"]);
    seat.focus("Later");
    seat.reader
        .act(&seat.reader.button("Install it all the same"));
    seat.reader.find(HEADING, "CRM 1.2.0 is installed");
    fs::write(scene.world.path("close"), "").unwrap();
    program.code();
}

#[test]
fn everything_can_be_reached_at_twice_the_size_in_a_small_window() {
    let (scene, seat) = (Scene::new("1.2.0", true), Seat::new());
    let _gui = seat.gui(
        &scene,
        &["--scale", "2", "--contrast", "--theme", "dark", "update"],
    );
    let heading = seat.reader.find(HEADING, "CRM 1.2.0");
    let buttons = [
        seat.reader.button("Update now"),
        seat.reader.button("Later"),
    ];
    let (_, top, _, height) = seat.reader.extents(&heading);
    for button in &buttons {
        let (x, y, width, tall) = seat.reader.extents(button);
        assert!(
            x >= 0 && x + width <= 1400 && y + tall <= 1000,
            "{button:?}"
        );
        assert!(tall >= 60 && y > top + height, "{button:?} is {tall} high");
    }
    seat.click(&buttons[0]);
    seat.reader.find(HEADING, "CRM 1.2.0 is installed");
}
