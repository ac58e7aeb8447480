//! A path of this machine, or of a board: `BOARD:PATH`. Pure.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

/// Where something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// On this machine.
    Here(PathBuf),
    /// On a board.
    There {
        /// Its id or name.
        board: String,
        /// The path there; empty: where its user is at home.
        path: String,
    },
}

impl FromStr for Place {
    type Err = Infallible;

    /// A colon before any slash makes it a board's, as everywhere; `./a:b` is a file here.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.split_once(':') {
            Some((board, path)) if !board.is_empty() && !board.contains('/') => {
                Self::There { board: board.to_owned(), path: path.to_owned() }
            }
            _ => Self::Here(text.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_before_any_slash_makes_it_a_boards() {
        let there =
            |board: &str, path: &str| Place::There { board: board.into(), path: path.into() };
        for (text, place) in [
            ("lamp:/etc/motd", there("lamp", "/etc/motd")),
            ("lamp:", there("lamp", "")),
            ("lamp:a:b", there("lamp", "a:b")),
            ("./a:b", Place::Here("./a:b".into())),
            ("/tmp/a:b", Place::Here("/tmp/a:b".into())),
            (":a", Place::Here(":a".into())),
            ("plain", Place::Here("plain".into())),
        ] {
            assert_eq!(text.parse(), Ok(place), "{text}");
        }
    }
}
