//! Rendering: the API's own JSON, or the same as YAML, CSV, plain values or a table.
//!
//! Invariants: json and yaml show everything the API said; tables, csv and value show the columns of the noun, or those chosen
//! with `-c`; what boards and plugins wrote cannot command the terminal.

use crate::failure::Failure;
use clap::{Args, ValueEnum};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::io::{IsTerminal as _, Write as _};

/// How results look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
    Yaml,
    Csv,
    Value,
}

/// Options of rendering.
#[derive(Args)]
pub(crate) struct Style {
    /// How results look.
    #[arg(
        short = 'f',
        long = "format",
        visible_alias = "output",
        value_enum,
        default_value = "table",
        global = true
    )]
    format: Format,
    /// Show this column only; may be given several times.
    #[arg(short = 'c', long = "column", global = true)]
    columns: Vec<String>,
}

/// Where results go.
pub(crate) struct Output {
    style: Style,
}

impl Output {
    pub(crate) fn new(style: Style) -> Self {
        Self { style }
    }

    /// A list, with the columns that a table shows.
    pub(crate) fn list(
        &mut self,
        items: &[impl Serialize],
        columns: &[&str],
    ) -> Result<(), Failure> {
        let items = values(items)?;
        let columns = self.columns(columns);
        let text = match self.style.format {
            Format::Json => json(&Value::Array(items))?,
            Format::Yaml => yaml(&Value::Array(items))?,
            Format::Csv => csv_text(&columns, &rows(&items, &columns))?,
            Format::Value => lines(&rows(&items, &columns)),
            Format::Table => table(&columns, first_lines(rows(&items, &columns))),
        };
        print(&text)
    }

    /// One thing, as field and value; `columns` empty shows every member.
    pub(crate) fn one(&mut self, item: &impl Serialize, columns: &[&str]) -> Result<(), Failure> {
        let item = serde_json::to_value(item).map_err(unwritable)?;
        let all: Vec<String> = match (&item, columns.is_empty()) {
            (Value::Object(members), true) => members.keys().cloned().collect(),
            _ => columns.iter().map(|column| (*column).to_owned()).collect(),
        };
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let columns = self.columns(&all);
        let cells = || columns.iter().map(|column| cell(&item, column)).collect::<Vec<_>>();
        let text = match self.style.format {
            Format::Json => json(&item)?,
            Format::Yaml => yaml(&item)?,
            Format::Csv => csv_text(&columns, &[cells()])?,
            Format::Value => cells().into_iter().map(|cell| cell + "\n").collect(),
            Format::Table => {
                let pairs =
                    columns.iter().zip(cells()).map(|(column, cell)| vec![(*column).clone(), cell]);
                table(&["field".to_owned(), "value".to_owned()], pairs.collect())
            }
        };
        print(&text)
    }

    /// The value a plugin or board gave: bare JSON, whatever the format but yaml.
    pub(crate) fn value(&mut self, value: &Value) -> Result<(), Failure> {
        let text = match (self.style.format, value) {
            (Format::Yaml, value) => yaml(value)?,
            (Format::Value | Format::Table, Value::String(text)) => format!("{text}\n"),
            (_, value) => json(value)?,
        };
        print(&text)
    }

    /// One item of a stream: a line of JSON, or the text given for people.
    pub(crate) fn stream(&mut self, item: &impl Serialize, text: &str) -> Result<(), Failure> {
        match self.style.format {
            Format::Json => {
                print(&format!("{}\n", serde_json::to_string(item).map_err(unwritable)?))
            }
            _ => print(&format!("{text}\n")),
        }
    }

    /// A remark for people, on standard error; a pipe gets none.
    pub(crate) fn remark(&self, text: &str) {
        if std::io::stderr().is_terminal() {
            eprintln!("{text}");
        }
    }

    fn columns(&self, standard: &[&str]) -> Vec<String> {
        if self.style.columns.is_empty() {
            return standard.iter().map(|column| (*column).to_owned()).collect();
        }
        self.style.columns.clone()
    }
}

fn values(items: &[impl Serialize]) -> Result<Vec<Value>, Failure> {
    items.iter().map(|item| serde_json::to_value(item).map_err(unwritable)).collect()
}

fn rows(items: &[Value], columns: &[String]) -> Vec<Vec<String>> {
    items.iter().map(|item| columns.iter().map(|column| cell(item, column)).collect()).collect()
}

/// The member `column` of `item`; dots go deeper: `facts.model`.
fn cell(item: &Value, column: &str) -> String {
    let found = column.split('.').try_fold(item, |here, part| here.get(part));
    match found {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(members))
            if members.values().all(|value| !value.is_object() && !value.is_array()) =>
        {
            let pairs = members
                .iter()
                .map(|(key, _)| format!("{key}={}", cell(item, &format!("{column}.{key}"))));
            pairs.collect::<Vec<_>>().join(", ")
        }
        Some(other) => other.to_string(),
    }
}

fn unwritable(error: impl std::fmt::Display) -> Failure {
    Failure::new(model::Kind::Internal, format!("the answer cannot be rendered: {error}"))
}

fn json(value: &Value) -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(value).map_err(unwritable)? + "\n")
}

fn yaml(value: &Value) -> Result<String, Failure> {
    serde_norway::to_string(value).map_err(unwritable)
}

fn csv_text(columns: &[String], rows: &[Vec<String>]) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns).map_err(unwritable)?;
    for row in rows {
        writer.write_record(row).map_err(unwritable)?;
    }
    String::from_utf8(writer.into_inner().map_err(unwritable)?).map_err(unwritable)
}

fn lines(rows: &[Vec<String>]) -> String {
    rows.iter().map(|row| row.join(" ") + "\n").collect()
}

fn table(columns: &[String], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns);
    table.add_rows(rows);
    let text = table.to_string();
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// One row stays one line; `show` has the rest.
fn first_lines(rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let first = |cell: String| match cell.split_once('\n') {
        Some((line, _)) => format!("{line} …"),
        None => cell,
    };
    rows.into_iter().map(|row| row.into_iter().map(first).collect()).collect()
}

/// Control characters made visible: text of strangers may hold what moves the cursor or changes the terminal.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let is_command = |char: char| char.is_control() && char != '\n' && char != '\t';
    if !text.contains(is_command) {
        return text.into();
    }
    let shown = text.chars().map(|char| match is_command(char) {
        true => char.escape_default().to_string(),
        false => char.into(),
    });
    shown.collect::<String>().into()
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    // A pipe or a file gets the bytes as they are.
    let text = if out.is_terminal() { harmless(text) } else { text.into() };
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_go_deeper_by_dots_and_show_flat_objects_as_pairs() {
        let item = json!({"name": "a", "labels": {"k": "v", "z": 1}, "facts": {"model": "Pi"}, "none": null});
        assert_eq!(cell(&item, "labels"), "k=v, z=1");
        assert_eq!(cell(&item, "facts.model"), "Pi");
        assert_eq!(cell(&item, "none"), "");
        assert_eq!(cell(&item, "absent"), "");
    }

    #[test]
    fn a_strangers_text_cannot_command_the_terminal() {
        assert_eq!(harmless("a\tb\né"), "a\tb\né");
        assert_eq!(harmless("\u{1b}[2J\r\u{9b}x"), "\\u{1b}[2J\\r\\u{9b}x");
    }

    #[test]
    fn a_row_of_a_table_is_one_line() {
        let rows = vec![vec!["raised\nTraceback".to_owned(), "b".to_owned()]];
        assert_eq!(first_lines(rows), [["raised …", "b"]]);
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        let text = csv_text(&["a".into()], &[vec!["x,\"y\"\n".into()]]).unwrap();
        assert_eq!(text, "a\n\"x,\"\"y\"\"\n\"\n");
    }
}
