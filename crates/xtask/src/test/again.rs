//! Failed tests are asked once more.
//!
//! Why: one test of fifteen hundred that guesses wrong on a busy machine says little about a change, and hides what the
//! others say. Invariants: few failures only, each known by name, are asked again, once; what passes then is counted and
//! named as unsteady, never silently as passed. Deliberately not here: how tests are run (each caller's).

use super::stream::Outcome;
use crate::command::Fallible;

/// More failures than this are no accident.
const FEW: usize = 5;

/// The outcome after those that failed were asked once more by `ask`, which gets their names.
pub(super) fn steadied(
    mut outcome: Outcome,
    ask: impl Fn(&[&str]) -> Fallible<Outcome>,
) -> Fallible<Outcome> {
    let Some(names) = outcome.failed_by_name().filter(|names| names.len() <= FEW) else {
        return Ok(outcome);
    };
    eprintln!("\n== asked once more: {}", names.join(", "));
    let again = ask(&names)?;
    outcome.asked_again(&again);
    Ok(outcome)
}
