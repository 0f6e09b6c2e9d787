use std::io::Write;

use super::*;

const SIZE: u64 = 512 << 20;

#[test]
fn a_volume_is_gone_after_a_panic() {
    for kind in [Kind::Xfs, Kind::Btrfs, Kind::Ext4] {
        let volume = Volume::new(kind, SIZE).unwrap();
        let path = volume.path();
        std::fs::write(path.join("file"), "text").unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _volume = volume;
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert!(!path.exists());
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        assert!(!mounts.contains(path.to_str().unwrap()), "{mounts}");
    }
}

/// A file with this content, synced with its name.
fn durable(path: &Path, text: &str) {
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.sync_all().unwrap();
    std::fs::File::open(path.parent().unwrap())
        .unwrap()
        .sync_all()
        .unwrap();
}

fn after_power_cut(volume: &Volume) {
    volume.cut_power().unwrap();
    assert!(std::fs::write(volume.path().join("late"), "late").is_err());
    volume.restore_power().unwrap();
}

#[test]
fn only_what_was_synced_survives_a_power_cut() {
    for kind in [Kind::Ext4, Kind::Xfs] {
        let volume = Volume::new(kind, SIZE).unwrap();
        let path = volume.path();
        durable(&path.join("kept"), "kept");
        std::fs::write(path.join("lost"), "lost").unwrap();
        after_power_cut(&volume);
        let read = |name: &str| std::fs::read_to_string(path.join(name));
        assert_eq!(read("kept").unwrap(), "kept", "{kind:?}");
        assert!(read("lost").is_err(), "{kind:?}");
        assert!(read("late").is_err(), "{kind:?}");
    }
}

#[test]
fn a_file_that_was_not_synced_before_it_was_renamed_is_empty_after_a_power_cut() {
    for kind in [Kind::Ext4, Kind::Xfs] {
        let volume = Volume::new(kind, SIZE).unwrap();
        let path = volume.path();
        durable(&path.join("file"), "old");
        std::fs::write(path.join("new"), "new").unwrap();
        std::fs::rename(path.join("new"), path.join("file")).unwrap();
        // The name is synced, the content is not: the classic mistake.
        std::fs::File::open(&path).unwrap().sync_all().unwrap();
        after_power_cut(&volume);
        assert_eq!(
            std::fs::read_to_string(path.join("file")).unwrap(),
            "",
            "{kind:?}"
        );
    }
}

#[test]
fn a_rename_that_was_not_synced_is_undone_by_a_power_cut() {
    for kind in [Kind::Ext4, Kind::Xfs] {
        let volume = Volume::new(kind, SIZE).unwrap();
        let path = volume.path();
        durable(&path.join("old name"), "text");
        std::fs::rename(path.join("old name"), path.join("new name")).unwrap();
        after_power_cut(&volume);
        assert!(path.join("old name").exists(), "{kind:?}");
        assert!(!path.join("new name").exists(), "{kind:?}");
    }
}

#[test]
fn a_full_volume_takes_not_one_block_until_it_is_freed() {
    for kind in [Kind::Ext4, Kind::Xfs] {
        let volume = Volume::new(kind, SIZE).unwrap();
        let write = || {
            let mut file = std::fs::File::create(volume.path().join("file"))?;
            file.write_all(&[1; 65536])?;
            file.sync_all()
        };
        write().unwrap();
        std::fs::remove_file(volume.path().join("file")).unwrap();
        let ballast = volume.fill().unwrap();
        assert!(write().is_err(), "{kind:?}");
        drop(ballast);
        write().unwrap();
    }
}

#[test]
fn a_read_only_volume_can_be_read_and_written_again_after_a_restart() {
    let volume = Volume::new(Kind::Ext4, SIZE).unwrap();
    let file = volume.path().join("file");
    durable(&file, "one");
    let mut open = std::fs::File::create(volume.path().join("open")).unwrap();
    std::fs::write(volume.path().join("unsynced"), "text").unwrap();
    volume.read_only().unwrap();
    assert!(std::fs::write(&file, "two").is_err());
    let written = open.write_all(b"x").and_then(|()| open.sync_all());
    assert!(written.is_err());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "one");
    drop(open);
    volume.restore_power().unwrap();
    let unsynced = std::fs::read_to_string(volume.path().join("unsynced"));
    assert_eq!(unsynced.unwrap(), "text");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "one");
    durable(&file, "two");
}

#[test]
fn whoever_works_with_a_volume_is_named() {
    let volume = Volume::new(Kind::Ext4, SIZE).unwrap();
    let mut sleeper = Command::new("sleep")
        .arg("600")
        .current_dir(volume.path())
        .spawn()
        .unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let seen = || {
        holders(&volume.path())
            .iter()
            .any(|(_, words)| words == "sleep 600")
    };
    while !seen() && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(seen());
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    assert!(holders(&volume.path()).is_empty());
}

#[test]
fn power_comes_back_though_somebody_has_a_namespace_with_the_volume() {
    let volume = Volume::new(Kind::Ext4, SIZE).unwrap();
    let mut other = Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "--mount-proc"])
        .args(["sh", "-c", "echo; read -r end"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = [0; 1];
    std::io::Read::read_exact(&mut other.stdout.take().unwrap(), &mut line).unwrap();
    after_power_cut(&volume);
    durable(&volume.path().join("file"), "text");
    drop(other.stdin.take());
    other.wait().unwrap();
}
