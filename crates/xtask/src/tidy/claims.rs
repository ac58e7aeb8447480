//! What `docs/security.md` claims is shown by tests: each that it names exists.
//!
//! Deliberately not here: whether a test shows what is claimed, which is for readers.

use super::Finding;
use super::tree::Tree;
use std::collections::BTreeSet;

const PAGE: &str = "docs/security.md";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(page) = tree.text(PAGE) else {
        return vec![Finding::new(PAGE, "is not there; it says what is claimed and what shows it")];
    };
    let known: BTreeSet<&str> =
        tree.files().filter(|file| file.is_rust()).flat_map(|file| functions(&file.text)).collect();
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(page.lines()) {
        let Some((claim, tests)) = row(line) else { continue };
        if tests.is_empty() {
            findings.push(Finding::at_line(PAGE, number, format!("{claim:?} is shown by no test")));
        }
        let missing = tests.iter().filter(|test| !known.contains(*test));
        findings.extend(missing.map(|test| {
            Finding::at_line(PAGE, number, format!("names the test `{test}`, which does not exist"))
        }));
    }
    findings
}

/// A claim and the tests in its last column; nothing for other lines and for tables without tests.
fn row(line: &str) -> Option<(&str, Vec<&str>)> {
    let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').collect();
    let [claim, tests] = cells.as_slice() else { return None };
    let claim = claim.trim();
    if claim == "claim" || claim.starts_with("---") {
        return None;
    }
    Some((claim, tests.split('`').skip(1).step_by(2).collect()))
}

/// The names of the functions of a source.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.split("fn ").skip(1).filter_map(|rest| rest.split('(').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_test_must_exist_and_a_claim_must_name_one() {
        let page = "| claim | shown by |\n|---|---|\n| good | `it_holds` |\n| bad | `it_does_not` |\n| bare | words |\n";
        let source = "//! x\nfn it_holds() {}\n";
        let tree = Tree::of(&[(PAGE, page), ("crates/a/src/lib.rs", source)]);
        let said: Vec<String> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains("it_does_not") && said[1].contains("bare"), "{said:?}");
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }
}
