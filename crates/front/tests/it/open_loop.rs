use std::time::Duration;

use obnova_testkit::load::{Asked, Load};
use tokio::time::sleep;

use crate::app::App;
use crate::engine::Engine;
use crate::front::{Front, limits};

/// As the engine does it: hold, wait until nothing is under way, end the old version, start the new one, pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_two_changes_of_version_see_a_pause_and_no_failure() {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    let mut app = App::start("0").await;
    engine.pass(&app).await;
    let load = Load::new(front.url(""), 200, |shot| match shot.write {
        false => Asked::get("/slow?3"),
        true => Asked::post("/echo", "text/plain", "x".repeat(2000)).write(shot.number.to_string()),
    });
    let changing = async {
        let mut served = 0;
        for version in 1..=2 {
            sleep(Duration::from_secs(1)).await;
            let report = engine.hold(limits()).await;
            engine.drained(report).await;
            served += app.seen();
            drop(app);
            sleep(Duration::from_millis(700)).await;
            app = App::start(&version.to_string()).await;
            engine.pass(&app).await;
        }
        sleep(Duration::from_millis(500)).await;
        (app, served)
    };
    let (done, finished) = tokio::sync::oneshot::channel();
    let changing = async {
        let result = changing.await;
        let _ = done.send(());
        result
    };
    let (outcome, (app, served)) = tokio::join!(
        load.run_until(async {
            let _ = finished.await;
        }),
        changing
    );
    let outcome = outcome.unwrap();
    assert_eq!(outcome.failed, 0, "{outcome}");
    assert!(outcome.sent > 600, "{outcome}");
    assert_eq!(served + app.seen(), outcome.sent, "each exactly once");
    assert!(
        (650.0..1500.0).contains(&outcome.longest_gap_ms),
        "{outcome}"
    );
}
