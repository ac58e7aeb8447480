//! Names that upstream allowed and we do not: mended, and told apart where several are alike.
//!
//! Invariant: the same row gives the same candidates in the same order, and the first one is its own name where that is
//! valid.

use model::Name;
use std::fmt::Display;

/// Longest name that leaves room for an id behind it.
const MAX_STEM: usize = 200;

/// Names for a row, best first; the last one is nobody else's.
pub(super) fn candidates(text: &str, noun: &str, id: impl Display) -> Vec<Name> {
    let id = id.to_string();
    let short: String = id.chars().take(8).collect();
    let stem = stem(text, noun);
    let mended = [stem.clone(), format!("{stem}-{short}"), format!("{stem}-{noun}-{id}")];
    [text.to_owned()]
        .into_iter()
        .chain(mended)
        .filter_map(|name| Name::try_from(name).ok())
        .collect()
}

/// What was done to a name, when something was.
pub(super) fn remark(old: &str, new: &Name) -> Option<String> {
    let shown: String = old.chars().take(64).collect();
    (old != new.as_str()).then(|| format!("its name {shown:?} is now {new}"))
}

fn stem(text: &str, noun: &str) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
    let mended: String =
        text.chars().map(|c| if is_allowed(c) { c } else { '-' }).take(MAX_STEM).collect();
    let trimmed = mended.trim_matches('-');
    match Name::try_from(trimmed.to_owned()) {
        Ok(name) => name.into(),
        // Nothing is left, or it looks like an id.
        Err(_) => format!("{noun}-{trimmed}").trim_end_matches('-').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8a1b2c3d-0000-4000-8000-000000000001";

    #[test]
    fn a_valid_name_stays_and_others_are_mended_into_valid_ones() {
        let first = |text: &str| candidates(text, "board", ID).first().unwrap().to_string();
        assert_eq!(first("lamp-7.north_~"), "lamp-7.north_~");
        assert_eq!(first("lamp 7 \u{e4}"), "lamp-7");
        assert_eq!(first(""), "board");
        assert_eq!(first("../../etc"), "..-..-etc");
        assert_eq!(first(ID), format!("board-{ID}"));
        assert_eq!(first(&"n".repeat(300)).len(), MAX_STEM);
    }

    #[test]
    fn names_alike_are_told_apart_by_their_ids() {
        let names = candidates("lamp", "board", ID);
        let names: Vec<_> = names.iter().map(Name::as_str).collect();
        assert!(names.contains(&"lamp-8a1b2c3d"), "{names:?}");
        assert_eq!(names.last().copied(), Some("lamp-board-8a1b2c3d-0000-4000-8000-000000000001"));
    }
}
