//! What the setup program says: in the terminal that it was started from, or in windows where it was clicked.

use std::cell::RefCell;
use std::io;
use std::os::windows::io::AsRawHandle;
use std::os::windows::process::CommandExt;
use std::process::Command;
use std::rc::Rc;

use obnova_release::appended::Facts;
use obnova_text::Text;
use winsafe::co::{BST, DLGID, MB};
use winsafe::gui;
use winsafe::prelude::*;
use winsafe::{AttachConsole, HWND, PidParent};

const CREATE_NO_WINDOW: u32 = 0x0800_0000;

/// What the user has filled in.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) server: String,
    pub(crate) autostart: bool,
}

/// Takes the terminal that it was started from, if there is one.
pub(crate) fn begin() {
    if is_window() {
        let _ = AttachConsole(PidParent::Parent);
    }
}

/// Whether what is said is said in windows: nobody reads what is printed.
pub(crate) fn is_window() -> bool {
    io::stdout().as_raw_handle().is_null()
}

pub(crate) fn say(text: &str) {
    if !is_window() {
        println!("{text}");
        return;
    }
    let flags = MB::OK | MB::ICONINFORMATION | MB::SETFOREGROUND;
    let _ = HWND::NULL.MessageBox(text, "", flags);
}

/// Says that all is well, and asks whether the program is to be started.
pub(crate) fn done(text: &str, start: bool, texts: &Text) -> bool {
    if start || !is_window() {
        return start;
    }
    let question = format!("{text}\n\n{}", texts.get("setup-start"));
    let flags = MB::YESNO | MB::ICONINFORMATION | MB::SETFOREGROUND;
    matches!(HWND::NULL.MessageBox(&question, "", flags), Ok(DLGID::YES))
}

pub(crate) fn without_window(command: &mut Command) {
    command.creation_flags(CREATE_NO_WINDOW);
}

/// Asks for the server, in a window; nothing when it was closed.
pub(crate) fn ask(facts: &Facts, text: &Text) -> Option<Answer> {
    let with = |key: &str| {
        let version = facts.version.to_string();
        text.with(key, &[("name", &facts.name), ("version", &version)])
    };
    let window = gui::WindowMain::new(gui::WindowMainOpts {
        title: &with("setup-window-title"),
        size: gui::dpi(460, 190),
        ..Default::default()
    });
    let line = |y: i32, height: i32, content: &str| {
        gui::Label::new(
            &window,
            gui::LabelOpts {
                text: content,
                position: gui::dpi(20, y),
                size: gui::dpi(420, height),
                ..Default::default()
            },
        )
    };
    let _intro = line(16, 36, &with("setup-intro"));
    let _label = line(60, 18, &text.get("setup-server"));
    let server = gui::Edit::new(
        &window,
        gui::EditOpts {
            text: facts.server.as_deref().unwrap_or("https://"),
            position: gui::dpi(20, 80),
            width: gui::dpi_x(420),
            ..Default::default()
        },
    );
    let autostart = gui::CheckBox::new(
        &window,
        gui::CheckBoxOpts {
            text: &text.get("setup-autostart"),
            position: gui::dpi(20, 114),
            size: gui::dpi(420, 20),
            check_state: BST::CHECKED,
            ..Default::default()
        },
    );
    let button = |x: i32, label: &str| {
        gui::Button::new(
            &window,
            gui::ButtonOpts {
                text: label,
                position: gui::dpi(x, 148),
                width: gui::dpi_x(100),
                height: gui::dpi_y(26),
                ..Default::default()
            },
        )
    };
    let install = button(232, &text.get("setup-install"));
    let cancel = button(340, &text.get("setup-cancel"));
    let answer = Rc::new(RefCell::new(None));
    let (place, wanted) = (Rc::clone(&answer), window.clone());
    install.on().bn_clicked(move || {
        let typed = server.text()?.trim().to_owned();
        // What cannot be an address is asked for again; whether a server is there, the first check tells.
        if url::Url::parse(&typed).is_ok_and(|url| url.has_host()) {
            *place.borrow_mut() = Some(Answer {
                server: typed,
                autostart: autostart.is_checked(),
            });
            wanted.close();
        } else {
            server.set_selection(0, -1);
            server.focus()?;
        }
        Ok(())
    });
    let unwanted = window.clone();
    cancel.on().bn_clicked(move || {
        unwanted.close();
        Ok(())
    });
    let _ = window.run_main(None);
    answer.borrow_mut().take()
}
