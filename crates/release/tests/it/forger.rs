//! Somebody who holds keys of the vendor and signs what no honest tool would.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use aws_lc_rs::signature::Ed25519KeyPair;
use obnova_release::Digest;
use serde_json::{Value, json};
use sigstore_tuf::canonical_json::to_canonical_bytes;

use crate::workshop::Workshop;

/// Changes one repository, with the keys of its workshop.
pub struct Forger {
    repository: PathBuf,
    keys: BTreeMap<String, Vec<Ed25519KeyPair>>,
}

impl Forger {
    pub fn new(shop: &Workshop) -> Self {
        Self::of(shop, shop.repository())
    }

    /// With the keys of this workshop, in another repository: a mirror.
    pub fn of(shop: &Workshop, repository: PathBuf) -> Self {
        let mut keys: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for directory in ["keys", "offline"] {
            for entry in fs::read_dir(shop.path(directory)).unwrap().flatten() {
                let name = entry.file_name().into_string().unwrap();
                let (role, _) = name.split_once('-').unwrap();
                let pem = pem::parse(fs::read(entry.path()).unwrap()).unwrap();
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pem.contents()).unwrap();
                keys.entry(role.to_owned()).or_default().push(pair);
            }
        }
        Self { repository, keys }
    }

    /// The signed part of a role's newest metadata.
    pub fn newest(&self, role: &str) -> Value {
        let bytes = fs::read(self.path(&self.newest_name(role))).unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap()["signed"].take()
    }

    /// Publishes a role's next metadata with this change, and all that names it, well signed.
    pub fn change(&self, role: &str, edit: impl FnOnce(&mut Value)) {
        let mut edit = Some(edit);
        self.change_signed(
            role,
            &[role],
            &mut |signed| edit.take().unwrap()(signed),
            &mut |_| {},
        );
    }

    /// As [`Forger::change`], signed with the keys of these roles; `spoil` then changes the whole file, signatures too.
    pub fn change_signed(
        &self,
        role: &str,
        signers: &[&str],
        edit: &mut dyn FnMut(&mut Value),
        spoil: &mut dyn FnMut(&mut Value),
    ) {
        let mut signed = self.newest(role);
        signed["version"] = (signed["version"].as_u64().unwrap() + 1).into();
        edit(&mut signed);
        let mut file = self.sign(&signed, signers);
        spoil(&mut file);
        let bytes = file.to_string().into_bytes();
        let version = signed["version"].as_u64().unwrap_or(1);
        match role {
            "timestamp" => self.put("timestamp.json", &bytes),
            _ => self.put(&format!("{version}.{role}.json"), &bytes),
        }
        let above = match role {
            "targets" => "snapshot",
            "snapshot" => "timestamp",
            _ => return,
        };
        let pin = json!({
            "version": version,
            "length": bytes.len(),
            "hashes": { "sha256": Digest::of(&bytes) },
        });
        let key = format!("{role}.json");
        self.change_signed(
            above,
            &[above],
            &mut |signed| signed["meta"][&key] = pin.clone(),
            &mut |_| {},
        );
    }

    /// Puts a file of these bytes where clients look for a signed target, and lists it.
    pub fn list(&self, path: &str, bytes: &[u8], custom: Value) {
        let digest = Digest::of(bytes);
        let (directory, name) = path.rsplit_once('/').unwrap();
        let directory = self.repository.join("targets").join(directory);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("{digest}.{name}")), bytes).unwrap();
        self.change("targets", |signed| {
            signed["targets"][path] = json!({
                "length": bytes.len(),
                "hashes": { "sha256": digest },
                "custom": custom,
            });
        });
    }

    /// Signs with all keys of these roles.
    pub fn sign(&self, signed: &Value, roles: &[&str]) -> Value {
        let canonical = to_canonical_bytes(signed).unwrap();
        let root = self.newest("root");
        let mut signatures = Vec::new();
        for role in roles {
            for key in &self.keys[*role] {
                let sig = hex::encode(key.sign(&canonical).as_ref());
                signatures.push(json!({ "keyid": id_of(key, &root), "sig": sig }));
            }
        }
        json!({ "signatures": signatures, "signed": signed })
    }

    pub fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.repository.join("metadata").join(name)
    }

    fn newest_name(&self, role: &str) -> String {
        match role {
            "timestamp" => "timestamp.json".into(),
            "root" => (1..)
                .take_while(|number| self.path(&format!("{number}.root.json")).exists())
                .last()
                .map(|number| format!("{number}.root.json"))
                .unwrap(),
            _ => {
                let above = if role == "snapshot" {
                    "timestamp"
                } else {
                    "snapshot"
                };
                let pin = &self.newest(above)["meta"][format!("{role}.json")];
                format!("{}.{role}.json", pin["version"])
            }
        }
    }
}

fn id_of(key: &Ed25519KeyPair, root: &Value) -> String {
    use aws_lc_rs::signature::KeyPair;
    let public = hex::encode(key.public_key().as_ref());
    let keys = root["keys"].as_object().unwrap();
    keys.iter()
        .find(|(_, listed)| listed["keyval"]["public"] == public.as_str())
        .map(|(id, _)| id.clone())
        .unwrap_or_else(|| "0".repeat(64))
}
