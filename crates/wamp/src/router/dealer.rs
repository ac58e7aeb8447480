//! Calls: routing, answers, deadlines, cancellation, vanished callers and callees.
//!
//! Invariant: a pending call is filed twice, with its caller under the call's id and with its callee under the
//! invocation's id; both entries come and go together (`settle`).

use std::time::Duration;

use super::peer::{Interrupts, Peer, Pending};
use super::{Core, Disclosure, Turn, Violation, disclose, flag, pass_through};
use crate::message::{Message, code};
use crate::payload::Payload;
use crate::policy::{Action, Identity};
use crate::uri::{self, error};
use crate::{Dict, Fault, Match};

/// Longest timeout that is kept; a longer one is cut to it.
const MAX_TIMEOUT: Duration = Duration::from_secs(7 * 24 * 3600);

pub(super) struct Call {
    pub(super) request: u64,
    pub(super) options: Dict,
    pub(super) procedure: String,
    pub(super) payload: Payload,
}

/// What becomes of a callee whose call was given up.
enum Callee {
    Interrupt,
    LeaveAlone,
}

impl Core {
    pub(super) fn call(
        &mut self,
        from: u64,
        call: Call,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let Some(caller) = self.peers.get(&from) else { return Ok(()) };
        if caller.calls.contains_key(&call.request) {
            return Err(Violation("a call's request id is in use"));
        }
        let request = call.request;
        let identity = caller.identity.clone();
        if let Err(fault) = self.route(&identity, call, turn) {
            turn.send(from, Message::error(code::CALL, request, fault));
        }
        Ok(())
    }

    fn route(&mut self, caller: &Identity, call: Call, turn: &mut Turn<'_>) -> Result<(), Fault> {
        self.check_uri(&call.procedure, Match::Exact)?;
        turn.allow(caller, Action::Call, &call.procedure)?;
        if uri::is_reserved(&call.procedure) {
            let arguments = call.payload.read().map_err(|error| unreadable(&error))?;
            let payload = self.meta_call(&call.procedure, &arguments)?.into();
            let result = Message::Result { request: call.request, details: Dict::new(), payload };
            turn.send(caller.id, result);
            return Ok(());
        }
        self.invoke(caller, call, turn)
    }

    fn invoke(&mut self, caller: &Identity, call: Call, turn: &mut Turn<'_>) -> Result<(), Fault> {
        if self
            .peers
            .get(&caller.id)
            .is_some_and(|peer| peer.calls.len() >= self.bounds.pending_calls)
        {
            return Err(full("too many calls of this session wait for their answer"));
        }
        let (registration, kind, callee_id) = self.find(&call.procedure)?;
        let disclosure = self.disclosure;
        let max_invocations = self.bounds.pending_invocations;
        let callee = self.peers.get_mut(&callee_id).ok_or_else(|| nobody(&call.procedure))?;
        if callee.waiting() >= max_invocations {
            return Err(full("too many calls of this procedure's callee wait for their answer"));
        }
        let payload =
            call.payload.carry_over(callee.serialiser).map_err(|error| unreadable(&error))?;
        let timeout = timeout_of(&call.options);
        let deadline = timeout.map(|timeout| turn.now + timeout);
        let wants_progress = flag(&call.options, "receive_progress") == Some(true);
        let pending = Pending { caller: caller.id, call: call.request, deadline, wants_progress };
        let invocation = callee.expect(pending);
        let details = invocation_details(caller, &call, kind, disclosure);
        let request = call.request;
        turn.send(
            callee_id,
            Message::Invocation { request: invocation, registration, details, payload },
        );
        if let Some(peer) = self.peers.get_mut(&caller.id) {
            peer.calls.insert(request, (callee_id, invocation));
        }
        self.deadlines.extend(deadline.map(|at| (at, caller.id, request)));
        Ok(())
    }

    fn find(&self, procedure: &str) -> Result<(u64, Match, u64), Fault> {
        let id = self.procedures.best(procedure).ok_or_else(|| nobody(procedure))?;
        let registration = self.registrations.get(&id).ok_or_else(|| nobody(procedure))?;
        Ok((id, registration.kind, registration.callee))
    }

    pub(super) fn yielded(
        &mut self,
        from: u64,
        invocation: u64,
        options: &Dict,
        payload: Payload,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let is_progress = flag(options, "progress") == Some(true);
        let Some(callee) = self.peers.get(&from) else { return Ok(()) };
        let Some(pending) = callee.invocation(invocation) else {
            return late_answer(callee, invocation);
        };
        let (caller, request) = (pending.caller, pending.call);
        if is_progress && !pending.wants_progress {
            return Ok(());
        }
        if !is_progress {
            self.settle(from, invocation);
        }
        let mut details = Dict::new();
        pass_through(options, &mut details);
        if is_progress {
            details.insert("progress".into(), true.into());
        }
        let message = match self.carry_to(caller, &payload) {
            Ok(payload) => Message::Result { request, details, payload },
            Err(fault) => Message::error(code::CALL, request, fault),
        };
        turn.send(caller, message);
        Ok(())
    }

    pub(super) fn invocation_failed(
        &mut self,
        from: u64,
        invocation: u64,
        error: String,
        payload: Payload,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let Some(pending) = self.settle(from, invocation) else {
            return self.peers.get(&from).map_or(Ok(()), |callee| late_answer(callee, invocation));
        };
        let (of, request, details) = (code::CALL, pending.call, Dict::new());
        let payload = self.carry_to(pending.caller, &payload).unwrap_or_default();
        turn.send(pending.caller, Message::Error { of, request, details, error, payload });
        Ok(())
    }

    fn carry_to(&self, session: u64, payload: &Payload) -> Result<Payload, Fault> {
        let serialiser = self.peers.get(&session).and_then(|peer| peer.serialiser);
        payload.carry_over(serialiser).map_err(|error| unreadable(&error))
    }

    /// Takes a pending call out of both places.
    fn settle(&mut self, callee: u64, invocation: u64) -> Option<Pending> {
        let pending = self.peers.get_mut(&callee)?.settle(invocation)?;
        if let Some(caller) = self.peers.get_mut(&pending.caller) {
            caller.calls.remove(&pending.call);
        }
        self.forget_deadline(&pending);
        Some(pending)
    }

    fn forget_deadline(&mut self, pending: &Pending) {
        if let Some(at) = pending.deadline {
            self.deadlines.remove(&(at, pending.caller, pending.call));
        }
    }

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
        let Some((callee, invocation)) = self.pending_call(from, request) else { return };
        match self.peers.get(&callee).map(|peer| peer.interrupts) {
            Some(Interrupts::Understood) => turn.send(callee, interrupt(invocation, "kill")),
            _ => self.give_up(from, request, Callee::LeaveAlone, fault, turn),
        }
    }

    fn pending_call(&self, caller: u64, request: u64) -> Option<(u64, u64)> {
        self.peers.get(&caller)?.calls.get(&request).copied()
    }

    /// Answers the caller with `fault` at once.
    fn give_up(
        &mut self,
        caller: u64,
        request: u64,
        what: Callee,
        fault: Fault,
        turn: &mut Turn<'_>,
    ) {
        let Some((callee, invocation)) = self.pending_call(caller, request) else { return };
        self.settle(callee, invocation);
        turn.send(caller, Message::error(code::CALL, request, fault));
        if matches!(what, Callee::Interrupt) {
            self.interrupt(callee, invocation, turn);
        }
    }

    fn interrupt(&self, callee: u64, invocation: u64, turn: &mut Turn<'_>) {
        let interrupts = self.peers.get(&callee).map(|peer| peer.interrupts);
        if interrupts == Some(Interrupts::Understood) {
            turn.send(callee, interrupt(invocation, "killnowait"));
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
            caller.calls.remove(&pending.call);
            let fault =
                Fault::new(error::CANCELED, "the callee's session ended before it answered");
            turn.send(pending.caller, Message::error(code::CALL, pending.call, fault));
        }
        for (callee, invocation) in gone.calls.values() {
            if self.settle(*callee, *invocation).is_some() {
                self.interrupt(*callee, *invocation, turn);
            }
        }
    }
}

fn timeout_of(options: &Dict) -> Option<Duration> {
    let milliseconds = options.get("timeout").and_then(serde_json::Value::as_u64)?;
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds).min(MAX_TIMEOUT))
}

fn invocation_details(caller: &Identity, call: &Call, kind: Match, disclosure: Disclosure) -> Dict {
    let mut details = Dict::new();
    if kind != Match::Exact {
        details.insert("procedure".into(), call.procedure.as_str().into());
    }
    if disclosure == Disclosure::Always || flag(&call.options, "disclose_me") == Some(true) {
        disclose(caller, "caller", &mut details);
    }
    for passed in ["receive_progress", "timeout"] {
        if let Some(value) = call.options.get(passed) {
            details.insert(passed.into(), value.clone());
        }
    }
    pass_through(&call.options, &mut details);
    details
}

/// An answer to an invocation that was given up meanwhile is dropped; one that never was is a violation.
fn late_answer(callee: &Peer, invocation: u64) -> Result<(), Violation> {
    if callee.has_seen(invocation) {
        Ok(())
    } else {
        Err(Violation("an answer to an invocation that never was"))
    }
}

fn interrupt(request: u64, mode: &str) -> Message {
    let mut options = Dict::new();
    options.insert("mode".into(), mode.into());
    Message::Interrupt { request, options }
}

fn nobody(procedure: &str) -> Fault {
    Fault::new(error::NO_SUCH_PROCEDURE, format!("nobody has registered {procedure}"))
}

pub(super) fn full(text: &str) -> Fault {
    Fault::new(error::UNAVAILABLE, text)
}

fn unreadable(cause: &crate::CodecError) -> Fault {
    Fault::new(error::INVALID_PAYLOAD, format!("the arguments cannot be read: {cause}"))
}
