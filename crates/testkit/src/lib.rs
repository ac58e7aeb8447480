//! A whole world for tests.
