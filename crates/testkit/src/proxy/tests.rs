use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream as Plain;
use std::time::Instant;

use super::*;

const LENGTH: usize = 100_000;

/// A server that sends `LENGTH` zeros to whoever sends it a line, and closes.
fn server() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut line = [0; 1];
                if stream.read_exact(&mut line).is_ok() {
                    let _ = stream.write_all(&vec![0; LENGTH]);
                }
            });
        }
    });
    address
}

fn ask(proxy: &Proxy) -> (Vec<u8>, Option<ErrorKind>) {
    let mut got = Vec::new();
    let asked = Plain::connect(proxy.address()).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.write_all(b"\n")?;
        stream.read_to_end(&mut got)
    });
    (got, asked.err().map(|error| error.kind()))
}

#[test]
fn a_good_line_passes_every_byte() {
    let proxy = Proxy::before(server()).unwrap();
    let (got, error) = ask(&proxy);
    assert_eq!((got.len(), error), (LENGTH, None));
    assert_eq!((proxy.bytes(), proxy.hurt()), (LENGTH as u64, 0));
}

#[test]
fn a_line_is_cut_after_as_many_bytes_as_asked() {
    let proxy = Proxy::before(server()).unwrap();
    proxy.trouble(Trouble::Cut(12_345));
    let (got, error) = ask(&proxy);
    assert_eq!((got.len(), error), (12_345, None));
    proxy.trouble(Trouble::None);
    assert_eq!(ask(&proxy).0.len(), LENGTH);
}

#[test]
fn a_reset_is_told_from_an_end() {
    let proxy = Proxy::before(server()).unwrap();
    for after in [0, 12_345] {
        proxy.trouble(Trouble::Reset(after));
        let (got, error) = ask(&proxy);
        assert!(got.len() as u64 <= after);
        assert_eq!(error, Some(ErrorKind::ConnectionReset), "{after}");
    }
}

#[test]
fn a_dead_server_refuses_and_comes_back_on_its_port() {
    let proxy = Proxy::before(server()).unwrap();
    proxy.trouble(Trouble::Dead);
    let until = Instant::now() + Duration::from_secs(30);
    while ask(&proxy).1 != Some(ErrorKind::ConnectionRefused) {
        assert!(Instant::now() < until);
    }
    proxy.trouble(Trouble::None);
    while ask(&proxy).0.len() != LENGTH {
        assert!(Instant::now() < until);
    }
}

#[test]
fn a_trickling_line_gets_there_in_the_end() {
    let proxy = Proxy::before(server()).unwrap();
    proxy.trouble(Trouble::Trickle(200_000));
    let began = Instant::now();
    assert_eq!(ask(&proxy).0.len(), LENGTH);
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[test]
fn wrong_bytes_are_as_many_as_asked() {
    let proxy = Proxy::before(server()).unwrap();
    proxy.trouble(Trouble::Wrong(1000));
    let (got, error) = ask(&proxy);
    assert_eq!((got.len(), error), (LENGTH, None));
    assert_eq!(got.iter().filter(|byte| **byte == 1).count(), LENGTH / 1000);
    assert_eq!(proxy.hurt(), 100);
}

#[test]
fn a_silent_line_answers_when_it_is_well_again() {
    let proxy = Proxy::before(server()).unwrap();
    proxy.trouble(Trouble::Silent);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask(&proxy));
        std::thread::sleep(Duration::from_millis(200));
        assert!(!asking.is_finished());
        proxy.trouble(Trouble::None);
        assert_eq!(asking.join().unwrap().0.len(), LENGTH);
    });
}
