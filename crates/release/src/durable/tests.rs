use super::*;

#[test]
fn a_file_is_replaced_wholly_with_its_mode_and_nothing_is_left_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.json");
    write(&path, b"old", 0o600).unwrap();
    write(&path, b"new", 0o644).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    let mode = crate::system::mode(&fs::metadata(&path).unwrap());
    assert!(mode.is_none_or(|mode| mode == 0o644), "{mode:?}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_failed_write_leaves_the_old_file_and_names_the_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("taken");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("inside"), b"x").unwrap();
    let error = write(&path, b"new", 0o600).unwrap_err();
    assert!(error.to_string().contains("taken"), "{error}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn appended_bytes_follow_those_already_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    Append::open(&path, 0o600).unwrap().append(b"one").unwrap();
    let mut again = Append::open(&path, 0o600).unwrap();
    again.append(b"two").unwrap();
    again.truncate(4).unwrap();
    again.append(b"!").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"onet!");
    assert_eq!(again.length().unwrap(), 5);
}

#[test]
fn a_taken_lock_is_not_given_twice() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lock");
    let first = Lock::try_take(&path).unwrap();
    assert_eq!(
        Lock::try_take(&path).unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
    drop(first);
    Lock::try_take(&path).unwrap();
}

#[test]
fn a_rename_to_a_taken_name_is_refused_where_asked() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    fs::write(&from, b"1").unwrap();
    fs::write(&to, b"2").unwrap();
    assert_eq!(
        rename_new(&from, &to).unwrap_err().kind(),
        io::ErrorKind::AlreadyExists
    );
    rename(&from, &to).unwrap();
    assert_eq!(fs::read(&to).unwrap(), b"1");
}

#[test]
fn a_file_longer_than_the_limit_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("long");
    fs::write(&path, b"12345").unwrap();
    assert_eq!(read_limited(&path, 5).unwrap(), b"12345");
    assert_eq!(
        read_limited(&path, 4).unwrap_err().kind(),
        io::ErrorKind::FileTooLarge
    );
}
