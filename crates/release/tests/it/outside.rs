//! Every parser of bytes from outside, fed with any bytes at all: what must hold whatever comes. The fuzz targets in `fuzz/`
//! call these functions with ever new input; the tests in `corpus.rs` with the input that was kept.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use obnova_release::{
    Client, Description, Digest, Entry, Error, InstalledRelease, Limits, Source, Tree, Values,
};
use serde_json::{Value, json};

use crate::forger::Forger;
use crate::workshop::{Workshop, newest, noise, version};

/// A `release.json` or `release.toml` is refused, or is the same after it was written and read again.
pub fn description(data: &[u8]) {
    let text = str::from_utf8(data);
    let read = [
        Description::from_json(data, "release.json"),
        Description::from_toml(text.unwrap_or(""), "release.toml"),
    ];
    for description in read.into_iter().flatten() {
        let json = description.to_json().unwrap();
        let again = Description::from_json(&json, "release.json").unwrap();
        assert_eq!(again, description);
        assert_eq!(again.to_json().unwrap(), json);
        // It names a directory and, with `.json` behind it, a file beside the others.
        assert!(!description.version.to_string().ends_with(".json"));
        let name = description.version.to_string();
        assert!(
            !name.contains(['/', '\\', '\0']) && !name.starts_with('.'),
            "{name}"
        );
    }
    let values = Values {
        tree: "/versions/1".into(),
        port: "1".into(),
        data: "${tree}".into(),
        database: "db".into(),
    };
    if let Ok(text) = text {
        values.fill(text);
        if let Ok(source) = text.parse::<Source>() {
            let _ = source.to_string();
        }
        let _ = text.parse::<Digest>();
    }
}

/// A file list is refused, or is the same after it was written and read again, and put on a disk nothing of it leads out of
/// its directory.
pub fn tree(data: &[u8]) {
    let plain = serde_json::from_slice::<Tree>(data).ok();
    let packed = Tree::from_packed(data, "tree").ok();
    for tree in plain.into_iter().chain(packed) {
        let again = Tree::from_packed(&tree.to_packed().unwrap(), "tree").unwrap();
        assert_eq!(again, tree);
        let _ = (tree.bytes(), tree.packed_bytes());
        if tree.entries().len() <= 30 {
            stays_inside(&tree);
        }
    }
    if let Ok(installed) = serde_json::from_slice::<InstalledRelease>(data) {
        let json = serde_json::to_vec(&installed).unwrap();
        assert_eq!(
            serde_json::from_slice::<InstalledRelease>(&json).unwrap(),
            installed
        );
    }
}

fn stays_inside(tree: &Tree) {
    let outside = tempfile::tempdir().unwrap();
    let root = outside.path().join("a/b/root");
    fs::create_dir_all(&root).unwrap();
    for (path, entry) in tree.entries() {
        let place = root.join(path);
        let made = match entry {
            Entry::Directory { .. } => fs::create_dir(&place),
            Entry::File(_) => fs::write(&place, b""),
            Entry::Link { target } => std::os::unix::fs::symlink(target, &place),
        };
        // Names of 1024 bytes in directories of this length are more than the system takes.
        if made.is_err_and(|error| error.kind() != std::io::ErrorKind::InvalidFilename) {
            panic!("{path:?} cannot be made");
        }
    }
    let root = root.canonicalize().unwrap();
    for (path, entry) in tree.entries() {
        if let Entry::Link { .. } = entry
            && let Ok(leads) = root.join(path).canonicalize()
        {
            assert!(leads.starts_with(&root), "{path:?} leads to {leads:?}");
        }
    }
    let around = fs::read_dir(outside.path().join("a/b")).unwrap().count();
    assert_eq!(around, 1);
}

/// A repository with a version that an installation has seen, to be spoilt again and again.
struct Seen {
    shop: Workshop,
    forger: Forger,
    /// What the installation trusts, whatever becomes of the repository.
    root: Vec<u8>,
    /// The files of metadata and store as they were.
    honest: Vec<(std::path::PathBuf, Vec<u8>)>,
}

thread_local! {
    static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

impl Seen {
    fn new() -> Self {
        let shop = Workshop::new();
        shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
        shop.client().refresh(Timestamp::now()).unwrap();
        let honest = ["repository/metadata", "repository/targets", "store"]
            .iter()
            .flat_map(|name| crate::workshop::files_of(&shop.path(name)))
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        Self {
            forger: Forger::new(&shop),
            root: shop.first_root(),
            shop,
            honest,
        }
    }

    fn client(&self) -> Client {
        let mut options = self.shop.options(self.shop.repository().to_str().unwrap());
        options.root.clone_from(&self.root);
        Client::open(options).unwrap()
    }

    fn restore(&self) {
        for directory in ["repository/metadata", "store"] {
            fs::remove_dir_all(self.shop.path(directory)).unwrap();
        }
        for (path, bytes) in &self.honest {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
}

fn with_seen(work: impl FnOnce(&Seen)) {
    SEEN.with_borrow_mut(|seen| {
        let seen = seen.get_or_insert_with(Seen::new);
        seen.restore();
        work(seen);
    });
}

fn number(value: &Value) -> u64 {
    value["signed"]["version"].as_u64().unwrap()
}

/// Signed metadata with any content, metadata files of any bytes, and a store of any bytes: the client refuses or believes,
/// never ends, and never goes back behind what it has seen.
pub fn metadata(data: &[u8]) {
    let [how, rest @ ..] = data else { return };
    let role = ["root", "targets", "snapshot", "timestamp"][usize::from(how % 4)];
    with_seen(|seen| {
        let kept = seen.shop.path("store/metadata/timestamp.json");
        let before: Value = serde_json::from_slice(&fs::read(&kept).unwrap()).unwrap();
        match how / 4 % 4 {
            // The next version of the role, with these members replaced, and well signed.
            0 => {
                let Ok(Value::Object(members)) = serde_json::from_slice(rest) else {
                    return;
                };
                let edit = |signed: &mut Value| signed.as_object_mut().unwrap().extend(members);
                seen.forger.change(role, edit);
            }
            1 => match role {
                "root" => seen.forger.put("2.root.json", rest),
                "timestamp" => seen.forger.put("timestamp.json", rest),
                role => seen.forger.put(&format!("2.{role}.json"), rest),
            },
            2 => fs::write(seen.shop.path(&format!("store/metadata/{role}.json")), rest).unwrap(),
            _ => {
                let name = [
                    "known.json",
                    "lock",
                    "metadata/root_history/2.root.json",
                    "targets/x",
                ];
                fs::write(
                    seen.shop.path("store").join(name[usize::from(how % 4)]),
                    rest,
                )
                .unwrap();
            }
        }
        let client = seen.client();
        let _ = client.known(Timestamp::now());
        if let Err(error) = client.refresh(Timestamp::now()) {
            let _ = error.chain();
        }
        let _ = client.known(Timestamp::now());
        if how / 4 % 4 < 2 && *how % 4 != 0 {
            let after = serde_json::from_slice(&fs::read(&kept).unwrap()).unwrap();
            assert!(number(&after) >= number(&before));
        }
    });
}

/// Files listed beside a release, with any path and any word of what they are: the release is refused, or its installers have
/// names that lead nowhere else. Lines by two: the path, and what is said of it.
pub fn installers(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let lines: Vec<&str> = text.lines().collect();
    with_seen(|seen| {
        seen.forger.change("targets", |signed| {
            for pair in lines.chunks(2) {
                let said = pair.get(1).and_then(|said| serde_json::from_str(said).ok());
                let path = format!("releases/1.0.0/installers/{}", pair[0]);
                signed["targets"][path] = json!({
                    "length": 3,
                    "hashes": { "sha256": Digest::of(b"exe") },
                    "custom": said.unwrap_or(json!({ "kind": "installer", "version": "1.0.0" })),
                });
            }
        });
        let Ok(catalog) = seen.client().refresh(Timestamp::now()) else {
            return;
        };
        for release in catalog.releases() {
            let _ = catalog.installers_for(&release.description().version);
            for installer in release.installers() {
                for name in [&installer.platform, &installer.file_name] {
                    let ways = |byte: u8| byte.is_ascii_graphic() && !b"/\\:?#%".contains(&byte);
                    assert!(!name.starts_with('.') && name.bytes().all(ways), "{name:?}");
                }
            }
        }
    });
}

/// Content that is listed with its true digest and the digest of what it unpacks to, or not: it is installed exactly then.
pub fn content(data: &[u8]) {
    let plain = unpacked(data);
    let size = plain.as_ref().map_or(7, |plain| plain.len() as u64);
    let packed_size = data.len() as u64;
    // What no compression makes is refused with the list.
    if packed_size > size + size / 128 + 1024 {
        return;
    }
    let digest = Digest::of(data);
    let entries = json!({ "file": {
        "kind": "file", "mode": 0o644, "size": size, "packed_size": packed_size,
        "sha256": Digest::of(plain.as_deref().unwrap_or(b"nothing")), "packed_sha256": digest,
    }});
    let manifest = json!({ "format": 1, "entries": entries }).to_string();
    with_seen(|seen| {
        let custom = json!({
            "product": "crm", "version": "1.0.0", "channel": "stable",
            "bytes": size, "packed_bytes": packed_size,
        });
        let tree = zstd::encode_all(manifest.as_bytes(), 1).unwrap();
        seen.forger
            .list("releases/1.0.0/tree.json.zst", &tree, custom.clone());
        seen.forger.change("targets", |signed| {
            signed["targets"]["releases/1.0.0/release.json"]["custom"] = custom;
        });
        let name = digest.to_string();
        let place = seen.shop.repository().join("content").join(&name[..2]);
        fs::create_dir_all(&place).unwrap();
        let file = place.join(format!("{name}.zst"));
        fs::write(&file, data).unwrap();
        let _ = fs::remove_dir_all(seen.shop.path("versions"));
        let client = seen.client();
        let release = newest(&client.refresh(Timestamp::now()).unwrap());
        let result = seen.shop.download(&client, &release);
        let installed = seen.shop.path("versions/1.0.0/file");
        match plain {
            Some(plain) => {
                result.unwrap();
                assert_eq!(fs::read(installed).unwrap(), plain);
            }
            None => {
                result.unwrap_err();
                assert!(!installed.exists());
            }
        }
        fs::remove_file(file).unwrap();
    });
}

/// What the reference library makes of it, up to a mebibyte.
fn unpacked(data: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = zstd::Decoder::new(data).ok()?;
    decoder.window_log_max(27).ok()?;
    let mut plain = Vec::new();
    // In large pieces: whether a frame is believed that says a wrong length of itself depends on that in the library.
    let mut piece = vec![0; 128 << 10];
    loop {
        match decoder.read(&mut piece).ok()? {
            0 => break,
            count => plain.extend_from_slice(&piece[..count]),
        }
        if plain.len() >= 1 << 20 {
            return None;
        }
    }
    (!data.is_empty()).then_some(plain)
}

/// A server that answers requests for content with any bytes at all, and otherwise honestly.
struct Garbled {
    shop: Workshop,
    client: Client,
    answer: Arc<Mutex<Vec<u8>>>,
    partial: std::path::PathBuf,
}

thread_local! {
    static GARBLED: RefCell<Option<Garbled>> = const { RefCell::new(None) };
}

/// The length of the file that is downloaded in parts; more than goes through memory.
const LARGE: usize = 300 << 10;

impl Garbled {
    fn new() -> Self {
        let shop = Workshop::new();
        let large = noise(7, LARGE);
        shop.publish("1.0.0", "", &[("bin/crm", b"1"), ("large", &large)]);
        let answer = Arc::new(Mutex::new(Vec::new()));
        let address = answering(&shop.repository(), answer.clone());
        let limits = Limits {
            idle: Duration::from_millis(300),
            total: Duration::from_secs(1),
            attempts: 2,
            pause: Duration::from_millis(1),
            ..crate::workshop::impatient()
        };
        let client = Client::open_with(shop.options(&address), limits).unwrap();
        client.refresh(Timestamp::now()).unwrap();
        let content = crate::workshop::files_of(&shop.repository().join("content"));
        let file = content
            .into_iter()
            .find(|path| fs::metadata(path).unwrap().len() > LARGE as u64 / 2)
            .unwrap();
        let partial = shop.path("content").join(file.file_stem().unwrap());
        Self {
            partial: partial.with_extension("part"),
            shop,
            client,
            answer,
        }
    }
}

fn answering(directory: &Path, answer: Arc<Mutex<Vec<u8>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let directory = directory.to_owned();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut line = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let _ = reader.read_line(&mut line);
            let mut rest = String::new();
            while reader.read_line(&mut rest).is_ok_and(|length| length > 2) {}
            let path = line
                .split(' ')
                .nth(1)
                .unwrap_or("/")
                .trim_start_matches('/');
            let bytes = match fs::read(directory.join(path)) {
                _ if path.starts_with("content/") => answer.lock().unwrap().clone(),
                Ok(file) => {
                    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ";
                    [format!("{head}{}\r\n\r\n", file.len()).as_bytes(), &file].concat()
                }
                Err(_) => {
                    b"HTTP/1.1 404 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_vec()
                }
            };
            let _ = stream.write_all(&bytes);
        }
    });
    address
}

/// A part and an entity tag of any bytes that an earlier run seems to have left, and any answer of the server: a version
/// appears only if it is right, and never does the part grow beyond the file.
pub fn partial(data: &[u8]) {
    let [part, tag, rest @ ..] = data else { return };
    let (part, rest) = rest.split_at(usize::from(*part).min(rest.len()));
    let (tag, answer) = rest.split_at(usize::from(*tag).min(rest.len()));
    GARBLED.with_borrow_mut(|garbled| {
        let garbled = garbled.get_or_insert_with(Garbled::new);
        let Garbled { shop, client, .. } = garbled;
        answer.clone_into(&mut garbled.answer.lock().unwrap());
        let _ = fs::remove_dir_all(shop.path("versions"));
        fs::create_dir_all(shop.path("content")).unwrap();
        fs::write(&garbled.partial, part).unwrap();
        fs::write(garbled.partial.with_extension("etag"), tag).unwrap();
        let release = client.known(Timestamp::now()).unwrap().unwrap();
        let release = release.release(&version("1.0.0")).unwrap().clone();
        let _ = release.download_bytes(&shop.destination());
        let result: Result<(), Error> = client.download(
            &release,
            &shop.destination(),
            &mut |done, total| assert!(done <= total, "{done} of {total}"),
            &AtomicBool::new(false),
        );
        // No answer of so few bytes is the file.
        result.unwrap_err();
        assert!(!shop.path("versions/1.0.0").exists());
        let left = fs::metadata(&garbled.partial).map_or(0, |part| part.len());
        assert!(left <= 2 * LARGE as u64);
    });
}
