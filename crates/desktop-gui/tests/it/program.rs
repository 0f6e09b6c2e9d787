//! A program that embeds the library, for tests: open until it may close.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use obnova_desktop::{Desktop, Health};

/// What the published Desktop's script runs: this very file, as a program.
pub const SCRIPT: &str = "echo \"started $OBNOVA_DESKTOP_VERSION $*\" >> \"$OBNOVA_TEST_LOG\"\n\
     exec \"$OBNOVA_TEST_EXE\" --exact program::runs --ignored --nocapture";

/// Says that it is open, and closes when it is asked to and nothing in it must not be lost: that is, no file `hold` is there.
#[test]
#[ignore = "a program that other tests start"]
fn runs() {
    let Ok(desktop) = Desktop::of_this_program() else {
        return;
    };
    desktop.confirm(|| Health::Good).unwrap();
    let attendance = desktop.attend().unwrap();
    let folder = PathBuf::from(std::env::var_os("OBNOVA_TEST_LOG").unwrap());
    let folder = folder.parent().unwrap().to_owned();
    let until = Instant::now() + Duration::from_secs(300);
    while Instant::now() < until && !folder.join("close").exists() {
        let hold = fs::read_to_string(folder.join("hold")).ok();
        attendance.hold(hold.as_deref()).unwrap();
        if attendance.is_asked_to_close() && hold.is_none() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
