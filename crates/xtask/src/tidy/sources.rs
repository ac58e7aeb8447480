//! Rules on Rust sources: each opens with its purpose; unsafe code stays in the files that declare it, with its reason.
//!
//! Invariant: the declared list is exact; a file that no longer needs unsafe code leaves it.
//! Deliberately not here: what clippy denies already.

use std::collections::BTreeSet;

use super::Finding;
use super::architecture::{PAGE, unsafe_files};
use super::code::{code_only, has_word};
use super::tree::{TextFile, Tree};

/// How far above an unsafe line its `// SAFETY:` may stand.
const REASON_LINES: usize = 8;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let declared = unsafe_files(tree.text(PAGE).unwrap_or_default());
    let mut findings = Vec::new();
    let mut used = BTreeSet::new();
    for file in tree.files().filter(|file| file.is_rust()) {
        findings.extend(opening(file));
        let lines = unsafe_lines(&file.text);
        if !lines.is_empty() && declared.contains(&file.path) {
            used.insert(file.path.clone());
            findings.extend(lines.iter().filter_map(|line| reason(file, *line)));
        } else if let Some(line) = lines.first() {
            let what = format!("unsafe code; only the files listed in {PAGE} may hold it");
            findings.push(Finding::at_line(&file.path, *line, what));
        }
    }
    findings.extend(declared.difference(&used).map(|path| {
        Finding::new(PAGE, format!("lists `{path}` for unsafe code, but it holds none"))
    }));
    findings
}

fn opening(file: &TextFile) -> Option<Finding> {
    let purpose = file.text.lines().next()?.strip_prefix("//!");
    let is_said = purpose.is_some_and(|words| !words.trim().is_empty());
    (!is_said).then(|| {
        let what = "does not open with `//!`: say what it is for, its invariant, what is not here";
        Finding::at_line(&file.path, 1, what)
    })
}

fn unsafe_lines(text: &str) -> Vec<usize> {
    let code = code_only(text);
    let lines = code.lines().enumerate();
    lines.filter(|(_, line)| has_word(line, "unsafe")).map(|(at, _)| at + 1).collect()
}

fn reason(file: &TextFile, line: usize) -> Option<Finding> {
    let above = file.text.lines().take(line).skip(line.saturating_sub(REASON_LINES));
    let is_said = above.into_iter().any(|line| line.contains("SAFETY:"));
    (!is_said)
        .then(|| Finding::at_line(&file.path, line, "unsafe code without `// SAFETY:` above it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "<!-- unsafe -->\n`crates/a/src/pin.rs`\n<!-- /unsafe -->";

    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_file_that_opens_with_its_purpose_passes() {
        assert_eq!(findings(&[("crates/a/src/lib.rs", "//! Words.\n")]), [""; 0]);
    }

    #[test]
    fn a_file_without_a_purpose_fails() {
        for text in ["use std::fmt;\n", "//!\nfn f() {}", "\n//! Late.\n", "// Words.\n"] {
            assert_eq!(findings(&[("crates/a/src/lib.rs", text)]).len(), 1, "{text}");
        }
    }

    #[test]
    fn unsafe_code_outside_the_list_fails() {
        let found = findings(&[("crates/a/src/b.rs", "//! B.\nfn f() { unsafe { g() } }")]);
        assert!(found[0].starts_with("crates/a/src/b.rs:2:"), "{found:?}");
    }

    #[test]
    fn a_sentence_about_unsafe_code_passes() {
        let text = "//! No unsafe code.\n#![deny(unsafe_code)]\nconst A: &str = \"unsafe\";";
        assert_eq!(findings(&[("crates/a/src/b.rs", text)]), [""; 0]);
    }

    #[test]
    fn listed_unsafe_code_needs_its_reason() {
        let with = "//! P.\n// SAFETY: the pin is open.\nunsafe { g() }";
        let without = "//! P.\nunsafe { g() }";
        assert_eq!(findings(&[(PAGE, LIST), ("crates/a/src/pin.rs", with)]), [""; 0]);
        assert_eq!(findings(&[(PAGE, LIST), ("crates/a/src/pin.rs", without)]).len(), 1);
    }

    #[test]
    fn a_listed_file_without_unsafe_code_leaves_the_list() {
        let found = findings(&[(PAGE, LIST), ("crates/a/src/pin.rs", "//! P.\n")]);
        assert!(found[0].contains("holds none"), "{found:?}");
    }
}
