//! Attachments are files in the data directory; the table `attachment` knows their paths. Here they are opened for
//! reading, and rearranged when a release wants them elsewhere.

use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use sqlx::{Sqlite, Transaction};

use crate::database::{Record, record, statement};

/// What a migration does with every attachment's file. Doing it again after an interruption ends the same.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rearrangement {
    /// Where the file goes, relative to the data directory; `{id}`, `{name}`, `{year}` and `{month}` are the attachment's.
    move_to: String,
    /// A first line that the file gets, with the same places.
    first_line: Option<String>,
}

impl Rearrangement {
    /// Moves and rewrites the files, and changes the rows in the caller's transaction.
    pub async fn apply(
        &self,
        transaction: &mut Transaction<'_, Sqlite>,
        files: &Path,
    ) -> Result<()> {
        let sql = "SELECT id, file_name, path, created_at FROM attachment ORDER BY id";
        let rows = sqlx::query(sql).fetch_all(&mut **transaction).await?;
        for row in &rows {
            let attachment = record(row)?;
            let target = filled(&self.move_to, &attachment);
            let size = self
                .rearrange(files, &attachment, &target)
                .with_context(|| format!("attachment {}", text(&attachment, "path")))?;
            let values = [target.into(), size.into(), attachment["id"].clone()];
            let sql = "UPDATE attachment SET path = $1, size_bytes = $2 WHERE id = $3";
            statement(sql.to_owned(), &values)
                .execute(&mut **transaction)
                .await?;
        }
        println!("        {} attachments rearranged", rows.len());
        Ok(())
    }

    /// Returns the size of the file afterwards.
    fn rearrange(&self, files: &Path, attachment: &Record, target: &str) -> Result<i64> {
        let from = inside(files, text(attachment, "path"))?;
        let to = inside(files, target)?;
        if from != to && (from.exists() || !to.exists()) {
            let parent = to.parent().context("no directory")?;
            fs::create_dir_all(parent)?;
            fs::rename(&from, &to)?;
        }
        if let Some(line) = &self.first_line {
            put_first(&to, &filled(line, attachment))?;
        }
        Ok(i64::try_from(fs::metadata(&to)?.len())?)
    }
}

/// The place of an attachment; a path that leads out of the data directory is refused.
pub fn inside(files: &Path, path: &str) -> Result<PathBuf> {
    let relative = Path::new(path);
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if path.is_empty() || !relative.components().all(plain) {
        bail!("{path:?} does not lie in the data directory");
    }
    Ok(files.join(relative))
}

/// Writes a file so that it is whole or not there.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let draft = path.with_extension("draft");
    let mut file = fs::File::create(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    Ok(())
}

fn put_first(path: &Path, line: &str) -> Result<()> {
    let content = fs::read_to_string(path)?;
    if content.starts_with(line) {
        return Ok(());
    }
    write_whole(path, format!("{line}\n{content}").as_bytes())
}

fn filled(pattern: &str, attachment: &Record) -> String {
    let created = text(attachment, "created_at");
    pattern
        .replace("{year}", created.get(..4).unwrap_or("0000"))
        .replace("{month}", created.get(5..7).unwrap_or("00"))
        .replace(
            "{id}",
            &attachment
                .get("id")
                .map(Value::to_string)
                .unwrap_or_default(),
        )
        .replace("{name}", text(attachment, "file_name"))
}

fn text<'a>(attachment: &'a Record, key: &str) -> &'a str {
    attachment
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
