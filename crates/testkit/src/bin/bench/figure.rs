//! Measured figures and the table they make.
//!
//! Invariant: whether a goal is met is computed from the value, never written down. Deliberately not here: measuring.

use std::fmt::Write as _;

/// What a value must be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// Not more than this.
    AtMost(f64),
    /// Not less than this.
    AtLeast(f64),
}

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
    goal: Option<Goal>,
    upstream: &'static str,
    beside: String,
}

impl Figure {
    /// A value without goal and peer.
    pub(crate) fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        let (what, beside) = (what.into(), String::new());
        Self { what, value, unit, goal: None, upstream: "", beside }
    }

    /// What it must be.
    pub(crate) fn goal(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self
    }

    /// The same of upstream, measured before.
    pub(crate) fn upstream(mut self, upstream: &'static str) -> Self {
        self.upstream = upstream;
        self
    }

    /// What helps to read it: spread, peers of the same run.
    pub(crate) fn beside(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.beside =
            if self.beside.is_empty() { text } else { format!("{}; {text}", self.beside) };
        self
    }

    fn verdict(&self) -> &'static str {
        let is_met = match self.goal {
            None => return "",
            Some(Goal::AtMost(most)) => self.value <= most,
            Some(Goal::AtLeast(least)) => self.value >= least,
        };
        if is_met { "met" } else { "**missed**" }
    }

    fn goal_text(&self) -> String {
        match self.goal {
            None => String::new(),
            Some(Goal::AtMost(most)) => format!("≤ {} {}", short(most), self.unit),
            Some(Goal::AtLeast(least)) => format!("≥ {} {}", short(least), self.unit),
        }
    }
}

/// What upstream needs for the same, measured in this run.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// How the line begins in which it stands.
    of: &'static str,
    value: String,
    beside: String,
}

impl Peer {
    /// A value for the line that begins so.
    pub(crate) fn new(of: &'static str, value: String) -> Self {
        Self { of, value, beside: String::new() }
    }

    /// What helps to read it.
    pub(crate) fn beside(mut self, text: impl Into<String>) -> Self {
        self.beside = text.into();
        self
    }

    fn shown(&self) -> String {
        let Self { value, beside, .. } = self;
        if beside.is_empty() { value.clone() } else { format!("{value} ({beside})") }
    }
}

/// Upstream's value of a line: of this run, or of one before.
fn upstream(figure: &Figure, peers: &[Peer]) -> String {
    match peers.iter().find(|peer| figure.what.starts_with(peer.of)) {
        Some(peer) => peer.shown(),
        None if figure.upstream.is_empty() => String::new(),
        None => format!("{}, quoted", figure.upstream),
    }
}

/// Figures as a Markdown table, and what was measured of upstream without a line of ours beside it.
pub(crate) fn table(figures: &[Figure], peers: &[Peer]) -> String {
    let mut text = String::from(
        "| what | measured | goal | | upstream | beside it, same run |\n|---|---|---|---|---|---|\n",
    );
    let is_alone = |peer: &&Peer| !figures.iter().any(|figure| figure.what.starts_with(peer.of));
    for figure in figures {
        let Figure { what, value, unit, beside, .. } = figure;
        let upstream = upstream(figure, peers);
        let (value, goal, verdict) = (short(*value), figure.goal_text(), figure.verdict());
        writeln!(text, "| {what} | {value} {unit} | {goal} | {verdict} | {upstream} | {beside} |")
            .expect("a string takes all");
    }
    for peer in peers.iter().filter(is_alone) {
        writeln!(text, "| {} |  |  |  | {} |  |", peer.of, peer.shown())
            .expect("a string takes all");
    }
    text
}

/// Three digits that matter.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    let digits = if size == 0.0 || size >= 100.0 {
        0
    } else if size >= 10.0 {
        1
    } else if size >= 1.0 {
        2
    } else {
        3
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_judged_by_its_direction() {
        let low = Figure::new("x", 0.2, "ms").goal(Goal::AtMost(0.3));
        let high = Figure::new("x", 0.2, "").goal(Goal::AtLeast(0.3));
        assert_eq!((low.verdict(), high.verdict()), ("met", "**missed**"));
        assert_eq!(Figure::new("x", 1.0, "").verdict(), "");
    }

    #[test]
    fn what_upstream_needed_in_this_run_takes_the_place_of_what_is_quoted() {
        let figures = [
            Figure::new("GET one board, CPU, quietest round", 0.05, "ms").upstream("8 ms"),
            Figure::new("the agent's binary", 5.0, "MiB").upstream("84 MiB"),
        ];
        let peers = [
            Peer::new("GET one board, CPU", "9 ms".into()).beside("p50 10 ms"),
            Peer::new("no line of ours", "1 s".into()),
        ];
        let table = table(&figures, &peers);
        assert!(table.contains("| 9 ms (p50 10 ms) |") && !table.contains("8 ms"), "{table}");
        assert!(table.contains("| 84 MiB, quoted |"), "{table}");
        assert!(table.contains("| no line of ours |  |  |  | 1 s |"), "{table}");
    }

    #[test]
    fn values_keep_three_digits() {
        let all = [1234.6, 12.34, 1.234, 0.1, 0.0].map(short);
        assert_eq!(all, ["1235", "12.3", "1.23", "0.1", "0"]);
    }
}
