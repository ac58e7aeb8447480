//! System tests: the real programs, one file for each noun or promise. All in one program, linked once.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

