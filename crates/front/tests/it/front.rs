//! A front under test with its state directory.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use obnova_engine::api::HoldLimits;
use obnova_front::Options;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A running front.
pub struct Front {
    pub address: SocketAddr,
    state_dir: TempDir,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Front {
    /// Starts one that knows its product's name.
    pub async fn start() -> Front {
        Front::named(Some("Example CRM")).await
    }

    /// Starts one.
    pub async fn named(name: Option<&str>) -> Front {
        let state_dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let options = Options {
            listen: address,
            state_dir: state_dir.path().to_owned(),
            name: name.map(str::to_owned),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(obnova_front::serve(listener, options, async {
            let _ = stopped.await;
        }));
        Front {
            address,
            state_dir,
            stop: Some(stop),
            task,
        }
    }

    pub fn state_dir(&self) -> &Path {
        self.state_dir.path()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Tells it to end.
    pub fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits until it has ended.
    pub async fn ended(self) {
        self.task.await.unwrap();
    }
}

/// A client that follows no proxy of the machine's.
pub fn client() -> reqwest::Client {
    builder().build().unwrap()
}

pub fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .no_proxy()
        .retry(reqwest::retry::never())
        .timeout(Duration::from_secs(60))
}

/// Limits that no test reaches by accident.
pub fn limits() -> HoldLimits {
    HoldLimits {
        requests: 1000,
        bytes: 1 << 30,
        seconds: 30,
        drain_seconds: 5,
    }
}

/// Asks for a path and returns the body, which must come with status 200.
pub async fn get(client: &reqwest::Client, url: String) -> String {
    let response = client.get(url).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}
