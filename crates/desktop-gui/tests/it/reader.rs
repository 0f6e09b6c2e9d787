//! What a screen reader sees, over AT-SPI: names and roles of everything in the windows, and its ways to use them.

use std::time::Duration;

use tokio::runtime::Runtime;
use zbus::{Connection, OwnedObjectPath, OwnedVariant, Variant};

use crate::scene::until;

/// AT-SPI's numbers of roles.
pub const BUTTON: u32 = 43;
pub const HEADING: u32 = 83;
pub const PROGRESS: u32 = 42;
const LABEL: u32 = 29;

const ACCESSIBLE: &str = "org.a11y.atspi.Accessible";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const REGISTRY: &str = "org.a11y.atspi.Registry";
const ROOT: &str = "/org/a11y/atspi/accessible/root";

/// Something in a window.
#[derive(Debug, Clone)]
pub struct Node {
    owner: String,
    path: String,
    pub role: u32,
    pub name: String,
    states: u64,
}

impl Node {
    /// Whether it has the keyboard.
    pub fn is_focused(&self) -> bool {
        self.states & (1 << 12) != 0
    }
}

/// A screen reader.
pub struct Reader {
    bus: Connection,
    _session: Connection,
    runtime: Runtime,
}

impl Reader {
    /// Says that there is one, and connects to the bus of accessible programs.
    pub fn new(session: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (session, bus) = runtime.block_on(async {
            let session = zbus::connection::Builder::address(session)
                .build()
                .await
                .unwrap();
            let set = ("org.a11y.Status", "IsEnabled", Variant::from(true));
            session
                .call_method(
                    Some("org.a11y.Bus"),
                    "/org/a11y/bus",
                    Some(PROPERTIES),
                    "Set",
                    &set,
                )
                .await
                .expect("at-spi2-core is there: `cargo xtask test` installs it");
            let answer = session
                .call_method(
                    Some("org.a11y.Bus"),
                    "/org/a11y/bus",
                    Some("org.a11y.Bus"),
                    "GetAddress",
                    &(),
                )
                .await
                .unwrap();
            let address: String = answer.body().deserialize().unwrap();
            let bus = zbus::connection::Builder::address(address.as_str());
            (session, bus.build().await.unwrap())
        });
        Self {
            bus,
            _session: session,
            runtime,
        }
    }

    fn call<R: serde::de::DeserializeOwned + zbus::Type>(
        &self,
        owner: &str,
        path: &str,
        interface: &str,
        method: &str,
        body: &(impl serde::Serialize + zbus::Type),
    ) -> Option<R> {
        let called = self.bus.call_method(
            Some(owner.to_owned()),
            path.to_owned(),
            Some(interface.to_owned()),
            method.to_owned(),
            body,
        );
        self.runtime.block_on(async {
            let answer = tokio::time::timeout(Duration::from_secs(10), called).await;
            answer.ok()?.ok()?.body().deserialize().ok()
        })
    }

    /// Everything in all windows, in the order in which it is read.
    pub fn nodes(&self) -> Vec<Node> {
        let mut nodes = Vec::new();
        let programs = self.children(REGISTRY, ROOT);
        for (owner, path) in programs {
            self.walk(&owner, path.as_str(), &mut nodes);
        }
        nodes
    }

    fn children(&self, owner: &str, path: &str) -> Vec<(String, OwnedObjectPath)> {
        self.call(owner, path, ACCESSIBLE, "GetChildren", &())
            .unwrap_or_default()
    }

    fn walk(&self, owner: &str, path: &str, nodes: &mut Vec<Node>) {
        let role = self.call::<u32>(owner, path, ACCESSIBLE, "GetRole", &());
        let name: Option<OwnedVariant> =
            self.call(owner, path, PROPERTIES, "Get", &(ACCESSIBLE, "Name"));
        let states = self.call::<Vec<u32>>(owner, path, ACCESSIBLE, "GetState", &());
        let name = name.and_then(|name| String::try_from(name).ok());
        let states = states.unwrap_or_default();
        nodes.push(Node {
            owner: owner.to_owned(),
            path: path.to_owned(),
            role: role.unwrap_or_default(),
            name: name.unwrap_or_default(),
            states: u64::from(states.first().copied().unwrap_or_default()),
        });
        for (owner, path) in self.children(owner, path) {
            self.walk(&owner, path.as_str(), nodes);
        }
    }

    /// Waits for something with this role and this in its name.
    pub fn find(&self, role: u32, part: &str) -> Node {
        until(&format!("{part:?} with role {role}"), || {
            let nodes = self.nodes();
            nodes
                .into_iter()
                .find(|node| node.role == role && node.name.contains(part))
        })
    }

    pub fn button(&self, name: &str) -> Node {
        self.find(BUTTON, name)
    }

    /// Waits for a text anywhere.
    pub fn text(&self, part: &str) -> Node {
        until(&format!("the text {part:?}"), || {
            let nodes = self.nodes();
            nodes.into_iter().find(|node| node.name.contains(part))
        })
    }

    /// Names of all buttons, in the order in which they are read.
    pub fn buttons(&self) -> Vec<String> {
        let nodes = self.nodes().into_iter();
        let buttons = nodes.filter(|node| node.role == BUTTON);
        buttons.map(|node| node.name).collect()
    }

    /// All that is read, in one text.
    pub fn all(&self) -> String {
        let nodes = self.nodes().into_iter();
        let said = nodes.filter(|node| [LABEL, HEADING, BUTTON].contains(&node.role));
        said.map(|node| node.name).collect::<Vec<_>>().join("\n")
    }

    /// Waits until this has the keyboard.
    pub fn focus(&self, name: &str) {
        until(&format!("the keyboard at {name:?}"), || {
            let nodes = self.nodes();
            let found = nodes.iter().find(|node| node.is_focused());
            found.filter(|node| node.name == name).map(|_| ())
        });
    }

    /// Does what it is for, as a screen reader's user does.
    pub fn act(&self, node: &Node) {
        let interface = "org.a11y.atspi.Action";
        let done: Option<bool> = self.call(&node.owner, &node.path, interface, "DoAction", &0_i32);
        assert_eq!(done, Some(true), "{node:?}");
    }

    /// Left, top, width and height in the window.
    pub fn extents(&self, node: &Node) -> (i32, i32, i32, i32) {
        let interface = "org.a11y.atspi.Component";
        let of: Option<(i32, i32, i32, i32)> =
            self.call(&node.owner, &node.path, interface, "GetExtents", &0_u32);
        of.unwrap_or_else(|| panic!("{node:?} is nowhere"))
    }
}
