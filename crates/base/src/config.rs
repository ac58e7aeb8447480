//! Settings: one TOML file, then environment variables `PREFIX__SECTION__KEY` over it, then validation by the type.
//!
//! Invariant: an unknown key is an error that names it, wherever it came from; nothing is guessed from a value's look but
//! numbers and booleans of environment variables whose target is not text.

use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use thiserror::Error;
use toml::{Table, Value};

/// Why settings could not be loaded.
#[derive(Debug, Error)]
pub enum Error {
    /// The file cannot be read.
    #[error(
        "settings file {path} cannot be read: {source}; name an existing file with --config or leave the flag out"
    )]
    Read {
        /// The file named by the user.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("settings file {path} is not valid TOML: {source}")]
    Syntax {
        /// The file named by the user.
        path: PathBuf,
        /// Line, column and cause.
        source: Box<toml::de::Error>,
    },
    /// A key is unknown or a value does not fit.
    #[error("settings are not valid: {0}")]
    Invalid(String),
}

/// Loads settings from `file` (if any) and from the variables of `environment` that start with `PREFIX__`.
///
/// # Errors
/// Unreadable or malformed file, unknown keys, values that do not fit.
pub fn load<T: DeserializeOwned>(
    file: Option<&Path>,
    prefix: &str,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<T, Error> {
    let table = match file {
        Some(path) => read(path)?,
        None => Table::new(),
    };
    let start = format!("{prefix}__");
    let mut overrides: Vec<_> = environment
        .filter_map(|(key, value)| Some((key.strip_prefix(&start)?.to_ascii_lowercase(), value)))
        .collect();
    overrides.sort();
    let attempt = |as_value: fn(&str) -> Value| -> Result<T, Error> {
        let mut table = table.clone();
        for (key, value) in &overrides {
            insert(&mut table, key, as_value(value))?;
        }
        table.try_into().map_err(|error: toml::de::Error| {
            Error::Invalid(error.to_string().trim().replace('\n', " "))
        })
    };
    attempt(typed)
        .or_else(|first| attempt(|text| Value::String(text.to_owned())).map_err(|_| first))
}

fn read(path: &Path) -> Result<Table, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::Read { path: path.to_owned(), source })?;
    text.parse().map_err(|source| Error::Syntax { path: path.to_owned(), source: Box::new(source) })
}

fn typed(text: &str) -> Value {
    if let Ok(boolean) = text.parse() {
        return Value::Boolean(boolean);
    }
    if let Ok(integer) = text.parse() {
        return Value::Integer(integer);
    }
    match text.parse::<f64>() {
        Ok(float) if text.contains('.') => Value::Float(float),
        _ => Value::String(text.to_owned()),
    }
}

fn insert(table: &mut Table, key: &str, value: Value) -> Result<(), Error> {
    let mut here = table;
    let mut parts = key.split("__").peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            here.insert(part.to_owned(), value);
            return Ok(());
        }
        let next = here.entry(part).or_insert_with(|| Value::Table(Table::new()));
        here = next.as_table_mut().ok_or_else(|| {
            Error::Invalid(format!(
                "environment variable for {key} goes below {part}, which is a value"
            ))
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        #[serde(default)]
        name: String,
        #[serde(default)]
        api: Api,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Api {
        port: u16,
        open: bool,
    }

    fn from(pairs: &[(&str, &str)]) -> Result<Settings, Error> {
        load(None, "X", pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn environment_variables_reach_nested_keys_with_their_types() {
        let settings =
            from(&[("X__API__PORT", "81"), ("X__API__OPEN", "true"), ("Y__API__PORT", "1")]);
        assert_eq!(settings.unwrap().api, Api { port: 81, open: true });
    }

    #[test]
    fn text_that_looks_like_a_number_stays_text_where_text_is_wanted() {
        assert_eq!(from(&[("X__NAME", "42")]).unwrap().name, "42");
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = from(&[("X__API__PROT", "81")]).unwrap_err().to_string();
        assert!(error.contains("prot"), "{error}");
    }

    #[test]
    fn a_file_is_read_and_the_environment_wins() {
        let file = std::env::temp_dir().join(format!("base-config-{}.toml", std::process::id()));
        std::fs::write(&file, "name = 'a'\n[api]\nport = 1\n").unwrap();
        let pairs = [("X__API__PORT".to_owned(), "2".to_owned())];
        let settings: Settings = load(Some(&file), "X", pairs.into_iter()).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(settings, Settings { name: "a".into(), api: Api { port: 2, open: false } });
    }
}
