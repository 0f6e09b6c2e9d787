//! Which paths a tree may hold.

use unicode_normalization::UnicodeNormalization;

use super::MAX_PATH;

/// Names that are devices on Windows, whatever follows a dot.
const RESERVED: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// Says which rule a path breaks.
pub(super) fn check(path: &str) -> Result<(), &'static str> {
    if path.len() > MAX_PATH {
        return Err("is longer than 1024 bytes");
    }
    if path.starts_with('/') {
        return Err("is an absolute path");
    }
    if path.contains('\\') {
        return Err("has a backslash");
    }
    if path.contains(char::is_control) {
        return Err("has a control character");
    }
    path.split('/').try_for_each(check_component)
}

fn check_component(component: &str) -> Result<(), &'static str> {
    match component {
        "" => return Err("has an empty component"),
        "." | ".." => return Err("has a . or .. component"),
        _ => {}
    }
    if component.len() > 255 {
        return Err("has a component of more than 255 bytes");
    }
    if component.ends_with(['.', ' ']) {
        return Err("has a component that ends in a dot or space");
    }
    if is_reserved(component) {
        return Err("has a name that is a device on Windows");
    }
    Ok(())
}

fn is_reserved(component: &str) -> bool {
    let stem = component
        .split('.')
        .next()
        .unwrap_or(component)
        .trim_end()
        .to_lowercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|rest| {
            matches!(rest.chars().next(), Some('1'..='9' | '¹' | '²' | '³'))
                && rest.chars().count() == 1
        })
    };
    RESERVED.contains(&stem.as_str()) || numbered("com") || numbered("lpt")
}

/// What is equal for two paths that are one where case or the composition of letters does not count. Lower case alone would
/// not do: `ς` and `σ`, and `ſ` and `s`, are two lower-case letters each with one upper-case letter.
pub(super) fn fold(path: &str) -> String {
    path.nfc()
        .collect::<String>()
        .to_lowercase()
        .to_uppercase()
        .nfc()
        .collect()
}
