//! Whether a symbolic link stays in its tree, following the other links on its way.

use std::collections::BTreeMap;

use super::{Entry, MAX_PATH};

/// As many links as Linux follows.
const MAX_HOPS: usize = 40;

/// Says why the link at `path` must not be.
pub(super) fn check<'a>(
    entries: &'a BTreeMap<String, Entry>,
    path: &'a str,
    target: &'a str,
) -> Result<(), &'static str> {
    if target.is_empty() || target.len() > MAX_PATH {
        return Err("is empty or too long");
    }
    if target.starts_with('/') || target.contains('\\') || target.contains(char::is_control) {
        return Err("is absolute, or has a backslash or control character");
    }
    let mut place: Vec<&str> = path.split('/').collect();
    place.pop();
    let mut hops = 0;
    walk(entries, &mut place, target, &mut hops)
}

/// Walks from the directory `place` along `target`, as the kernel would; `place` is then where it leads.
fn walk<'a>(
    entries: &'a BTreeMap<String, Entry>,
    place: &mut Vec<&'a str>,
    target: &'a str,
    hops: &mut usize,
) -> Result<(), &'static str> {
    *hops += 1;
    if *hops > MAX_HOPS {
        return Err("goes through too many links");
    }
    for component in target.split('/') {
        match component {
            "" | "." => {}
            ".." => {
                place.pop().ok_or("leads out of the tree")?;
            }
            name => {
                place.push(name);
                if place.len() > MAX_PATH {
                    return Err("leads to a path that is too long");
                }
                if let Some(Entry::Link { target }) = entries.get(&place.join("/")) {
                    if target.starts_with('/') {
                        return Err("leads out of the tree");
                    }
                    place.pop();
                    walk(entries, place, target, hops)?;
                }
            }
        }
    }
    Ok(())
}
