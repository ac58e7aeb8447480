//! Counting tests.
//!
//! Invariant: what is counted is never lost; tallies only add up or move a count from one column to another.
//! Deliberately not here: where the counts come from (see `stream` and `skips`).

use std::fmt;
use std::ops::AddAssign;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    /// Those of the passed that failed at first.
    pub(crate) unsteady: usize,
}

impl Tally {
    const NONE: Self = Self { passed: 0, failed: 0, skipped: 0, unsteady: 0 };
    pub(crate) const PASSED: Self = Self { passed: 1, ..Self::NONE };
    pub(crate) const FAILED: Self = Self { failed: 1, ..Self::NONE };
    pub(crate) const SKIPPED: Self = Self { skipped: 1, ..Self::NONE };

    /// Reads libtest's closing line: `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    pub(super) fn of_result_line(line: &str) -> Option<Self> {
        let (_, counts) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
        let count = |column: &str| {
            counts.split(';').find_map(|part| part.trim().strip_suffix(column)?.trim().parse().ok())
        };
        Some(Self {
            passed: count("passed")?,
            failed: count("failed")?,
            skipped: count("ignored")?,
            unsteady: 0,
        })
    }

    /// Where skipping is not allowed.
    pub(super) fn with_skipped_as_failed(self) -> Self {
        Self { failed: self.failed + self.skipped, skipped: 0, ..self }
    }

    /// Tests that ended well for libtest but said that they were skipped.
    pub(super) fn with_passed_turned_skipped(self, count: usize) -> Self {
        let count = count.min(self.passed);
        Self { passed: self.passed - count, skipped: self.skipped + count, ..self }
    }

    /// Failed tests that passed when they were asked again.
    pub(super) fn with_failed_turned_unsteady(self, count: usize) -> Self {
        let count = count.min(self.failed);
        Self {
            passed: self.passed + count,
            failed: self.failed - count,
            unsteady: self.unsteady + count,
            ..self
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.unsteady += other.unsteady;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        if self.unsteady > 0 {
            write!(f, " ({} only when asked again)", self.unsteady)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_line_is_read_whether_it_went_well_or_not() {
        let line = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        let expected = Tally { passed: 12, failed: 0, skipped: 1, unsteady: 0 };
        assert_eq!(Tally::of_result_line(line), Some(expected));
        let line = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        let expected = Tally { passed: 3, failed: 2, skipped: 0, unsteady: 0 };
        assert_eq!(Tally::of_result_line(line), Some(expected));
    }

    #[test]
    fn other_lines_are_no_result() {
        for line in
            ["", "test a::b ... ok", "test result: ", "test result: ok. many passed; 0 failed"]
        {
            assert_eq!(Tally::of_result_line(line), None, "{line}");
        }
    }

    #[test]
    fn the_closing_line_names_skipped_tests_only_when_there_are_any() {
        assert_eq!(
            Tally { passed: 5, failed: 0, skipped: 0, unsteady: 0 }.to_string(),
            "5 passed, 0 failed"
        );
        let some = Tally { passed: 5, failed: 1, skipped: 2, unsteady: 0 };
        assert_eq!(some.to_string(), "5 passed, 1 failed, 2 skipped");
        let unsteady = some.with_failed_turned_unsteady(4);
        assert_eq!(unsteady.to_string(), "6 passed, 0 failed, 2 skipped (1 only when asked again)");
    }

    #[test]
    fn skipped_tests_can_count_as_failed_and_are_not_counted_as_passed() {
        let tally = Tally { passed: 5, failed: 1, skipped: 2, unsteady: 0 };
        assert_eq!(
            tally.with_skipped_as_failed(),
            Tally { passed: 5, failed: 3, skipped: 0, unsteady: 0 }
        );
        let turned = tally.with_passed_turned_skipped(3);
        assert_eq!(turned, Tally { passed: 2, failed: 1, skipped: 5, unsteady: 0 });
        assert_eq!(tally.with_passed_turned_skipped(9).passed, 0);
    }
}
