//! State at rest: schema, migrations, one query file per noun.
//!
//! Invariants: one writer task owns the only connection that writes; a write is answered after its commit is synced to the
//! disk, never before; a use case that touches several nouns does so in one transaction ([`Store::write`]); whatever
//! changes a resource writes its event in the same transaction, and whatever changes rights or commands a board its row of the
//! audit. Reads see committed state only, unless they are made
//! through a [`Tx`].
//!
//! Deliberately not here: who may do what (the scope argument is the tenant wall's last brick, not the decision), waiting
//! for boards, samples of sensors (they will have their own store), and PostgreSQL, which will speak the same statements.

pub mod audit;
pub mod author;
pub mod backup;
pub mod boards;
pub mod claims;
pub mod contributions;
pub mod delegations;
pub mod error;
pub mod events;
pub mod exposures;
pub mod fleets;
pub mod idempotency;
pub mod identity;
pub mod injections;
pub mod lapses;
pub mod load;
pub mod names;
pub mod operations;
pub mod page;
pub mod plugins;
pub mod quotas;
pub mod recordings;
pub mod requests;
mod schema;
pub mod services;
mod sql;
mod store;
pub mod transfers;
mod tx;
pub mod upstream;
mod writer;

pub use error::{Error, Refusal};
pub use page::{Direction, Page};
pub use sql::Reader;
pub use store::{Faults, Options, RESTORING, Store};
pub use tx::Tx;
