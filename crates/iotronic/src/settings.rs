//! Settings of the cloud, each documented in docs/configuration.md.
