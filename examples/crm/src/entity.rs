//! What kinds of records a release has, as its tree describes them in `entities/<name>.toml`.

use serde::Deserialize;
use serde_json::Value;

use crate::database::Record;
use crate::spelling;

/// One kind of record: a table, its fields, and how it is listed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entity {
    /// The name, such as `contact`; the file's name.
    #[serde(skip)]
    pub name: String,
    /// The name in addresses, such as `contacts`.
    pub plural: String,
    /// Place in the navigation, counted from the left; not in it without one.
    pub nav: Option<u32>,
    /// SQL of what a record is called, with `t` for its table.
    pub label: String,
    /// SQL of the order of lists, with `t` for the table.
    pub order_by: String,
    /// Fields shown as columns of lists, besides the label.
    pub columns: Vec<String>,
    /// Fields offered as filters above lists.
    #[serde(default)]
    pub filters: Vec<String>,
    /// Whether records can only be looked at.
    #[serde(default)]
    pub read_only: bool,
    /// Lists of other records shown with a record.
    #[serde(default)]
    pub related: Vec<Related>,
    /// Statements run after a record was written, in the same transaction; `$1` is its id.
    #[serde(default)]
    pub after_write: Vec<String>,
    /// The fields, in the order of the form.
    pub fields: Vec<Field>,
}

/// A list of other records shown with a record.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Related {
    /// Which kind of records.
    pub entity: String,
    /// Their field that refers to the record.
    pub via: String,
}

/// One field: a column of the same name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The column.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Whether it must be filled in.
    #[serde(default)]
    pub required: bool,
    /// Longest text in characters, or greatest number.
    pub max: Option<i64>,
    /// The values of a choice.
    #[serde(default)]
    pub choices: Vec<String>,
    /// The entity that a reference points to.
    pub to: Option<String>,
    /// The value of a new record where none is given; `today` is the day's date.
    pub default: Option<String>,
    /// A value the program makes from other fields: `<how> <field> ...`.
    pub compute: Option<String>,
    /// Not in forms, but programs may set it.
    #[serde(default)]
    pub hidden: bool,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One line.
    Text,
    /// Several lines.
    Note,
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// A web address.
    Web,
    /// A day, `YYYY-MM-DD`.
    Date,
    /// A whole number.
    Number,
    /// Whole Czech crowns.
    Money,
    /// One of a few values.
    Choice,
    /// The id of another record.
    Reference,
}

impl Entity {
    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Fields that people fill in.
    pub fn form_fields(&self) -> impl Iterator<Item = &Field> {
        self.fields
            .iter()
            .filter(|field| field.compute.is_none() && !field.hidden)
    }

    /// Sets the fields that the program makes from others.
    pub fn compute(&self, record: &mut Record) {
        for field in &self.fields {
            if let Some(recipe) = &field.compute {
                record.insert(field.name.clone(), computed(recipe, record));
            }
        }
    }
}

impl Field {
    /// What a reference's label is called beside it: `company` for `company_id`.
    pub fn label_name(&self) -> String {
        match self.name.strip_suffix("_id") {
            Some(name) => name.to_owned(),
            None => format!("{}_label", self.name),
        }
    }
}

/// The value of a recipe such as `fold first_name last_name`.
fn computed(recipe: &str, record: &Record) -> Value {
    let mut words = recipe.split_whitespace();
    let how = words.next().unwrap_or_default();
    let parts: Vec<&str> = words
        .filter_map(|name| record.get(name).and_then(Value::as_str))
        .filter(|text| !text.is_empty())
        .collect();
    let joined = parts.join(" ");
    match how {
        _ if joined.is_empty() => Value::Null,
        "fold" => spelling::fold(&joined).into(),
        "sort" => spelling::sort_key(&joined).into(),
        "lower" => joined.trim().to_lowercase().into(),
        _ => joined.into(),
    }
}

/// Whether this program knows how to follow a recipe.
pub fn is_recipe(recipe: &str) -> bool {
    let how = recipe.split_whitespace().next().unwrap_or_default();
    matches!(how, "fold" | "sort" | "lower" | "join")
}
