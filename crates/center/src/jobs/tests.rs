//! The whole way from the engine's event to the mail server, with a process that is really killed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use obnova_engine::api::{Answer, Event, Line, Phase, Request, SOCKET_NAME, State};
use obnova_testkit::sink::Sink;
use obnova_text::Lang;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::deliver_mail::tests::{copies, use_sink};
use super::*;
use crate::mails::tests::{Company, announced, completed, started};

/// An engine that says its state and tells its events, on a real socket.
struct FakeEngine {
    events: Arc<Mutex<Vec<Event>>>,
    task: tokio::task::JoinHandle<()>,
}

impl FakeEngine {
    fn start(dir: &Path) -> FakeEngine {
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let path = dir.join(SOCKET_NAME);
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(path).unwrap();
        let told = events.clone();
        let task = tokio::spawn(async move {
            // Dropped with the task, so that an engine that ends closes its connections.
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, told.clone()));
            }
        });
        FakeEngine { events, task }
    }

    fn tell(&self, event: Event) {
        self.events.lock().unwrap().push(event);
    }
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers one connection; a reader that has gone ends it.
async fn serve(stream: UnixStream, events: Arc<Mutex<Vec<Event>>>) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let line = BufReader::new(read).lines().next_line().await.ok()??;
    match serde_json::from_str(&line).ok()? {
        Request::State => {
            let last = events.lock().unwrap().len() as u64;
            send(&mut write, &Answer::State(Box::new(state(last)))).await
        }
        Request::Events { mut after, .. } => loop {
            let next = events.lock().unwrap().get(after as usize).cloned();
            match next {
                Some(event) => {
                    after += 1;
                    send(&mut write, &Line::Event(event)).await?;
                }
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        },
        _ => None,
    }
}

async fn send(
    write: &mut (impl AsyncWriteExt + Unpin),
    message: &impl serde::Serialize,
) -> Option<()> {
    let line = serde_json::to_string(message).ok()? + "\n";
    write.write_all(line.as_bytes()).await.ok()
}

fn state(last_event: u64) -> State {
    State {
        product: "kontakty".to_owned(),
        name: "Kontakty".to_owned(),
        installed: "1.0.0".parse().unwrap(),
        phase: Phase::Idle,
        serving: None,
        public_address: None,
        support_email: None,
        check: None,
        last_event,
        last_update: None,
        rehearsing: None,
        rehearsed: None,
        fronts: Vec::new(),
    }
}

/// Not a test: what the killed process is. It runs the jobs of the directory that it is given until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "no test by itself: the tests below start this binary again with it, to kill it"]
async fn a_centre_to_be_killed() {
    let Some(dir) = std::env::var_os("OBNOVA_TEST_CENTRE").map(PathBuf::from) else {
        return;
    };
    let store = Store::open(&dir).await.unwrap();
    let (_end, ended) = watch::channel(false);
    let _jobs = spawn(store, Client::new(&dir), ended);
    std::io::stdout().write_all(b"running\n").unwrap();
    tokio::time::sleep(Duration::from_secs(120)).await;
}

/// Starts it and waits until its jobs run.
fn start_centre(dir: &Path) -> std::process::Child {
    let mut centre = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "jobs::tests::a_centre_to_be_killed",
            "--ignored",
            "--nocapture",
        ])
        .env("OBNOVA_TEST_CENTRE", dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = std::io::BufReader::new(centre.stdout.take().unwrap());
    let mut lines = std::io::BufRead::lines(stdout);
    assert!(lines.any(|line| line.unwrap() == "running"));
    centre
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_centre_killed_with_sigkill_announces_each_state_to_each_person_once() {
    const PEOPLE: usize = 100;
    let sink = Sink::start().unwrap();
    let mut company = Company::found().await;
    for i in 0..PEOPLE {
        company
            .hire(
                &format!("Person {i}"),
                &format!("person{i}@example.com"),
                Lang::Cs,
            )
            .await;
    }
    use_sink(&company.store, &sink).await;
    let engine = FakeEngine::start(company.dir.path());
    let mut story = Vec::new();
    for update in 1..=3 {
        let (from, to) = (format!("1.{}.0", update - 1), format!("1.{update}.0"));
        story.push(company.event(update, started(&from, &to, &[], 1)));
        for step in ["check", "download"] {
            let step = step.to_owned();
            story.push(company.event(update, obnova_engine::api::EventKind::StepStarted { step }));
        }
        story.push(company.event(update, announced()));
        story.push(company.event(update, completed()));
    }
    let last = story.len() as u64;
    let mut story = story.into_iter();
    let mut kills = 0;
    loop {
        let counts = company.store.mail_counts().await.unwrap();
        let all_told = company.store.cursor().await.unwrap().number == last;
        if all_told && counts.waiting + counts.sending == 0 {
            break;
        }
        let mut centre = start_centre(company.dir.path());
        for event in story.by_ref().take(1) {
            engine.tell(event);
        }
        tokio::time::sleep(Duration::from_millis(rand::random_range(
            0..80 + 2 * kills as u64,
        )))
        .await;
        // SIGKILL: the process has no say in it.
        centre.kill().unwrap();
        centre.wait().unwrap();
        kills += 1;
        assert!(kills < 500, "no progress");
    }
    // Each of three updates began and ended, for each of the people, Alena, Bob and Šimon.
    let expected = 3 * 2 * (PEOPLE + 3);
    let copies = copies(&sink.messages(), expected);
    println!("{kills} kills, {expected} mails, {copies} came twice");
    assert!(copies <= kills * deliver_mail::Options::default().parallel);
    assert_eq!(
        company.store.mail_counts().await.unwrap().sent,
        expected as u64
    );
}

#[tokio::test]
async fn jobs_end_when_they_are_told_to() {
    let company = Company::found().await;
    let (end, ended) = watch::channel(false);
    let jobs = spawn(
        company.store.clone(),
        Client::new(company.dir.path()),
        ended,
    );
    tokio::time::sleep(Duration::from_millis(50)).await;
    end.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(2), jobs.finish())
        .await
        .unwrap();
}

#[tokio::test]
async fn an_engine_that_comes_back_is_followed_from_where_it_was_left() {
    let mut company = Company::found().await;
    let (_end, ended) = watch::channel(false);
    let _jobs = spawn(
        company.store.clone(),
        Client::new(company.dir.path()),
        ended,
    );
    let begin = company.event(1, started("1.0.0", "1.1.0", &[], 1));
    let end = company.event(1, completed());
    let engine = FakeEngine::start(company.dir.path());
    engine.tell(begin.clone());
    wait_for_cursor(&company.store, 1).await;
    drop(engine);
    let engine = FakeEngine::start(company.dir.path());
    engine.tell(begin);
    engine.tell(end);
    wait_for_cursor(&company.store, 2).await;
    assert_eq!(company.mails().await.len(), 4);
    assert_eq!(company.store.product_name().await.unwrap(), "Kontakty");
}

async fn wait_for_cursor(store: &Store, number: u64) {
    let wait = async {
        while store.cursor().await.unwrap().number < number {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait)
        .await
        .expect("the event was not dealt with");
}
