//! What is shown at the first start after a change of version, and only then.

use crate::reader::HEADING;
use crate::scene::Scene;
use crate::seat::Seat;

/// The other version has been applied, started and found to work.
fn changed(server: &str, from: Option<&str>) -> Scene {
    let scene = Scene::new(from.unwrap_or(server), false);
    scene.update();
    if from.is_some() {
        scene.world.server.is(server);
        scene.update();
    }
    scene
}

#[test]
fn what_is_new_is_shown_once_after_the_first_start_has_confirmed() {
    let (scene, seat) = (changed("1.2.0", None), Seat::new());
    // Not yet: the version may go again.
    assert_eq!(seat.gui(&scene, &["whats-new"]).code(), 0);
    let _program = scene.launch();
    scene.until("its word", |scene| {
        scene.desktop().status().unwrap().trial_starts.is_none()
    });
    let mut gui = seat.gui(&scene, &["at-start"]);
    seat.reader.find(HEADING, "What is new in CRM 1.2.0");
    let all = seat.reader.all();
    assert!(
        all.contains("Click Sign") && all.contains("The calendar shows"),
        "{all}"
    );
    assert!(!all.contains("The first release."), "{all}");
    seat.focus("Close");
    seat.press(&["Return"]);
    assert_eq!(gui.code(), 0);
    assert_eq!(seat.gui(&scene, &["whats-new"]).code(), 0);
    assert!(!seat.has_window());
    let _again = seat.gui(&scene, &["whats-new", "--again"]);
    seat.reader.find(HEADING, "What is new in CRM 1.2.0");
}

#[test]
fn a_move_to_an_older_version_is_explained_once() {
    let (scene, seat) = (changed("1.0.0", Some("1.2.0")), Seat::new());
    let _program = scene.launch();
    scene.until("its word", |scene| {
        scene.desktop().status().unwrap().trial_starts.is_none()
    });
    assert_eq!(seat.gui(&scene, &["whats-new"]).code(), 0, "nothing is new");
    let mut gui = seat.gui(&scene, &["message"]);
    seat.reader.find(HEADING, "CRM now runs in version 1.0.0");
    let all = seat.reader.all();
    assert!(
        all.contains("Until now it was version 1.2.0. The server is version 1.0.0"),
        "{all}"
    );
    seat.press(&["Escape"]);
    assert_eq!(gui.code(), 0);
    assert_eq!(seat.gui(&scene, &["message"]).code(), 0);
    assert!(!seat.has_window());
}

#[test]
fn an_automatic_return_says_why_and_that_nothing_needs_to_be_done() {
    let scene = Scene::with("1.2.0", true, 1 << 10, "exit 7");
    let seat = Seat::new();
    scene.update();
    let _program = scene.launch();
    scene.until("the return", |scene| scene.log() == ["started 1.0.0"]);
    let mut gui = seat.gui(&scene, &["--lang", "cs", "message"]);
    seat.reader.find(HEADING, "CRM je zpět ve verzi 1.0.0");
    let all = seat.reader.all();
    assert!(all.contains("brzy po spuštění sama skončila"), "{all}");
    seat.reader.act(&seat.reader.button("Zavřít"));
    assert_eq!(gui.code(), 0);
}
