use std::fs;
use std::time::Duration;

use super::*;

fn found(copy: &Path, at: Timestamp, directories: &[PathBuf]) -> Vec<(String, Change)> {
    let mut found = Vec::new();
    let data = Data {
        directories,
        except: &[],
    };
    changes(copy, at, data, &mut |(number, path), change, _| {
        found.push((format!("{number}/{}", path.display()), change));
        Ok(())
    })
    .unwrap();
    found
}

#[test]
fn files_added_changed_and_removed_are_told_and_no_others() {
    let place = tempfile::tempdir().unwrap();
    let (data, copy) = (place.path().join("data"), place.path().join("copy"));
    fs::create_dir_all(data.join("letters")).unwrap();
    fs::create_dir(&copy).unwrap();
    for name in [
        "a",
        "b",
        "letters.txt",
        "letters/one",
        "letters/two\nlines",
        "z",
    ] {
        fs::write(data.join(name), name).unwrap();
    }
    std::thread::sleep(Duration::from_millis(50));
    let at = Timestamp::now();
    let directories = [place.path().join("missing"), data.clone()];
    list(
        &copy,
        Data {
            directories: &directories,
            except: &[],
        },
    )
    .unwrap();
    assert_eq!(found(&copy, at, &directories), []);
    fs::write(data.join("b"), "c").unwrap();
    fs::write(data.join("letters/new"), "").unwrap();
    fs::remove_file(data.join("letters/two\nlines")).unwrap();
    fs::remove_file(data.join("z")).unwrap();
    // Whoever hides a change by setting the time back is seen all the same.
    let modified = fs::metadata(data.join("a")).unwrap().modified().unwrap();
    fs::write(data.join("a"), "A").unwrap();
    let file = fs::File::options()
        .write(true)
        .open(data.join("a"))
        .unwrap();
    file.set_modified(modified).unwrap();
    let told = [
        ("1/a", Change::Written),
        ("1/b", Change::Written),
        ("1/letters/new", Change::Written),
        ("1/letters/two\nlines", Change::Removed),
        ("1/z", Change::Removed),
    ];
    let told: Vec<(String, Change)> = told.map(|(name, it)| (name.to_owned(), it)).to_vec();
    assert_eq!(found(&copy, at, &directories), told);
    // Without a list, what is there is told by its time.
    fs::remove_file(copy.join("since.files")).unwrap();
    let written: Vec<_> = told
        .into_iter()
        .filter(|(_, change)| *change == Change::Written)
        .collect();
    assert_eq!(found(&copy, at, &directories), written);
}
