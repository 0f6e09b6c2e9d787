use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use obnova_engine::api::TrafficMode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::app::App;
use crate::engine::Engine;
use crate::front::{Front, client};

const PIECE: usize = 64 << 10;
const PIECES: usize = 1024;
const LENGTH: usize = PIECE * PIECES;
/// What a stalled stream may take on its way: the sockets' buffers of both connections grow up to about ten megabytes each.
const ON_THE_WAY: usize = 40 << 20;

async fn passing() -> (Front, Engine, App) {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    let app = App::start("A").await;
    engine.pass(&app).await;
    (front, engine, app)
}

/// A body of 64 MiB of which is counted what was taken.
fn upload() -> (reqwest::Body, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let pieces = stream::iter(0..PIECES).map(move |_| {
        counted.fetch_add(PIECE, Ordering::Relaxed);
        Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; PIECE]))
    });
    (reqwest::Body::wrap_stream(pieces), taken)
}

#[tokio::test]
async fn a_large_upload_is_taken_only_as_fast_as_the_application_reads() {
    let (front, _engine, app) = passing().await;
    let (body, taken) = upload();
    let asking = tokio::spawn(client().post(front.url("/count-late")).body(body).send());
    app.has_seen(1).await;
    sleep(Duration::from_millis(500)).await;
    let stalled = taken.load(Ordering::Relaxed);
    assert!(stalled < ON_THE_WAY, "{stalled} bytes were taken");
    app.release();
    let answer = asking.await.unwrap().unwrap().text().await.unwrap();
    assert_eq!(answer, LENGTH.to_string());
}

#[tokio::test]
async fn a_large_upload_is_left_with_the_client_while_it_is_held() {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    engine.hold(crate::front::limits()).await;
    let (body, taken) = upload();
    let asking = tokio::spawn(client().post(front.url("/count")).body(body).send());
    sleep(Duration::from_millis(500)).await;
    let stalled = taken.load(Ordering::Relaxed);
    assert!(stalled < ON_THE_WAY / 2, "{stalled} bytes were taken");
    let app = App::start("A").await;
    engine.pass(&app).await;
    let answer = asking.await.unwrap().unwrap().text().await.unwrap();
    assert_eq!(answer, LENGTH.to_string());
}

#[tokio::test]
async fn a_large_download_comes_complete_even_to_a_slow_reader() {
    let (front, _engine, _app) = passing().await;
    let url = front.url(&format!("/bytes?{LENGTH}"));
    let mut answer = client().get(url).send().await.unwrap();
    sleep(Duration::from_millis(300)).await;
    let mut length = 0;
    while let Some(piece) = answer.chunk().await.unwrap() {
        length += piece.len();
    }
    assert_eq!(length, LENGTH);
}

#[tokio::test]
async fn bodies_stream_in_both_directions_at_once() {
    let (front, _engine, _app) = passing().await;
    let (body, _) = upload();
    let request = client().post(front.url("/echo")).body(body);
    let mut answer = request.send().await.unwrap();
    let mut length = 0;
    while let Some(piece) = answer.chunk().await.unwrap() {
        length += piece.len();
    }
    assert_eq!(length, LENGTH);
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_for_the_client_too() {
    let (front, _engine, app) = passing().await;
    let mut answer = client().get(front.url("/half")).send().await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "first");
    drop(app);
    assert!(answer.chunk().await.is_err());
}

#[tokio::test]
async fn an_application_that_refuses_a_large_upload_early_is_heard() {
    let front = Front::start().await;
    let mut engine = Engine::start(front.state_dir());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    engine.order(TrafficMode::Pass { upstream }).await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = vec![0; 1000];
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
        let answer =
            b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 5\r\n\r\nlarge";
        stream.write_all(answer).await.unwrap();
        // As servers do: what comes is thrown away for a while, so that the answer is not lost with the connection.
        stream.shutdown().await.unwrap();
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    });
    let (body, _) = upload();
    let answer = client().post(front.url("/")).body(body).send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 413);
    assert_eq!(answer.text().await.unwrap(), "large");
}
