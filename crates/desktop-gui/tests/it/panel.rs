//! A desktop environment's part: a place for icons, and notifications, as a user's panel has them.

use std::sync::{Arc, Mutex};

use tokio::runtime::Runtime;
use zbus::{Connection, OwnedVariant, Variant, interface};

use crate::scene::until;
use crate::seat::Seat;

/// A notification as it was asked for.
#[derive(Debug, Clone)]
pub struct Told {
    pub id: u32,
    pub heading: String,
    pub body: String,
    pub actions: Vec<String>,
}

#[derive(Default)]
struct Seen {
    items: Vec<String>,
    told: Vec<Told>,
    withdrawn: Vec<u32>,
}

/// The panel.
pub struct Panel {
    seen: Arc<Mutex<Seen>>,
    bus: Connection,
    runtime: Runtime,
}

struct Watcher(Arc<Mutex<Seen>>);

#[interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&self, service: String) {
        self.0.lock().unwrap().items.push(service);
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}

struct Notifications(Arc<Mutex<Seen>>);

#[interface(name = "org.freedesktop.Notifications")]
impl Notifications {
    #[allow(clippy::too_many_arguments)]
    fn notify(
        &self,
        _program: String,
        replaces: u32,
        _icon: String,
        heading: String,
        body: String,
        actions: Vec<String>,
        _hints: std::collections::HashMap<String, OwnedVariant>,
        _timeout: i32,
    ) -> u32 {
        let mut seen = self.0.lock().unwrap();
        let id = match replaces {
            0 => seen.told.len() as u32 + 41,
            id => id,
        };
        seen.told.push(Told {
            id,
            heading,
            body,
            actions,
        });
        id
    }

    fn close_notification(&self, id: u32) {
        self.0.lock().unwrap().withdrawn.push(id);
    }
}

const ITEM: &str = "org.kde.StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";

impl Panel {
    pub fn new(seat: &Seat) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let bus = runtime.block_on(async {
            zbus::connection::Builder::address(seat.address.as_str())
                .serve_at("/StatusNotifierWatcher", Watcher(Arc::clone(&seen)))
                .serve_at(
                    "/org/freedesktop/Notifications",
                    Notifications(Arc::clone(&seen)),
                )
                .name("org.kde.StatusNotifierWatcher")
                .name("org.freedesktop.Notifications")
                .build()
                .await
                .unwrap()
        });
        Self { seen, bus, runtime }
    }

    /// Waits for an icon; the name under which it is found.
    pub fn item(&self) -> String {
        until("an icon", || {
            self.seen.lock().unwrap().items.last().cloned()
        })
    }

    pub fn items(&self) -> usize {
        self.seen.lock().unwrap().items.len()
    }

    pub fn told(&self) -> Vec<Told> {
        self.seen.lock().unwrap().told.clone()
    }

    pub fn withdrawn(&self) -> Vec<u32> {
        self.seen.lock().unwrap().withdrawn.clone()
    }

    fn call<R: serde::de::DeserializeOwned + zbus::Type>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &(impl serde::Serialize + zbus::Type),
    ) -> R {
        let item = self.item();
        self.runtime.block_on(async {
            let answer = self
                .bus
                .call_method(
                    Some(item),
                    path.to_owned(),
                    Some(interface.to_owned()),
                    method.to_owned(),
                    body,
                )
                .await
                .unwrap();
            answer.body().deserialize().unwrap()
        })
    }

    /// A property of the icon that is a text.
    pub fn text(&self, name: &str) -> String {
        let properties = "org.freedesktop.DBus.Properties";
        let value: OwnedVariant =
            self.call("/StatusNotifierItem", properties, "Get", &(ITEM, name));
        String::try_from(value).unwrap()
    }

    /// The icon: width, height, and its pixels.
    pub fn icon(&self) -> Vec<(i32, i32, Vec<u8>)> {
        let properties = "org.freedesktop.DBus.Properties";
        let value: OwnedVariant = self.call(
            "/StatusNotifierItem",
            properties,
            "Get",
            &(ITEM, "IconPixmap"),
        );
        value.try_into().unwrap()
    }

    /// The menu: numbers and labels.
    pub fn menu(&self) -> Vec<(i32, String)> {
        type Node = (
            i32,
            std::collections::HashMap<String, OwnedVariant>,
            Vec<OwnedVariant>,
        );
        let names: Vec<String> = vec![];
        let (_, (_, _, children)): (u32, Node) =
            self.call("/MenuBar", MENU, "GetLayout", &(0_i32, -1_i32, names));
        let children = children.into_iter().map(|child| {
            let (id, mut properties, _): (
                i32,
                std::collections::HashMap<String, OwnedVariant>,
                Vec<OwnedVariant>,
            ) = child.try_into().unwrap();
            let label = properties.remove("label");
            let label = label.map_or_else(|| "-".into(), |label| String::try_from(label).unwrap());
            (id, label)
        });
        children.collect()
    }

    /// Clicks an item of the menu.
    pub fn choose(&self, label: &str) {
        let menu = self.menu();
        let (id, _) = menu.iter().find(|(_, found)| found == label).unwrap();
        let event = (*id, "clicked", Variant::from(0_i32), 0_u32);
        self.call::<()>("/MenuBar", MENU, "Event", &event);
    }

    /// Clicks the icon.
    pub fn click(&self) {
        self.call::<()>("/StatusNotifierItem", ITEM, "Activate", &(0_i32, 0_i32));
    }

    /// Clicks a notification, or a button of it.
    pub fn act(&self, told: &Told, key: &str) {
        self.runtime
            .block_on(self.bus.emit_signal(
                None::<&str>,
                "/org/freedesktop/Notifications",
                "org.freedesktop.Notifications",
                "ActionInvoked",
                &(told.id, key),
            ))
            .unwrap();
    }
}
