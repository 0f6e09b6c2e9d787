//! The program that TUF's public conformance suite drives speaks the suite's protocol.

use std::fs;
use std::process::Command;

use crate::server::Server;
use crate::workshop::{Workshop, files_of};

/// A directory for metadata and one for targets, and the program.
struct Client<'a> {
    shop: &'a Workshop,
    server: &'a Server,
}

impl Client<'_> {
    fn run(&self, arguments: &[&str]) -> bool {
        let metadata = self.shop.path("metadata");
        fs::create_dir_all(&metadata).unwrap();
        let status = Command::new(env!("CARGO_BIN_EXE_obnova-tuf-client"))
            .arg("--metadata-dir")
            .arg(metadata)
            .args(arguments)
            .status()
            .unwrap();
        assert!(matches!(status.code(), Some(0 | 1)), "{status}");
        status.success()
    }

    fn init(&self) -> bool {
        let root = self.shop.repository().join("metadata/1.root.json");
        self.run(&["init", root.to_str().unwrap()])
    }

    fn refresh(&self) -> bool {
        let url = format!("{}metadata/", self.server.address);
        self.run(&["--metadata-url", &url, "refresh"])
    }

    fn download(&self, target: &str) -> bool {
        fs::create_dir_all(self.shop.path("downloaded")).unwrap();
        self.run(&[
            "--metadata-url",
            &format!("{}metadata/", self.server.address),
            "--target-base-url",
            &format!("{}targets/", self.server.address),
            "--target-name",
            target,
            "--target-dir",
            self.shop.path("downloaded").to_str().unwrap(),
            "download",
        ])
    }

    fn roles(&self) -> Vec<String> {
        let mut roles: Vec<_> = fs::read_dir(self.shop.path("metadata"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".json"))
            .collect();
        roles.sort();
        roles
    }
}

#[test]
fn the_conformance_client_does_what_the_suite_s_protocol_says() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    let server = Server::start(&shop.repository());
    let client = Client {
        shop: &shop,
        server: &server,
    };
    assert!(!client.refresh(), "nothing is trusted yet");
    assert!(client.init());
    assert!(server.requests().is_empty());
    assert!(client.refresh());
    let asked: Vec<_> = server
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    let names = [
        "2.root.json",
        "timestamp.json",
        "2.snapshot.json",
        "2.targets.json",
    ];
    assert_eq!(asked, names.map(|name| format!("/metadata/{name}")));
    let roles = [
        "root.json",
        "snapshot.json",
        "targets.json",
        "timestamp.json",
    ];
    assert_eq!(client.roles(), roles);

    assert!(client.download("releases/1.0.0/release.json"));
    let downloaded = files_of(&shop.path("downloaded"));
    assert_eq!(downloaded.len(), 1);
    assert!(
        fs::read_to_string(&downloaded[0])
            .unwrap()
            .contains("Example CRM")
    );
    server.forget();
    assert!(client.download("releases/1.0.0/release.json"));
    assert!(!client.download("releases/7.0.0/release.json"));
    assert!(
        server
            .requests()
            .iter()
            .all(|request| !request.path.contains("targets/"))
    );

    fs::write(shop.repository().join("metadata/timestamp.json"), b"{}").unwrap();
    assert!(!client.refresh());
    assert!(!client.download("releases/1.0.0/release.json"));
    assert_eq!(client.roles(), roles);
}
