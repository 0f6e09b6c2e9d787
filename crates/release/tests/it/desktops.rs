//! Desktops that releases bring along: published, chosen for a server, copied to a customer's own repository, downloaded from it.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use obnova_release::publish::{self, BuildOptions};
use obnova_release::{Catalog, Client, InstalledRelease, NoDesktop, VerifiedRelease};

use crate::server::Server;
use crate::workshop::{Workshop, impatient, noise, version};

const PLATFORM: &str = "linux-x86_64";

fn publish(shop: &Workshop, version: &str, desktop: &str, files: &[(&str, &[u8])]) {
    let server = shop.write_tree(&[("bin/crm", b"server")]);
    let kept = shop.path("server-tree");
    let _ = fs::remove_dir_all(&kept);
    fs::rename(server, &kept).unwrap();
    let tree = shop.write_tree(files);
    let description = shop.path("release.toml");
    let more = format!(
        "[desktop]\n{desktop}\n[desktop.platforms.{PLATFORM}]\nstart = [\"${{tree}}/bin/desktop\"]\n"
    );
    fs::write(
        &description,
        crate::workshop::description_of(version, &more),
    )
    .unwrap();
    let out = shop.path(&format!("build-{version}"));
    let options = BuildOptions {
        description,
        tree: kept,
        out: out.clone(),
    };
    let desktops = BTreeMap::from([(PLATFORM.to_owned(), tree)]);
    publish::build_with_desktops(&options, &desktops).unwrap();
    publish::publish(&shop.vendor(), &out).unwrap();
}

fn three_versions() -> Workshop {
    let shop = Workshop::new();
    let large = noise(1, 400 << 10);
    for (number, range) in [
        ("1.0.0", ">=1.0.0, <1.2.0"),
        ("1.1.0", ">=1.0.0, <1.2.0"),
        ("1.2.0", ">=1.2.0, <2.0.0"),
    ] {
        let range = format!("range = \"{range}\"");
        let program = format!("#!/bin/sh\necho {number}\n");
        publish(
            &shop,
            number,
            &range,
            &[("bin/desktop", program.as_bytes()), ("data/large", &large)],
        );
    }
    shop
}

fn chosen(catalog: &Catalog, server: &str) -> Result<String, NoDesktop> {
    let found = catalog.desktop_for(&version(server), None, PLATFORM)?;
    Ok(found.description().version.to_string())
}

fn desktop(catalog: &Catalog, number: &str) -> VerifiedRelease {
    catalog
        .release(&version(number))
        .unwrap()
        .desktop(PLATFORM)
        .unwrap()
}

#[test]
fn a_server_gets_the_newest_desktop_that_works_with_it_and_is_not_newer_than_it() {
    let shop = three_versions();
    shop.publish(
        "1.3.0",
        "[desktop]\nrange = \">=1.2.0\"",
        &[("bin/crm", b"no desktop of its own")],
    );
    let catalog = shop.client().refresh(Timestamp::now()).unwrap();
    assert_eq!(chosen(&catalog, "1.0.0").unwrap(), "1.0.0");
    assert_eq!(chosen(&catalog, "1.1.0").unwrap(), "1.1.0");
    assert_eq!(chosen(&catalog, "1.2.0").unwrap(), "1.2.0");
    assert_eq!(chosen(&catalog, "1.3.0").unwrap(), "1.2.0");
    let wish = |server, wanted| {
        let found = catalog.desktop_for(&version(server), Some(&version(wanted)), PLATFORM);
        found.unwrap().description().version.to_string()
    };
    assert_eq!(
        wish("1.1.0", "1.0.0"),
        "1.0.0",
        "what is asked for and allowed"
    );
    assert_eq!(
        wish("1.2.0", "1.0.0"),
        "1.2.0",
        "what is asked for and not allowed"
    );
    assert!(matches!(
        chosen(&catalog, "9.0.0"),
        Err(NoDesktop::UnknownServer { .. })
    ));
    let other = catalog.desktop_for(&version("1.0.0"), None, "windows-x86_64");
    assert!(matches!(other, Err(NoDesktop::NoneFits { .. })));
}

#[test]
fn nothing_below_the_signed_minimum_is_chosen_and_no_revoked_version() {
    let shop = three_versions();
    let more = "range = \">=1.2.0\"\nminimum = \"1.1.0\"";
    publish(&shop, "1.4.0", more, &[("bin/desktop", b"x")]);
    let client = shop.client();
    let catalog = client.refresh(Timestamp::now()).unwrap();
    assert_eq!(
        chosen(&catalog, "1.0.0"),
        Err(NoDesktop::BelowMinimum {
            version: version("1.0.0"),
            minimum: version("1.1.0"),
        })
    );
    assert_eq!(chosen(&catalog, "1.1.0").unwrap(), "1.1.0");
    publish::revoke(&shop.vendor(), &version("1.2.0")).unwrap();
    let catalog = client.refresh(Timestamp::now()).unwrap();
    assert!(matches!(
        chosen(&catalog, "1.2.0"),
        Err(NoDesktop::UnknownServer { .. })
    ));
    assert_eq!(chosen(&catalog, "1.4.0").unwrap(), "1.4.0");
}

#[test]
fn a_copy_for_desktops_is_a_repository_that_they_verify_like_the_vendors() {
    let shop = three_versions();
    let source = Server::start(&shop.repository());
    for address in [
        shop.repository().display().to_string(),
        source.address.clone(),
    ] {
        let client = shop.client_of(&address);
        let catalog = client.refresh(Timestamp::now()).unwrap();
        let copy = shop.path("copy");
        let _ = fs::remove_dir_all(&copy);
        let wanted = [desktop(&catalog, "1.1.0"), desktop(&catalog, "1.2.0")];
        let go_on = AtomicBool::new(false);
        let first = client.mirror(&catalog, &wanted, &copy, &go_on).unwrap();
        assert_eq!(
            first.new_files, 3,
            "two programs and the data that both have"
        );
        let again = client.mirror(&catalog, &wanted, &copy, &go_on).unwrap();
        assert_eq!(again.new_files, 0);

        let served = Server::start(&copy);
        let mut options = shop.options(&served.address);
        options.store = shop.path("desktop-store");
        let _ = fs::remove_dir_all(&options.store);
        let theirs = Client::open_with(options, impatient()).unwrap();
        let seen = theirs.refresh_desktops(Timestamp::now()).unwrap();
        let _ = fs::remove_dir_all(shop.path("versions"));
        shop.download(&theirs, &desktop(&seen, "1.1.0")).unwrap();
        let versions = shop.destination().versions;
        InstalledRelease::load(&versions, &version("1.1.0"))
            .unwrap()
            .verify(&versions)
            .unwrap();
        // The large file is here already.
        theirs.fetch_list(&desktop(&seen, "1.2.0")).unwrap();
        let cost = desktop(&seen, "1.2.0").download_bytes(&shop.destination());
        assert!(cost < 400 << 10, "{cost}");
        shop.download(&theirs, &desktop(&seen, "1.2.0")).unwrap();
        // What was not copied cannot be had, and that is all that goes wrong.
        shop.download(&theirs, &desktop(&seen, "1.0.0"))
            .unwrap_err();
    }
}

#[test]
fn a_copy_keeps_up_with_a_repository_whose_keys_were_exchanged() {
    let shop = three_versions();
    let client = shop.client();
    let copy = shop.path("copy");
    let go_on = AtomicBool::new(false);
    for turn in 0..3 {
        let options = publish::RotateOptions {
            role: publish::Role::Timestamp,
            new_keys: shop.path("keys"),
            quorum: None,
            existing: vec![],
        };
        publish::rotate(&shop.vendor(), &options).unwrap();
        let catalog = client.refresh(Timestamp::now()).unwrap();
        client
            .mirror(&catalog, &[desktop(&catalog, "1.0.0")], &copy, &go_on)
            .unwrap();
        let mut options = shop.options(copy.to_str().unwrap());
        options.store = shop.path(&format!("desktop-store-{turn}"));
        let theirs = Client::open_with(options, impatient()).unwrap();
        assert_eq!(
            theirs
                .refresh_desktops(Timestamp::now())
                .unwrap()
                .releases()
                .len(),
            3
        );
    }
}

#[test]
fn downloads_keep_to_a_speed() {
    let shop = three_versions();
    let served = Server::start(&shop.repository());
    let mut limits = impatient();
    limits.most_bytes_per_second = Some(200 << 10);
    limits.total = Duration::from_secs(30);
    let client = Client::open_with(shop.options(&served.address), limits).unwrap();
    let catalog = client.refresh(Timestamp::now()).unwrap();
    let began = Instant::now();
    shop.download(&client, &desktop(&catalog, "1.0.0")).unwrap();
    assert!(
        began.elapsed() > Duration::from_millis(1500),
        "{:?}",
        began.elapsed()
    );
}
