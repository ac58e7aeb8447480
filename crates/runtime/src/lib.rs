//! Guests: run plugin code in processes within limits.
