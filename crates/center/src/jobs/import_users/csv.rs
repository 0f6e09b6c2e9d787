//! Rows of a CSV file with the columns `name`, `email` and, if wanted, `language` and `groups` (comma separated, in quotes).
//! Semicolons between the columns are recognised: that is what Czech spreadsheets write.

use super::{ImportError, Outcome, row};
use crate::store::imports::ImportRow;

/// Reads the rows; those that cannot be read are errors of the outcome.
pub(super) fn rows(file: &[u8], outcome: &mut Outcome) -> Result<Vec<ImportRow>, ImportError> {
    let text = std::str::from_utf8(file).map_err(|error| ImportError::File(error.to_string()))?;
    // Spreadsheets begin UTF-8 files with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(delimiter(text))
        .trim(::csv::Trim::All)
        .from_reader(text.as_bytes());
    let header = reader
        .headers()
        .map_err(|error| ImportError::File(error.to_string()))?;
    let column = |name: &str| {
        header
            .iter()
            .position(|title| title.eq_ignore_ascii_case(name))
    };
    let (name, email) = match (column("name"), column("email")) {
        (Some(name), Some(email)) => (name, email),
        _ => return Err(ImportError::Column),
    };
    let (language, groups) = (column("language"), column("groups"));
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, ::csv::Position::line);
                outcome.error(line, "", "unreadable");
                continue;
            }
        };
        let line = record.position().map_or(0, ::csv::Position::line);
        let cell = |column: usize| record.get(column).unwrap_or_default().to_owned();
        rows.push(row(
            line,
            cell(name),
            cell(email),
            language.map(cell),
            groups.map(cell),
        ));
    }
    Ok(rows)
}

/// What stands between the columns of the header: a semicolon, a tabulator or a comma.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or_default();
    [b';', b'\t']
        .into_iter()
        .find(|delimiter| header.contains(char::from(*delimiter)))
        .unwrap_or(b',')
}
