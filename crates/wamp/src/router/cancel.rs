//! What ends a call before its answer: its caller, its deadline, the end of a session.
//!
//! Invariant: the caller hears once; the callee hears at most once, and only if it understands.

use super::abilities::Abilities;
use super::peer::{Ongoing, Peer, Pending};
use super::{Core, Turn};
use crate::message::{Message, code};
use crate::uri::error;
use crate::{Dict, Fault};

/// What becomes of a callee whose call was given up.
#[derive(Debug, Clone, Copy)]
pub(super) enum Callee {
    Interrupt,
    LeaveAlone,
}

impl Core {
    /// A call that is answered already cannot be canceled any more; that is no error.
    pub(super) fn cancel(&mut self, from: u64, request: u64, options: &Dict, turn: &mut Turn<'_>) {
        let mode = options.get("mode").and_then(serde_json::Value::as_str);
        let fault = Fault::new(error::CANCELED, "the call was canceled by its caller");
        match mode {
            Some("skip") => self.give_up(from, request, Callee::LeaveAlone, fault, turn),
            Some("kill") => self.kill_call(from, request, fault, turn),
            _ => self.give_up(from, request, Callee::Interrupt, fault, turn),
        }
    }

    /// Interrupts the callee and lets its answer be the call's; one that does not understand is left behind.
    fn kill_call(&mut self, from: u64, request: u64, fault: Fault, turn: &mut Turn<'_>) {
        let Some(Ongoing { callee, invocation, .. }) = self.pending_call(from, request) else {
            return;
        };
        if self.heeds_interrupts(callee) {
            turn.send(callee, interrupt(invocation, "kill"));
        } else {
            self.give_up(from, request, Callee::LeaveAlone, fault, turn);
        }
    }

    fn heeds_interrupts(&self, session: u64) -> bool {
        self.peers.get(&session).is_some_and(|peer| peer.abilities.has(Abilities::INTERRUPTS))
    }

    fn pending_call(&self, caller: u64, request: u64) -> Option<Ongoing> {
        self.peers.get(&caller)?.calls.get(&request).copied()
    }

    /// Answers the caller with `fault` at once.
    pub(super) fn give_up(
        &mut self,
        caller: u64,
        request: u64,
        what: Callee,
        fault: Fault,
        turn: &mut Turn<'_>,
    ) {
        let Some(Ongoing { callee, invocation, .. }) = self.pending_call(caller, request) else {
            return;
        };
        self.settle(callee, invocation);
        turn.send(caller, Message::error(code::CALL, request, fault));
        if matches!(what, Callee::Interrupt) {
            self.interrupt(callee, invocation, turn);
        }
    }

    fn interrupt(&self, callee: u64, invocation: u64, turn: &mut Turn<'_>) {
        if self.heeds_interrupts(callee) {
            turn.send(callee, interrupt(invocation, "killnowait"));
        }
    }

    pub(super) fn forget_deadline(&mut self, pending: &Pending) {
        if let Some(at) = pending.deadline {
            self.deadlines.remove(&(at, pending.caller, pending.call));
        }
    }

    /// Gives up every call whose deadline has passed.
    pub(crate) fn expire(&mut self, turn: &mut Turn<'_>) {
        while let Some((_, caller, request)) =
            self.deadlines.first().copied().filter(|(at, ..)| *at <= turn.now)
        {
            self.deadlines.pop_first();
            let fault = Fault::new(error::TIMEOUT, "the callee did not answer in time");
            self.give_up(caller, request, Callee::Interrupt, fault, turn);
        }
    }

    /// For a session that has left: those who wait for it get an answer, those who work for it are told.
    pub(super) fn drop_calls(&mut self, gone: &Peer, turn: &mut Turn<'_>) {
        for pending in gone.invocations() {
            self.forget_deadline(pending);
            let Some(caller) = self.peers.get_mut(&pending.caller) else { continue };
            caller.close_call(pending.call);
            let fault =
                Fault::new(error::CANCELED, "the callee's session ended before it answered");
            turn.send(pending.caller, Message::error(code::CALL, pending.call, fault));
        }
        for Ongoing { callee, invocation, .. } in gone.calls.values() {
            if self.settle(*callee, *invocation).is_some() {
                self.interrupt(*callee, *invocation, turn);
            }
        }
    }
}

fn interrupt(request: u64, mode: &str) -> Message {
    let mut options = Dict::new();
    options.insert("mode".into(), mode.into());
    Message::Interrupt { request, options }
}
