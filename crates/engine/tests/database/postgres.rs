//! A database of a PostgreSQL server, with everything in and around it that a return must bring back.

mod hard;
mod in_place;
mod kept_out;
pub mod owned;
mod rehearsed;
mod room;
mod standby;
mod unfit;
pub mod versions;

use std::path::Path;

use anyhow::Result;
use obnova_engine::database::Database;
use obnova_testkit::postgres::Postgres;

use crate::Case;
use crate::contract::Subject;

/// Quotes, upper case, a per cent sign, and characters of several bytes.
pub const ODD_NAME: &str = "Zákazníci \"A\" 100% o'k";

/// Its owner, with no more rights than the right to create databases.
pub const OWNER: &str = "crm";

/// See the module.
pub struct Server<'a> {
    server: &'a Postgres,
    directory: tempfile::TempDir,
    name: String,
    section: String,
}

/// Roles of the whole server; made once.
const ROLES: &str = "
    CREATE ROLE crm LOGIN CREATEDB PASSWORD 'tajne-heslo';
    CREATE ROLE \"Čtenář\" LOGIN;
    CREATE ROLE accounting;
    CREATE ROLE nobody LOGIN PASSWORD 'jine-heslo';
";

const CONTENTS: &str = "
    CREATE SCHEMA sales;
    CREATE EXTENSION citext;
    CREATE TYPE sales.stage AS ENUM ('new', 'won', 'lost');
    CREATE DOMAIN sales.money AS numeric(12, 2) CHECK (VALUE >= 0);
    CREATE TABLE sales.person (id serial PRIMARY KEY, name text NOT NULL, email citext UNIQUE, photo oid);
    CREATE TABLE sales.deal (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person int REFERENCES sales.person ON DELETE CASCADE,
        stage sales.stage NOT NULL DEFAULT 'new', amount sales.money, title text,
        search tsvector GENERATED ALWAYS AS (to_tsvector('simple', coalesce(title, ''))) STORED);
    CREATE INDEX deal_search ON sales.deal USING gin (search);
    CREATE VIEW sales.won AS SELECT * FROM sales.deal WHERE stage = 'won';
    CREATE MATERIALIZED VIEW sales.totals AS SELECT stage, sum(amount) FROM sales.deal GROUP BY stage;
    CREATE FUNCTION sales.shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.title := upper(NEW.title); RETURN NEW; END $$;
    CREATE TRIGGER shout BEFORE INSERT ON sales.deal FOR EACH ROW EXECUTE FUNCTION sales.shout();
    INSERT INTO sales.person (name, email)
        SELECT 'Osoba č. ' || n, 'p' || n || '@example.org' FROM generate_series(1, 500) n;
    INSERT INTO sales.deal (person, amount, title, stage)
        SELECT n, n * 10, 'deal ' || n, (ARRAY['new', 'won', 'lost'])[1 + n % 3]::sales.stage FROM generate_series(1, 500) n;
    UPDATE sales.person SET name = name || ' ml.' WHERE id % 7 = 0;
    UPDATE sales.person SET photo = lo_from_bytea(70001, '\\x0001ff'::bytea) WHERE id = 1;
    GRANT SELECT ON LARGE OBJECT 70001 TO \"Čtenář\";
    GRANT USAGE ON SCHEMA sales TO \"Čtenář\";
    GRANT SELECT ON ALL TABLES IN SCHEMA sales TO \"Čtenář\", accounting;
    GRANT UPDATE (amount) ON sales.deal TO accounting;
    ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT SELECT ON TABLES TO \"Čtenář\";
    ALTER TABLE sales.person ENABLE ROW LEVEL SECURITY;
    CREATE POLICY everybody ON sales.person USING (true);
    COMMENT ON TABLE sales.deal IS 'What''s \"sold\"';
    REFRESH MATERIALIZED VIEW sales.totals;
    ANALYZE;
";

/// What belongs to the database and does not lie in it.
const AROUND: &str = "
    ALTER DATABASE {db} SET search_path TO sales, \"$user\", public;
    ALTER DATABASE {db} SET work_mem TO '5MB';
    ALTER DATABASE {db} SET application_name TO 'O''Hara = \"sons\"';
    ALTER ROLE crm IN DATABASE {db} SET statement_timeout TO '1h';
    ALTER ROLE crm IN DATABASE {db} SET search_path TO \"Sales\", sales;
    ALTER DATABASE {db} CONNECTION LIMIT 50;
    REVOKE CONNECT ON DATABASE {db} FROM PUBLIC;
    GRANT CONNECT ON DATABASE {db} TO \"Čtenář\" WITH GRANT OPTION;
    GRANT CREATE, TEMPORARY ON DATABASE {db} TO accounting;
    COMMENT ON DATABASE {db} IS 'Zákazníci: \"naši\" & jejich';
";

const MIGRATION: &str = "
    ALTER TABLE sales.person ADD COLUMN phone text DEFAULT 'none';
    DROP VIEW sales.won;
    ALTER TABLE sales.deal ALTER COLUMN person TYPE bigint;
    UPDATE sales.deal SET amount = amount + 1;
    DELETE FROM sales.person WHERE id % 5 = 0;
    INSERT INTO sales.person (name) VALUES ('new');
    SELECT nextval('sales.person_id_seq') FROM generate_series(1, 10);
    SELECT lo_put(70001, 0, '\\xdeadbeef'), lo_from_bytea(70002, '\\x01');
    REVOKE SELECT ON LARGE OBJECT 70001 FROM \"Čtenář\";
    DROP FUNCTION sales.shout() CASCADE;
    DROP POLICY everybody ON sales.person;
    ALTER TYPE sales.stage ADD VALUE 'paused';
    CREATE SCHEMA stock;
    CREATE TABLE stock.item (id int);
    CREATE EXTENSION hstore;
    GRANT ALL ON ALL TABLES IN SCHEMA sales TO \"Čtenář\";
    REVOKE ALL ON sales.deal FROM accounting;
    ALTER DEFAULT PRIVILEGES IN SCHEMA sales REVOKE SELECT ON TABLES FROM \"Čtenář\";
    COMMENT ON TABLE sales.deal IS 'new';
    ALTER DATABASE {db} SET work_mem TO '9MB';
    ALTER DATABASE {db} RESET search_path;
    ALTER ROLE crm IN DATABASE {db} RESET ALL;
    ALTER DATABASE {db} SET timezone TO 'UTC';
    ALTER DATABASE {db} CONNECTION LIMIT 7;
    GRANT CONNECT ON DATABASE {db} TO PUBLIC;
    REVOKE ALL ON DATABASE {db} FROM \"Čtenář\";
    COMMENT ON DATABASE {db} IS NULL;
";

impl<'a> Server<'a> {
    /// Makes a database of this name, in the place of one that an earlier case left.
    pub fn new(server: &'a Postgres, name: &str, rung: &str) -> Result<Server<'a>> {
        let roles = server.sql(
            "postgres",
            "postgres",
            "SELECT count(*) FROM pg_roles WHERE rolname = 'crm'",
        )?;
        if roles == "0" {
            server.sql("postgres", "postgres", ROLES)?;
        }
        let (rung, may_create) = match rung.strip_suffix(" in place") {
            Some(rung) => (rung, "NOCREATEDB"),
            None => (rung, "CREATEDB"),
        };
        server.sql("postgres", "postgres", "ALTER ROLE crm CREATEDB")?;
        let subject = Server {
            server,
            directory: tempfile::tempdir()?,
            name: name.to_owned(),
            section: format!(
                "driver = \"postgres\"\nurl = '{}'\nrung = \"{rung}\"",
                server.url(OWNER, &encoded(name))
            ),
        };
        let databases = "SELECT datname FROM pg_database WHERE datname LIKE '%obnova%'";
        for left in subject.as_superuser(databases)?.lines().chain([name]) {
            let left = quoted(left);
            subject.as_superuser(&format!("DROP DATABASE IF EXISTS {left} WITH (FORCE)"))?;
        }
        let database = quoted(name);
        server.sql(
            OWNER,
            "postgres",
            &format!("CREATE DATABASE {database} TEMPLATE template0"),
        )?;
        subject.sql(CONTENTS)?;
        subject.sql(AROUND)?;
        subject.as_superuser(&format!("ALTER ROLE crm {may_create}"))?;
        Ok(subject)
    }

    /// Another way to configure the driver.
    pub fn configured(mut self, section: String) -> Server<'a> {
        self.section = section;
        self
    }

    /// Runs SQL in it as its owner; `{db}` is its name.
    pub fn sql(&self, sql: &str) -> Result<String> {
        let sql = sql.replace("{db}", &quoted(&self.name));
        self.server.sql(OWNER, &self.name, &sql)
    }

    /// Runs SQL in it as the superuser.
    pub fn as_superuser_inside(&self, sql: &str) -> Result<String> {
        self.server.sql("postgres", &self.name, sql)
    }

    /// Runs SQL beside it as the superuser.
    pub fn as_superuser(&self, sql: &str) -> Result<String> {
        self.server.sql("postgres", "postgres", sql)
    }
}

impl Subject for Server<'_> {
    fn driver(&self) -> Result<Box<dyn Database>> {
        crate::driver(self.directory.path(), &self.section)
    }

    fn migrate(&self) -> Result<()> {
        self.sql(MIGRATION).map(drop)
    }

    fn now(&self) -> Result<String> {
        self.server.dump(&self.name)
    }

    fn state_dir(&self) -> &Path {
        self.directory.path()
    }

    fn left_over(&self) -> Result<String> {
        let mut left = self.as_superuser(
            "SELECT datname FROM pg_database WHERE datname LIKE '%obnova%' ORDER BY 1",
        )?;
        for path in owned::beside(&self.server.data())? {
            left.push_str(&format!("\n{}", path.display()));
        }
        Ok(left)
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// As it stands in an address.
pub fn encoded(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// The cases that are about PostgreSQL only.
pub fn cases() -> Vec<Case> {
    let all = [
        hard::cases(),
        in_place::cases(),
        kept_out::cases(),
        rehearsed::cases(),
        room::cases(),
        standby::cases(),
        unfit::cases(),
        versions::cases(),
    ];
    all.into_iter().flatten().collect()
}
