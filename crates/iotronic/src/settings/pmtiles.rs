//! What a file of map tiles must be: a PMTiles archive, version 3, of pictures (`ui.pmtiles`).
//!
//! Invariant: what passes here can be read by the pages: they fetch parts of the file and understand its directories, packed
//! with gzip or not at all. Deliberately not here: the directories themselves, and vector tiles, which would need a drawing
//! library and a style.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Bytes of the header.
const HEADER: usize = 127;
/// The root directory lies within the first bytes, so that one read gives both.
const FIRST_READ: u64 = 16_384;
const MAGIC: &[u8] = b"PMTiles";
/// Words for `internal compression`, of which browsers know these.
const UNPACKED: u8 = 1;
const GZIP: u8 = 2;
const VECTOR: u8 = 1;
/// PNG, JPEG, WebP, AVIF.
const PICTURES: std::ops::RangeInclusive<u8> = 2..=5;

/// Says what is wrong with the file.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let wrong = |why: &str| {
        format!(
            "ui.pmtiles: {} {why}; give a PMTiles file (version 3) of PNG, JPEG, WebP or AVIF tiles",
            path.display()
        )
    };
    let unreadable = |error: std::io::Error| wrong(&format!("cannot be read: {error}"));
    let file = File::open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    if !about.is_file() {
        return Err(wrong("is no file"));
    }
    let mut header = Vec::with_capacity(HEADER);
    file.take(HEADER as u64).read_to_end(&mut header).map_err(unreadable)?;
    look(&header, about.len()).map_err(wrong)
}

fn look(header: &[u8], size: u64) -> Result<(), &'static str> {
    let byte = |at: usize| header.get(at).copied().ok_or("is too short to be one");
    if !header.starts_with(MAGIC) {
        return Err("is no PMTiles file");
    }
    if byte(MAGIC.len())? != 3 {
        return Err("is of another version");
    }
    byte(HEADER - 1)?;
    let root_ends = end(header, 8)?;
    if root_ends > FIRST_READ || [root_ends, end(header, 56)?].into_iter().any(|end| end > size) {
        return Err("is cut off or its header is damaged");
    }
    if ![UNPACKED, GZIP].contains(&byte(97)?) {
        return Err("is packed in a way that browsers do not know (gzip or nothing will do)");
    }
    match byte(99)? {
        VECTOR => Err("has vector tiles, which this map does not draw"),
        tiles if PICTURES.contains(&tiles) => Ok(()),
        _ => Err("has tiles of an unknown kind"),
    }
}

/// Where a part ends whose place and length stand one after the other at `at`.
fn end(header: &[u8], at: usize) -> Result<u64, &'static str> {
    let number = |at: usize| {
        let bytes = header.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u64::from_le_bytes).ok_or("is too short to be one")
    };
    number(at)?.checked_add(number(at + 8)?).ok_or("has a damaged header")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: u64 = 1000;

    fn header() -> Vec<u8> {
        let mut header = vec![0; HEADER];
        header[..8].copy_from_slice(b"PMTiles\x03");
        for (at, number) in [(8, HEADER as u64), (16, 20_u64), (56, 200), (64, 800)] {
            header[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        header[97] = GZIP;
        header[99] = 2;
        header
    }

    #[test]
    fn a_file_of_pictures_is_good_and_others_are_refused_with_the_reason() {
        assert_eq!(look(&header(), SIZE), Ok(()));
        for (at, value, reason) in [
            (0, b'Q', "no PMTiles"),
            (7, 2, "another version"),
            (97, 3, "packed"),
            (99, 1, "vector"),
            (99, 0, "unknown kind"),
            (12, 1, "damaged"),
            (9, 0xff, "damaged"),
            (15, 0xff, "damaged"),
            (23, 0xff, "damaged"),
        ] {
            let mut header = header();
            header[at] = value;
            let refused = look(&header, SIZE).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
        assert!(look(&header(), SIZE - 1).unwrap_err().contains("cut off"));
        assert!(look(&header()[..100], SIZE).unwrap_err().contains("too short"));
        assert!(check(Path::new("/nowhere/map")).unwrap_err().contains("ui.pmtiles: /nowhere/map"));
        assert!(check(Path::new("/")).unwrap_err().contains("no file"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..200), size: u64) {
            let _ = look(&bytes, size);
            let mut known = header();
            for (at, byte) in bytes.into_iter().enumerate().take(HEADER - 8) {
                known[8 + at] = byte;
            }
            let _ = look(&known, size);
        }
    }
}
