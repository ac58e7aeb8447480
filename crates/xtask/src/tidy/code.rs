//! Tells code from comments and literals, so that a rule about code does not trip over a sentence about code.
//!
//! Invariant: the answer has the lines of the question; only comments and the inside of literals become blanks.
//! Deliberately not here: a parser; the rules need words, not syntax.

/// The text with comments and the contents of string and character literals blanked.
pub(super) fn code_only(text: &str) -> String {
    let mut scanner = Scanner { rest: text, code: String::with_capacity(text.len()) };
    while scanner.step() {}
    scanner.code
}

/// Whether a line holds a word, not merely its letters.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line.get(..start).and_then(|part| part.chars().next_back());
        let after = line.get(start + word.len()..).and_then(|part| part.chars().next());
        !before.is_some_and(is_word_letter) && !after.is_some_and(is_word_letter)
    })
}

fn is_word_letter(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

struct Scanner<'a> {
    rest: &'a str,
    code: String,
}

impl Scanner<'_> {
    /// Consumes one piece; false at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        if self.rest.starts_with("//") {
            self.blank(line_length(self.rest));
        } else if self.rest.starts_with("/*") {
            self.blank(block_comment_length(self.rest));
        } else if let Some(length) = self.raw_string_length() {
            self.blank(length);
        } else if first == '"' {
            self.blank(quoted_length(self.rest, '"'));
        } else if let Some(length) = character_length(self.rest) {
            self.blank(length);
        } else {
            self.keep(first);
        }
        true
    }

    fn keep(&mut self, letter: char) {
        self.code.push(letter);
        self.rest = self.rest.get(letter.len_utf8()..).unwrap_or_default();
    }

    fn blank(&mut self, length: usize) {
        let (gone, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.code.extend(gone.chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }));
        self.rest = rest;
    }

    /// `r"…"`, `r#"…"#` and their byte and C forms, unless the `r` ends a longer word.
    fn raw_string_length(&self) -> Option<usize> {
        if self.code.chars().next_back().is_some_and(is_word_letter) {
            return None;
        }
        let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
            self.rest.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(['"', '#']))
        })?;
        let hashes =
            self.rest.get(prefix.len()..)?.chars().take_while(|letter| *letter == '#').count();
        let open = prefix.len() + hashes + 1;
        let inside = self.rest.get(prefix.len() + hashes..)?.strip_prefix('"')?;
        let close = format!("\"{}", "#".repeat(hashes));
        Some(inside.find(&close).map_or(self.rest.len(), |at| open + at + close.len()))
    }
}

fn line_length(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

/// Block comments nest.
fn block_comment_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of a literal with backslash escapes, both quotes included.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            letter if letter == quote => return at + letter.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// A character literal, told from a lifetime by its closing quote.
fn character_length(text: &str) -> Option<usize> {
    let mut letters = text.strip_prefix('\'')?.chars();
    let first = letters.next()?;
    let is_literal = first == '\\' || letters.next() == Some('\'');
    is_literal.then(|| quoted_length(text, '\''))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_kept() {
        let text = "a // unsafe\n/* unsafe /* deep */ unsafe */ b \"unsafe \\\" unsafe\" c r#\"un\"safe\"# d";
        let code = code_only(text);
        assert!(!code.contains("unsafe") && !code.contains("safe"), "{code}");
        assert_eq!(code.split_whitespace().collect::<String>(), "abcd");
        assert_eq!(code.lines().count(), text.lines().count());
    }

    #[test]
    fn lifetimes_and_character_literals_do_not_swallow_code() {
        let code = code_only("fn f<'a>(x: &'a str) { let q = '\"'; let e = '\\''; unsafe {} }");
        assert!(has_word(&code, "unsafe"), "{code}");
    }

    #[test]
    fn an_unclosed_literal_or_comment_ends_with_the_text() {
        for text in ["\"abc", "/* abc", "r#\"abc", "'\\", "é/*é"] {
            assert_eq!(code_only(text).chars().count(), text.chars().count(), "{text}");
        }
    }

    #[test]
    fn a_word_is_found_only_whole() {
        assert!(has_word("unsafe { }", "unsafe"));
        assert!(!has_word("#![deny(unsafe_code)]", "unsafe"));
        assert!(!has_word("notunsafe", "unsafe"));
    }
}
