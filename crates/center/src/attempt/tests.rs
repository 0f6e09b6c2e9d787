use std::net::IpAddr;

use obnova_text::Lang;

use super::*;
use crate::store::users::UserData;

fn from(address: [u8; 4]) -> Visitor {
    Visitor {
        address: IpAddr::from(address),
        is_secure: false,
    }
}

/// Whether a try may be made; it then fails.
async fn may_try(store: &Store, account: &str, visitor: Visitor, device: Option<&Device>) -> bool {
    let attempt = Attempt::begin(store, account, visitor, device);
    attempt.await.unwrap().is_some()
}

async fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    (folder, store)
}

#[tokio::test]
async fn an_account_waits_after_five_failures_whatever_its_spelling_but_only_where_they_came_from()
{
    let (_folder, store) = store().await;
    let here = from([192, 0, 2, 1]);
    for name in ["a@b.cz", "A@b.cz", " A@B.CZ ", "a@b.cz", "a@b.cz"] {
        assert!(may_try(&store, name, here, None).await);
    }
    assert!(!may_try(&store, "A@B.cz", here, None).await);
    assert!(may_try(&store, "a@b.cz", from([192, 0, 2, 2]), None).await);
    let other = Attempt::begin(&store, "petr@b.cz", here, None).await;
    other.unwrap().unwrap().succeed(&store).await.unwrap();
    assert!(!may_try(&store, "a@b.cz", here, None).await);
}

#[tokio::test]
async fn an_address_waits_after_twenty_failures_for_whatever_accounts() {
    let (_folder, store) = store().await;
    let here = from([192, 0, 2, 1]);
    for number in 0..20 {
        assert!(may_try(&store, &format!("{number}@b.cz"), here, None).await);
    }
    assert!(!may_try(&store, "another@b.cz", here, None).await);
}

#[tokio::test]
async fn many_tries_at_the_same_instant_are_no_more_than_one_after_the_other() {
    let (_folder, store) = store().await;
    let here = from([192, 0, 2, 1]);
    let tries = (0..30).map(|_| may_try(&store, "a@b.cz", here, None));
    let allowed = futures_util::future::join_all(tries).await;
    assert_eq!(allowed.iter().filter(|allowed| **allowed).count(), 5);
}

#[tokio::test]
async fn guessing_from_everywhere_stops_but_never_shuts_out_the_owners_browser() {
    let (_folder, store) = store().await;
    let data = UserData {
        name: "Anna".into(),
        email: "a@b.cz".into(),
        language: Lang::Cs,
    };
    let anna = store.add_user(&data).await.unwrap();
    let here = from([192, 0, 2, 1]);
    let cookie = Device::remember(None, &store, here, anna).await.unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("cookie", cookie);
    let device = Device::told(&headers, here).unwrap();
    assert!(device.is_of(&store, anna).await.unwrap());

    for number in 0..100 {
        assert!(may_try(&store, "a@b.cz", from([10, 0, 0, number]), None).await);
    }
    assert!(!may_try(&store, "a@b.cz", from([10, 0, 1, 1]), None).await);
    assert!(may_try(&store, "a@b.cz", here, Some(&device)).await);
    // A stolen token is no licence to guess either.
    for _ in 1..10 {
        assert!(may_try(&store, "a@b.cz", here, Some(&device)).await);
    }
    assert!(!may_try(&store, "a@b.cz", here, Some(&device)).await);
}

#[tokio::test]
async fn a_token_that_somebody_else_put_into_the_browser_is_replaced() {
    let (_folder, store) = store().await;
    let data = UserData {
        name: "Anna".into(),
        email: "a@b.cz".into(),
        language: Lang::Cs,
    };
    let anna = store.add_user(&data).await.unwrap();
    let here = from([192, 0, 2, 1]);
    let planted = Device::new("planted".into());
    let cookie = Device::remember(Some(planted.clone()), &store, here, anna).await;
    assert!(!cookie.unwrap().to_str().unwrap().contains("planted"));
    assert!(!planted.is_of(&store, anna).await.unwrap());
}
