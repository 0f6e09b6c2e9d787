use std::collections::BTreeMap;

use obnova_testkit::postgres::Postgres;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};

use super::*;
use crate::mails::tests::Company;
use crate::store::settings::{ImportSettings, Secret};
use crate::store::users::UserFilter;

async fn people(company: &Company) -> BTreeMap<String, (String, Lang, bool)> {
    let page = company.store.users(&UserFilter::default()).await.unwrap();
    page.items
        .into_iter()
        .map(|user| (user.email, (user.name, user.language, user.active)))
        .collect()
}

async fn groups_of(company: &Company, email: &str) -> Vec<String> {
    let user = company.store.user_by_email(email).await.unwrap().unwrap().0;
    let listed = company.store.groups_of(user.id).await.unwrap();
    let groups = company.store.groups().await.unwrap();
    let mut names: Vec<String> = groups
        .into_iter()
        .filter(|group| listed.contains(&group.id))
        .map(|group| group.identifier)
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_csv_file_brings_people_and_their_groups() {
    let company = Company::found().await;
    let file = "\u{feff}Name;Email;Language;Groups\n\
        Žaneta Černá;zaneta@example.com;cs;\"Obchod, Sklad\"\n\
        John Smith;JOHN@example.com;en-GB;obchod\n";
    let outcome = from_csv(&company.store, file.as_bytes(), false)
        .await
        .unwrap();
    assert_eq!((outcome.added, outcome.error_count), (2, 0));
    let people = people(&company).await;
    assert_eq!(
        people["zaneta@example.com"],
        ("Žaneta Černá".to_owned(), Lang::Cs, true)
    );
    assert_eq!(people["JOHN@example.com"].1, Lang::En);
    assert_eq!(
        groups_of(&company, "zaneta@example.com").await,
        ["Obchod", "Sklad"]
    );
    assert_eq!(groups_of(&company, "john@example.com").await, ["Obchod"]);
}

#[tokio::test]
async fn rows_that_cannot_be_taken_are_named_with_their_line() {
    let company = Company::found().await;
    let file = "name,email,groups\n\
        A,no address,\n\
        ,b@example.com,\n\
        C,c@example.com,Administrator\n\
        D,C@EXAMPLE.COM,\n\
        \"E\nBcc: x\",e@example.com,\n\
        F,\"f@example.com\nBcc: x@example.com\",\n\
        G,g@example.com\n";
    let outcome = from_csv(&company.store, file.as_bytes(), false)
        .await
        .unwrap();
    let errors: Vec<(u64, &str)> = outcome
        .errors
        .iter()
        .map(|error| (error.line, error.code.as_str()))
        .collect();
    assert_eq!(
        errors,
        [
            (9, "unreadable"),
            (2, "email-invalid"),
            (3, "name-invalid"),
            (4, "administrator"),
            (5, "duplicate"),
            (6, "name-invalid"),
            (8, "email-invalid"),
        ]
        .map(|error| if error.0 == 9 {
            (outcome.errors[0].line, error.1)
        } else {
            error
        })
    );
    assert_eq!(outcome.added, 1);
    assert_eq!(groups_of(&company, "c@example.com").await, [""; 0]);
    for lang in Lang::ALL {
        for error in &outcome.errors {
            assert!(obnova_text::Text::of(lang).has(&format!("import-row-{}", error.code)));
        }
    }
}

#[tokio::test]
async fn people_who_left_become_inactive_and_those_kept_by_hand_are_not_touched() {
    let company = Company::found().await;
    let both =
        "name,email\nNew,new@example.com\nOther,other@example.com\nOverwritten,bob@example.com\n";
    let outcome = from_csv(&company.store, both.as_bytes(), true)
        .await
        .unwrap();
    assert_eq!(
        (outcome.added, outcome.kept, outcome.deactivated),
        (2, 1, 0)
    );
    let one = "name,email\nNewer,NEW@example.com\n";
    let outcome = from_csv(&company.store, one.as_bytes(), true)
        .await
        .unwrap();
    assert_eq!((outcome.changed, outcome.deactivated), (1, 1));
    let now = people(&company).await;
    assert_eq!(now["NEW@example.com"].0, "Newer");
    assert!(!now["other@example.com"].2);
    assert_eq!(now["bob@example.com"].0, "Bob Brown");
    assert!(now["simon@example.com"].2);
    let outcome = from_csv(&company.store, both.as_bytes(), true)
        .await
        .unwrap();
    assert_eq!(outcome.reactivated, 1);
    let outcome = from_csv(&company.store, both.as_bytes(), true)
        .await
        .unwrap();
    assert_eq!((outcome.unchanged, outcome.changed), (2, 0));
}

#[tokio::test]
async fn an_empty_list_is_taken_for_a_mistake() {
    let company = Company::found().await;
    from_csv(&company.store, b"name,email\nNew,new@example.com\n", true)
        .await
        .unwrap();
    let error = from_csv(&company.store, b"name,email\n", true)
        .await
        .unwrap_err();
    assert!(matches!(error, ImportError::Empty));
    assert!(people(&company).await["new@example.com"].2);
    let last = last(&company.store).await.unwrap().unwrap();
    assert_eq!(last.failure.as_deref(), Some("import-failed-empty"));
}

#[tokio::test]
async fn an_import_takes_nobody_s_administration_away() {
    let company = Company::found().await;
    from_csv(
        &company.store,
        b"name,email,groups\nNew,new@example.com,Sklad\n",
        true,
    )
    .await
    .unwrap();
    let new = company
        .store
        .user_by_email("new@example.com")
        .await
        .unwrap();
    let new = new.unwrap().0.id;
    let groups = company.store.groups().await.unwrap();
    let administrator = groups
        .iter()
        .find(|g| g.identifier == "Administrator")
        .unwrap();
    company
        .store
        .set_groups_of(new, &[administrator.id])
        .await
        .unwrap();
    from_csv(
        &company.store,
        b"name,email,groups\nNew,new@example.com,Sklad\n",
        true,
    )
    .await
    .unwrap();
    assert_eq!(
        groups_of(&company, "new@example.com").await,
        ["Administrator", "Sklad"]
    );
}

#[tokio::test]
async fn files_that_are_no_csv_are_refused() {
    let company = Company::found().await;
    let latin2 = b"name,email\n\xA9imek,s@example.com\n";
    let error = from_csv(&company.store, latin2, false).await.unwrap_err();
    assert!(matches!(error, ImportError::File(_)));
    let error = from_csv(&company.store, b"jmeno,mail\na,b\n", false)
        .await
        .unwrap_err();
    assert!(matches!(error, ImportError::Column));
}

/// The application's database, with a path that needs escaping.
async fn application(company: &Company) -> String {
    let path = company.dir.path().join("app data.db");
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    connection
        .execute(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, full_name TEXT, mail TEXT, lang TEXT);
             INSERT INTO people (full_name, mail, lang) VALUES
                ('Žaneta Černá', 'zaneta@example.com', 'cs'), ('John Smith', 'john@example.com', NULL),
                (NULL, 'nobody@example.com', 'en');",
        )
        .await
        .unwrap();
    connection.close().await.unwrap();
    format!("sqlite://{}", path.display()).replace(' ', "%20")
}

async fn configure(company: &Company, address: &str, query: &str) {
    let mut settings = company.store.settings().await.unwrap();
    settings.import = ImportSettings {
        enabled: true,
        database_url: Secret::new(address),
        query: query.to_owned(),
    };
    company.store.save_settings(&settings).await.unwrap();
}

#[tokio::test]
async fn a_query_brings_people_once_a_day() {
    let company = Company::found().await;
    let address = application(&company).await;
    configure(
        &company,
        &address,
        "SELECT full_name AS name, mail AS email, lang AS language FROM people",
    )
    .await;
    let engine = Client::new(company.dir.path());
    assert!(is_due(&company.store).await.unwrap());
    let outcome = now(&company.store, &engine).await.unwrap();
    assert_eq!((outcome.added, outcome.error_count), (2, 1));
    assert_eq!(people(&company).await["zaneta@example.com"].1, Lang::Cs);
    assert!(!is_due(&company.store).await.unwrap());
}

#[tokio::test]
async fn a_query_cannot_write() {
    let company = Company::found().await;
    let address = application(&company).await;
    let engine = Client::new(company.dir.path());
    for query in [
        "DELETE FROM people RETURNING full_name AS name, mail AS email",
        "PRAGMA query_only = off; DELETE FROM people; SELECT 'a' AS name, 'a@example.com' AS email",
    ] {
        configure(&company, &address, query).await;
        let result = now(&company.store, &engine).await;
        assert!(result.is_err(), "{query}: {result:?}");
    }
    configure(
        &company,
        &address,
        "SELECT full_name AS name, mail AS email FROM people -- all of them;",
    )
    .await;
    assert_eq!(now(&company.store, &engine).await.unwrap().added, 2);
}

#[tokio::test]
async fn a_query_makes_no_files() {
    let company = Company::found().await;
    let address = application(&company).await;
    let engine = Client::new(company.dir.path());
    let file = company.dir.path().join("authorized_keys");
    let name = file.display();
    for query in [
        format!("VACUUM INTO '{name}'"),
        format!("SELECT 'a' AS name; VACUUM INTO '{name}'"),
        format!("SELECT 1) AS x; VACUUM INTO '{name}'; SELECT * FROM (SELECT 1"),
        format!("ATTACH '{name}' AS other"),
        format!("ATTACH 'file:{name}?mode=rwc' AS other"),
        format!("SELECT writefile('{name}', 'x') AS name, 'a@example.com' AS email"),
    ] {
        configure(&company, &address, &query).await;
        let result = now(&company.store, &engine).await;
        assert!(result.is_err(), "{query}: {result:?}");
        assert!(!file.exists(), "{query}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_not_made_and_no_password_is_told() {
    let company = Company::found().await;
    let engine = Client::new(company.dir.path());
    let path = company.dir.path().join("none.db");
    for (address, key) in [
        (
            format!("sqlite://{}", path.display()),
            "import-failed-query",
        ),
        (
            "postgres://me:hunter2@127.0.0.1:1/db".to_owned(),
            "import-failed-query",
        ),
        (
            "mysql://me:hunter2@127.0.0.1/db".to_owned(),
            "import-failed-address",
        ),
        ("hunter2".to_owned(), "import-failed-address"),
    ] {
        configure(&company, &address, "SELECT 1").await;
        let error = now(&company.store, &engine).await.unwrap_err();
        assert_eq!(error.key(), key, "{address}");
        assert!(!format!("{error} {error:?} {:?}", error.detail()).contains("hunter2"));
        for lang in Lang::ALL {
            assert!(obnova_text::Text::of(lang).has(key));
        }
    }
    assert!(!path.exists());
}

#[tokio::test]
async fn a_query_on_postgresql_brings_people_and_cannot_write() {
    let server = Postgres::start().unwrap();
    let roles = "CREATE ROLE app LOGIN PASSWORD 'hunter2'; CREATE DATABASE crm OWNER app;";
    server.sql("postgres", "postgres", roles).unwrap();
    let address = format!("postgres://app:hunter2@127.0.0.1:{}/crm", server.port());
    let mut connection = sqlx::PgConnection::connect(&address).await.unwrap();
    for statement in [
        "CREATE TABLE people (id serial, full_name text, mail varchar(100), lang char(2), since timestamptz DEFAULT now())",
        "INSERT INTO people (full_name, mail, lang) VALUES
            ('Žaneta Černá', 'zaneta@example.com', 'cs'), ('John Smith', 'john@example.com', NULL)",
    ] {
        connection.execute(statement).await.unwrap();
    }
    let company = Company::found().await;
    let engine = Client::new(company.dir.path());
    for query in [
        "DELETE FROM people RETURNING full_name AS name, mail AS email",
        "COMMIT; DELETE FROM people",
        "SELECT 'a' AS name, 'a@example.com' AS email) AS x; DELETE FROM people; --",
        "SELECT setval('people_id_seq', 1) AS name, mail AS email FROM people",
    ] {
        configure(&company, &address, query).await;
        let error = now(&company.store, &engine).await.unwrap_err();
        assert_eq!(error.key(), "import-failed-query");
    }
    configure(&company, &address.replace("hunter2", "hunter3"), "SELECT 1").await;
    let error = now(&company.store, &engine).await.unwrap_err();
    assert_eq!(error.key(), "import-failed-query");
    assert!(!format!("{error:?} {:?}", error.detail()).contains("hunter3"));
    let query = "SELECT full_name AS name, mail AS email, lang AS language, 'Sklad, Obchod' AS groups FROM people ORDER BY id";
    configure(&company, &address, query).await;
    let outcome = now(&company.store, &engine).await.unwrap();
    assert_eq!((outcome.added, outcome.error_count), (2, 0));
    assert_eq!(
        groups_of(&company, "john@example.com").await,
        ["Obchod", "Sklad"]
    );
}
