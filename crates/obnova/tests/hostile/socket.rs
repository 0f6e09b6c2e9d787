//! The engine's socket: whoever connects may ask for what its user is there for, and for nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use obnova_testkit::cases::Case;

use crate::world::World;

/// The cases.
pub const CASES: &[Case] = &[
    (
        "each_role_may_ask_for_what_it_is_for_and_nothing_else",
        roles,
    ),
    ("a_front_cannot_take_all_places_at_the_socket", places),
];

/// The first argument of this program as a peer of the engine.
pub const ASK: &str = "ask";

/// The group that may open the socket, and users that are nobody's on any machine.
const GROUP: u32 = 60_100;
const CENTRE: u32 = 60_101;
const FRONT: u32 = 60_102;
const ADMINISTRATOR: u32 = 60_103;
const MEMBER: u32 = 60_104;

/// Every request, and who may ask for it besides root and administrators.
fn requests(state: &Path) -> Vec<(Value, &'static [u32])> {
    let actor = "anna@example.com";
    let version = "9.9.9";
    let export = |place: &str| json!({"call": "export", "directory": state.join(place)});
    let settings = json!({"channel": "stable", "hold": {"seconds": 30, "requests": 100, "bytes": 1000, "drain_seconds": 5}});
    vec![
        (json!({"call": "state"}), &[CENTRE, FRONT]),
        (json!({"call": "traffic"}), &[FRONT]),
        (json!({"call": "check"}), &[CENTRE]),
        (json!({"call": "plan", "version": null}), &[CENTRE]),
        (
            json!({"call": "install", "version": version, "actor": actor, "insist": false}),
            &[CENTRE],
        ),
        (
            json!({"call": "install", "version": version, "actor": "cli:root", "insist": false}),
            &[],
        ),
        (
            json!({"call": "rehearse", "version": version, "actor": actor}),
            &[CENTRE],
        ),
        (json!({"call": "cancel_rehearsal"}), &[CENTRE]),
        (
            json!({"call": "rehearsal_log", "version": version}),
            &[CENTRE],
        ),
        (json!({"call": "copies"}), &[CENTRE]),
        (json!({"call": "delete_copy", "update": 99}), &[CENTRE]),
        (json!({"call": "revert_plan"}), &[CENTRE]),
        (export("exports/mine"), &[CENTRE]),
        (export("bin"), &[]),
        (export("exports/../bin"), &[]),
        (
            json!({"call": "revert", "update": 99, "actor": actor}),
            &[CENTRE],
        ),
        (
            json!({"call": "events", "after": 0, "follow": false}),
            &[CENTRE],
        ),
        (json!({"call": "history"}), &[CENTRE]),
        (json!({"call": "report", "update": null}), &[CENTRE]),
        (json!({"call": "settings"}), &[CENTRE]),
        (merged(json!({"call": "configure"}), settings), &[CENTRE]),
        (json!({"call": "doctor", "measure": false}), &[]),
        (json!({"call": "recover"}), &[]),
        (json!({"call": "shutdown", "stop_application": true}), &[]),
    ]
}

fn merged(mut to: Value, from: Value) -> Value {
    if let (Some(to), Value::Object(from)) = (to.as_object_mut(), from) {
        to.extend(from);
    }
    to
}

fn roles() -> Result<String> {
    let world = running()?;
    let peers = Peers::new(&world)?;
    // As the engine sees them: what is missing in the list above would be tried by nobody.
    let known: BTreeSet<String> = requests(&world.state())
        .iter()
        .map(|it| call(&it.0))
        .collect();
    ensure!(
        known == all_calls(),
        "the engine knows other requests: {:?}",
        all_calls().symmetric_difference(&known)
    );
    let mut refused = BTreeMap::<u32, Vec<String>>::new();
    let mut allowed = 0;
    for (request, others) in requests(&world.state()) {
        for uid in [CENTRE, FRONT, MEMBER] {
            let answer = peers.ask(uid, &[GROUP], &request)?;
            let may = others.contains(&uid);
            ensure!(
                is_refused(&answer) != may,
                "user {uid} asked for {request} and got {answer}"
            );
            match may {
                true => allowed += 1,
                false => refused.entry(uid).or_default().push(call(&request)),
            }
        }
    }
    // Who may not even open it.
    let nobody = peers.ask(MEMBER, &[], &json!({"call": "state"}))?;
    ensure!(nobody == json!("PermissionDenied"), "{nobody}");
    let log = world.log();
    for (uid, calls) in &refused {
        for call in calls {
            let is_line = |line: &str| {
                let line: Value = serde_json::from_str(line).unwrap_or_default();
                let said = &line["fields"];
                let message = said["message"].as_str().unwrap_or_default();
                message.starts_with("a request was refused")
                    && said["uid"] == *uid
                    && said["call"] == *call
            };
            ensure!(
                log.lines().any(is_line),
                "nothing about {uid} and {call} in\n{log}"
            );
        }
    }
    // The front is not told who works on what; an administrator is, and may do what no role may.
    let seen = peers.ask(FRONT, &[GROUP], &json!({"call": "state"}))?;
    ensure!(
        seen["name"] == "Test" && seen["serving"].is_null(),
        "{seen}"
    );
    let doctor = peers.ask(
        ADMINISTRATOR,
        &[GROUP],
        &json!({"call": "doctor", "measure": false}),
    )?;
    ensure!(doctor["answer"] == "doctor", "{doctor}");
    let count: usize = refused.values().map(Vec::len).sum();
    Ok(format!("{count} refused and logged, {allowed} answered"))
}

fn places() -> Result<String> {
    let world = running()?;
    let peers = Peers::new(&world)?;
    let request = json!({"call": "traffic"});
    let mut fronts = Vec::new();
    let mut taken = 0;
    for _ in 0..40 {
        let mut front = peers.start(FRONT, &[GROUP], &request)?;
        // An order comes at once, or the end of the connection.
        taken += usize::from(first_line(&mut front)?.contains("sequence"));
        fronts.push(front);
    }
    let centre = peers.ask(CENTRE, &[GROUP], &json!({"call": "state"}))?;
    let root = world.run(&["status"], 0);
    for front in &mut fronts {
        front.kill()?;
        front.wait()?;
    }
    ensure!(taken == 32, "{taken} fronts were taken");
    ensure!(centre["answer"] == "state", "{centre}");
    root?;
    Ok(format!("{taken} of 40"))
}

/// An engine that other users can try to open.
fn running() -> Result<World> {
    let mut world = World::new(&format!(
        "[database]\ndriver = \"sqlite\"\npath = \"data/app.db\"\n\
         [access]\ncenter = \"{CENTRE}\"\nfront = \"{FRONT}\"\nadministrators = [\"{ADMINISTRATOR}\"]\n"
    ))?;
    world.run(&["setup"], 0)?;
    std::fs::set_permissions(world.state(), PermissionsExt::from_mode(0o755))?;
    // As the packaged unit: root's, in the group that may ask.
    let mut engine = Command::new("setpriv");
    engine.args(["--regid", &GROUP.to_string(), "--clear-groups"]);
    engine.arg(env!("CARGO_BIN_EXE_obnova"));
    engine.args(["engine", "--state"]).arg(world.state());
    world.start(engine)?;
    world.wait("the application", || {
        world
            .run(&["status", "--json"], 0)
            .is_ok_and(|status| status.contains("\"serving\": \"127.0.0.1"))
    })?;
    Ok(world)
}

struct Peers {
    program: std::path::PathBuf,
    socket: std::path::PathBuf,
}

impl Peers {
    fn new(world: &World) -> Result<Peers> {
        let program = world.path("peer");
        std::fs::copy(std::env::current_exe()?, &program)?;
        Ok(Peers {
            program,
            socket: world.state().join("engine.sock"),
        })
    }

    fn start(&self, uid: u32, groups: &[u32], request: &Value) -> Result<Child> {
        let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &uid.to_string(), "--regid", &uid.to_string()]);
        match groups.is_empty() {
            true => command.arg("--clear-groups"),
            false => command.args(["--groups", &groups.join(",")]),
        };
        command.arg(&self.program).arg(ASK).arg(&self.socket);
        command.arg(request.to_string());
        Ok(command.stdout(Stdio::piped()).spawn()?)
    }

    /// The first line that the engine answers a process of this user.
    fn ask(&self, uid: u32, groups: &[u32], request: &Value) -> Result<Value> {
        let mut peer = self.start(uid, groups, request)?;
        let line = first_line(&mut peer)?;
        peer.kill()?;
        peer.wait()?;
        match line.as_str() {
            // Events, of which there are none yet.
            "" => Ok(Value::Null),
            line => serde_json::from_str(line).with_context(|| format!("{request}: {line:?}")),
        }
    }
}

fn first_line(peer: &mut Child) -> Result<String> {
    let stdout = peer.stdout.take().context("no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    Ok(line)
}

/// This program as a peer: asks, prints what is answered first, and keeps the connection for as long as the engine does.
pub fn ask(arguments: &[String]) -> ExitCode {
    let [socket, request] = arguments else {
        return ExitCode::FAILURE;
    };
    let asked = UnixStream::connect(socket).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.write_all(format!("{request}\n").as_bytes())?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        print!("{line}");
        std::io::stdout().flush()?;
        reader.read_to_end(&mut Vec::new())
    });
    match asked {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\"{:?}\"", error.kind());
            ExitCode::FAILURE
        }
    }
}

fn is_refused(answer: &Value) -> bool {
    answer["answer"] == "problem" && answer["code"] == "not-allowed"
}

fn call(request: &Value) -> String {
    request["call"].as_str().unwrap_or_default().to_owned()
}

/// The names of all requests, as the engine's source has them.
fn all_calls() -> BTreeSet<String> {
    let source = include_str!("../../../engine/src/api.rs");
    let body = source
        .split_once("pub enum Request {")
        .and_then(|(_, after)| after.split_once("\n}\n"))
        .map_or("", |(body, _)| body);
    let variants = body.lines().filter_map(|line| {
        let line = line.strip_prefix("    ")?;
        let name: String = line
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        (name.starts_with(|c: char| c.is_ascii_uppercase())).then_some(name)
    });
    variants.map(|name| snake(&name)).collect()
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for (at, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
