//! Waits for the word to end.

use tokio::signal::unix::{SignalKind, signal};

/// Returns when somebody asks this process to end: Ctrl-C or a service manager.
pub async fn asked_to_end() {
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut stream) => {
                stream.recv().await;
            }
            // Without a handler the signal ends the process anyway.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminate => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
