//! The placeholders of a description's commands.

/// What `${tree}`, `${port}`, `${data}` and `${database}` stand for on one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// The directory of the version's program files.
    pub tree: String,
    /// The port of the loopback address to listen on.
    pub port: String,
    /// The directory of the application's own files.
    pub data: String,
    /// The database: a file's path or a connection address.
    pub database: String,
}

impl Values {
    /// The text with every placeholder replaced, once: a value that holds `${…}` is not looked at again.
    pub fn fill(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, name, after)) = next(rest) {
            filled.push_str(before);
            match name {
                "tree" => filled.push_str(&self.tree),
                "port" => filled.push_str(&self.port),
                "data" => filled.push_str(&self.data),
                "database" => filled.push_str(&self.database),
                unknown => filled.push_str(&format!("${{{unknown}}}")),
            }
            rest = after;
        }
        filled.push_str(rest);
        filled
    }
}

/// The first placeholder of a text that is not known.
pub(super) fn unknown(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some((_, name, after)) = next(rest) {
        if !matches!(name, "tree" | "port" | "data" | "database") {
            return Some(name);
        }
        rest = after;
    }
    // `${` that is never closed is a slip of the pen as well.
    rest.find("${").map(|start| &rest[start..])
}

/// What is before the first placeholder, its name, and what is after it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let (before, from_name) = text.split_once("${")?;
    let (name, after) = from_name.split_once('}')?;
    Some((before, name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_replaced_once() {
        let values = Values {
            tree: "/v/${port}".into(),
            port: "8080".into(),
            data: "/d".into(),
            database: "/d/crm.db".into(),
        };
        assert_eq!(
            values.fill("${tree}/bin:${port}${data}"),
            "/v/${port}/bin:8080/d"
        );
        assert_eq!(values.fill("$5 and {x}"), "$5 and {x}");
    }

    #[test]
    fn unknown_and_unclosed_placeholders_are_found() {
        assert_eq!(unknown("${tree}/${home}"), Some("home"));
        assert_eq!(unknown("${tree"), Some("${tree"));
        assert_eq!(unknown("${tree} $HOME"), None);
    }
}
