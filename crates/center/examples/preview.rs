//! The centre with an engine that only pretends, for working on the pages: `cargo run -p obnova-center --example preview`.
//! Sign in as anna@example.com with the password `correct horse battery`. The address is printed; `PREVIEW_FAILS=1` makes the
//! installation fail, `PREVIEW_REHEARSAL=failed` a rehearsal, `PREVIEW_PORT` chooses the port, `PREVIEW_SESSION=1` prints a
//! session's cookie and the token of its forms as well.

#[path = "../tests/it/engine.rs"]
mod engine;

use std::time::Duration;

use jiff::Timestamp;
use obnova_engine::api::{ProtectedCopy, RehearsalOutcome, RevertPlan, TableChange};
use semver::Version;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("obnova-preview-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let engine = engine::Engine::start(&folder);
    engine.change(|facts| {
        facts.pace = Duration::from_millis(1500);
        facts.fails = std::env::var_os("PREVIEW_FAILS").map(|_| semver::Version::new(1, 1, 0));
        if std::env::var("PREVIEW_REHEARSAL").is_ok_and(|end| end == "failed") {
            facts.rehearsals = RehearsalOutcome::Failed;
        }
        facts.copies = copies();
        facts.revert_plan = Some(revert_plan());
    });
    let port: u16 = std::env::var("PREVIEW_PORT")
        .ok()
        .and_then(|port| port.parse().ok())
        .unwrap_or(0);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    let options = obnova_center::Options {
        listen: address,
        state_dir: folder.clone(),
        data_dir: folder.clone(),
        public_url: None,
        secure_cookies: false,
        trusted_proxies: Vec::new(),
    };
    let serving = tokio::spawn(obnova_center::serve(listener, options, async {
        let _ = tokio::signal::ctrl_c().await;
    }));
    set_up(&format!("http://{address}"), &folder).await?;
    println!("http://{address}/  (anna@example.com, correct horse battery)");
    if std::env::var_os("PREVIEW_SESSION").is_some() {
        let (cookie, token) = session(&format!("http://{address}")).await?;
        println!("{cookie}\n{token}");
    }
    serving.await??;
    drop(engine);
    Ok(std::fs::remove_dir_all(folder)?)
}

fn copies() -> Vec<ProtectedCopy> {
    let copy = |update, minor, is_last| ProtectedCopy {
        update,
        version: Version::new(1, minor, 0),
        to: Version::new(1, minor + 1, 0),
        at: Timestamp::now(),
        bytes: 1_240_000_000,
        is_last,
        can_revert: is_last,
    };
    vec![copy(1, 0, true), copy(9, 8, false)]
}

fn revert_plan() -> RevertPlan {
    let change = |table: &str, inserted| TableChange {
        table: table.into(),
        inserted: Some(inserted),
        updated: Some(3),
        deleted: None,
    };
    RevertPlan {
        update: 1,
        from: Version::new(1, 1, 0),
        to: Version::new(1, 0, 0),
        since: Timestamp::now(),
        written: Some(vec![change("contact", 124), change("public.deal", 7)]),
        files_changed: 12,
        obstacles: vec![],
    }
}

/// The first administrator and some more people, as a browser would make them.
async fn set_up(base: &str, folder: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    let client = reqwest::Client::builder().cookie_store(true).build()?;
    let code = loop {
        match std::fs::read_to_string(folder.join("setup-code")) {
            Ok(code) => break code,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    let page = client
        .post(format!("{base}/setup"))
        .header("accept-language", "cs")
        .form(&[
            ("code", code.trim()),
            ("name", "Anna Nováková"),
            ("email", "anna@example.com"),
            ("password", "correct horse battery"),
            ("again", "correct horse battery"),
        ])
        .send()
        .await?
        .text()
        .await?;
    let token = page
        .split("name=\"_csrf\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap_or_default();
    for (name, email, language) in [
        ("Petr Svoboda", "petr.svoboda@example.com", "cs"),
        ("Jana Dvořáková", "jana.dvorakova@example.com", "cs"),
        ("Tomáš Černý", "tomas.cerny@example.com", "cs"),
        ("Lucy Brown", "lucy.brown@example.com", "en"),
    ] {
        let form = [
            ("_csrf", token),
            ("name", name),
            ("email", email),
            ("language", language),
        ];
        client
            .post(format!("{base}/users"))
            .form(&form)
            .send()
            .await?;
    }
    client
        .post(format!("{base}/groups"))
        .form(&[("_csrf", token), ("name", "Vedoucí poboček")])
        .send()
        .await?;
    Ok(())
}

/// Signs in; the session's cookie and the token of its forms.
async fn session(base: &str) -> Result<(String, String), Box<dyn std::error::Error>> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let form = [
        ("email", "anna@example.com"),
        ("password", "correct horse battery"),
    ];
    let answer = client
        .post(format!("{base}/sign-in"))
        .form(&form)
        .send()
        .await?;
    let cookies = answer.headers().get_all("set-cookie").iter();
    let cookie = cookies
        .filter_map(|cookie| cookie.to_str().ok()?.split(';').next())
        .find(|cookie| cookie.starts_with("obnova_session="))
        .ok_or("no session")?
        .to_owned();
    let page = client
        .get(format!("{base}/users/new"))
        .header("cookie", &cookie)
        .send()
        .await?
        .text()
        .await?;
    let token = page
        .split("name=\"_csrf\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .ok_or("no token")?
        .to_owned();
    Ok((cookie, token))
}
