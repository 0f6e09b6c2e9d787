//! Whether the user wants dark windows, and high contrast: what the desktop environment says, now and when it changes.

use std::sync::{Arc, Mutex, PoisonError};

use eframe::egui::{Context, Theme};

use crate::theme::Look;

/// What is wished, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Wish {
    dark: Option<bool>,
    contrast: Option<bool>,
}

/// Follows the desktop environment where the user has not said otherwise.
pub(crate) struct Follow {
    own: Wish,
    environment: Arc<Mutex<Wish>>,
}

/// Begins to listen.
pub(crate) fn follow(dark: Option<bool>, contrast: Option<bool>, ctx: &Context) -> Follow {
    let environment = Arc::new(Mutex::new(Wish {
        dark: None,
        // The way of desktops that do not say it over D-Bus.
        contrast: std::env::var("GTK_THEME")
            .ok()
            .map(|theme| theme.contains("HighContrast")),
    }));
    if dark.is_none() || contrast.is_none() {
        listen(Arc::clone(&environment), ctx.clone());
    }
    Follow {
        own: Wish { dark, contrast },
        environment,
    }
}

impl Follow {
    pub(crate) fn look(&self, ctx: &Context) -> Look {
        let environment = *self
            .environment
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let system = ctx.input(|input| input.raw.system_theme);
        let dark = self.own.dark.or(environment.dark);
        Look {
            dark: dark.unwrap_or(system == Some(Theme::Dark)),
            contrast: self.own.contrast.or(environment.contrast).unwrap_or(false),
        }
    }
}

/// The settings portal, which every freedesktop environment has. One that is not there changes nothing.
#[cfg(target_os = "linux")]
fn listen(wish: Arc<Mutex<Wish>>, ctx: Context) {
    let _ = std::thread::Builder::new().spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        if let Ok(runtime) = runtime
            && let Err(error) = runtime.block_on(portal::listen(&wish, &ctx))
        {
            tracing::debug!(%error, "the desktop environment does not tell its settings");
        }
    });
}

#[cfg(not(target_os = "linux"))]
fn listen(_wish: Arc<Mutex<Wish>>, _ctx: Context) {}

#[cfg(target_os = "linux")]
mod portal {
    use std::sync::{Mutex, PoisonError};

    use eframe::egui::Context;
    use futures_util::StreamExt;
    use zbus::{Connection, MatchRule, MessageStream, OwnedVariant};

    use super::Wish;

    const NAME: &str = "org.freedesktop.portal.Desktop";
    const PATH: &str = "/org/freedesktop/portal/desktop";
    const INTERFACE: &str = "org.freedesktop.portal.Settings";
    const APPEARANCE: &str = "org.freedesktop.appearance";

    pub(super) async fn listen(wish: &Mutex<Wish>, ctx: &Context) -> zbus::Result<()> {
        let bus = Connection::session().await?;
        // First listen, then ask: nothing is missed in between.
        let rule = MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .interface(INTERFACE)
            .member("SettingChanged")
            .path(PATH)
            .build()?;
        let mut changes = MessageStream::for_match_rule(rule, &bus, None).await?;
        for key in ["color-scheme", "contrast"] {
            let asked = bus
                .call_method(
                    Some(NAME),
                    PATH,
                    Some(INTERFACE),
                    "ReadOne",
                    &(APPEARANCE, key),
                )
                .await;
            if let Ok(answer) = asked
                && let Ok(value) = answer.body().deserialize::<OwnedVariant>()
            {
                set(wish, key, &value);
            }
        }
        ctx.request_repaint();
        while let Some(change) = changes.next().await {
            let change = change?;
            let body = change.body();
            let Ok((space, key, value)) = body.deserialize::<(String, String, OwnedVariant)>()
            else {
                continue;
            };
            if space == APPEARANCE {
                set(wish, &key, &value);
                ctx.request_repaint();
            }
        }
        Ok(())
    }

    fn set(wish: &Mutex<Wish>, key: &str, value: &OwnedVariant) {
        let Ok(number) = u32::try_from(value.clone()) else {
            return;
        };
        let mut wish = wish.lock().unwrap_or_else(PoisonError::into_inner);
        match key {
            // 0 is no preference.
            "color-scheme" => wish.dark = (number != 0).then_some(number == 1),
            "contrast" => wish.contrast = Some(number == 1),
            _ => {}
        }
    }
}
