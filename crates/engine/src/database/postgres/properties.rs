//! What belongs to a database and does not lie in it, so that neither `CREATE DATABASE ... TEMPLATE` nor `pg_restore` brings
//! it along: owner, connection limit, privileges, comment, settings of the database and of roles in it, security labels.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::access::Access;
use super::failure::Failure;
use super::server::{Server, identifier, literal};

/// Settings that are lists of quoted names: the server must not quote them once more.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

const ASK: &str = "SELECT jsonb_build_object(\
    'owner', pg_get_userbyid(d.datdba), \
    'connection_limit', d.datconnlimit, \
    'is_template', d.datistemplate, \
    'acl', d.datacl::text, \
    'grants', coalesce((SELECT jsonb_agg(jsonb_build_object(\
        'grantee', CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END, \
        'privilege', a.privilege_type, 'with_option', a.is_grantable) ORDER BY a.number) \
        FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) WITH ORDINALITY \
        AS a(grantor, grantee, privilege_type, is_grantable, number)), '[]'), \
    'comment', shobj_description(d.oid, 'pg_database'), \
    'settings', coalesce((SELECT jsonb_agg(jsonb_build_object('role', r.rolname, 'values', s.setconfig) \
        ORDER BY r.rolname NULLS FIRST) \
        FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole WHERE s.setdatabase = d.oid), '[]'), \
    'labels', coalesce((SELECT jsonb_agg(jsonb_build_object('provider', l.provider, 'label', l.label) \
        ORDER BY l.provider) \
        FROM pg_shseclabel l WHERE l.classoid = 'pg_database'::regclass AND l.objoid = d.oid), '[]')\
    )::text FROM pg_database d WHERE d.datname = $1";

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Properties {
    owner: String,
    connection_limit: i32,
    is_template: bool,
    #[serde(flatten)]
    access: Access,
    comment: Option<String>,
    settings: Vec<Settings>,
    labels: Vec<Label>,
}

/// `name=value` of a role in the database, or of all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Settings {
    role: Option<String>,
    values: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Label {
    provider: String,
    label: String,
}

impl Properties {
    /// Those of this database.
    pub(super) fn of(server: &mut Server, database: &str) -> Result<Properties, Failure> {
        server
            .ask(ASK, database)?
            .ok_or_else(|| Failure::Unsuitable(format!("there is no database {database}")))
    }

    /// All of them in one text, the same exactly for equal ones.
    pub(super) fn text(&self) -> String {
        let access = self.access.canonical();
        format!(
            "{:?}",
            Properties {
                access,
                ..self.clone()
            }
        )
    }

    /// Who may do what with the database, and who owns it.
    pub(super) fn access(&self) -> (&Access, &str) {
        (&self.access, &self.owner)
    }

    /// Gives them to a database that has none yet, and looks whether it has them then.
    ///
    /// # Errors
    /// This role's rights do not suffice.
    pub(super) fn give(&self, server: &mut Server, database: &str) -> Result<(), Failure> {
        let has = Properties::of(server, database)?;
        server.run(&self.statements(database, &has))?;
        self.compare(server, database)
    }

    /// The same with a database that has others: those go.
    ///
    /// # Errors
    /// This role's rights do not suffice.
    pub(super) fn give_anew(&self, server: &mut Server, database: &str) -> Result<(), Failure> {
        let has = Properties::of(server, database)?;
        if has == *self {
            return Ok(());
        }
        let mut sql = has.taking_away(database);
        sql.push_str(&self.statements(database, &has));
        // All or none: settings of half a database would be taken for it.
        server.run(&sql)?;
        self.compare(server, database)
    }

    fn compare(&self, server: &mut Server, database: &str) -> Result<(), Failure> {
        let has = Properties::of(server, database)?;
        match has == *self {
            true => Ok(()),
            false => Err(Failure::Unsuitable(format!(
                "what belongs to the database cannot be given to its copy exactly: {self:?} became {has:?}"
            ))),
        }
    }

    /// Looks whether this role could do that, by giving them to the database that has them, in a transaction that comes to
    /// nothing. `anew` is whether they are taken away before.
    ///
    /// # Errors
    /// This role's rights do not suffice.
    pub(super) fn try_to_give(
        &self,
        server: &mut Server,
        database: &str,
        anew: bool,
    ) -> Result<(), Failure> {
        let taken = match anew {
            true => self.taking_away(database),
            false => String::new(),
        };
        server.run("BEGIN")?;
        let given = server
            .run(&taken)
            .and_then(|()| self.give(server, database));
        server.run("ROLLBACK")?;
        given
    }

    /// Statements after which only the owner and the privileges are left.
    fn taking_away(&self, database: &str) -> String {
        let name = identifier(database);
        let mut sql = String::new();
        let mut say = |statement: String| {
            // Writing into a string cannot fail.
            let _ = writeln!(sql, "{statement};");
        };
        if self.comment.is_some() {
            say(format!("COMMENT ON DATABASE {name} IS NULL"));
        }
        for settings in &self.settings {
            say(format!("{} RESET ALL", settings.whose(&name)));
        }
        for Label { provider, .. } in &self.labels {
            let provider = identifier(provider);
            say(format!(
                "SECURITY LABEL FOR {provider} ON DATABASE {name} IS NULL"
            ));
        }
        sql
    }

    fn statements(&self, database: &str, has: &Properties) -> String {
        let (name, own) = (identifier(database), identifier(&self.owner));
        let mut sql = String::new();
        let mut say = |statement: String| {
            // Writing into a string cannot fail.
            let _ = writeln!(sql, "{statement};");
        };
        if self.owner != has.owner {
            say(format!("ALTER DATABASE {name} OWNER TO {own}"));
        }
        let (limit, template) = (self.connection_limit, self.is_template);
        say(format!(
            "ALTER DATABASE {name} CONNECTION LIMIT {limit} IS_TEMPLATE {template}"
        ));
        if !(self.access.is_built_in() && has.access.is_built_in()) {
            let statements = self.access.statements(&name, &self.owner, &has.access);
            statements.into_iter().for_each(&mut say);
        }
        if let Some(comment) = &self.comment {
            let comment = literal(comment);
            say(format!("COMMENT ON DATABASE {name} IS {comment}"));
        }
        for settings in &self.settings {
            settings.statements(&name).into_iter().for_each(&mut say);
        }
        for Label { provider, label } in &self.labels {
            let (provider, label) = (identifier(provider), literal(label));
            say(format!(
                "SECURITY LABEL FOR {provider} ON DATABASE {name} IS {label}"
            ));
        }
        sql
    }
}

impl Settings {
    fn whose(&self, database: &str) -> String {
        match &self.role {
            Some(role) => format!("ALTER ROLE {} IN DATABASE {database}", identifier(role)),
            None => format!("ALTER DATABASE {database}"),
        }
    }

    fn statements(&self, database: &str) -> Vec<String> {
        let whose = self.whose(database);
        let mut statements = Vec::new();
        for (name, value) in self.values.iter().filter_map(|text| text.split_once('=')) {
            let (quoted, value) = (identifier(name), literal(value));
            if LISTS.contains(&name) {
                let set = literal(name);
                statements.push(format!("SELECT set_config({set}, {value}, true)"));
                statements.push(format!("{whose} SET {quoted} FROM CURRENT"));
            } else {
                statements.push(format!("{whose} SET {quoted} TO {value}"));
            }
        }
        statements
    }
}
