//! The cloud.

fn main() {}
