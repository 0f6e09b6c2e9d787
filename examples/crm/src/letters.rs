//! Attachments are files in the data directory; the table `attachment` knows their paths. A release's layout says where
//! they lie and how they begin: new ones are stored so, and a migration brings the old ones to it.

use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use sqlx::{Any, Transaction};

use crate::database::{Database, Record, record, statement};
use crate::store::Refusal;

/// Longest name of a file, characters; of a longer one the end is kept.
const LONGEST_NAME: usize = 80;

/// Where attachments lie and how they begin.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// The path, relative to the data directory; `{id}`, `{name}`, `{year}` and `{month}` are the attachment's.
    path: String,
    /// The first line of text files, with the same places.
    first_line: Option<String>,
}

impl Layout {
    /// Stores a new attachment of a contact: the row, and the file before the row is committed.
    pub async fn store(
        &self,
        database: &Database,
        files: &Path,
        contact: i64,
        name: &str,
        content: &[u8],
    ) -> Result<(), Refusal> {
        let now = jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string();
        let mut transaction = database.write.begin().await?;
        let sql = "INSERT INTO attachment (contact_id, file_name, path, size_bytes, created_at, updated_at)
            VALUES ($1, $2, $3, 0, $3, $3) RETURNING id, file_name, created_at";
        let values = [contact.into(), name.into(), now.into()];
        let row = statement(sql.to_owned(), &values)
            .fetch_one(&mut *transaction)
            .await?;
        let mut attachment = record(&row)?;
        let unique = numbered(name, &attachment["id"]);
        attachment.insert("file_name".to_owned(), unique.clone().into());
        let path = filled(&self.path, &attachment);
        let size = self.write(&inside(files, &path)?, &attachment, content)?;
        let values = [
            unique.into(),
            path.into(),
            size.into(),
            attachment["id"].clone(),
        ];
        let sql = "UPDATE attachment SET file_name = $1, path = $2, size_bytes = $3 WHERE id = $4";
        statement(sql.to_owned(), &values)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Moves and rewrites all files, and changes the rows in the caller's transaction. Doing it again after an
    /// interruption ends the same.
    pub async fn apply(&self, transaction: &mut Transaction<'_, Any>, files: &Path) -> Result<()> {
        let sql = "SELECT id, file_name, path, created_at FROM attachment ORDER BY id";
        let rows = sqlx::query(sql).fetch_all(&mut **transaction).await?;
        for row in &rows {
            let attachment = record(row)?;
            let target = filled(&self.path, &attachment);
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
        if let Some(line) = self.line_for(&to) {
            put_first(&to, &filled(line, attachment))?;
        }
        Ok(i64::try_from(fs::metadata(&to)?.len())?)
    }

    /// Returns the size of the file.
    fn write(&self, path: &Path, attachment: &Record, content: &[u8]) -> Result<i64> {
        fs::create_dir_all(path.parent().context("no directory")?)?;
        let line = self
            .line_for(path)
            .map(|line| filled(line, attachment) + "\n");
        let content = [line.unwrap_or_default().as_bytes(), content].concat();
        write_whole(path, &content)?;
        Ok(i64::try_from(content.len())?)
    }

    /// The first line, if the file is text.
    fn line_for(&self, path: &Path) -> Option<&str> {
        let is_text = path.extension().is_some_and(|extension| extension == "txt");
        self.first_line.as_deref().filter(|_| is_text)
    }
}

/// A name that is safe in a directory: the last part of what a browser sent, of letters, digits, `.`, `-` and `_`.
pub fn safe_name(sent: &str) -> String {
    let last = sent.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = |c: char| {
        if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') {
            c
        } else {
            '-'
        }
    };
    let name: String = last.trim_start_matches('.').chars().map(plain).collect();
    let start = name
        .char_indices()
        .rev()
        .nth(LONGEST_NAME - 1)
        .map_or(0, |(index, _)| index);
    match &name[start..] {
        "" => "soubor".to_owned(),
        name => name.to_owned(),
    }
}

/// `smlouva-17.pdf`: no two attachments have the same name.
fn numbered(name: &str, id: &Value) -> String {
    match name.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem}-{id}.{extension}"),
        None => format!("{name}-{id}"),
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

/// Writes a file so that it is whole or not there, also after a power cut.
fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let draft = path.with_extension("draft");
    let mut file = fs::File::create(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    if let Some(directory) = path.parent() {
        fs::File::open(directory)?.sync_all()?;
    }
    Ok(())
}

fn put_first(path: &Path, line: &str) -> Result<()> {
    let content = fs::read(path)?;
    if content.starts_with(line.as_bytes()) {
        return Ok(());
    }
    write_whole(path, &[line.as_bytes(), b"\n", &content].concat())
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

#[cfg(test)]
mod tests {
    use super::{inside, safe_name};

    #[test]
    fn names_cannot_lead_elsewhere() {
        assert_eq!(safe_name("../../etc/passwd"), "passwd");
        assert_eq!(safe_name("C:\\Dopisy\\Žádost 1.pdf"), "Žádost-1.pdf");
        assert_eq!(safe_name(".."), "soubor");
        assert_eq!(safe_name(&"ž".repeat(300)).chars().count(), 80);
    }

    #[test]
    fn a_path_out_of_the_data_directory_is_refused() {
        let files = std::path::Path::new("/data");
        assert!(inside(files, "a/../../x").is_err());
        assert!(inside(files, "/etc/passwd").is_err());
        assert!(inside(files, "a/b.txt").is_ok());
    }
}
