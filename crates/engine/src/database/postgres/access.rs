//! Who may do what with a database as such: its privileges, given back in the order in which they were.

use serde::{Deserialize, Serialize};

use super::server::identifier;

/// The privileges on a database.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Access {
    /// As the server writes them; nothing where they are what every new database has.
    acl: Option<String>,
    grants: Vec<Grant>,
}

/// One privilege; of everybody where there is no grantee.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Grant {
    grantee: Option<String>,
    privilege: String,
    with_option: bool,
}

impl PartialEq for Access {
    /// The same for everybody. What every new database has may be written down or not.
    fn eq(&self, other: &Access) -> bool {
        match (&self.acl, &other.acl) {
            (None, None) => true,
            (Some(acl), Some(other)) => acl == other,
            _ => self.sorted() == other.sorted(),
        }
    }
}

impl Access {
    fn sorted(&self) -> Vec<&Grant> {
        let mut grants: Vec<&Grant> = self.grants.iter().collect();
        grants.sort();
        grants
    }

    /// As everybody has them, however they are written down.
    pub(super) fn canonical(&self) -> Access {
        Access {
            acl: None,
            grants: self.sorted().into_iter().cloned().collect(),
        }
    }

    /// Whether nobody ever changed them.
    pub(super) fn is_built_in(&self) -> bool {
        self.acl.is_none()
    }

    /// Statements that make these of `has`; `owner` is the database's.
    pub(super) fn statements(&self, database: &str, owner: &str, has: &Access) -> Vec<String> {
        // Of all, so that they are given in the same order also where they are.
        let known = self.grants.iter().chain(&has.grants);
        let grantees = known.filter_map(|grant| grant.grantee.as_deref());
        let mut all: Vec<String> = grantees.chain([owner]).map(identifier).collect();
        all.sort();
        all.dedup();
        let revoke = format!(
            "REVOKE ALL ON DATABASE {database} FROM PUBLIC, {} CASCADE",
            all.join(", ")
        );
        let grants = self.grants.iter().map(|grant| grant.statement(database));
        [revoke].into_iter().chain(grants).collect()
    }

    /// Those who may connect, as they stand in SQL, but for these roles.
    pub(super) fn guests(&self, but: &[&str]) -> Vec<String> {
        let connects = self.grants.iter().filter(|it| it.privilege == "CONNECT");
        let others =
            connects.filter(|it| !but.iter().any(|role| it.grantee.as_deref() == Some(role)));
        others.map(Grant::whom).collect()
    }

    /// These, with what became of `shut` until `now`: whatever somebody granted or revoked meanwhile.
    pub(super) fn with_changes(&self, shut: &Access, now: &Access) -> Access {
        let kept = |grant: &&Grant| now.grants.contains(grant) || !shut.grants.contains(grant);
        let is_new = |grant: &&Grant| !shut.grants.contains(grant) && !self.grants.contains(grant);
        let kept = self.grants.iter().filter(kept);
        Access {
            acl: self.acl.clone(),
            grants: kept
                .chain(now.grants.iter().filter(is_new))
                .cloned()
                .collect(),
        }
    }

    /// Whether the same privileges are granted, in whatever order and by whomever.
    pub(super) fn grants_the_same(&self, other: &Access) -> bool {
        self.sorted() == other.sorted()
    }
}

impl Grant {
    fn whom(&self) -> String {
        let grantee = self.grantee.as_deref();
        grantee.map_or_else(|| "PUBLIC".to_owned(), identifier)
    }

    fn statement(&self, database: &str) -> String {
        let option = if self.with_option {
            " WITH GRANT OPTION"
        } else {
            ""
        };
        let (privilege, grantee) = (&self.privilege, self.whom());
        format!("GRANT {privilege} ON DATABASE {database} TO {grantee}{option}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(grants: &[(&str, &str)]) -> Access {
        let grant = |(grantee, privilege): &(&str, &str)| Grant {
            grantee: (!grantee.is_empty()).then(|| (*grantee).to_owned()),
            privilege: (*privilege).to_owned(),
            with_option: false,
        };
        Access {
            acl: Some(format!("{grants:?}")),
            grants: grants.iter().map(grant).collect(),
        }
    }

    #[test]
    fn who_may_connect_but_some_is_known() {
        let it = access(&[
            ("", "CONNECT"),
            ("", "TEMPORARY"),
            ("crm", "CONNECT"),
            ("a b", "CONNECT"),
        ]);
        assert_eq!(it.guests(&["crm"]), ["PUBLIC", "\"a b\""]);
    }

    #[test]
    fn what_was_granted_and_revoked_meanwhile_is_kept() {
        let before = access(&[
            ("", "CONNECT"),
            ("a", "CONNECT"),
            ("a", "CREATE"),
            ("crm", "CONNECT"),
        ]);
        let shut = access(&[("a", "CREATE"), ("crm", "CONNECT")]);
        let same = before.with_changes(&shut, &shut);
        assert_eq!(same.grants, before.grants);
        let now = access(&[("crm", "CONNECT"), ("b", "CONNECT")]);
        let after = before.with_changes(&shut, &now);
        let expected = access(&[
            ("", "CONNECT"),
            ("a", "CONNECT"),
            ("crm", "CONNECT"),
            ("b", "CONNECT"),
        ]);
        assert_eq!(after.grants, expected.grants);
    }
}
