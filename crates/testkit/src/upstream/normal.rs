//! What stays of an answer when everything that differs from run to run is taken out of it.
//!
//! Invariant: two answers that mean the same are equal afterwards; ids that were the same stay the same. Ids that the
//! script knows have the name it gave them; others are numbered in the order in which the answer shows them.

use serde_json::{Map, Value};

/// Characters of a UUID.
const UUID: usize = 36;
/// Characters of a time to the second: `2026-01-31T10:00:00`.
const TIME: usize = 19;
/// Digits of the numbers that are taken for ports chosen by chance: public ports have five of them everywhere.
const PORT: usize = 5;
/// Fields whose numbers are chosen by chance.
const RANDOM: [&str; 3] = ["public_port", "http_port", "https_port"];

/// Takes out of one answer what differs from run to run.
#[derive(Debug, Default)]
pub struct Normaliser {
    /// Texts and what stands for them; longer ones first.
    known: Vec<(String, String)>,
    seen: Vec<String>,
}

impl Normaliser {
    /// One that knows some texts already: ids by the names that the script gave them, the base URL.
    #[must_use]
    pub fn knowing(known: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut known: Vec<_> = known.into_iter().filter(|(text, _)| !text.is_empty()).collect();
        known.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        Self { known, seen: Vec::new() }
    }

    /// A JSON value. A text that is JSON itself is opened (upstream's errors are), a page of HTML is only named.
    pub fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.leaf(text),
            Value::Array(list) => list.iter().map(|item| self.value(item)).collect(),
            Value::Object(fields) => Value::Object(self.fields(fields)),
            other => other.clone(),
        }
    }

    fn fields(&mut self, fields: &Map<String, Value>) -> Map<String, Value> {
        let field = |(name, value): (&String, &Value)| {
            let is_chance = RANDOM.contains(&name.as_str()) && value.is_number();
            let value = if is_chance { Value::from("<port>") } else { self.value(value) };
            (name.clone(), value)
        };
        fields.iter().map(field).collect()
    }

    fn leaf(&mut self, text: &str) -> Value {
        let start = text.trim_start();
        if start.starts_with('{')
            && let Ok(inner) = serde_json::from_str::<Value>(text)
        {
            return serde_json::json!({ "<json>": self.value(&inner) });
        }
        if start.starts_with("<html") || start.starts_with("<!DOCTYPE") {
            return Value::from("<html>");
        }
        Value::from(self.text(text))
    }

    /// Any text. Runs of blanks and of dashes are shortened: in tables they depend on the length of what was taken out.
    pub fn text(&mut self, text: &str) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while let Some(first) = rest.chars().next() {
            let before = text[..text.len() - rest.len()].chars().next_back();
            let (taken, length) = self
                .word(rest)
                .or_else(|| port(before, rest))
                .or_else(|| address(rest))
                .unwrap_or_else(|| (first.into(), first.len_utf8()));
            let is_run = matches!(first, ' ' | '-') && taken.len() == 1 && out.ends_with(first);
            if !is_run {
                out.push_str(&taken);
            }
            rest = &rest[length..];
        }
        out
    }

    /// What stands for the beginning of `rest`, and how long that beginning is.
    fn word(&mut self, rest: &str) -> Option<(String, usize)> {
        if let Some((text, name)) = self.known.iter().find(|(text, _)| rest.starts_with(text)) {
            return Some((name.clone(), text.len()));
        }
        if let Some(id) = rest.get(..UUID).filter(|id| is_uuid(id)) {
            let place = self.seen.iter().position(|seen| seen == id).unwrap_or_else(|| {
                self.seen.push(id.to_owned());
                self.seen.len() - 1
            });
            return Some((format!("<id{}>", place + 1), UUID));
        }
        rest.get(..TIME).filter(|time| is_time(time)).map(|_| {
            let tail = &rest[TIME..];
            let end = tail.find(|c: char| !c.is_ascii_digit() && !".+:Z".contains(c));
            ("<time>".to_owned(), TIME + end.unwrap_or(tail.len()))
        })
    }
}

/// A number of five digits that stands alone.
fn port(before: Option<char>, rest: &str) -> Option<(String, usize)> {
    let is_part = |c: char| c.is_alphanumeric() || ".:_-".contains(c);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let after = rest[digits..].chars().next();
    let stands_alone = !before.is_some_and(is_part) && !after.is_some_and(is_part);
    (digits == PORT && stands_alone).then(|| ("<port>".to_owned(), PORT))
}

/// Where something lies in memory, as Python says it: `0x7f919c12c220`.
fn address(rest: &str) -> Option<(String, usize)> {
    let digits = rest.strip_prefix("0x")?.bytes().take_while(u8::is_ascii_hexdigit).count();
    (digits > 0).then(|| ("<address>".to_owned(), 2 + digits))
}

fn is_uuid(text: &str) -> bool {
    text.bytes().enumerate().all(|(place, byte)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

fn is_time(text: &str) -> bool {
    text.bytes().enumerate().all(|(place, byte)| match place {
        4 | 7 => byte == b'-',
        10 => byte == b'T' || byte == b' ',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ONE: &str = "432b30ff-19ef-409c-b286-135d3465a7b3";
    const TWO: &str = "532b30ff-19ef-409c-b286-135d3465a7b3";

    #[test]
    fn ids_times_urls_and_ports_are_named() {
        let known =
            [("http://127.0.0.1:20000".into(), "<url>".into()), (ONE.into(), "<board>".into())];
        let said = json!({
            "links": [{"href": format!("http://127.0.0.1:20000/v1/boards/{ONE}")}],
            "plugin": TWO, "again": TWO, "public_port": 50123, "port": 22,
            "created_at": "2026-11-24T07:54:14.262351+00:00", "text": "seen 2026-11-24T07:54:14.26 by all",
        });
        let wanted = json!({
            "links": [{"href": "<url>/v1/boards/<board>"}],
            "plugin": "<id1>", "again": "<id1>", "public_port": "<port>", "port": 22,
            "created_at": "<time>", "text": "seen <time> by all",
        });
        assert_eq!(Normaliser::knowing(known).value(&said), wanted);
    }

    #[test]
    fn an_error_is_opened_and_a_page_is_only_named() {
        let said =
            json!({"error_message": format!("{{\"faultstring\": \"Board {ONE} is gone\"}}")});
        let wanted = json!({"error_message": {"<json>": {"faultstring": "Board <id1> is gone"}}});
        assert_eq!(Normaliser::default().value(&said), wanted);
        let page = json!({"error_message": "<html>\n <head>"});
        assert_eq!(Normaliser::default().value(&page), json!({"error_message": "<html>"}));
    }

    #[test]
    fn ports_and_addresses_are_named_where_they_stand_alone() {
        let said = "| 50123 | 5900 | 1.50123 | CODE-50123 | <object at 0x7f91>";
        let wanted = "| <port> | 5900 | 1.50123 | CODE-50123 | <object at <address>>";
        assert_eq!(Normaliser::default().text(said), wanted);
    }

    #[test]
    fn tables_do_not_depend_on_the_width_of_their_columns() {
        let wide = Normaliser::default().text("+------+---+\n| a    | é |");
        let narrow = Normaliser::default().text("+--+-+\n| a | é |");
        assert_eq!(wide, narrow);
    }
}
