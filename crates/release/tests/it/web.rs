//! Repositories on web servers that are slow, cut off, endless, wrong or hostile.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use obnova_release::{Client, Error, ErrorKind};

use crate::server::{Server, Trouble};
use crate::workshop::{Workshop, newest, noise, versions};

/// A release with one large file, on a server.
fn served() -> (Workshop, Server, Client) {
    let shop = Workshop::new();
    shop.publish(
        "1.0.0",
        "",
        &[("bin/crm", b"1"), ("large", &noise(7, 2 << 20))],
    );
    let server = Server::start(&shop.repository());
    let client = shop.client_of(&server.address);
    (shop, server, client)
}

fn large_in(place: PathBuf) -> bool {
    fs::read(place.join("large")).unwrap() == noise(7, 2 << 20)
}

/// The path of the large content, as the server sees it.
fn large(shop: &Workshop) -> String {
    let content = crate::workshop::files_of(&shop.repository().join("content"));
    let largest = content
        .iter()
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap();
    largest.file_name().unwrap().to_str().unwrap().to_owned()
}

fn refresh(client: &Client) -> Result<Vec<String>, Error> {
    client
        .refresh(Timestamp::now())
        .map(|catalog| versions(&catalog))
}

#[test]
fn a_release_arrives_over_http() {
    let (shop, _server, client) = served();
    assert!(large_in(shop.install_newest(&client).unwrap()));
}

#[test]
fn a_second_look_asks_only_for_what_may_have_changed() {
    let (_shop, server, client) = served();
    refresh(&client).unwrap();
    server.forget();
    refresh(&client).unwrap();
    let paths: Vec<String> = server
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(paths, ["/metadata/2.root.json", "/metadata/timestamp.json"]);
}

#[test]
fn a_connection_that_breaks_is_taken_up_where_it_broke() {
    let (shop, server, client) = served();
    let large = large(&shop);
    server.once(&large, Trouble::CutOff(1_000_000));
    server.once(&large, Trouble::CutOff(500_000));
    assert!(large_in(shop.install_newest(&client).unwrap()));
    let ranges: Vec<String> = server
        .requests()
        .into_iter()
        .filter(|request| request.path.contains(&large))
        .filter_map(|request| request.headers.get("range").cloned())
        .collect();
    assert_eq!(ranges, ["bytes=1000000-", "bytes=1500000-"]);
}

#[test]
fn a_download_goes_on_after_a_restart() {
    let (shop, server, client) = served();
    let large = large(&shop);
    for _ in 0..3 {
        server.once(&large, Trouble::CutOff(0));
    }
    let release = newest(&client.refresh(Timestamp::now()).unwrap());
    // Three failures without a new byte end it, after a first million that stays.
    server.behave();
    server.once(&large, Trouble::CutOff(1_000_000));
    server.always(&large, Trouble::Status(503));
    let error = shop.download(&client, &release).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    drop(client);
    server.behave();
    server.forget();

    let restarted = shop.client_of(&server.address);
    let release = newest(&restarted.refresh(Timestamp::now()).unwrap());
    assert!(release.download_bytes(&shop.destination()) < (1 << 20) + 100_000);
    assert!(large_in(shop.install_newest(&restarted).unwrap()));
    let resumed = server
        .requests()
        .into_iter()
        .find(|request| request.path.contains(&large))
        .unwrap();
    assert_eq!(resumed.headers["range"], "bytes=1000000-");
    assert_eq!(resumed.headers["if-range"], "\"0\"");
}

#[test]
fn a_file_that_was_replaced_on_the_server_is_begun_anew() {
    let (shop, server, client) = served();
    let large = large(&shop);
    server.once(&large, Trouble::CutOff(1_000_000));
    server.once(&large, Trouble::NewTag);
    assert!(large_in(shop.install_newest(&client).unwrap()));
}

#[test]
fn a_server_without_ranges_or_with_strange_ones_is_coped_with() {
    for trouble in [
        Trouble::IgnoresRanges,
        Trouble::OtherRange,
        Trouble::Status(416),
    ] {
        let (shop, server, client) = served();
        let large = large(&shop);
        server.once(&large, Trouble::CutOff(1_000_000));
        server.once(&large, trouble);
        assert!(large_in(shop.install_newest(&client).unwrap()));
    }
}

#[test]
fn a_part_that_was_spoilt_on_the_disk_is_fetched_again() {
    let (shop, server, client) = served();
    let large = large(&shop);
    let content = shop.destination().content;
    fs::create_dir_all(&content).unwrap();
    let partial = content.join(large.replace(".zst", ".part"));
    fs::write(&partial, vec![0; 1_000_000]).unwrap();
    assert!(large_in(shop.install_newest(&client).unwrap()));
    assert!(!partial.exists());
    let count = server
        .requests()
        .into_iter()
        .filter(|request| request.path.contains(&large))
        .count();
    assert_eq!(count, 2);
}

#[test]
fn wrong_content_is_refused() {
    let (shop, server, client) = served();
    server.always("/content/", Trouble::Wrong);
    let error = shop.install_newest(&client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert!(!shop.path("versions/1.0.0").exists());
    server.behave();
    assert!(large_in(shop.install_newest(&client).unwrap()));
}

#[test]
fn endless_answers_are_ended() {
    for path in [
        "timestamp.json",
        "2.targets.json",
        "release.json",
        "/content/",
    ] {
        let (shop, server, client) = served();
        server.always(path, Trouble::Endless);
        let error = shop.install_newest(&client).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{path}: {error}");
        assert!(error.to_string().contains("longer than"), "{path}: {error}");
    }
}

#[test]
fn a_silent_server_is_given_up() {
    let (_shop, server, client) = served();
    server.always("timestamp.json", Trouble::Silent);
    let begun = Instant::now();
    let error = refresh(&client).unwrap_err();
    assert!(matches!(error, Error::TooSlow { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_dripping_server_is_given_up() {
    let (_shop, server, client) = served();
    server.always("timestamp.json", Trouble::Drip);
    let begun = Instant::now();
    let error = refresh(&client).unwrap_err();
    assert!(matches!(error, Error::TooSlow { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(6));
}

#[test]
fn a_server_that_stumbles_is_asked_again() {
    let (shop, server, client) = served();
    server.once("timestamp.json", Trouble::Status(503));
    server.once("timestamp.json", Trouble::CutOff(10));
    server.once("release.json", Trouble::Status(429));
    server.once("/content/", Trouble::Status(500));
    assert!(large_in(shop.install_newest(&client).unwrap()));
}

#[test]
fn a_server_that_fails_or_demands_a_password_is_unreachable() {
    for status in [500, 401] {
        let (_shop, server, client) = served();
        server.always("timestamp.json", Trouble::Status(status));
        let error = refresh(&client).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable);
        assert!(
            error.chain().contains(&status.to_string()),
            "{}",
            error.chain()
        );
    }
}

#[test]
fn nobody_at_the_address_is_unreachable() {
    let shop = Workshop::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", free.local_addr().unwrap());
    drop(free);
    let error = refresh(&shop.client_of(&address)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(error.to_string().contains(&address), "{error}");
}

#[test]
fn an_address_without_a_repository_is_unreachable() {
    let shop = Workshop::new();
    let empty = tempfile::tempdir().unwrap();
    let server = Server::start(empty.path());
    let error = refresh(&shop.client_of(&server.address)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(
        error.chain().contains("no release repository"),
        "{}",
        error.chain()
    );
}

#[test]
fn content_that_is_missing_is_named() {
    let (shop, server, client) = served();
    let large = large(&shop);
    server.always(&large, Trouble::Status(404));
    let error = shop.install_newest(&client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(error.to_string().contains(&large), "{error}");
}

#[test]
fn a_download_is_cancelled_promptly_while_the_server_is_silent() {
    let (shop, server, client) = served();
    let release = newest(&client.refresh(Timestamp::now()).unwrap());
    server.always("/content/", Trouble::Silent);
    let cancelled = AtomicBool::new(false);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            cancelled.store(true, Ordering::Relaxed);
        });
        let error = client
            .download(&release, &shop.destination(), &mut |_, _| {}, &cancelled)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    });
    assert!(begun.elapsed() < Duration::from_millis(350));
}
