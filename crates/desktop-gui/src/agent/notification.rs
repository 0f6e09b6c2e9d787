//! Notifications of the desktop environment, with an action that begins the update.

use std::collections::HashMap;

use zbus::{Connection, MatchRule, Message, MessageStream, Variant};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// The key of a click on the notification itself.
const DEFAULT: &str = "default";
const UPDATE: &str = "update";

/// Shows one, in place of one that is still there; returns its number. A desktop that shows none has the icon.
pub(super) async fn show(
    bus: &Connection,
    instead: Option<u32>,
    heading: &str,
    body: &str,
    action: Option<&str>,
) -> Option<u32> {
    let actions = match action {
        Some(label) => vec![DEFAULT, label, UPDATE, label],
        None => vec![],
    };
    let hints = HashMap::from([
        ("urgency", Variant::from(1_u8)),
        ("desktop-entry", Variant::from("obnova-desktop")),
    ]);
    let what = (
        "Obnova",
        instead.unwrap_or(0),
        "software-update-available",
        heading,
        escaped(body),
        actions,
        hints,
        -1_i32,
    );
    let answer = bus
        .call_method(Some(NAME), PATH, Some(NAME), "Notify", &what)
        .await;
    match answer {
        Ok(answer) => answer.body().deserialize().ok(),
        Err(error) => {
            tracing::debug!(%error, "notifications are not shown here");
            None
        }
    }
}

/// Bodies may hold marks like those of HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Takes one back: there is nothing to do any more.
pub(super) async fn withdraw(bus: &Connection, id: u32) {
    let _ = bus
        .call_method(Some(NAME), PATH, Some(NAME), "CloseNotification", &id)
        .await;
}

/// Clicks on notifications, of all programs.
pub(super) async fn actions(bus: &Connection) -> zbus::Result<MessageStream> {
    let rule = MatchRule::builder()
        .msg_type(zbus::message::Type::Signal)
        .interface(NAME)
        .member("ActionInvoked")
        .path(PATH)
        .build()?;
    MessageStream::for_match_rule(rule, bus, None).await
}

/// Whether it is a click on ours that begins the update.
pub(super) fn is_update(action: &zbus::Result<Message>, ours: Option<u32>) -> bool {
    let Ok(action) = action else { return false };
    let body = action.body();
    match body.deserialize::<(u32, String)>() {
        Ok((id, key)) => Some(id) == ours && [DEFAULT, UPDATE].contains(&&*key),
        Err(_) => false,
    }
}
