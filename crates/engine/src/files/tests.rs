use std::fs;
use std::time::Instant;

use super::*;
use crate::since;

/// Files of the measurement, and directories that they lie in.
const FILES: usize = 50_000;
const DIRECTORIES: usize = 500;

#[test]
fn files_are_counted_through_a_link_and_what_is_missing_has_none() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    fs::create_dir_all(data.join("inside")).unwrap();
    fs::write(data.join("inside/one"), "12345").unwrap();
    fs::write(data.join("two"), "123").unwrap();
    let link = place.path().join("link");
    std::os::unix::fs::symlink(&data, &link).unwrap();
    let directories = [link, place.path().join("missing")];
    let files = Files {
        directories: &directories,
        except: &[],
    };
    assert_eq!(files.measure(), (2, 8));
}

/// Prints how long everything takes with many files; in `OBNOVA_PLACE`, to try a file system.
#[test]
#[ignore = "a measurement of minutes"]
fn fifty_thousand_files_are_protected_and_come_back() {
    let place = std::env::var_os("OBNOVA_PLACE").map_or_else(std::env::temp_dir, PathBuf::from);
    let place = tempfile::tempdir_in(place).unwrap();
    let (data, copy) = (place.path().join("data"), place.path().join("copy"));
    for directory in 0..DIRECTORIES {
        fs::create_dir_all(data.join(directory.to_string())).unwrap();
    }
    for file in 0..FILES {
        let directory = data.join((file % DIRECTORIES).to_string());
        fs::write(directory.join(file.to_string()), vec![b'x'; 20_000]).unwrap();
    }
    durable::sync_file_system(place.path()).unwrap();
    let directories = [data.clone()];
    let files = Files {
        directories: &directories,
        except: &[],
    };
    let timed = |what: &str, act: &mut dyn FnMut()| {
        let began = Instant::now();
        act();
        println!("{what}: {:.2} s", began.elapsed().as_secs_f64());
    };
    timed("count", &mut || assert_eq!(files.measure().0, FILES as u64));
    timed("protect", &mut || {
        let (count, _) = files.protect(&copy, &|| true, &mut |_, _| ()).unwrap();
        assert_eq!(count, FILES as u64);
    });
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(1);
    let listed = since::Data {
        directories: &directories,
        except: &[],
    };
    timed("list", &mut || since::list(&copy, listed).unwrap());
    timed("compare", &mut || {
        since::changes(&copy, at, listed, &mut |place, change, _| {
            panic!("{place:?} {change:?}");
        })
        .unwrap();
    });
    timed("second copy", &mut || {
        let to = place.path().join("second");
        files
            .copy_protected(&copy, &to, &|| true, &mut |_, _| ())
            .unwrap();
    });
    timed("return", &mut || files.restore(&copy).unwrap());
    timed("remove", &mut || durable::remove_dir_all(&copy).unwrap());
    assert_eq!(files.measure().0, FILES as u64);
}
