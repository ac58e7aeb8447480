//! The arrow rule: crates depend on each other only as `docs/ARCHITECTURE.md` draws it.
//!
//! Invariant: every crate has a row and every row a crate, so the picture cannot fall behind. Dev-dependencies may also
//! reach `testkit` and engines on a lower floor, because tests may look at more than the product does.
//! Deliberately not here: dependencies that are not ours (see `manifests`).

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::Finding;
use super::architecture::{House, PAGE, Room};
use super::tree::Tree;

/// The crate that nothing ships.
const TESTS_ONLY: &str = "testkit";
/// Crates that may depend on `testkit` outside their tests.
const WORKSHOP: [&str; 2] = ["testkit", "xtask"];
/// The floor whose rooms every test above it may use.
const ENGINES: &str = "engines";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(page) = tree.text(PAGE) else {
        return vec![Finding::new(PAGE, "does not exist; it holds the table of arrows")];
    };
    match House::parse(page) {
        Ok(house) => check_house(tree, &house),
        Err(problems) => problems.into_iter().map(|what| Finding::new(PAGE, what)).collect(),
    }
}

fn check_house(tree: &Tree, house: &House) -> Vec<Finding> {
    let crates: BTreeSet<&str> = tree.crate_manifests().map(|(name, _)| name).collect();
    let mut findings: Vec<Finding> = house
        .rooms()
        .filter(|room| !crates.contains(room.name.as_str()))
        .map(|room| Finding::new(PAGE, format!("the row `{}` has no crate in crates/", room.name)))
        .collect();
    for (name, manifest) in tree.crate_manifests() {
        let Some(room) = house.room(name) else {
            findings
                .push(Finding::new(&manifest.path, format!("has no row in the table of {PAGE}")));
            continue;
        };
        match manifest.text.parse::<Table>() {
            Ok(table) => check_room(house, room, &table, &crates, &manifest.path, &mut findings),
            Err(error) => findings.push(Finding::new(&manifest.path, error.to_string())),
        }
    }
    findings
}

fn check_room(
    house: &House,
    room: &Room,
    manifest: &Table,
    crates: &BTreeSet<&str>,
    path: &str,
    findings: &mut Vec<Finding>,
) {
    for (section, dependencies) in sections(manifest) {
        let is_dev = section == "dev-dependencies";
        for name in dependencies.iter().map(|(key, value)| package_name(key, value)) {
            let is_drawn = !crates.contains(name)
                || permitted(room, name)
                || (is_dev && permitted_in_tests(house, room, name));
            if !is_drawn {
                findings.push(Finding::new(
                    path,
                    format!("[{section}] names `{name}`, an arrow that {PAGE} does not draw"),
                ));
            }
        }
    }
}

fn permitted(room: &Room, dependency: &str) -> bool {
    let ships_tests = dependency == TESTS_ONLY && !WORKSHOP.contains(&room.name.as_str());
    !ships_tests && room.allowed.permits(dependency)
}

fn permitted_in_tests(house: &House, room: &Room, dependency: &str) -> bool {
    if dependency == TESTS_ONLY {
        return true;
    }
    let lower = |other: &Room| house.height(&other.floor) < house.height(&room.floor);
    house.room(dependency).is_some_and(|other| other.floor == ENGINES && lower(other))
}

/// Every table of dependencies, those of `[target.…]` included.
fn sections(manifest: &Table) -> Vec<(&str, &Table)> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    std::iter::once(manifest)
        .chain(targets)
        .flat_map(|table| {
            ["dependencies", "build-dependencies", "dev-dependencies"]
                .into_iter()
                .filter_map(|section| Some((section, table.get(section)?.as_table()?)))
        })
        .collect()
}

/// The crate behind a key: `package = "…"` renames.
fn package_name<'a>(key: &'a str, value: &'a Value) -> &'a str {
    value.get("package").and_then(Value::as_str).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE_TEXT: &str = "
<!-- arrows -->
| floor | room | what lives there | may depend on |
|---|---|---|---|
| ground | model | words | - |
| engines | wamp | router | model |
| engines | hal | pins | model |
| programs | iotronic | cloud | model, wamp |
| workshop | testkit | world | anything |
<!-- /arrows -->";

    fn findings(manifests: &[(&str, &str)]) -> Vec<String> {
        let mut files = vec![(PAGE, PAGE_TEXT)];
        let given = |path: &str| manifests.iter().any(|(other, _)| *other == path);
        for path in [
            "crates/model/Cargo.toml",
            "crates/wamp/Cargo.toml",
            "crates/hal/Cargo.toml",
            "crates/iotronic/Cargo.toml",
            "crates/testkit/Cargo.toml",
        ] {
            if !given(path) {
                files.push((path, "[package]"));
            }
        }
        files.extend_from_slice(manifests);
        check(&Tree::of(&files)).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn the_drawn_arrows_and_foreign_crates_pass() {
        let cloud =
            "[dependencies]\nmodel.workspace = true\nwamp.workspace = true\nserde.workspace = true";
        assert_eq!(findings(&[("crates/iotronic/Cargo.toml", cloud)]), [""; 0]);
    }

    #[test]
    fn an_arrow_that_is_not_drawn_fails_in_every_section() {
        for section in ["dependencies", "build-dependencies", "target.'cfg(unix)'.dependencies"] {
            let found = findings(&[(
                "crates/model/Cargo.toml",
                &format!("[{section}]\nwamp.workspace = true"),
            )]);
            assert_eq!(found.len(), 1, "{section}: {found:?}");
            assert!(found[0].contains("`wamp`"), "{found:?}");
        }
    }

    #[test]
    fn a_renamed_dependency_does_not_hide_its_arrow() {
        let model = "[dependencies]\nrouter = { package = \"wamp\", path = \"../wamp\" }";
        assert_eq!(findings(&[("crates/model/Cargo.toml", model)]).len(), 1);
    }

    #[test]
    fn tests_may_use_testkit_and_lower_engines_only() {
        let cloud = "[dev-dependencies]\ntestkit.workspace = true\nhal.workspace = true";
        assert_eq!(findings(&[("crates/iotronic/Cargo.toml", cloud)]), [""; 0]);
        let model = "[dev-dependencies]\nhal.workspace = true";
        assert_eq!(findings(&[("crates/model/Cargo.toml", model)]).len(), 1);
        let wamp = "[dev-dependencies]\nhal.workspace = true";
        assert_eq!(findings(&[("crates/wamp/Cargo.toml", wamp)]).len(), 1);
    }

    #[test]
    fn nothing_ships_testkit() {
        let cloud = "[dependencies]\ntestkit.workspace = true";
        assert_eq!(findings(&[("crates/iotronic/Cargo.toml", cloud)]).len(), 1);
    }

    #[test]
    fn a_crate_without_a_row_fails() {
        let found = findings(&[("crates/common/Cargo.toml", "[package]")]);
        assert!(found[0].contains("no row"), "{found:?}");
    }

    #[test]
    fn a_row_without_a_crate_fails() {
        let tree = Tree::of(&[(PAGE, PAGE_TEXT), ("crates/model/Cargo.toml", "[package]")]);
        assert_eq!(check(&tree).len(), 4);
    }

    #[test]
    fn a_missing_page_and_a_broken_manifest_are_findings() {
        assert_eq!(check(&Tree::of(&[])).len(), 1);
        assert_eq!(findings(&[("crates/model/Cargo.toml", "[package")]).len(), 1);
    }
}
