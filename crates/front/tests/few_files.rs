//! A process of its own, because its limit of open files is lowered.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use obnova_front::Options;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_front_that_ran_out_of_files_accepts_again_when_there_are_some() {
    let state_dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = listener.local_addr().unwrap();
    let options = Options {
        listen,
        state_dir: state_dir.path().to_owned(),
        name: None,
    };
    tokio::spawn(obnova_front::serve(
        listener,
        options,
        std::future::pending(),
    ));
    let limit = Rlimit {
        current: Some(64),
        ..getrlimit(Resource::Nofile)
    };
    setrlimit(Resource::Nofile, limit).unwrap();

    let mut clients = Vec::new();
    while let Ok(client) = TcpStream::connect(listen) {
        clients.push(client);
    }
    assert!(clients.len() > 10);
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(clients);
    assert!(answers(listen).await);
}

/// Whether the front answers at all: a method that it refuses itself, so that no application is needed.
async fn answers(address: SocketAddr) -> bool {
    for _ in 0..100 {
        if let Ok(mut stream) = tokio::net::TcpStream::connect(address).await {
            let request = b"CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n";
            stream.write_all(request).await.unwrap();
            let mut answer = [0; 12];
            if stream.read_exact(&mut answer).await.is_ok() {
                return &answer == b"HTTP/1.1 405";
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}
