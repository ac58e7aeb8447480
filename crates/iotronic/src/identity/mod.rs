//! The cloud's own identity service: passwords, application credentials, tokens, and the first administrator; or a Keystone
//! elsewhere in its place.
//!
//! Invariant: no secret is stored in clear; a token says who somebody is, what they may do is looked up at each request, so
//! taking a role away works at once. Keystone's shapes live in `http`.

mod bootstrap;
pub mod grants;
pub mod keystone;
pub mod passwords;
mod prolonged;
pub mod reset;
pub mod revoked;
pub mod sessions;
pub mod sign_in;
pub mod throttle;
pub mod tokens;
mod told;

pub use bootstrap::{Error as BootstrapError, bootstrap};
pub use keystone::Keystone;
pub use sign_in::SignIn;
pub use tokens::Tokens;
