//! Rules on manifests: dependencies stand once, in the root, each with its reason; every crate takes the root's lints.
//!
//! Invariant: adding a dependency is a visible, reasoned line in one file. Deliberately not here: arrows between our own
//! crates (see `arrows`).

use toml::{Table, Value};

use super::Finding;
use super::tree::{TextFile, Tree};

const ROOT: &str = "Cargo.toml";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = match tree.text(ROOT) {
        Some(text) => unreasoned(text),
        None => vec![Finding::new(ROOT, "does not exist")],
    };
    for (_, manifest) in tree.crate_manifests() {
        findings.extend(check_crate(manifest));
    }
    findings
}

/// Entries of `[workspace.dependencies]` without a `# why`; our own crates (by path) explain themselves.
fn unreasoned(text: &str) -> Vec<Finding> {
    let mut inside = false;
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
        }
        let is_entry = inside && line.contains('=') && !line.starts_with('#');
        if is_entry && !line.contains("path = ") && reason(line).is_none() {
            let name = line.split(['=', '.', ' ']).next().unwrap_or(line);
            let what = format!("dependency `{name}` has no `# why` at the end of its line");
            findings.push(Finding::at_line(ROOT, at + 1, what));
        }
    }
    findings
}

/// The comment at the end of a line, when it says anything.
fn reason(line: &str) -> Option<&str> {
    let outside: Vec<(usize, &str)> = line.split('"').enumerate().collect();
    let (_, last) = outside.last()?;
    let (_, comment) = last.split_once('#').or_else(|| {
        // A reason may itself quote a word.
        let (_, part) = outside.iter().find(|(at, part)| at % 2 == 0 && part.contains('#'))?;
        part.split_once('#')
    })?;
    Some(comment.trim()).filter(|comment| !comment.is_empty())
}

fn check_crate(manifest: &TextFile) -> Vec<Finding> {
    let table = match manifest.text.parse::<Table>() {
        Ok(table) => table,
        Err(error) => return vec![Finding::new(&manifest.path, error.to_string())],
    };
    let mut findings = Vec::new();
    if !takes_workspace(table.get("lints")) {
        findings.push(Finding::new(&manifest.path, "lacks `[lints] workspace = true`"));
    }
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let entries = table.get(section).and_then(Value::as_table).into_iter().flatten();
        for (name, value) in entries.filter(|(_, value)| !takes_workspace(Some(value))) {
            let what = format!(
                "[{section}] gives `{name}` as {value}; write `{name}.workspace = true` and put it in the root"
            );
            findings.push(Finding::new(&manifest.path, what));
        }
    }
    findings
}

fn takes_workspace(value: Option<&Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD_ROOT: &str = "[workspace.dependencies]\n# Ours.\nmodel = { path = \"crates/model\" }\n\
        bytes = \"1\" # buffers\nhttp = { version = \"1\", features = [\"x\"] } # the \"words\" of HTTP\n\
        [profile.dev]\ndebug = 1\n";
    const GOOD_CRATE: &str = "[dependencies]\nbytes.workspace = true\n[lints]\nworkspace = true\n";

    fn findings(root: &str, member: &str) -> Vec<String> {
        let tree = Tree::of(&[(ROOT, root), ("crates/a/Cargo.toml", member)]);
        check(&tree).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn reasoned_dependencies_pass() {
        assert_eq!(findings(GOOD_ROOT, GOOD_CRATE), [""; 0]);
    }

    #[test]
    fn a_dependency_without_a_reason_fails() {
        for line in
            ["url = \"2\"", "url = \"2\" #", "url = { version = \"2\", features = [\"a#b\"] }"]
        {
            let root = format!("[workspace.dependencies]\n{line}\n");
            let found = findings(&root, GOOD_CRATE);
            assert!(found.len() == 1 && found[0].contains("`url`"), "{line}: {found:?}");
        }
    }

    #[test]
    fn a_dependency_outside_the_root_fails() {
        let member = "[dev-dependencies]\nurl = \"2\"\n[lints]\nworkspace = true\n";
        assert!(findings(GOOD_ROOT, member)[0].contains("url.workspace"));
    }

    #[test]
    fn a_crate_without_the_lints_of_the_root_fails() {
        assert!(findings(GOOD_ROOT, "[package]\n")[0].contains("[lints]"));
    }
}
