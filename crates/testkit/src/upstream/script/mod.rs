//! The requests and commands that are put to the upstream server and to ours: data, so that both get the same.
//!
//! Invariants: every route of the contract and every command of the client occurs (tests count them); no two steps have
//! the same name; a step does not depend on times or on chance. A placeholder `<name>` stands for an id that an earlier
//! step took from its answer.
//! Deliberately not here: the answers. Upstream's own are the measure.

mod boards;
mod commands;
mod others;
mod plugins;
mod services;

use super::play::Who;

/// An id that nothing has.
const UNKNOWN: &str = "11111111-2222-4333-8444-555555555555";
/// The numbers of the contract's routes.
pub const ROUTES: std::ops::RangeInclusive<u8> = 1..=59;

/// One thing to do.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name; no other step has it.
    pub name: &'static str,
    /// As whom.
    pub who: Who,
    /// What.
    pub act: Act,
    /// Placeholder and JSON pointer: what later steps need of the answer.
    pub takes: Vec<(&'static str, &'static str)>,
    /// Number of the contract's route, if it is about one.
    pub route: Option<u8>,
    /// How the words of a command's answer are compared.
    pub words: Words,
}

/// How words are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// As they were said.
    InOrder,
    /// In any order: the client says them in one that chance decides.
    Sorted,
}

/// What is done.
#[derive(Debug, Clone)]
pub enum Act {
    /// A request.
    Http {
        /// Method.
        method: &'static str,
        /// Path and query.
        path: String,
        /// Body, sent as JSON.
        body: Option<&'static str>,
        /// More headers.
        headers: Vec<(&'static str, &'static str)>,
    },
    /// A command of the client, without the words that say where and who.
    Command(&'static [&'static str]),
    /// A board comes online.
    Online(&'static str),
    /// A board goes offline.
    Offline(&'static str),
}

impl Step {
    fn new(name: &'static str, act: Act) -> Self {
        Self {
            name,
            who: Who::Operator,
            act,
            takes: Vec::new(),
            route: None,
            words: Words::InOrder,
        }
    }

    fn http(name: &'static str, route: u8, method: &'static str, path: impl Into<String>) -> Self {
        let act = Act::Http { method, path: path.into(), body: None, headers: Vec::new() };
        Self { route: Some(route), ..Self::new(name, act) }
    }

    fn command(name: &'static str, words: &'static [&'static str]) -> Self {
        Self::new(name, Act::Command(words))
    }

    fn body(mut self, text: &'static str) -> Self {
        if let Act::Http { body, .. } = &mut self.act {
            *body = Some(text);
        }
        self
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        if let Act::Http { headers, .. } = &mut self.act {
            headers.push((name, value));
        }
        self
    }

    fn by(mut self, who: Who) -> Self {
        self.who = who;
        self
    }

    fn in_any_order(mut self) -> Self {
        self.words = Words::Sorted;
        self
    }

    fn take(mut self, name: &'static str, pointer: &'static str) -> Self {
        self.takes.push((name, pointer));
        self
    }
}

/// A path with an id that nothing has in the place of `<unknown>`.
fn unknown(path: &str) -> String {
    path.replace("<unknown>", UNKNOWN)
}

/// All steps, in their order: first raw requests, then the client's commands.
#[must_use]
pub fn steps() -> Vec<Step> {
    [
        others::root(),
        boards::steps(),
        plugins::steps(),
        services::steps(),
        others::fleets(),
        others::webservices(),
        others::ports(),
        others::requests(),
        boards::ends(),
        commands::steps(),
        plugins::crashes(),
        services::crashes(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_route_of_the_contract_is_asked() {
        let asked: HashSet<u8> = steps().iter().filter_map(|step| step.route).collect();
        let missing: Vec<u8> = ROUTES.filter(|route| !asked.contains(route)).collect();
        assert_eq!(missing, [0_u8; 0]);
    }

    #[test]
    fn no_two_steps_have_the_same_name() {
        let mut seen = HashSet::new();
        for step in steps() {
            assert!(seen.insert(step.name), "{}", step.name);
        }
    }
}
