//! The icon's menu: com.canonical.dbusmenu, which panels draw in their own way, so that screen readers read it there.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use zbus::{Connection, OwnedVariant, Variant, interface};

use super::{Shared, Wish};

pub(super) const PATH: &str = "/MenuBar";
const INTERFACE: &str = "com.canonical.dbusmenu";

/// Which state of the menu a panel knows.
static REVISION: AtomicU32 = AtomicU32::new(1);

type Properties = HashMap<String, OwnedVariant>;
/// Number, properties, and what is below it.
type Node = (i32, Properties, Vec<OwnedVariant>);

const UPDATE: i32 = 1;
const NEW: i32 = 2;
const LINE: i32 = 3;
const QUIT: i32 = 4;
const ITEMS: [i32; 4] = [UPDATE, NEW, LINE, QUIT];

struct Menu(Arc<Shared>);

impl Menu {
    fn properties(&self, item: i32) -> Properties {
        let text = self.0.setting.text();
        let label = match item {
            UPDATE => Some(self.0.update_label()),
            NEW => Some(text.get("gui-agent-new")),
            QUIT => Some(text.get("gui-agent-quit")),
            _ => None,
        };
        let value = |text: &str| owned(Variant::from(text));
        let pairs = match (item, label) {
            // An underscore would make the next letter the key of the item.
            (_, Some(label)) => vec![("label", value(&label.replace('_', "__")))],
            (LINE, None) => vec![("type", value("separator"))],
            _ => vec![("children-display", value("submenu"))],
        };
        let pairs = pairs.into_iter();
        pairs
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }

    fn click(&self, item: i32, event: &str) {
        let wish = match item {
            UPDATE => Wish::Update,
            NEW => Wish::WhatsNew,
            QUIT => Wish::Quit,
            _ => return,
        };
        if event == "clicked" {
            self.0.wish(wish);
        }
    }
}

fn owned(value: Variant<'_>) -> Option<OwnedVariant> {
    value.try_into_owned().ok()
}

#[interface(name = "com.canonical.dbusmenu")]
impl Menu {
    fn get_layout(&self, parent: i32, depth: i32, _names: Vec<String>) -> (u32, Node) {
        let children: Vec<OwnedVariant> = match (parent, depth) {
            (0, depth) if depth != 0 => ITEMS
                .iter()
                .filter_map(|item| {
                    let node: Node = (*item, self.properties(*item), vec![]);
                    owned(Variant::new(node))
                })
                .collect(),
            _ => vec![],
        };
        let revision = REVISION.load(Ordering::Relaxed);
        (revision, (parent, self.properties(parent), children))
    }

    fn get_group_properties(&self, ids: Vec<i32>, _names: Vec<String>) -> Vec<(i32, Properties)> {
        let ids = match ids.is_empty() {
            true => ITEMS.to_vec(),
            false => ids,
        };
        ids.into_iter()
            .map(|id| (id, self.properties(id)))
            .collect()
    }

    fn get_property(&self, id: i32, name: String) -> zbus::fdo::Result<OwnedVariant> {
        let found = self.properties(id).remove(&name);
        found.ok_or_else(|| zbus::fdo::Error::InvalidArgs(format!("{id} has no {name}")))
    }

    fn event(&self, id: i32, event: String, _data: Variant<'_>, _time: u32) {
        self.click(id, &event);
    }

    fn event_group(&self, events: Vec<(i32, String, OwnedVariant, u32)>) -> Vec<i32> {
        for (id, event, ..) in &events {
            self.click(*id, event);
        }
        vec![]
    }

    fn about_to_show(&self, _id: i32) -> bool {
        false
    }

    fn about_to_show_group(&self, _ids: Vec<i32>) -> (Vec<i32>, Vec<i32>) {
        (vec![], vec![])
    }

    #[zbus(property)]
    fn version(&self) -> u32 {
        3
    }

    #[zbus(property)]
    fn status(&self) -> String {
        "normal".into()
    }

    #[zbus(property)]
    fn text_direction(&self) -> String {
        "ltr".into()
    }

    #[zbus(property)]
    fn icon_theme_path(&self) -> Vec<String> {
        vec![]
    }
}

/// Offers the menu.
pub(super) async fn serve(bus: &Connection, shared: &Arc<Shared>) -> zbus::Result<()> {
    bus.object_server()
        .at(PATH, Menu(Arc::clone(shared)))
        .await?;
    Ok(())
}

/// Tells panels that it is another now.
pub(super) async fn changed(bus: &Connection) -> zbus::Result<()> {
    let revision = REVISION.fetch_add(1, Ordering::Relaxed) + 1;
    let body = (revision, 0_i32);
    bus.emit_signal(None::<&str>, PATH, INTERFACE, "LayoutUpdated", &body)
        .await
}
