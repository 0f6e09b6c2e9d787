//! The icon: a StatusNotifierItem, as the freedesktop specification describes it and panels show it.

use std::sync::Arc;

use zbus::{Connection, ObjectPath, interface};

use super::{Shared, Wish};
use crate::pane;

/// Whoever knows of icons and of panels that show them.
pub(super) const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const PATH: &str = "/StatusNotifierItem";
const INTERFACE: &str = "org.kde.StatusNotifierItem";
/// Side lengths in pixels; panels take the next larger one.
const SIDES: [u32; 3] = [22, 32, 64];

type Pixmaps = Vec<(i32, i32, Vec<u8>)>;

struct Item(Arc<Shared>);

#[interface(name = "org.kde.StatusNotifierItem")]
impl Item {
    /// A click.
    fn activate(&self, _x: i32, _y: i32) {
        self.0.wish(Wish::Dialog);
    }

    /// A click with the middle button.
    fn secondary_activate(&self, _x: i32, _y: i32) {
        self.0.wish(Wish::Dialog);
    }

    /// Panels that show the menu themselves do not ask for it.
    fn context_menu(&self, _x: i32, _y: i32) {}

    fn scroll(&self, _delta: i32, _orientation: String) {}

    #[zbus(property)]
    fn category(&self) -> String {
        "ApplicationStatus".into()
    }

    #[zbus(property)]
    fn id(&self) -> String {
        "obnova-desktop".into()
    }

    #[zbus(property)]
    fn title(&self) -> String {
        self.0.title()
    }

    #[zbus(property)]
    fn status(&self) -> String {
        status(&self.0).into()
    }

    #[zbus(property)]
    fn window_id(&self) -> i32 {
        0
    }

    #[zbus(property)]
    fn icon_name(&self) -> String {
        String::new()
    }

    #[zbus(property)]
    fn icon_theme_path(&self) -> String {
        String::new()
    }

    /// Marked here too: not every panel shows the other one.
    #[zbus(property)]
    fn icon_pixmap(&self) -> Pixmaps {
        pixmaps(self.0.shown().wanted.is_some())
    }

    #[zbus(property)]
    fn attention_icon_name(&self) -> String {
        String::new()
    }

    #[zbus(property)]
    fn attention_icon_pixmap(&self) -> Pixmaps {
        pixmaps(true)
    }

    #[zbus(property)]
    fn tool_tip(&self) -> (String, Pixmaps, String, String) {
        (String::new(), vec![], self.0.product(), self.0.title())
    }

    #[zbus(property)]
    fn item_is_menu(&self) -> bool {
        false
    }

    #[zbus(property)]
    fn menu(&self) -> zbus::OwnedObjectPath {
        ObjectPath::from_static_str_unchecked(super::menu::PATH).into()
    }
}

fn status(shared: &Shared) -> &'static str {
    match shared.shown().wanted {
        Some(_) => "NeedsAttention",
        None => "Active",
    }
}

/// Opacity, red, green, blue.
fn pixmaps(pending: bool) -> Pixmaps {
    let of = |side: u32| {
        let mut bytes = pane::icon(side, pending);
        for pixel in bytes.chunks_mut(4) {
            pixel.rotate_right(1);
        }
        (side.cast_signed(), side.cast_signed(), bytes)
    };
    SIDES.map(of).into()
}

/// Offers the icon, and returns the name under which it is found.
pub(super) async fn serve(bus: &Connection, shared: &Arc<Shared>) -> zbus::Result<String> {
    bus.object_server()
        .at(PATH, Item(Arc::clone(shared)))
        .await?;
    let name = format!("org.kde.StatusNotifierItem-{}-1", std::process::id());
    bus.request_name(name.as_str()).await?;
    Ok(name)
}

/// Tells the watcher of it. There may be none, or none yet.
pub(super) async fn register(bus: &Connection, name: &str) {
    let method = "RegisterStatusNotifierItem";
    let path = "/StatusNotifierWatcher";
    let told = bus
        .call_method(Some(WATCHER), path, Some(WATCHER), method, &name)
        .await;
    if let Err(error) = told {
        tracing::debug!(%error, "there is no place for icons");
    }
}

/// Tells panels that the icon is another now.
pub(super) async fn changed(bus: &Connection, shared: &Shared) -> zbus::Result<()> {
    let signal = |name: &'static str| bus.emit_signal(None::<&str>, PATH, INTERFACE, name, &());
    for name in ["NewTitle", "NewIcon", "NewAttentionIcon", "NewToolTip"] {
        signal(name).await?;
    }
    let status = status(shared);
    bus.emit_signal(None::<&str>, PATH, INTERFACE, "NewStatus", &status)
        .await
}
