//! Who may enter the upstream boards' router, and what they may do there.
//!
//! Invariant: whoever enters proves nothing, so it may only present a code, say which board it is, and speak for the board
//! that it was then bound to.

use super::guests::Guests;
use crate::boards::AGENT;
use rpc::uri;
use std::sync::Arc;
use wamp::uri::error;
use wamp::{Abort, Action, Authentication, Dict, Hello, Identity, Match, Policy, Verdict, Welcome};

/// Role of everybody who comes in here.
const LEGACY: &str = "legacy";
/// How nobody proves anything.
const ANONYMOUS: &str = "anonymous";
/// Called with a code, the first time.
pub(super) const REGISTER: &str = "stack4things.register";
/// What the agent answers under its own name.
pub(super) const CONNECTION: &str = uri::CONNECTION;
pub(super) const WAMP_ALIVE: &str = uri::ALIVE;
pub(super) const ALIVE: &str = "alive";
pub(super) const ECHO: &str = "echo";
pub(super) const NOTIFY_RESULT: &str = "notify_result";

/// The policy.
pub(super) struct Gate {
    pub(super) guests: Arc<Guests>,
    pub(super) max_strangers: u32,
}

impl Policy for Gate {
    type Pending = ();

    async fn authenticate(&self, hello: Hello) -> Result<Authentication<()>, Abort> {
        let is_anonymous =
            hello.methods.is_empty() || hello.methods.iter().any(|method| method == ANONYMOUS);
        if !is_anonymous {
            return Err(Abort::new(
                error::NO_AUTH_METHOD,
                "this listener is for upstream boards, which are anonymous; native boards use /wamp of the API",
            ));
        }
        if self.guests.strangers() >= usize::try_from(self.max_strangers).unwrap_or(usize::MAX) {
            return Err(Abort::new(
                error::UNAVAILABLE,
                "too many machines register at this moment; try again",
            ));
        }
        Ok(Authentication::Welcome(Welcome {
            authid: LEGACY.to_owned(),
            role: LEGACY.to_owned(),
            authmethod: ANONYMOUS.to_owned(),
            key: None,
            extra: Dict::new(),
        }))
    }

    async fn verify(&self, (): (), _: &str, _: &Dict) -> Result<Welcome, Abort> {
        Err(Abort::failed("nothing was asked"))
    }

    fn authorise(&self, session: &Identity, action: Action, uri: &str) -> Verdict {
        if session.role == AGENT {
            // The cloud's own agent, which no network session can become.
            return Verdict::Allow;
        }
        match self.judge(session.id, action, uri) {
            Ok(()) => Verdict::Allow,
            Err(reason) => {
                tracing::warn!(
                    session = session.id,
                    ?action,
                    uri,
                    reason,
                    legacy = true,
                    "refused a legacy session"
                );
                Verdict::Deny(reason)
            }
        }
    }

    fn joined(&self, session: &Identity) {
        self.guests.enter(session.id);
    }

    fn left(&self, session: &Identity) {
        self.guests.leave(session.id);
    }
}

impl Gate {
    fn judge(&self, session: u64, action: Action, uri: &str) -> Result<(), String> {
        match action {
            Action::Call if is_agents(uri) => Ok(()),
            Action::Call => Err("a board calls the procedures of the cloud's agent only".into()),
            Action::Register(Match::Exact) => self.guests.may_register(session, uri),
            Action::Register(_) => Err("a board registers procedures, no patterns".into()),
            Action::Publish | Action::Subscribe(_) => {
                Err("a board neither publishes nor subscribes".into())
            }
        }
    }
}

/// Whatever the agent is called: boards that come from another cloud know it by another name.
fn is_agents(uri: &str) -> bool {
    let name = uri.split_once(".stack4things.").map(|(_, name)| name);
    uri == REGISTER || matches!(name, Some(CONNECTION | WAMP_ALIVE | ALIVE | ECHO | NOTIFY_RESULT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_may_have_any_name_and_nothing_else_is_the_agents() {
        assert!(is_agents("iotronic.stack4things.connection"));
        assert!(is_agents("old-cloud.example.stack4things.notify_result"));
        assert!(is_agents("stack4things.register"));
        for other in [
            "stack4things.connection",
            "iotronic.stack4things.enrol",
            "wamp.session.list",
            "iotronic.7.x.Ping",
        ] {
            assert!(!is_agents(other), "{other}");
        }
    }
}
