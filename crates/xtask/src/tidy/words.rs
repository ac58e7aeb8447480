//! Rules on words: nothing is left open in the code, nothing names the machine it was written on.
//!
//! Invariant: this file passes its own rules, so forbidden words are put together here from halves.
//! Deliberately not here: style of prose.

use super::Finding;
use super::code::{code_only, has_word};
use super::tree::{TextFile, Tree};

/// Marks of unfinished work, wherever they stand in a source.
const MARKS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
/// Rust that says "later", or hides a test.
const LATER: [(&str, &str); 3] = [("todo", "!"), ("unimplemented", "!"), ("#[ignore", "")];
/// What counts as a source for the marks.
const SOURCES: [&str; 9] = ["rs", "sh", "py", "js", "mjs", "ts", "svelte", "sql", "service"];
/// Folders of the machines this was written on.
const MACHINE_FOLDERS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/.")];
/// How cargo's own default registry ends in a lock file; a mirror or a repository ends otherwise.
const DEFAULT_REGISTRY: &str = "/rust-lang/crates.io-index";

pub(super) fn check_left_open(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files().filter(|file| is_source(&file.path)) {
        findings.extend(lines_with(&file.path, &file.text, "is left open", |line| {
            MARKS.into_iter().find(|mark| has_word(line, mark))
        }));
        if file.is_rust() {
            findings.extend(lines_with(&file.path, &code_only(&file.text), "is left open", later));
        }
    }
    findings
}

fn is_source(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| SOURCES.contains(&ending))
}

fn later(line: &str) -> Option<&'static str> {
    let calls = |word: &str, mark: &str| {
        line.match_indices(word)
            .any(|(at, _)| line.get(at + word.len()..).is_some_and(|rest| rest.starts_with(mark)))
    };
    LATER.into_iter().find(|(word, mark)| calls(word, mark)).map(|(word, _)| word)
}

pub(super) fn check_foreign(tree: &Tree) -> Vec<Finding> {
    tree.files().flat_map(foreign).collect()
}

fn foreign(file: &TextFile) -> Vec<Finding> {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    match name {
        "Cargo.lock" => lines_with(&file.path, &file.text, "names a foreign registry", lock_source),
        "package-lock.json" => {
            lines_with(&file.path, &file.text, "names a foreign registry", npm_source)
        }
        _ => lines_with(&file.path, &file.text, "names this machine", machine_folder),
    }
}

fn lock_source(line: &str) -> Option<&'static str> {
    let source = line.trim().strip_prefix("source = \"")?.strip_suffix('"')?;
    let is_default = source.starts_with("registry+") && source.ends_with(DEFAULT_REGISTRY);
    (!is_default).then_some("its source")
}

/// npm's lock files need no address, so they have none (`omit-lockfile-registry-resolved`).
fn npm_source(line: &str) -> Option<&'static str> {
    line.contains("\"resolved\": \"").then_some("its source")
}

/// A folder of this machine as an absolute path, not as the tail of a longer one.
fn machine_folder(line: &str) -> Option<&'static str> {
    MACHINE_FOLDERS.into_iter().find(|folder| {
        line.match_indices(folder).any(|(at, _)| {
            let before = line.get(..at).and_then(|part| part.chars().next_back());
            !before.is_some_and(|letter| letter.is_alphanumeric() || "._-*}".contains(letter))
        })
    })
}

fn lines_with(
    path: &str,
    text: &str,
    what: &str,
    find: impl Fn(&str) -> Option<&'static str>,
) -> Vec<Finding> {
    text.lines()
        .enumerate()
        .filter_map(|(at, line)| {
            let word = find(line)?;
            Some(Finding::at_line(path, at + 1, format!("`{word}` {what}")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_open(path: &str, text: &str) -> usize {
        check_left_open(&Tree::of(&[(path, text)])).len()
    }

    fn foreign_lines(path: &str, text: &str) -> usize {
        check_foreign(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn marks_of_unfinished_work_fail_in_sources_and_not_in_prose() {
        for mark in MARKS {
            assert_eq!(left_open("crates/a/src/b.rs", &format!("// {mark}: later")), 1, "{mark}");
            assert_eq!(left_open("docs/a.md", mark), 0);
            assert_eq!(left_open("a.sh", &format!("# {mark}S")), 0);
        }
    }

    #[test]
    fn macros_that_say_later_and_hidden_tests_fail() {
        for (word, mark) in LATER {
            assert_eq!(left_open("crates/a/src/b.rs", &format!("    {word}{mark}")), 1, "{word}");
            assert_eq!(left_open("crates/a/src/b.rs", &format!("// {word}{mark}")), 0, "{word}");
        }
    }

    #[test]
    fn folders_of_a_machine_fail_unless_part_of_a_longer_path() {
        for folder in MACHINE_FOLDERS {
            assert_eq!(foreign_lines("docs/a.md", &format!("see `{folder}x`")), 1, "{folder}");
            assert_eq!(foreign_lines("docs/a.md", &format!("see /net{folder}x")), 0, "{folder}");
        }
    }

    #[test]
    fn lock_files_name_cargos_default_registry_and_no_other_place() {
        let good = format!("source = \"registry+https://host.example{DEFAULT_REGISTRY}\"\n");
        assert_eq!(foreign_lines("Cargo.lock", &good), 0);
        assert_eq!(
            foreign_lines("Cargo.lock", "source = \"registry+https://mirror.example/\"\n"),
            1
        );
        assert_eq!(foreign_lines("Cargo.lock", "source = \"git+https://example.org/x\"\n"), 1);
        let npm = "\"version\": \"1.0.0\",";
        assert_eq!(foreign_lines("dashboard/package-lock.json", npm), 0);
        let npm = "\"resolved\": \"https://mirror.example/a-1.tgz\",";
        assert_eq!(foreign_lines("dashboard/package-lock.json", npm), 1);
    }
}
