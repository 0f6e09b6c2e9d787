//! A database of a MariaDB server, with everything in and around it that a return must bring back.

mod hard;
mod kept_out;

use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Result, anyhow};
use obnova_engine::database::Database;
use obnova_testkit::mariadb::{Mariadb, PASSWORD};
use obnova_testkit::volume::{Kind, Volume};

use crate::Case;
use crate::contract::Subject;

/// Back quotes, upper case, a per cent sign, an underscore, and characters of several bytes. No other quotes: `mariadb-dump`
/// itself does not know a database of such a name.
pub const ODD_NAME: &str = "Zákazníci `A` 100% k_o";

/// The application's account, with no rights but on its database.
pub const OWNER: &str = "crm";

/// Below 0x20, quotes, a backslash and several languages, all of it in what is stored.
const CONTENTS: &str = r#"
    CREATE TABLE person (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(100) NOT NULL, email VARCHAR(200) UNIQUE,
        photo LONGBLOB, height DOUBLE, rate FLOAT, born DATE, born_at TIMESTAMP(6) NULL, note TEXT COMMENT 'What''s "noted"')
        COMMENT = 'people';
    CREATE TABLE deal (id BIGINT AUTO_INCREMENT PRIMARY KEY, person INT, title VARCHAR(100), amount DECIMAL(12, 2),
        stage ENUM ('new', 'won', 'lost') NOT NULL DEFAULT 'new', flags SET ('a', 'b'), data JSON,
        doubled DECIMAL(13, 2) AS (amount * 2) STORED, bits BIT(9),
        FULLTEXT KEY words (title), KEY stage (stage),
        CONSTRAINT whose FOREIGN KEY (person) REFERENCES person (id) ON DELETE CASCADE);
    CREATE TABLE history (id INT PRIMARY KEY, what VARCHAR(20)) WITH SYSTEM VERSIONING;
    CREATE TABLE old (a INT, b VARCHAR(20)) ENGINE = MyISAM CHARSET latin2;
    CREATE TABLE `a ``quoted`` name` (`or'der` INT);
    CREATE SEQUENCE number START 100 INCREMENT 5;
    INSERT INTO person (name, email, height, born, note)
        SELECT concat('Osoba č. ', seq), concat('p', seq, '@example.org'), seq / 3, '1990-01-01' + INTERVAL seq DAY,
            concat('a\\b ''c'' "d"\n', char(9), 'ř') FROM seq_1_to_500;
    UPDATE person SET photo = unhex(repeat('00FF270A5C', 1000)), rate = 0.1, born_at = '2000-02-03 04:05:06.000007' WHERE id % 50 = 1;
    INSERT INTO deal (person, title, amount, stage, flags, data, bits)
        SELECT seq, concat('deal ', seq), seq * 10, 1 + seq % 3, 'a,b', json_object('n', seq), b'101010101' FROM seq_1_to_500;
    INSERT INTO history VALUES (1, 'first');
    UPDATE history SET what = 'second';
    INSERT INTO old VALUES (1, 'žluťoučký'), (1, 'žluťoučký');
    SELECT nextval(number);
    -- What was taken for rows that then were not made is forgotten by the server whenever it ends.
    ALTER TABLE person AUTO_INCREMENT = 501;
    ALTER TABLE deal AUTO_INCREMENT = 501;
    CREATE VIEW won AS SELECT * FROM deal WHERE stage = 'won';
    CREATE VIEW winners AS SELECT DISTINCT person.name FROM won JOIN person ON person.id = won.person;
    DELIMITER ;;
    CREATE TRIGGER shout BEFORE INSERT ON deal FOR EACH ROW BEGIN SET NEW.title = upper(NEW.title); END;;
    CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC COMMENT 'it''s double' BEGIN RETURN n * 2; END;;
    CREATE PROCEDURE wipe() MODIFIES SQL DATA BEGIN DELETE FROM deal WHERE amount < 0; END;;
    CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DISABLE DO BEGIN CALL wipe(); END;;
    DELIMITER ;
"#;

const MIGRATION: &str = "
    ALTER TABLE person ADD COLUMN phone TEXT DEFAULT 'none', MODIFY height FLOAT;
    DROP VIEW winners;
    CREATE OR REPLACE VIEW won AS SELECT id FROM deal WHERE stage = 'paused';
    ALTER TABLE deal DROP COLUMN doubled, MODIFY stage ENUM ('new', 'won', 'lost', 'paused') NOT NULL;
    DROP TRIGGER shout;
    DROP FUNCTION twice;
    UPDATE deal SET amount = amount + 1;
    DELETE FROM person WHERE id % 5 = 0;
    INSERT INTO person (name) VALUES ('new');
    SELECT nextval(number);
    UPDATE history SET what = 'third';
    DROP TABLE old;
    CREATE TABLE stock (id INT PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS old (c INT);
    ALTER EVENT nightly ENABLE;
    ALTER SEQUENCE number RESTART 7;
";

/// See the module.
pub struct Server {
    server: &'static Mariadb,
    directory: tempfile::TempDir,
    name: String,
    section: String,
}

/// Ends with this process.
fn ordinary() -> Result<&'static Mariadb> {
    static SERVER: OnceLock<Result<Mariadb, String>> = OnceLock::new();
    known(SERVER.get_or_init(|| Mariadb::start().map_err(|error| format!("{error:#}"))))
}

/// One whose files can be cloned. Ends with this process, and its file system too.
fn on(kind: Kind) -> Result<&'static Mariadb> {
    static VOLUMES: [OnceLock<Result<(Mariadb, Volume), String>>; 3] =
        [OnceLock::new(), OnceLock::new(), OnceLock::new()];
    let place = match kind {
        Kind::Xfs => &VOLUMES[0],
        Kind::Btrfs => &VOLUMES[1],
        Kind::Ext4 => &VOLUMES[2],
    };
    let made = place.get_or_init(|| {
        Volume::new(kind, 2 << 30)
            .and_then(|volume| Ok((Mariadb::start_in(&volume.path())?, volume)))
            .map_err(|error| format!("{error:#}"))
    });
    match made {
        Ok((server, _)) => Ok(server),
        Err(error) => Err(anyhow!("{error}")),
    }
}

fn known(made: &'static Result<Mariadb, String>) -> Result<&'static Mariadb> {
    made.as_ref().map_err(|error| anyhow!("{error}"))
}

impl Server {
    /// A database that is dumped.
    pub fn dumped(name: &str) -> Result<Server> {
        Server::new(ordinary()?, name, "rung = \"dump\"")
    }

    /// One whose server's files are cloned.
    pub fn cloned(kind: Kind) -> Result<Server> {
        let server = on(kind)?;
        let section = format!(
            "rung = \"file_system\"\n[database.cluster]\ndata = '{}'",
            server.data().display()
        );
        Server::new(server, "crm", &section)
    }

    /// A database of a server that lets nobody in without TLS but over its socket; `query` ends the address.
    pub fn over_tls(server: &'static Mariadb, query: &str) -> Result<Server> {
        let mut subject = Server::new(server, "crm", "rung = \"dump\"")?;
        let port = server.port();
        subject.section = subject.section.replace(
            &format!("@127.0.0.1:{port}/crm"),
            &format!("@localhost:{port}/crm?{query}"),
        );
        Ok(subject)
    }

    /// A database of this name, in the place of one that an earlier case left. `section` ends its part of the installation file.
    fn new(server: &'static Mariadb, name: &str, section: &str) -> Result<Server> {
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("password"), format!("{PASSWORD}\n"))?;
        let subject = Server {
            server,
            directory,
            name: name.to_owned(),
            section: format!(
                "driver = \"mariadb\"\nurl = '{}'\npassword_file = \"password\"\n{section}",
                server.url(OWNER, &encoded(name))
            ),
        };
        let database = quoted(name);
        let pattern = quoted(&name.replace('_', "\\_").replace('%', "\\%"));
        for left in subject.left_over()?.lines() {
            std::fs::remove_dir_all(server.data().with_file_name(left))?;
        }
        subject.as_root(&format!(
            "DROP DATABASE IF EXISTS {database}; DROP USER IF EXISTS crm, ctenar, 'nobody'@'%';
             CREATE DATABASE {database} CHARACTER SET utf8mb4 COLLATE utf8mb4_czech_ci COMMENT 'it''s ours';
             CREATE USER crm IDENTIFIED BY '{PASSWORD}', ctenar IDENTIFIED BY '{PASSWORD}';
             GRANT ALL PRIVILEGES ON {pattern}.* TO crm;"
        ))?;
        subject.sql(CONTENTS)?;
        subject.as_root(&format!(
            "GRANT SELECT ON {database}.person TO ctenar WITH GRANT OPTION; GRANT UPDATE (amount) ON {database}.deal TO ctenar;
             GRANT EXECUTE ON FUNCTION {database}.twice TO ctenar"
        ))?;
        Ok(subject)
    }

    fn as_root(&self, sql: &str) -> Result<String> {
        self.server.sql("root", "", sql)
    }

    fn sql(&self, sql: &str) -> Result<String> {
        self.server.sql(OWNER, &self.name, sql)
    }
}

impl Subject for Server {
    fn driver(&self) -> Result<Box<dyn Database>> {
        crate::driver(self.directory.path(), &self.section)
    }

    fn migrate(&self) -> Result<()> {
        self.sql(MIGRATION).map(drop)
    }

    fn now(&self) -> Result<String> {
        let history = self.sql("SELECT * FROM history FOR SYSTEM_TIME ALL ORDER BY 1, 2")?;
        Ok(format!("{}\n{history}", self.server.dump(&self.name)?))
    }

    fn state_dir(&self) -> &Path {
        self.directory.path()
    }

    fn left_over(&self) -> Result<String> {
        let data = self.server.data();
        let name = data
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut left = Vec::new();
        for entry in std::fs::read_dir(data.parent().unwrap_or(&data))? {
            let found = entry?.file_name().to_string_lossy().into_owned();
            if found.starts_with(&format!("{name}.")) || found.starts_with(".obnova") {
                left.push(found);
            }
        }
        Ok(left.join("\n"))
    }

    fn scratch(&self) -> Result<tempfile::TempDir> {
        // On the server's own file system, if it has one.
        let home = self.server.data();
        let beside = home.ancestors().nth(2).unwrap_or(&home);
        Ok(tempfile::Builder::new()
            .prefix("scratch-")
            .tempdir_in(beside)?)
    }
}

/// What only MariaDB must do.
pub fn cases() -> Vec<Case> {
    [hard::cases(), kept_out::cases()]
        .into_iter()
        .flatten()
        .collect()
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// As it stands in an address.
fn encoded(name: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(one).collect()
}
