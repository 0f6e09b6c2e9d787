//! The description of the addresses says what is there, and nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::centre::{Browser, Centre};
use crate::routes::{self, Route};

#[tokio::test]
async fn the_description_has_every_address_and_what_each_asks_for() {
    let centre = Centre::start().await;
    let page = Browser::new(&centre, "en").page("/openapi.json").await;
    let described: Value = serde_json::from_str(&page).unwrap();
    let mut operations = BTreeSet::new();
    for (path, methods) in described["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let route = Route {
                method: method.to_uppercase(),
                path: path.clone(),
            };
            assert_is_described(&route, operation);
            operations.insert(route);
        }
    }
    let there: BTreeSet<Route> = routes::all()
        .into_iter()
        .map(|route| Route {
            // OpenAPI has no name for the rest of a path.
            path: route.path.replace("{*", "{"),
            ..route
        })
        .collect();
    let missing: Vec<_> = there.difference(&operations).collect();
    let gone: Vec<_> = operations.difference(&there).collect();
    assert!(missing.is_empty(), "not described: {missing:?}");
    assert!(gone.is_empty(), "described, and not there: {gone:?}");
}

fn assert_is_described(route: &Route, operation: &Value) {
    let parameters = operation["parameters"].as_array();
    let named = |name: &str| {
        parameters.is_some_and(|all| {
            all.iter()
                .any(|it| it["name"] == name && it["in"] == "path")
        })
    };
    for part in route.path.split('/').filter(|part| part.starts_with('{')) {
        assert!(named(part.trim_matches(['{', '}'])), "{route:?}: {part}");
    }
    let needs = |scheme: &str| {
        operation["security"]
            .as_array()
            .is_some_and(|all| all.iter().any(|it| it.get(scheme).is_some()))
    };
    assert_eq!(needs("session"), !route.is_open(), "{route:?}");
    assert_eq!(
        needs("form"),
        route.changes() && !route.is_open(),
        "{route:?}"
    );
    let answers = operation["responses"].as_object().unwrap();
    assert!(!answers.contains_key("500"), "{route:?}");
    assert!(!operation["summary"].as_str().unwrap().is_empty());
}
