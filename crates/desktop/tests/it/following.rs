//! A Desktop follows its server up and down, and costs only what changed.

use std::fs;

use obnova_desktop::{Code, Direction, Followed, News, Refusal};

use crate::world::{CONFIRMS, World, noise, update};

#[test]
fn a_desktop_follows_its_server_up_and_down_by_the_same_way() {
    let world = World::with_three();
    for (server, direction) in [
        ("1.2.0", Direction::Up),
        ("1.1.0", Direction::Down),
        ("1.0.0", Direction::Down),
        ("1.1.0", Direction::Up),
    ] {
        world.server.is(server);
        let wanted = world.desktop().check().unwrap().wanted.unwrap();
        assert_eq!((wanted.direction, wanted.required), (direction, true));
        assert_eq!(world.update().unwrap().as_deref(), Some(server));
        assert_eq!(world.launch(), server);
        assert_eq!(
            world.desktop().status().unwrap().trial_starts,
            None,
            "confirmed"
        );
        assert_eq!(world.update().unwrap(), None);
    }
    // What is new is shown at the first start after an update, and only then.
    let news = world.desktop().take_news().unwrap();
    assert_eq!(
        news,
        Some(News::Updated {
            from: "1.0.0".parse().unwrap()
        })
    );
    assert_eq!(world.desktop().take_news().unwrap(), None);
}

#[test]
fn what_is_new_is_told_of_all_versions_in_between() {
    let world = World::with_three();
    world.server.is("1.2.0");
    let wanted = world.desktop().check().unwrap().wanted.unwrap();
    let versions: Vec<String> = wanted
        .notes
        .iter()
        .map(|notes| notes.version.to_string())
        .collect();
    assert_eq!(versions, ["1.2.0", "1.1.0"]);
    assert_eq!(wanted.notes[0].texts["cs"], "Novinky 1.2.0");
}

#[test]
fn an_update_costs_only_what_changed_and_old_versions_go() {
    let world = World::new();
    let large = noise(1, 2 << 20);
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        world.publish_with(
            version,
            "",
            CONFIRMS,
            &[("large", &large), ("version", version.as_bytes())],
        );
    }
    world.server.is("1.0.0");
    assert!(
        world
            .desktop()
            .check()
            .unwrap()
            .wanted
            .unwrap()
            .download_bytes
            > 2 << 20
    );
    for server in ["1.0.0", "1.1.0", "1.2.0"] {
        world.server.is(server);
        let wanted = world.desktop().check().unwrap().wanted.unwrap();
        assert!(
            server == "1.0.0" || wanted.download_bytes < 1000,
            "{wanted:?}"
        );
        world.update().unwrap();
        assert_eq!(world.launch(), server);
    }
    assert_eq!(world.versions(), ["1.1.0", "1.2.0"]);
    assert_eq!(
        fs::read(world.root.join("versions/1.2.0/large")).unwrap(),
        large
    );
}

#[test]
fn a_broken_download_goes_on_where_it_stopped_in_another_process_too() {
    let world = World::new();
    world.publish_with("1.0.0", "", CONFIRMS, &[("large", &noise(2, 3 << 20))]);
    world.server.is("1.0.0");
    // Every attempt of the first process is cut.
    world.server.facts().cuts = vec![1 << 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let first = world.cli(&["update"]);
    assert_eq!(first.status.code(), Some(4), "{first:?}");
    world.server.facts().cuts.clear();
    world.server.facts().requests.clear();
    let second = world.cli(&["update", "--json"]);
    assert!(second.status.success(), "{second:?}");
    let facts = world.server.facts();
    let ranges: Vec<&String> = facts
        .requests
        .iter()
        .filter_map(|(_, range)| range.as_ref())
        .collect();
    assert_eq!(ranges, ["bytes=1048576-"]);
    drop(facts);
    assert_eq!(world.launch(), "1.0.0");
}

#[test]
fn a_server_that_does_not_answer_changes_nothing_and_says_so_with_its_own_exit_code() {
    let world = World::with_three();
    world.server.facts().hello = None;
    assert_eq!(world.update().unwrap_err().code, Code::ServerUnreachable);
    let output = world.cli(&["check", "--json"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("server-unreachable"));
    assert_eq!(world.launch(), "1.0.0");
}

#[test]
fn the_command_line_tells_programs_by_exit_codes_what_to_do() {
    let world = World::with_three();
    assert_eq!(world.cli(&["check"]).status.code(), Some(0));
    world.server.is("1.1.0");
    let check = world.cli(&["check", "--json"]);
    assert_eq!(check.status.code(), Some(3));
    let found: serde_json::Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!(found["wanted"]["direction"], "up");
    fs::write(world.root.join("policy.toml"), "mode = \"off\"\n").unwrap();
    assert_eq!(world.cli(&["update"]).status.code(), Some(5));
    fs::write(world.root.join("policy.toml"), "mode = \"whenever\"\n").unwrap();
    assert_eq!(world.cli(&["status"]).status.code(), Some(1));
    fs::remove_file(world.root.join("policy.toml")).unwrap();
    assert_eq!(world.cli(&["update"]).status.code(), Some(0));
    let status: serde_json::Value =
        serde_json::from_slice(&world.cli(&["status", "--json"]).stdout).unwrap();
    assert_eq!(
        (&status["current"], &status["trial_starts"]),
        (&"1.1.0".into(), &0.into())
    );
    assert_eq!(world.cli(&["nonsense"]).status.code(), Some(2));
}

#[test]
fn later_ends_with_the_deadline_of_the_policy() {
    let world = World::new();
    world.publish("1.0.0", "range = \">=1.0.0\"", CONFIRMS);
    world.publish("1.1.0", "range = \">=1.0.0\"", CONFIRMS);
    world.server.is("1.0.0");
    world.update().unwrap();
    fs::write(world.root.join("policy.toml"), "deadline_hours = 48\n").unwrap();
    world.server.is("1.1.0");
    let wanted = world.desktop().check().unwrap().wanted.unwrap();
    assert!(
        !wanted.required,
        "the version that is here works with the server too"
    );
    let until = wanted.later_until.unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    let again = world
        .desktop()
        .check()
        .unwrap()
        .wanted
        .unwrap()
        .later_until
        .unwrap();
    assert_eq!(again, until, "it does not move on with each look");
}

#[test]
fn a_version_that_was_left_by_hand_does_not_come_back_by_itself() {
    let world = World::new();
    for version in ["1.0.0", "1.1.0"] {
        world.publish(version, "range = \">=1.0.0\"", CONFIRMS);
    }
    world.server.is("1.0.0");
    world.update().unwrap();
    world.launch();
    world.server.is("1.1.0");
    world.update().unwrap();
    assert_eq!(world.launch(), "1.1.0");
    world.desktop().rollback().unwrap();
    assert_eq!(world.launch(), "1.0.0");
    assert_eq!(world.update().unwrap_err().code, Code::Quarantined);
    assert_eq!(
        world.desktop().rollback().unwrap_err().code,
        Code::NothingBefore
    );
    assert!(world.cli(&["update", "--insist"]).status.success());
    assert_eq!(world.launch(), "1.1.0");
    assert_eq!(world.update().unwrap(), None);
}

#[test]
fn nobody_goes_back_by_hand_to_what_does_not_work_with_the_server_or_is_not_allowed_any_more() {
    let world = World::with_three();
    world.server.is("1.1.0");
    world.update().unwrap();
    assert_eq!(world.launch(), "1.1.0");
    assert_eq!(
        world.desktop().rollback().unwrap_err().code,
        Code::NotWithServer
    );
    world.publish("1.3.0", "minimum = \"1.1.0\"", CONFIRMS);
    world.update().unwrap();
    assert_eq!(
        world.desktop().rollback().unwrap_err().code,
        Code::BelowMinimum
    );
    assert_eq!(world.launch(), "1.1.0");
}

#[test]
fn the_server_learns_the_version_and_a_random_number_and_nothing_twice() {
    let world = World::with_three();
    world.server.is("1.1.0");
    world.update().unwrap();
    world.launch();
    world.update().unwrap();
    let reports = world.server.facts().reports.clone();
    let told: Vec<serde_json::Value> = reports
        .iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    let events = told
        .iter()
        .flat_map(|told| told["reports"].as_array().unwrap());
    let events: Vec<String> = events
        .map(|event| format!("{} {}", event["event"], event["version"]))
        .collect();
    assert_eq!(
        events,
        ["\"installed\" \"1.0.0\"", "\"installed\" \"1.1.0\""]
    );
    assert!(
        told.iter()
            .all(|one| one["installation"] == told[0]["installation"])
    );
    fs::write(world.root.join("policy.toml"), "silent = true\n").unwrap();
    let before = world.server.facts().reports.len();
    world.update().unwrap();
    assert_eq!(world.server.facts().reports.len(), before);
}

#[test]
fn a_refusal_is_understood() {
    let body = br#"{"error":"desktop","message":"...","server":"1.2.0","desktop":">=1.2.0, <2"}"#;
    let refusal = Refusal::read(426, body).unwrap();
    assert_eq!(refusal.server.to_string(), "1.2.0");
    assert_eq!(Refusal::read(426, b"Upgrade Required"), None);
    assert_eq!(Refusal::read(200, body), None);
}

#[test]
fn the_asynchronous_face_does_the_same() {
    let world = World::with_three();
    world.server.is("1.1.0");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let applied = runtime.block_on(async {
        let desktop = obnova_desktop::asynchronous::Desktop::new(world.desktop());
        let wanted = desktop.check().await?.wanted.unwrap();
        desktop.download(wanted.clone(), |_, _| ()).await?;
        let staged = desktop.stage(wanted).await?;
        desktop.apply(staged).await
    });
    assert_eq!(applied.unwrap().version.to_string(), "1.1.0");
    assert_eq!(world.launch(), "1.1.0");
    assert!(update(&world.desktop()).unwrap().is_none());
}

#[test]
fn what_happens_by_itself_is_what_the_policy_says() {
    let world = World::with_three();
    world.server.is("1.1.0");
    let follow = |policy: &str| {
        fs::write(world.root.join("policy.toml"), policy).unwrap();
        let followed = world.desktop().follow(&mut |_, _| ()).unwrap();
        match followed {
            Followed::Right => "right",
            Followed::Offered(_) => "offered",
            Followed::Applied(_) => "applied",
        }
    };
    assert_eq!(follow("mode = \"off\""), "offered");
    assert_eq!(follow("mode = \"ask\""), "offered");
    assert_eq!(follow("mode = \"automatic\""), "applied");
    assert_eq!(follow("mode = \"automatic\""), "right");
    assert_eq!(world.launch(), "1.1.0");
}

#[test]
fn a_proxy_of_the_environment_is_used() {
    let mut world = World::with_three();
    world.root = world.path("behind-a-proxy");
    let trust = world.path("repository/metadata/1.root.json");
    let trust = trust.to_str().unwrap();
    let init = [
        "init",
        "--product",
        "crm",
        "--server",
        "http://obnova.invalid/",
        "--trust",
        trust,
    ];
    assert!(world.cli(&init).status.success());
    assert_eq!(
        world.cli(&["check"]).status.code(),
        Some(4),
        "there is no such server"
    );
    let proxy = format!("http://{}", world.server.address);
    let update = world
        .cli_command(&["update"])
        .env("http_proxy", proxy)
        .output()
        .unwrap();
    assert!(update.status.success(), "{update:?}");
    assert_eq!(world.launch(), "1.0.0");
}
