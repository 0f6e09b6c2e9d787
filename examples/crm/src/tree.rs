//! A release's tree, read once at start: version, kinds of records, reports, migrations, texts and templates.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use minijinja::value::Kwargs;
use minijinja::{Environment, Value};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::entity::{self, Entity};
use crate::letters::Layout;
use crate::report::Report;

/// The languages that every tree speaks; the first is the default.
pub const LANGUAGES: [&str; 2] = ["cs", "en"];

/// A release's tree.
pub struct Tree {
    /// Where it is.
    pub path: PathBuf,
    /// The version, from the file `VERSION`.
    pub version: String,
    /// `crm.toml`.
    pub settings: Settings,
    /// Kinds of records by name.
    pub entities: BTreeMap<String, Entity>,
    /// Pages made of queries, by name.
    pub reports: BTreeMap<String, Report>,
    /// Texts by language, then key.
    pub messages: BTreeMap<String, Arc<BTreeMap<String, String>>>,
    environments: BTreeMap<String, Environment<'static>>,
}

/// `crm.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where attachments lie and how they begin.
    pub attachments: Layout,
    /// The versions of the Desktop that this server works with; all of them where nothing is said.
    #[serde(default)]
    pub desktop: semver::VersionReq,
    /// Migrations of earlier releases that this one does without, though a database may have them.
    #[serde(default)]
    pub withdrawn: Vec<String>,
}

/// One entry of the navigation.
#[derive(Debug, Clone, Serialize)]
pub struct NavigationEntry {
    /// The address.
    pub href: String,
    /// The text's key.
    pub key: String,
}

impl Tree {
    /// Reads the tree at `path` and checks that it makes sense in itself.
    pub fn load(path: &Path) -> Result<Self> {
        let version = read(&path.join("VERSION"))?.trim().to_owned();
        let settings = parse(&path.join("crm.toml"))?;
        let messages = load_messages(path)?;
        let mut environments = BTreeMap::new();
        for (language, texts) in &messages {
            let environment = load_templates(path, language, Arc::clone(texts))?;
            environments.insert(language.clone(), environment);
        }
        let tree = Self {
            path: path.to_owned(),
            version,
            settings,
            entities: load_entities(path)?,
            reports: load_reports(path)?,
            messages,
            environments,
        };
        tree.check()?;
        Ok(tree)
    }

    /// The entity whose addresses begin with `plural`.
    pub fn entity_at(&self, plural: &str) -> Option<&Entity> {
        self.entities
            .values()
            .find(|entity| entity.plural == plural)
    }

    /// The text `key` in `language`; the key itself where there is none.
    pub fn text(&self, language: &str, key: &str) -> String {
        let texts = self.messages.get(language);
        let text = texts.and_then(|texts| texts.get(key));
        text.cloned().unwrap_or_else(|| key.to_owned())
    }

    /// Renders a template in a language.
    pub fn render(&self, language: &str, template: &str, context: Value) -> Result<String> {
        let environment = self
            .environments
            .get(language)
            .with_context(|| format!("no language {language}"))?;
        Ok(environment.get_template(template)?.render(context)?)
    }

    /// Whether there is such a template.
    pub fn has_template(&self, template: &str) -> bool {
        self.environments
            .values()
            .all(|environment| environment.get_template(template).is_ok())
    }

    /// The navigation, in order.
    pub fn navigation(&self) -> Vec<NavigationEntry> {
        let entities = self
            .entities
            .values()
            .filter_map(|entity| Some((entity.nav?, entity.plural.clone())));
        let reports = self
            .reports
            .values()
            .filter_map(|report| Some((report.nav?, report.name.clone())));
        let mut entries: Vec<(u32, String)> = entities.chain(reports).collect();
        entries.sort();
        let entry = |(_, key): (u32, String)| NavigationEntry {
            href: if key == "home" {
                "/".to_owned()
            } else {
                format!("/{key}")
            },
            key,
        };
        entries.into_iter().map(entry).collect()
    }

    fn check(&self) -> Result<()> {
        for entity in self.entities.values() {
            self.check_entity(entity)
                .with_context(|| format!("entities/{}.toml", entity.name))?;
        }
        for report in self.reports.values() {
            let template = format!("reports/{}.html", report.name);
            if !self.has_template(&template) {
                bail!("the template {template} is missing");
            }
        }
        Ok(())
    }

    fn check_entity(&self, entity: &Entity) -> Result<()> {
        for name in entity.columns.iter().chain(&entity.filters) {
            if entity.field(name).is_none() {
                bail!("there is no field {name}");
            }
        }
        for field in &entity.fields {
            if let Some(recipe) = &field.compute
                && !entity::is_recipe(recipe)
            {
                bail!("the recipe {recipe:?} of {} is not known", field.name);
            }
            if let Some(to) = &field.to
                && !self.entities.contains_key(to)
            {
                bail!("{} refers to {to}, which there is none", field.name);
            }
        }
        for related in &entity.related {
            let target = self.entities.get(&related.entity);
            if target
                .and_then(|target| target.field(&related.via))
                .is_none()
            {
                bail!("there is no {}.{}", related.entity, related.via);
            }
        }
        Ok(())
    }
}

fn load_entities(tree: &Path) -> Result<BTreeMap<String, Entity>> {
    let mut entities = BTreeMap::new();
    for path in files(&tree.join("entities"), "toml")? {
        let mut entity: Entity = parse(&path)?;
        entity.name = stem(&path);
        entities.insert(entity.name.clone(), entity);
    }
    Ok(entities)
}

fn load_reports(tree: &Path) -> Result<BTreeMap<String, Report>> {
    let mut reports = BTreeMap::new();
    for path in files(&tree.join("reports"), "toml")? {
        let mut report: Report = parse(&path)?;
        report.name = stem(&path);
        let directory = path.with_extension("");
        for query in &mut report.queries {
            query.sql = read(&directory.join(format!("{}.sql", query.name)))?;
        }
        reports.insert(report.name.clone(), report);
    }
    Ok(reports)
}

/// Every file of `messages/<language>/` gives texts; a later file may replace those of an earlier one.
fn load_messages(tree: &Path) -> Result<BTreeMap<String, Arc<BTreeMap<String, String>>>> {
    let mut messages = BTreeMap::new();
    for language in LANGUAGES {
        let mut texts = BTreeMap::new();
        for path in files(&tree.join("messages").join(language), "toml")? {
            texts.extend(parse::<BTreeMap<String, String>>(&path)?);
        }
        messages.insert(language.to_owned(), Arc::new(texts));
    }
    Ok(messages)
}

fn load_templates(
    tree: &Path,
    language: &str,
    texts: Arc<BTreeMap<String, String>>,
) -> Result<Environment<'static>> {
    let mut environment = Environment::new();
    let root = tree.join("templates");
    for folder in ["", "reports"] {
        for path in files(&root.join(folder), "html")? {
            let name = path.strip_prefix(&root)?.to_string_lossy().into_owned();
            let source = read(&path)?;
            environment
                .add_template_owned(name, source)
                .with_context(|| format!("the template {} is wrong", path.display()))?;
        }
    }
    environment.add_function("t", move |key: String, arguments: Kwargs| {
        Ok(translate(&texts, &key, &arguments))
    });
    crate::web::format::add_filters(&mut environment, language);
    Ok(environment)
}

/// The text with its `{name}` places filled in.
fn translate(texts: &BTreeMap<String, String>, key: &str, arguments: &Kwargs) -> String {
    let mut text = texts.get(key).cloned().unwrap_or_else(|| key.to_owned());
    for name in arguments.args() {
        if let Ok(value) = arguments.get::<Value>(name) {
            text = text.replace(&format!("{{{name}}}"), &value.to_string());
        }
    }
    text
}

/// The files of a directory with this extension, by name; none where there is no such directory.
pub fn files(directory: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_file() && path.extension().is_some_and(|found| found == extension) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// A file's text.
pub fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// A TOML file's content.
pub fn parse<T: DeserializeOwned>(path: &Path) -> Result<T> {
    toml::from_str(&read(path)?).with_context(|| format!("{} is wrong", path.display()))
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}
