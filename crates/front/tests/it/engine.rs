//! The engine's side of the conversation, on a real socket.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use obnova_engine::api::{
    Answer, HoldLimits, Phase, Request, SOCKET_NAME, State, TrafficMode, TrafficOrder,
    TrafficReport,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::app::App;

/// Gives orders and takes reports, for fronts of one state directory.
pub struct Engine {
    orders: watch::Sender<Option<TrafficOrder>>,
    reports: mpsc::UnboundedReceiver<TrafficReport>,
    sequence: u64,
    // Dropped with the engine, and all its connections with it.
    _tasks: JoinSet<()>,
}

impl Engine {
    /// Listens; no order is given yet.
    pub fn start(state_dir: &Path) -> Engine {
        let path = state_dir.join(SOCKET_NAME);
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(path).unwrap();
        let (orders, _) = watch::channel(None);
        let (sender, reports) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let subscribe = orders.clone();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let orders = subscribe.subscribe();
                connections.spawn(converse(stream, orders, sender.clone()));
            }
        });
        Engine {
            orders,
            reports,
            sequence: 0,
            _tasks: tasks,
        }
    }

    /// Orders to pass to this application, and waits until it is acknowledged.
    pub async fn pass(&mut self, app: &App) -> TrafficReport {
        self.order(TrafficMode::Pass {
            upstream: app.address,
        })
        .await
    }

    /// Orders to hold within these limits, and waits until it is acknowledged.
    pub async fn hold(&mut self, limits: HoldLimits) -> TrafficReport {
        let to = Some(semver::Version::new(1, 2, 0));
        self.order(TrafficMode::Hold { limits, to }).await
    }

    /// Gives an order and waits until it is acknowledged.
    pub async fn order(&mut self, mode: TrafficMode) -> TrafficReport {
        self.sequence += 1;
        self.orders.send_replace(Some(TrafficOrder {
            sequence: self.sequence,
            mode,
        }));
        loop {
            let report = self.report().await;
            if report.sequence == self.sequence {
                return report;
            }
        }
    }

    /// The next report.
    pub async fn report(&mut self) -> TrafficReport {
        timeout(Duration::from_secs(20), self.reports.recv())
            .await
            .expect("no report came")
            .unwrap()
    }

    /// Waits until nothing is in flight, the acknowledgement having said `acknowledged`.
    pub async fn drained(&mut self, acknowledged: TrafficReport) -> TrafficReport {
        let mut report = acknowledged;
        while report.in_flight > 0 {
            report = self.report().await;
            assert_eq!(report.sequence, self.sequence);
        }
        report
    }

    /// Whether no report comes within this time.
    pub async fn is_silent(&mut self, time: Duration) -> bool {
        timeout(time, self.reports.recv()).await.is_err()
    }
}

async fn converse(
    stream: UnixStream,
    mut orders: watch::Receiver<Option<TrafficOrder>>,
    reports: mpsc::UnboundedSender<TrafficReport>,
) {
    let (read, write) = stream.into_split();
    let write = Arc::new(Mutex::new(write));
    let mut lines = BufReader::new(read).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    match serde_json::from_str(&first).unwrap() {
        Request::Traffic => {}
        Request::State => {
            let mut answer = serde_json::to_vec(&Answer::State(Box::new(state()))).unwrap();
            answer.push(b'\n');
            write.lock().await.write_all(&answer).await.unwrap();
            return;
        }
        other => panic!("a front does not ask for {other:?}"),
    }
    orders.mark_changed();
    loop {
        tokio::select! {
            Ok(()) = orders.changed() => {
                let order = orders.borrow_and_update().clone();
                if let Some(order) = order {
                    let mut line = serde_json::to_vec(&order).unwrap();
                    line.push(b'\n');
                    if write.lock().await.write_all(&line).await.is_err() {
                        return;
                    }
                }
            }
            line = lines.next_line() => match line {
                Ok(Some(line)) => {
                    let _ = reports.send(serde_json::from_str(&line).unwrap());
                }
                _ => return,
            }
        }
    }
}

fn state() -> State {
    State {
        product: "crm".to_owned(),
        name: "Example CRM".to_owned(),
        installed: semver::Version::new(1, 1, 0),
        phase: Phase::Idle,
        serving: None,
        public_address: None,
        support_email: None,
        check: None,
        last_event: 0,
        last_update: None,
        rehearsing: None,
        rehearsed: None,
        fronts: Vec::new(),
    }
}
