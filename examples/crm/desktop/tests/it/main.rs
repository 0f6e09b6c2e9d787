//! The Desktop as its user starts it, before a real CRM. What the Administration Centre does here is to say where that is.

mod office;
mod screen;

use office::Office;
use screen::Screen;

#[test]
fn it_loads_from_the_server_and_shows_what_it_had_when_that_is_gone() {
    let mut office = Office::open("1.1.0");
    let online = office.once("1.1.0");
    assert_eq!(online["standing"], "online", "{online}");
    assert_eq!(online["server"], "1.1.0");
    assert_eq!(online["records"]["contacts"], office::CONTACTS);
    office.close_server();
    let offline = office.once("1.1.0");
    assert_eq!(offline["standing"], "offline", "{offline}");
    assert_eq!(offline["records"], online["records"]);
    assert_eq!(offline["data"], online["data"], "from when they are");
}

#[test]
fn a_server_that_refuses_it_is_understood_and_nothing_is_lost() {
    let office = Office::open("1.1.0");
    office.once("1.1.0");
    let refused = office.once("1.3.0");
    assert_eq!(refused["standing"], "refused", "{refused}");
    assert_eq!(refused["server"], "1.1.0");
    assert_eq!(refused["records"]["contacts"], office::CONTACTS);
}

#[test]
fn a_note_that_is_typed_in_its_window_arrives_on_the_server() {
    let office = Office::open("1.1.0");
    let screen = Screen::start();
    let mut window = office.open_window("1.1.0", &screen, "cs_CZ.UTF-8");
    screen.wait_for_window("Vzor CRM");
    office.wait_until_loaded();
    screen.picture("crm-desktop-cs");
    // The second of three lists is shown; its first name, below bar and titles.
    screen.click(80, 122);
    screen.type_into_field("wants an offer");
    screen.picture("crm-desktop-note-cs");
    let noted = office.wait_for_note("wants an offer");
    assert!(noted["contact_id"].is_i64(), "{noted}");
    window.close();
}
