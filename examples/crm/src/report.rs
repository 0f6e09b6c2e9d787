//! Pages made of queries: `reports/<name>.toml` says which, `reports/<name>/*.sql` are they, and
//! `templates/reports/<name>.html` shows their rows.

use anyhow::{Context, Result};
use jiff::civil::Date;
use jiff::{ToSpan, Zoned};
use serde::Deserialize;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use crate::database::{self, Database, Record};

/// One page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The name, also its address; the file's name.
    #[serde(skip)]
    pub name: String,
    /// Place in the navigation, counted from the left; not in it without one.
    pub nav: Option<u32>,
    /// The queries.
    #[serde(default)]
    pub queries: Vec<ReportQuery>,
}

/// One query of a page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportQuery {
    /// What the template calls its rows.
    pub name: String,
    /// Its parameters, in order.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// The SQL, read from `reports/<report>/<name>.sql`.
    #[serde(skip)]
    pub sql: String,
}

/// A value that a query may ask for.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parameter {
    /// The day's date.
    Today,
    /// The date seven days ahead.
    InAWeek,
    /// The date thirty days ago.
    MonthAgo,
}

/// The day's date where the server is.
pub fn today() -> Date {
    Zoned::now().date()
}

impl Report {
    /// Runs every query: its rows by its name.
    pub async fn run(&self, database: &Database) -> Result<Record> {
        let mut results = Record::new();
        for query in &self.queries {
            let parameters: Vec<Value> = query.parameters.iter().map(parameter).collect();
            let rows = database::rows(&database.read, query.sql.clone(), &parameters)
                .await
                .with_context(|| self.describe(query))?;
            let rows = rows.into_iter().map(Value::Object).collect();
            results.insert(query.name.clone(), Value::Array(rows));
        }
        Ok(results)
    }

    /// Has the database understand every query without running it.
    pub async fn prepare(&self, database: &Database) -> Result<()> {
        let mut connection = database.read.acquire().await?;
        for query in &self.queries {
            let sql = AssertSqlSafe(query.sql.clone()).into_sql_str();
            connection
                .prepare(sql)
                .await
                .with_context(|| self.describe(query))?;
        }
        Ok(())
    }

    fn describe(&self, query: &ReportQuery) -> String {
        format!("report {}, query {}", self.name, query.name)
    }
}

fn parameter(parameter: &Parameter) -> Value {
    let today = today();
    let date = match parameter {
        Parameter::Today => today,
        Parameter::InAWeek => today.saturating_add(7.days()),
        Parameter::MonthAgo => today.saturating_sub(30.days()),
    };
    date.to_string().into()
}
