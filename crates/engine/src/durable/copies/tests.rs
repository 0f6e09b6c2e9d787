use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;

/// A tree with everything that a tree can hold.
fn odd_tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    fs::create_dir_all(from.join("read-only")).unwrap();
    fs::write(from.join("plain"), "text").unwrap();
    fs::hard_link(from.join("plain"), from.join("other name")).unwrap();
    fs::write(from.join("read-only/inner"), "text").unwrap();
    symlink("nowhere", from.join("dangling")).unwrap();
    mknodat(
        CWD,
        from.join("pipe"),
        FileType::Fifo,
        Mode::from_bits_truncate(0o620),
        0,
    )
    .unwrap();
    let sparse = File::create(from.join("sparse")).unwrap();
    sparse.set_len(256 << 20).unwrap();
    sparse.write_all_at(b"in the middle", 100 << 20).unwrap();
    fs::set_permissions(from.join("read-only"), fs::Permissions::from_mode(0o555)).unwrap();
    dir
}

fn expect_same(one: &Path, other: &Path) {
    let print = |path| obnova_testkit::fingerprint::Fingerprint::of_tree(path).unwrap();
    print(one).expect_same(&print(other)).unwrap();
    let number = |name: &str| fs::metadata(other.join(name)).unwrap().ino();
    assert_eq!(number("plain"), number("other name"), "no longer one file");
    assert!(fs::metadata(other.join("sparse")).unwrap().blocks() * 512 < 16 << 20);
}

#[test]
fn a_copied_tree_holds_everything_that_the_original_does() {
    let dir = odd_tree();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    copy_tree(&from, &to, &|_| false, &|| true, &mut |_| ()).unwrap();
    expect_same(&from, &to);
}

#[test]
fn extended_attributes_are_kept() {
    let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    fs::write(&from, "text").unwrap();
    if lsetxattr(&from, "user.origin", b"import", XattrFlags::empty()) == Err(Errno::NOTSUP) {
        eprintln!("this file system has no extended attributes: nothing was tried");
        return;
    }
    copy_file(&from, &to, &|| true).unwrap();
    let mut value = Vec::with_capacity(16);
    lgetxattr(&to, "user.origin", spare_capacity(&mut value)).unwrap();
    assert_eq!(value, b"import");
}

#[test]
fn copying_can_be_broken_off_in_the_middle_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    fs::write(&from, vec![1; 3 * PIECE]).unwrap();
    let asked = std::cell::Cell::new(0);
    let go_on = || asked.replace(asked.get() + 1) == 0;
    let error = copy_content(&from, &to, &go_on).map(drop);
    // A file system with reflinks is done before it could be asked.
    if asked.get() > 0 {
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::Interrupted);
    }
}

#[test]
fn whatever_was_done_to_a_tree_it_becomes_its_copy_again() {
    let dir = odd_tree();
    let (tree, copy) = (dir.path().join("from"), dir.path().join("copy"));
    fs::write(tree.join("app.db"), "somebody else's").unwrap();
    let skip = |path: &Path| path.ends_with("app.db");
    copy_tree(&tree, &copy, &skip, &|| true, &mut |_| ()).unwrap();
    // Content under the same length and time, kinds exchanged, things gone and things new.
    let times = fs::metadata(tree.join("plain"))
        .unwrap()
        .modified()
        .unwrap();
    fs::write(tree.join("plain"), "TEXT").unwrap();
    File::options()
        .write(true)
        .open(tree.join("plain"))
        .unwrap()
        .set_modified(times)
        .unwrap();
    fs::remove_file(tree.join("dangling")).unwrap();
    fs::create_dir_all(tree.join("dangling/deep")).unwrap();
    fs::set_permissions(tree.join("read-only"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_dir_all(tree.join("read-only")).unwrap();
    fs::write(tree.join("read-only"), "a file now").unwrap();
    fs::remove_file(tree.join("pipe")).unwrap();
    fs::create_dir_all(tree.join("new/deep")).unwrap();
    fs::write(tree.join(".obnova-tmp-plain"), "of a try that was killed").unwrap();
    for _ in 0..2 {
        mirror_tree(&copy, &tree, &skip).unwrap();
        assert_eq!(fs::read(tree.join("app.db")).unwrap(), b"somebody else's");
        let was = fs::read(tree.join("app.db")).unwrap();
        fs::remove_file(tree.join("app.db")).unwrap();
        expect_same(&copy, &tree);
        fs::write(tree.join("app.db"), was).unwrap();
    }
}

/// Without syncing what others have written in the same file system, which would take as long as there is much of that.
#[test]
fn what_was_cloned_on_xfs_outlives_a_power_cut() {
    let volume = obnova_testkit::volume::Volume::new(obnova_testkit::volume::Kind::Xfs, 512 << 20)
        .expect("root and xfsprogs");
    let (from, to) = (volume.path().join("from"), volume.path().join("to"));
    fs::create_dir_all(from.join("inside/deep")).unwrap();
    for number in 0..200_u32 {
        let content = vec![number.to_le_bytes()[0]; 20_000];
        fs::write(from.join(format!("inside/{number}")), content).unwrap();
    }
    fs::write(from.join("inside/deep/empty"), "").unwrap();
    fs::set_permissions(from.join("inside/7"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("nowhere", from.join("inside/dangling")).unwrap();
    // What is cloned need not be on the disk yet, and others may write meanwhile.
    fs::write(volume.path().join("other"), vec![1; 8 << 20]).unwrap();
    copy_tree(&from, &to, &|_| false, &|| true, &mut |_| ()).unwrap();
    let print = || obnova_testkit::fingerprint::Fingerprint::of_tree(&to).unwrap();
    let before = print();
    volume.cut_power().unwrap();
    volume.restore_power().unwrap();
    before.expect_same(&print()).unwrap();
    let other = fs::metadata(volume.path().join("other"));
    let written = other.map(|it| it.blocks() * 512).unwrap_or(0);
    assert!(written < 8 << 20, "all of the file system was synced");
}

/// More files than wait for those who copy, in several directories.
fn large_tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for number in 0..1_500 {
        let directory = dir.path().join(format!("from/{}/inner", number % 7));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(number.to_string()), number.to_string()).unwrap();
    }
    dir
}

#[test]
fn many_files_are_copied_and_each_is_counted_once() {
    let dir = large_tree();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let (mut files, mut bytes) = (0, 0);
    let mut count = |length: u64| {
        files += 1;
        bytes += length;
    };
    copy_tree(&from, &to, &|_| false, &|| true, &mut count).unwrap();
    let lengths = (0..1_500).map(|number: u64| number.to_string().len() as u64);
    assert_eq!((files, bytes), (1_500, lengths.sum()));
    let print = |path| obnova_testkit::fingerprint::Fingerprint::of_tree(path).unwrap();
    print(&from).expect_same(&print(&to)).unwrap();
}

#[test]
fn copying_many_files_is_broken_off_when_it_is_told_to() {
    let dir = large_tree();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let asked = std::cell::Cell::new(0);
    let go_on = || {
        asked.set(asked.get() + 1);
        asked.get() < 700
    };
    let error = copy_tree(&from, &to, &|_| false, &go_on, &mut |_| ()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Interrupted);
}

#[test]
fn the_failure_of_one_file_is_the_failure_of_all_and_says_which() {
    let dir = large_tree();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let device = rustix::fs::makedev(1, 3);
    mknodat(
        CWD,
        from.join("3/null"),
        FileType::CharacterDevice,
        Mode::RUSR,
        device,
    )
    .unwrap();
    let error = copy_tree(&from, &to, &|_| false, &|| true, &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("3/null is a device"), "{error}");
}
