//! `wamp.session.*`: who is here, ending sessions, testaments; `on_join` and `on_leave`.

use serde_json::{Value, json};

use super::super::{Core, Turn};
use super::{id_of, text_of, unknown, wrong};
use crate::ended::Ended;
use crate::policy::Identity;
use crate::uri::error;
use crate::{Arguments, Fault};

impl Core {
    pub(super) fn session_call(
        &mut self,
        caller: &Identity,
        name: &str,
        arguments: Arguments,
        turn: &mut Turn<'_>,
    ) -> Result<Arguments, Fault> {
        let first = arguments.list.first();
        let value = match name {
            "count" => self.sessions_in(first)?.count().into(),
            "list" => self.sessions_in(first)?.map(|who| who.id).collect(),
            "get" => self.session_details(first)?,
            "kill" => self.kill_one(caller, &arguments, turn)?,
            "kill_by_authid" => {
                let authid = text_of(first, "an authid is wanted")?;
                self.kill_those(caller, |who| who.authid == authid, &arguments, turn)?
            }
            "kill_by_authrole" => {
                let role = text_of(first, "a role is wanted")?;
                let killed = self.kill_those(caller, |who| who.role == role, &arguments, turn)?;
                killed.as_array().map_or(0, Vec::len).into()
            }
            "kill_all" => {
                let killed = self.kill_those(caller, |_| true, &arguments, turn)?;
                killed.as_array().map_or(0, Vec::len).into()
            }
            "add_testament" => return self.add_testament(caller, arguments, turn),
            "flush_testaments" => return self.flush_testaments(caller, &arguments),
            _ => return Err(unknown(&format!("wamp.session.{name}"))),
        };
        Ok(Arguments::one(value))
    }

    /// All sessions, or those of the roles in the list that is the first argument.
    fn sessions_in<'a>(
        &'a self,
        roles: Option<&'a Value>,
    ) -> Result<impl Iterator<Item = &'a Identity>, Fault> {
        let roles = match roles {
            None | Some(Value::Null) => None,
            Some(Value::Array(roles)) => Some(roles),
            Some(_) => return Err(wrong("the first argument must be a list of roles")),
        };
        let is_in = move |who: &&Identity| {
            roles.is_none_or(|roles| roles.iter().any(|role| role.as_str() == Some(&who.role)))
        };
        Ok(self.peers.values().map(|peer| &*peer.identity).filter(is_in))
    }

    fn session_details(&self, id: Option<&Value>) -> Result<Value, Fault> {
        let id = id_of(id, "a session id is wanted")?;
        self.peers.get(&id).map(|peer| details(&peer.identity)).ok_or_else(|| nobody(id))
    }

    /// A session cannot end itself this way; it says goodbye.
    fn kill_one(
        &mut self,
        caller: &Identity,
        arguments: &Arguments,
        turn: &mut Turn<'_>,
    ) -> Result<Value, Fault> {
        let id = id_of(arguments.list.first(), "a session id is wanted")?;
        if id == caller.id || !self.peers.contains_key(&id) {
            return Err(nobody(id));
        }
        let ended = self.reason_of(arguments)?;
        self.kill(id, ended, turn);
        Ok(Value::Null)
    }

    /// Ends all of some sessions but the caller's own; gives back their ids.
    fn kill_those(
        &mut self,
        caller: &Identity,
        is_meant: impl Fn(&Identity) -> bool,
        arguments: &Arguments,
        turn: &mut Turn<'_>,
    ) -> Result<Value, Fault> {
        let ended = self.reason_of(arguments)?;
        let everybody = self.peers.values().map(|peer| &peer.identity);
        let meant = everybody.filter(|who| who.id != caller.id && is_meant(who));
        let ids: Vec<u64> = meant.map(|who| who.id).collect();
        for id in &ids {
            self.kill(*id, ended.clone(), turn);
        }
        Ok(ids.into())
    }

    /// It is out at once; whoever owns its connection is told to end it.
    fn kill(&mut self, id: u64, ended: Ended, turn: &mut Turn<'_>) {
        turn.kills.push((id, ended));
        self.leave(id, turn);
    }

    /// The reason for the farewell: a URI and a text in the keywords.
    fn reason_of(&self, arguments: &Arguments) -> Result<Ended, Fault> {
        let message = arguments.keywords.get("message").and_then(Value::as_str);
        Ok(Ended::Dismissed {
            reason: self.reason_in(arguments, error::KILLED)?.to_owned(),
            message: message.unwrap_or_default().to_owned(),
        })
    }

    pub(in crate::router) fn announce_join(&mut self, who: &Identity, turn: &mut Turn<'_>) {
        self.announce("wamp.session.on_join", || Arguments::one(details(who)), turn);
    }

    pub(in crate::router) fn announce_leave(&mut self, who: &Identity, turn: &mut Turn<'_>) {
        let arguments = || {
            let Identity { id, authid, role, .. } = who;
            Arguments::list(vec![(*id).into(), authid.as_str().into(), role.as_str().into()])
        };
        self.announce("wamp.session.on_leave", arguments, turn);
    }
}

fn details(who: &Identity) -> Value {
    json!({
        "session": who.id,
        "authid": who.authid,
        "authrole": who.role,
        "authmethod": who.method,
        "authprovider": null,
        "transport": null,
    })
}

fn nobody(id: u64) -> Fault {
    Fault::new(error::NO_SUCH_SESSION, format!("there is no session {id}"))
}
