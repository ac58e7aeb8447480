//! The cloud's program: parses, configures, builds, runs, drains; it decides nothing.

fn main() {}
