//! The pictures of the documentation, when they are asked for: `cargo xtask screenshots`.

use std::path::PathBuf;

use crate::reader::HEADING;
use crate::scene::Scene;
use crate::seat::Seat;

#[test]
fn the_pictures_of_the_documentation_are_of_real_windows() {
    let Some(place) = std::env::var_os("OBNOVA_SCREENSHOTS").map(PathBuf::from) else {
        return;
    };
    let seat = Seat::new();
    for lang in ["cs", "en"] {
        for theme in ["light", "dark"] {
            let options = ["--lang", lang, "--theme", theme];
            let name = |what: &str| match theme {
                "dark" => place.join(format!("desktop-{what}-dark-{lang}.png")),
                _ => place.join(format!("desktop-{what}-{lang}.png")),
            };
            let take = |scene: &Scene, command: &[&str], heading: &str, what: &str| {
                let arguments = [&options[..], command].concat();
                let gui = seat.gui(scene, &arguments);
                seat.reader.find(HEADING, heading);
                seat.picture(&name(what));
                drop(gui);
                crate::scene::until("no window", || (!seat.has_window()).then_some(()));
            };
            let scene = Scene::with("1.2.0", false, 3 << 20, crate::program::SCRIPT);
            take(&scene, &["update"], "CRM 1.2.0", "update");
            scene.policy("bytes_per_second = 300000\n");
            let arguments = [&options[..], &["update", "--now"]].concat();
            let gui = seat.gui(&scene, &arguments);
            seat.reader.text("/s · ");
            std::thread::sleep(std::time::Duration::from_secs(2));
            seat.picture(&name("progress"));
            drop(gui);
            scene.policy("");
            let program = scene.launch();
            scene.until("the program", |scene| !scene.log().is_empty());
            let hold = match lang {
                "cs" => "Nabídka pro firmu Novák není uložena.",
                _ => "The offer for Novák Ltd. is not saved.",
            };
            std::fs::write(scene.world.path("hold"), hold).unwrap();
            let arguments = [&options[..], &["update", "--now"]].concat();
            let gui = seat.gui(&scene, &arguments);
            seat.reader.text(hold);
            seat.picture(&name("restart"));
            drop(gui);
            std::fs::write(scene.world.path("close"), "").unwrap();
            drop(program);
            std::fs::remove_file(scene.world.path("close")).unwrap();
            let mut program = scene.launch();
            scene.until("its word", |scene| {
                scene.desktop().status().unwrap().trial_starts.is_none()
            });
            take(&scene, &["whats-new"], "CRM 1.2.0", "new");
            std::fs::write(scene.world.path("close"), "").unwrap();
            program.code();
            scene.world.server.is("1.0.0");
            take(&scene, &["update"], "CRM 1.0.0", "down");
            scene.world.server.facts().hello = None;
            let heading = if lang == "cs" {
                "nepodařilo"
            } else {
                "could not"
            };
            take(&scene, &["update"], heading, "error");
        }
    }
}
