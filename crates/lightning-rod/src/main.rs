//! The board agent.

fn main() {}
