//! The escape of a terminal: `~.` at the beginning of a line leaves it, `~~` types one `~`. Pure.

/// What the keys mean.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// These are for the board.
    Typed(Vec<u8>),
    /// These still are, and then whoever types leaves.
    Leave(Vec<u8>),
}

/// Where in a line the keyboard is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    /// At its beginning.
    #[default]
    Start,
    /// Behind a `~` at its beginning, which is held back.
    Tilde,
    /// Anywhere else.
    Inside,
}

/// Looks at all keys.
#[derive(Debug, Default)]
pub(super) struct Escape {
    at: At,
}

impl Escape {
    /// The next keys.
    pub(super) fn keys(&mut self, keys: &[u8]) -> Keys {
        let mut typed = Vec::with_capacity(keys.len());
        for key in keys {
            match (self.at, *key) {
                (At::Start, b'~') => self.at = At::Tilde,
                (At::Tilde, b'.') => return Keys::Leave(typed),
                (At::Tilde, b'~') => {
                    typed.push(b'~');
                    self.at = At::Inside;
                }
                (at, key) => {
                    if at == At::Tilde {
                        typed.push(b'~');
                    }
                    typed.push(key);
                    self.at = if matches!(key, b'\r' | b'\n') { At::Start } else { At::Inside };
                }
            }
        }
        Keys::Typed(typed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(pieces: &[&str]) -> (String, bool) {
        let (mut escape, mut all) = (Escape::default(), Vec::new());
        for piece in pieces {
            match escape.keys(piece.as_bytes()) {
                Keys::Typed(keys) => all.extend(keys),
                Keys::Leave(keys) => {
                    all.extend(keys);
                    return (String::from_utf8(all).unwrap(), true);
                }
            }
        }
        (String::from_utf8(all).unwrap(), false)
    }

    #[test]
    fn only_a_tilde_that_begins_a_line_escapes() {
        assert_eq!(typed(&["~."]), (String::new(), true));
        assert_eq!(typed(&["ls\r", "~", "."]), ("ls\r".to_owned(), true));
        assert_eq!(typed(&["ls ~.\r"]), ("ls ~.\r".to_owned(), false));
        assert_eq!(typed(&["~~.\r"]), ("~.\r".to_owned(), false));
        assert_eq!(typed(&["~", "x~.\n~?"]), ("~x~.\n~?".to_owned(), false));
        assert_eq!(typed(&["~\r~."]), ("~\r".to_owned(), true));
    }
}
