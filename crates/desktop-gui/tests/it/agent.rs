//! The agent beside the clock, with a real message bus and a panel on it.

use crate::panel::Panel;
use crate::reader::HEADING;
use crate::scene::{Running, Scene, until};
use crate::seat::Seat;

#[test]
fn the_agent_marks_a_pending_update_tells_the_user_once_and_a_click_on_that_updates() {
    let (scene, seat) = (Scene::new("1.0.0", true), Seat::new());
    let panel = Panel::new(&seat);
    let _agent = seat.gui(&scene, &["agent", "--every", "1"]);
    until("the right version", || {
        (panel.text("Title") == "CRM 1.0.0 is up to date").then_some(())
    });
    let plain = panel.icon();
    assert_eq!(panel.text("Status"), "Active");
    assert!(panel.told().is_empty());
    scene.world.server.is("1.2.0");
    until("the mark", || {
        (panel.text("Status") == "NeedsAttention").then_some(())
    });
    assert_eq!(panel.text("Title"), "CRM 1.2.0 is ready to be installed");
    assert_ne!(panel.icon(), plain);
    let told = until("the notification", || panel.told().last().cloned());
    assert_eq!(told.heading, "CRM 1.2.0 is ready to be installed");
    assert!(told.body.contains("Your work is not interrupted."));
    assert_eq!(
        told.actions,
        ["default", "Update now", "update", "Update now"]
    );
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(panel.told().len(), 1, "once for each version");
    panel.act(&told, "default");
    seat.reader.find(HEADING, "CRM 1.2.0 is installed");
    assert_eq!(scene.world.current().as_deref(), Some("1.2.0"));
    seat.press(&["Escape"]);
    until("no mark", || {
        (panel.text("Status") == "Active").then_some(())
    });
    until("the notification's end", || {
        panel.withdrawn().contains(&told.id).then_some(())
    });
}

#[test]
fn the_menu_updates_shows_what_is_new_and_quits() {
    let (scene, seat) = (Scene::new("1.2.0", true), Seat::new());
    let panel = Panel::new(&seat);
    let mut agent = seat.gui(&scene, &["--lang", "cs", "agent", "--every", "1"]);
    until("the version in the menu", || {
        let menu = panel.menu();
        (menu[0].1 == "Aktualizovat na verzi 1.2.0").then_some(())
    });
    let labels: Vec<String> = panel.menu().into_iter().map(|(_, label)| label).collect();
    assert_eq!(labels[1..], ["Co je nového", "-", "Ukončit"]);
    panel.click();
    seat.reader.button("Později");
    seat.press(&["Escape"]);
    until("no window", || (!seat.has_window()).then_some(()));
    panel.choose("Aktualizovat na verzi 1.2.0");
    seat.reader.find(HEADING, "Nainstalováno: CRM 1.2.0");
    seat.press(&["Escape"]);
    until("no window", || (!seat.has_window()).then_some(()));
    panel.choose("Co je nového");
    seat.reader.find(HEADING, "Co je nového: CRM 1.2.0");
    seat.press(&["Escape"]);
    panel.choose("Ukončit");
    assert_eq!(agent.code(), 0);
}

#[test]
fn an_automatic_update_is_done_without_a_question_and_told_afterwards() {
    let (scene, seat) = (Scene::new("1.2.0", true), Seat::new());
    scene.policy("mode = \"automatic\"\n");
    let panel = Panel::new(&seat);
    let _agent = seat.gui(&scene, &["agent", "--every", "1"]);
    let told = until("the notification", || panel.told().last().cloned());
    assert_eq!(told.heading, "CRM 1.2.0 is installed");
    assert!(told.actions.is_empty());
    assert_eq!(scene.world.current().as_deref(), Some("1.2.0"));
    assert!(!seat.has_window());
}

#[test]
fn there_is_one_agent_of_an_installation_and_a_panel_that_starts_later_gets_its_icon() {
    let (scene, seat) = (Scene::new("1.0.0", true), Seat::new());
    // At the same instant: either may be the one that stays.
    let mut agents = [(); 2].map(|()| seat.gui(&scene, &["agent", "--every", "1"]));
    let ended = |agents: &mut [Running; 2]| {
        let codes = agents.iter_mut().map(|agent| agent.0.try_wait().unwrap());
        codes.flatten().collect::<Vec<_>>()
    };
    until("the end of one", || {
        (!ended(&mut agents).is_empty()).then_some(())
    });
    // There is no panel: the other lives on.
    let panel = Panel::new(&seat);
    panel.item();
    assert_eq!(panel.items(), 1);
    let ended = ended(&mut agents);
    assert!(
        matches!(ended[..], [status] if status.success()),
        "{ended:?}"
    );
}

#[test]
fn a_server_that_is_away_is_said_and_nobody_is_disturbed() {
    let (scene, seat) = (Scene::new("1.2.0", true), Seat::new());
    scene.world.server.facts().hello = None;
    let panel = Panel::new(&seat);
    let mut agent = seat.gui(&scene, &["agent", "--every", "1"]);
    until("the line", || {
        (panel.text("Title") == "CRM: the server could not be asked").then_some(())
    });
    assert!(panel.told().is_empty());
    assert!(agent.0.try_wait().unwrap().is_none());
}
