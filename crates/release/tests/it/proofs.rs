//! What a vendor has proven of a release reaches the customer with its signatures, and with no other content.

use jiff::Timestamp;
use obnova_release::publish::{publish, trial_repository};
use obnova_release::{Client, Proof, Trial};

use crate::workshop::Workshop;

fn trial(from: &str) -> Trial {
    Trial {
        from: from.parse().unwrap(),
        database: "SQLite 3.50".to_owned(),
        rounds: 120,
        ended_before: 100,
        ended_after: 20,
        worst_blackout_ms: 340,
        worst_way_back_ms: 900,
    }
}

#[test]
fn a_proof_is_published_with_its_release_and_read_by_customers() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"one")]);
    shop.write_tree(&[("bin/crm", b"two")]);
    let built = shop.build("1.1.0", "").unwrap();
    let proof = Proof::of(&built, "0.1.0", vec![trial("1.0.0")]).unwrap();
    proof.keep(&built).unwrap();
    publish(&shop.vendor(), &built).unwrap();

    let catalog = shop.client().refresh(Timestamp::now()).unwrap();
    let release = |version: &str| catalog.release(&version.parse().unwrap()).unwrap();
    assert_eq!(release("1.1.0").proof(), Some(&proof));
    assert!(proof.covers(&"1.0.0".parse().unwrap()));
    assert!(!proof.covers(&"0.9.0".parse().unwrap()));
    assert_eq!(release("1.0.0").proof(), None);
}

#[test]
fn a_proof_of_another_build_is_not_published() {
    let shop = Workshop::new();
    shop.write_tree(&[("bin/crm", b"one")]);
    let built = shop.build("1.0.0", "").unwrap();
    let proof = Proof::of(&built, "0.1.0", vec![trial("0.9.0")]).unwrap();
    shop.write_tree(&[("bin/crm", b"other")]);
    let built = shop.build("1.0.0", "").unwrap();
    proof.keep(&built).unwrap();
    let error = publish(&shop.vendor(), &built).unwrap_err();
    assert!(
        error.chain().contains("proof of another build"),
        "{}",
        error.chain()
    );
}

#[test]
fn a_release_can_be_proven_before_it_is_published_and_without_keys() {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"one")]);
    shop.write_tree(&[("bin/crm", b"two")]);
    let built = shop.build("1.1.0", "").unwrap();
    let trials = shop.path("trials");
    let root = trial_repository(&shop.repository(), &built, &trials).unwrap();

    let mut options = shop.options(&trials.display().to_string());
    options.root = std::fs::read(root).unwrap();
    options.store = shop.path("store-of-trials");
    let catalog = Client::open(options)
        .unwrap()
        .refresh(Timestamp::now())
        .unwrap();
    let versions: Vec<String> = catalog
        .releases()
        .iter()
        .map(|release| release.description().version.to_string())
        .collect();
    assert_eq!(versions, ["1.0.0", "1.1.0"]);
    // The vendor's own repository knows nothing of it, and its customers do not trust the other.
    let published = shop.client().refresh(Timestamp::now()).unwrap();
    assert_eq!(published.releases().len(), 1);
    let mut customer = shop.options(&trials.display().to_string());
    customer.store = shop.path("store-of-customer");
    assert!(
        Client::open(customer)
            .unwrap()
            .refresh(Timestamp::now())
            .is_err()
    );
}
