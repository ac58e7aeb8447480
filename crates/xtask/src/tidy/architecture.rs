//! Reads what `docs/ARCHITECTURE.md` declares: the table of arrows and the list of files that may hold unsafe code.
//!
//! Invariant: every word of the table is understood or reported; nothing is skipped in silence. Deliberately not here:
//! comparing the declaration with the code (see `arrows` and `sources`).

use std::collections::BTreeSet;

/// The page that declares the house.
pub(super) const PAGE: &str = "docs/ARCHITECTURE.md";

/// What a room may depend on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    Anything,
    Rooms(BTreeSet<String>),
}

impl Allowed {
    pub(super) fn permits(&self, room: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::Rooms(rooms) => rooms.contains(room),
        }
    }
}

/// One crate and its arrows.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) name: String,
    pub(super) floor: String,
    pub(super) allowed: Allowed,
}

/// The rooms in the order of the table, ground floor first.
#[derive(Debug)]
pub(super) struct House {
    rooms: Vec<Room>,
}

impl House {
    /// Parses the table between the markers; errors say what is wrong with the page.
    pub(super) fn parse(page: &str) -> Result<Self, Vec<String>> {
        let Some(table) = between(page, "<!-- arrows -->", "<!-- /arrows -->") else {
            return Err(vec![
                "has no table between `<!-- arrows -->` and `<!-- /arrows -->`".into(),
            ]);
        };
        let rows: Vec<Row> = table.lines().filter_map(Row::parse).collect();
        let mut problems = Vec::new();
        let rooms = rows.iter().map(|row| row.room(&rows, &mut problems)).collect();
        if rows.is_empty() {
            problems.push("its table of arrows has no rows".into());
        }
        if problems.is_empty() { Ok(Self { rooms }) } else { Err(problems) }
    }

    pub(super) fn rooms(&self) -> impl Iterator<Item = &Room> {
        self.rooms.iter()
    }

    pub(super) fn room(&self, name: &str) -> Option<&Room> {
        self.rooms.iter().find(|room| room.name == name)
    }

    /// The height of a floor: its place among the floors of the table.
    pub(super) fn height(&self, floor: &str) -> Option<usize> {
        self.rooms.iter().position(|room| room.floor == floor)
    }
}

/// The cells of one line: floor, room, what lives there, may depend on.
struct Row {
    floor: String,
    name: String,
    may: String,
}

impl Row {
    /// The head, the line below it, and rooms that are no crates (written with a `/`) give `None`.
    fn parse(line: &str) -> Option<Self> {
        let cells = line.trim().strip_prefix('|')?.strip_suffix('|')?.replace('`', "");
        let mut cells = cells.split('|').map(str::trim);
        let (floor, name, _, may) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
        let is_ruler = floor.chars().all(|letter| "-: ".contains(letter));
        let is_head = floor == "floor";
        let is_crate = !name.contains('/');
        (!is_ruler && !is_head && is_crate).then(|| Self {
            floor: floor.into(),
            name: name.into(),
            may: may.into(),
        })
    }

    fn room(&self, rows: &[Row], problems: &mut Vec<String>) -> Room {
        let allowed = match self.may.as_str() {
            "" | "-" => Allowed::Rooms(BTreeSet::new()),
            "anything" => Allowed::Anything,
            list => Allowed::Rooms(self.named_rooms(list, rows, problems)),
        };
        Room { name: self.name.clone(), floor: self.floor.clone(), allowed }
    }

    fn named_rooms(
        &self,
        list: &str,
        rows: &[Row],
        problems: &mut Vec<String>,
    ) -> BTreeSet<String> {
        let mut named = BTreeSet::new();
        for phrase in list.split(',').map(str::trim) {
            let rooms = phrase_rooms(phrase, rows);
            if rooms.is_empty() {
                problems.push(format!(
                    "`{}` may depend on `{phrase}`, which is no room or floor",
                    self.name
                ));
            }
            named.extend(rooms);
        }
        named.remove(&self.name);
        named
    }
}

/// The rooms of a phrase: a room, a floor, or `floor but room and room`.
fn phrase_rooms(phrase: &str, rows: &[Row]) -> BTreeSet<String> {
    let (word, exceptions) = phrase.split_once(" but ").unwrap_or((phrase, ""));
    let exceptions: Vec<&str> = exceptions.split(" and ").map(str::trim).collect();
    rows.iter()
        .filter(|row| row.name == word || row.floor == word)
        .filter(|row| !exceptions.contains(&row.name.as_str()))
        .map(|row| row.name.clone())
        .collect()
}

/// The files that may hold unsafe code: whatever stands in backticks between the markers and ends with `.rs`.
pub(super) fn unsafe_files(page: &str) -> BTreeSet<String> {
    between(page, "<!-- unsafe -->", "<!-- /unsafe -->")
        .unwrap_or_default()
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|path| path.ends_with(".rs"))
        .map(str::to_owned)
        .collect()
}

fn between<'a>(page: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(open)?;
    let (inside, _) = rest.split_once(close)?;
    Some(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE_TEXT: &str = "
<!-- arrows -->
| floor | room | what lives there | may depend on |
|---|---|---|---|
| ground | `model` | words | - |
| engines | `wamp` | router | model |
| engines | `hal` | pins | `model` |
| programs | `iotronic` | cloud | model, engines but hal |
| workshop | `testkit` | world | anything |
| beside | `dashboard/` | pages | api (generated types) |
<!-- /arrows -->
<!-- unsafe -->
- `crates/hal/src/pin.rs`: the kernel's pin calls; see `docs`
<!-- /unsafe -->
";

    #[test]
    fn rooms_floors_and_exceptions_are_read() {
        let house = House::parse(PAGE_TEXT).unwrap();
        let cloud = house.room("iotronic").unwrap();
        assert!(cloud.allowed.permits("model") && cloud.allowed.permits("wamp"));
        assert!(!cloud.allowed.permits("hal"));
        assert!(house.room("testkit").unwrap().allowed.permits("iotronic"));
        assert_eq!(house.room("model").unwrap().allowed, Allowed::Rooms(BTreeSet::new()));
        assert!(house.room("dashboard/").is_none());
        assert!(house.height("ground") < house.height("engines"));
    }

    #[test]
    fn a_page_without_the_table_is_reported() {
        let problems = House::parse("# Map").unwrap_err();
        assert!(problems[0].contains("<!-- arrows -->"), "{problems:?}");
    }

    #[test]
    fn a_word_that_is_no_room_and_no_floor_is_reported() {
        let page = PAGE_TEXT.replace("| router | model |", "| router | modle |");
        let problems = House::parse(&page).unwrap_err();
        assert!(problems[0].contains("modle"), "{problems:?}");
    }

    #[test]
    fn only_rust_files_in_backticks_may_hold_unsafe_code() {
        let files = unsafe_files(PAGE_TEXT);
        assert_eq!(files.into_iter().collect::<Vec<_>>(), ["crates/hal/src/pin.rs"]);
        assert!(unsafe_files("nothing declared").is_empty());
    }
}
