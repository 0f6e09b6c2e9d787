//! Installers that releases bring along: signed, listed, copied to a customer's own repository.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use obnova_release::publish::{self, BuildOptions};
use obnova_release::{Client, Digest, Error, Installer};

use crate::server::Server;
use crate::workshop::{Workshop, description_of, impatient, noise, version};

const PLATFORM: &str = "linux-x86_64";
const NEEDS: &str = "requires = { cs = \"Linux s OpenGL\", en = \"Linux with OpenGL\" }";

/// Builds a release with a Desktop, and with these installers for it.
fn build(shop: &Workshop, number: &str, installers: &[(&str, &[u8])]) -> std::path::PathBuf {
    let tree = shop.write_tree(&[("bin/crm", b"server")]);
    let kept = shop.path("server-tree");
    let _ = fs::remove_dir_all(&kept);
    fs::rename(tree, &kept).unwrap();
    let tree = shop.write_tree(&[("bin/desktop", number.as_bytes())]);
    let description = shop.path("release.toml");
    let more = format!(
        "[desktop]\nrange = \">=1.0.0\"\n[desktop.platforms.{PLATFORM}]\n\
         start = [\"${{tree}}/bin/desktop\"]\n[desktop.installers.{PLATFORM}]\n{NEEDS}\n"
    );
    fs::write(&description, description_of(number, &more)).unwrap();
    let out = shop.path(&format!("build-{number}"));
    let options = BuildOptions {
        description,
        tree: kept,
        out: out.clone(),
    };
    let desktops = BTreeMap::from([(PLATFORM.to_owned(), tree)]);
    publish::build_with_desktops(&options, &desktops).unwrap();
    for (name, bytes) in installers {
        add(shop, &out, name, bytes).unwrap();
    }
    out
}

fn add(
    shop: &Workshop,
    built: &std::path::Path,
    name: &str,
    bytes: &[u8],
) -> Result<publish::AddedInstaller, Error> {
    let file = shop.path("made-installer");
    fs::write(&file, bytes).unwrap();
    publish::add_installer(built, PLATFORM, &file, name)
}

fn publish(shop: &Workshop, number: &str, installers: &[(&str, &[u8])]) {
    let built = build(shop, number, installers);
    publish::publish(&shop.vendor(), &built).unwrap();
}

fn names(installers: &[Installer]) -> Vec<String> {
    installers.iter().map(|it| it.file_name.clone()).collect()
}

#[test]
fn installers_are_listed_with_their_release_and_say_what_they_need() {
    let shop = Workshop::new();
    let content = noise(7, 300 << 10);
    publish(&shop, "1.0.0", &[("crm-1.0.0.sh", &content)]);
    publish(&shop, "1.1.0", &[]);
    let catalog = shop.client().refresh(Timestamp::now()).unwrap();
    let found = catalog.release(&version("1.0.0")).unwrap().installers();
    let [installer] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(installer.platform, PLATFORM);
    assert_eq!(installer.file_name, "crm-1.0.0.sh");
    assert_eq!(installer.bytes, 300 << 10);
    assert_eq!(installer.sha256, Digest::of(&content));
    assert_eq!(installer.requires["cs"], "Linux s OpenGL");
    let place = shop.repository().join(installer.place());
    assert_eq!(fs::read(place).unwrap(), content);
    assert!(names(&catalog.installers_for(&version("1.0.0"))) == ["crm-1.0.0.sh"]);
    assert!(catalog.installers_for(&version("1.1.0")).is_empty());
    assert!(catalog.installers_for(&version("9.0.0")).is_empty());
}

#[test]
fn a_revoked_release_takes_its_installers_with_it() {
    let shop = Workshop::new();
    publish(&shop, "1.0.0", &[("crm.sh", b"one")]);
    publish(&shop, "1.1.0", &[("crm.sh", b"two")]);
    publish::revoke(&shop.vendor(), &version("1.1.0")).unwrap();
    let newest = shop.repository().join("metadata");
    let listed = fs::read_dir(newest).unwrap().flatten();
    let listed = listed.filter(|it| it.file_name().to_string_lossy().ends_with(".targets.json"));
    let newest = listed.max_by_key(|it| it.metadata().unwrap().modified().unwrap());
    let text = fs::read_to_string(newest.unwrap().path()).unwrap();
    assert!(text.contains("releases/1.0.0/installers/"));
    assert!(!text.contains("1.1.0"), "{text}");
}

#[test]
fn a_version_is_not_published_again_with_another_installer() {
    let shop = Workshop::new();
    publish(&shop, "1.0.0", &[("crm.sh", b"one")]);
    let built = build(&shop, "1.0.0", &[("crm.sh", b"other")]);
    let error = publish::publish(&shop.vendor(), &built).unwrap_err();
    assert!(error.to_string().contains("published before"), "{error}");
}

#[test]
fn an_installer_for_no_desktop_and_one_with_a_misleading_name_are_refused() {
    let shop = Workshop::new();
    let built = build(&shop, "1.0.0", &[]);
    for name in [
        "release.json",
        "a/b.sh",
        ".hidden",
        "-rf.sh",
        "přírůstek.sh",
        "",
    ] {
        add(&shop, &built, name, b"x").unwrap_err();
    }
    let file = shop.path("made-installer");
    fs::write(&file, "x").unwrap();
    publish::add_installer(&built, "windows-x86_64", &file, "setup.exe").unwrap_err();
    // Nor when somebody puts it there by hand.
    let by_hand = built.join("installers/windows-x86_64");
    fs::create_dir_all(&by_hand).unwrap();
    fs::write(by_hand.join("setup.exe"), "x").unwrap();
    publish::publish(&shop.vendor(), &built).unwrap_err();
}

#[test]
fn the_copy_for_desktops_holds_installers_that_its_reader_can_verify() {
    let shop = Workshop::new();
    let content = noise(3, 500 << 10);
    publish(&shop, "1.0.0", &[("crm-1.0.0.sh", &content)]);
    publish(&shop, "1.1.0", &[("crm-1.1.0.sh", b"other")]);
    let source = Server::start(&shop.repository());
    let go_on = AtomicBool::new(false);
    for address in [
        shop.repository().display().to_string(),
        source.address.clone(),
    ] {
        let client = shop.client_of(&address);
        let catalog = client.refresh(Timestamp::now()).unwrap();
        let copy = shop.path("copy");
        let _ = fs::remove_dir_all(&copy);
        client.mirror(&catalog, &[], &copy, &go_on).unwrap();
        let wanted = catalog.installers_for(&version("1.0.0"));
        let first = client.mirror_installers(&wanted, &copy, &go_on).unwrap();
        assert_eq!((first.new_files, first.new_bytes), (1, 500 << 10));
        let again = client.mirror_installers(&wanted, &copy, &go_on).unwrap();
        assert_eq!(again.new_files, 0);

        let mut options = shop.options(copy.to_str().unwrap());
        options.store = shop.path("center-store");
        let _ = fs::remove_dir_all(&options.store);
        let theirs = Client::open_with(options, impatient()).unwrap();
        let seen = theirs.refresh_desktops(Timestamp::now()).unwrap();
        let seen = seen.installers_for(&version("1.0.0"));
        assert_eq!(seen, wanted);
        assert_eq!(fs::read(copy.join(seen[0].place())).unwrap(), content);

        // After an update another one is needed; the old one goes when nobody can be downloading it any more.
        let next = catalog.installers_for(&version("1.1.0"));
        client.mirror_installers(&next, &copy, &go_on).unwrap();
        assert!(copy.join(wanted[0].place()).exists());
        let old = SystemTime::now() - Duration::from_secs(25 * 3600);
        let file = fs::File::options()
            .write(true)
            .open(copy.join(wanted[0].place()));
        file.unwrap().set_modified(old).unwrap();
        client.mirror_installers(&next, &copy, &go_on).unwrap();
        assert!(!copy.join(wanted[0].place()).exists());
        assert!(copy.join(next[0].place()).exists());
    }
}

#[test]
fn a_changed_installer_does_not_get_into_the_copy() {
    let shop = Workshop::new();
    publish(&shop, "1.0.0", &[("crm.sh", b"as it was signed")]);
    let client = shop.client();
    let catalog = client.refresh(Timestamp::now()).unwrap();
    let wanted = catalog.installers_for(&version("1.0.0"));
    fs::write(
        shop.repository().join(wanted[0].place()),
        b"as it was forged",
    )
    .unwrap();
    let copy = shop.path("copy");
    client
        .mirror_installers(&wanted, &copy, &AtomicBool::new(false))
        .unwrap_err();
    assert!(!copy.join(wanted[0].place()).exists());
}
