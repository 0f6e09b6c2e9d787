//! Many small files cost what many small files cost, and not more.

use std::time::{Duration, Instant};

use crate::server::Server;
use crate::workshop::{Workshop, noise};

#[test]
fn a_thousand_small_files_are_built_and_downloaded_in_seconds() {
    let shop = Workshop::new();
    let files: Vec<(String, Vec<u8>)> = (0..1000)
        .map(|number| {
            (
                format!("lib/{}/file-{number}", number % 10),
                noise(number, 3000),
            )
        })
        .chain([("bin/crm".to_owned(), b"1".to_vec())])
        .collect();
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(path, content)| (path.as_str(), content.as_slice()))
        .collect();
    shop.write_tree(&files);
    let begun = Instant::now();
    let built = shop.build("1.0.0", "").unwrap();
    let build = begun.elapsed();
    obnova_release::publish::publish(&shop.vendor(), &built).unwrap();
    let publish = begun.elapsed() - build;
    let server = Server::start(&shop.repository());
    let client = shop.client_of(&server.address);
    shop.install_newest(&client).unwrap();
    let all = begun.elapsed();
    eprintln!("build {build:?}, publish {publish:?}, all {all:?}");
    assert!(all < Duration::from_secs(60), "{all:?}");
}
