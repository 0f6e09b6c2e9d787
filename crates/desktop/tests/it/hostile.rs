//! Whoever has taken over a customer's server can at worst keep Desktops where they are.

use obnova_desktop::Code;
use obnova_release::publish;

use crate::world::{CONFIRMS, World, copy};

fn refused(world: &World) -> Code {
    let before = world.versions();
    let code = world.update().unwrap_err().code;
    assert_eq!(world.current().as_deref(), Some("1.0.0"));
    assert_eq!(world.versions(), before);
    assert_eq!(world.launch(), "1.0.0");
    code
}

#[test]
fn older_metadata_is_refused() {
    let world = World::with_three();
    copy(&world.path("repository"), &world.path("old"));
    publish::revoke(&world.vendor(), &"1.1.0".parse().unwrap()).unwrap();
    world.update().unwrap();
    // The state in which 1.1.0 was still offered.
    world.server.facts().repository = world.path("old");
    world.server.is("1.1.0");
    assert_eq!(refused(&world), Code::Untrusted);
}

#[test]
fn a_version_that_the_vendor_has_withdrawn_or_never_made_is_not_followed() {
    let world = World::with_three();
    publish::revoke(&world.vendor(), &"1.1.0".parse().unwrap()).unwrap();
    for server in ["1.1.0", "0.9.0", "7.7.7"] {
        world.server.is(server);
        assert_eq!(refused(&world), Code::NoDesktop, "{server}");
    }
}

#[test]
fn nothing_below_the_signed_minimum_whoever_asks() {
    let world = World::new();
    for version in ["1.0.0", "1.1.0"] {
        world.publish(version, "", CONFIRMS);
    }
    world.publish("1.2.0", "minimum = \"1.1.0\"", CONFIRMS);
    world.server.is("1.2.0");
    world.update().unwrap();
    assert_eq!(world.launch(), "1.2.0");
    world.server.is("1.0.0");
    let error = world.update().unwrap_err();
    assert_eq!(error.code, Code::BelowMinimum);
    assert!(world.cli(&["update", "--insist"]).status.code() == Some(1));
    let wish = r#"{"product":"crm","server":"1.2.0","desktop":"1.0.0"}"#;
    world.server.facts().hello = Some(wish.into());
    assert_eq!(world.update().unwrap(), None, "the wish does not count");
    assert_eq!(world.launch(), "1.2.0");
}

#[test]
fn wrong_bytes_are_refused_and_what_is_right_is_kept() {
    let world = World::with_three();
    world.server.is("1.1.0");
    let wrong = vec![7; 300];
    world.server.facts().instead.insert(".zst".into(), wrong);
    assert_eq!(refused(&world), Code::Damaged);
    world.server.facts().instead.clear();
    world
        .server
        .facts()
        .instead
        .insert("release.json".into(), b"{}".to_vec());
    assert!(
        matches!(world.desktop().check().unwrap().wanted, Some(wanted) if wanted.version.to_string() == "1.1.0"),
        "it is known already"
    );
    world.server.facts().instead.clear();
    world.update().unwrap();
    assert_eq!(world.launch(), "1.1.0");
}

#[test]
fn metadata_signed_by_somebody_else_is_refused() {
    let world = World::with_three();
    let other = World::with_three();
    world.server.facts().repository = other.path("repository");
    world.server.is("1.1.0");
    assert_eq!(refused(&world), Code::Untrusted);
}

#[test]
fn answers_that_are_none_are_refused() {
    let world = World::with_three();
    for hello in [
        "",
        "<html>",
        "{}",
        r#"{"product":"other","server":"1.1.0"}"#,
        r#"{"product":"crm","server":"new"}"#,
    ] {
        world.server.facts().hello = Some(hello.into());
        assert_eq!(refused(&world), Code::WrongServer, "{hello:?}");
    }
    let endless = format!(
        r#"{{"product":"crm","server":"1.1.0","more":"{}"}}"#,
        "x".repeat(100_000)
    );
    world.server.facts().hello = Some(endless);
    assert_eq!(refused(&world), Code::WrongServer);
}
