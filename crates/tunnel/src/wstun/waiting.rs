//! Clients that wait for their data socket. Pure; the caller owns the clock.
//! Invariant: a client is given out once, to its id, before its deadline and while its control socket
//! lives; whoever is not is handed back to be dropped.
//! Not here: how many may wait; each control socket bounds its own.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use super::request::ConnectionId;

/// Which control socket a client came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ControlId(pub(super) u64);

/// The table, over all control sockets.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    entries: HashMap<ConnectionId, Entry<T>>,
    /// For each control socket its clients by age. Those already given out are skipped when met.
    by_age: HashMap<ControlId, VecDeque<(Instant, ConnectionId)>>,
}

#[derive(Debug)]
struct Entry<T> {
    until: Instant,
    client: T,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { entries: HashMap::new(), by_age: HashMap::new() }
    }
}

impl<T> Waiting<T> {
    /// Puts a client in. Deadlines of one control socket must not decrease.
    pub(super) fn put(&mut self, control: ControlId, id: ConnectionId, until: Instant, client: T) {
        self.entries.insert(id, Entry { until, client });
        self.by_age.entry(control).or_default().push_back((until, id));
    }

    /// Gives a client out to its data socket.
    pub(super) fn claim(&mut self, id: ConnectionId, now: Instant) -> Option<T> {
        let entry = self.entries.remove(&id)?;
        (now < entry.until).then_some(entry.client)
    }

    /// Takes out those that waited too long.
    pub(super) fn expired(&mut self, control: ControlId, now: Instant) -> Vec<T> {
        let mut expired = Vec::new();
        while self.next_deadline(control).is_some_and(|until| until <= now) {
            let oldest = self.by_age.get_mut(&control).and_then(VecDeque::pop_front);
            let entry = oldest.and_then(|(_, id)| self.entries.remove(&id));
            expired.extend(entry.map(|entry| entry.client));
        }
        expired
    }

    /// When the oldest client of a control socket has waited too long.
    pub(super) fn next_deadline(&mut self, control: ControlId) -> Option<Instant> {
        let by_age = self.by_age.get_mut(&control)?;
        while let Some((until, id)) = by_age.front() {
            if self.entries.contains_key(id) {
                return Some(*until);
            }
            by_age.pop_front();
        }
        None
    }

    /// Takes out all clients of a control socket that is gone.
    pub(super) fn forget(&mut self, control: ControlId) -> Vec<T> {
        let ids = self.by_age.remove(&control).unwrap_or_default();
        let entries = ids.into_iter().filter_map(|(_, id)| self.entries.remove(&id));
        entries.map(|entry| entry.client).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn id(number: u8) -> ConnectionId {
        ConnectionId::from_random([number; 16])
    }

    #[test]
    fn a_client_is_given_out_once() {
        let now = Instant::now();
        let mut waiting = Waiting::default();
        waiting.put(ControlId(1), id(1), now + Duration::from_secs(10), "client");
        assert_eq!(waiting.claim(id(2), now), None);
        assert_eq!(waiting.claim(id(1), now), Some("client"));
        assert_eq!(waiting.claim(id(1), now), None);
        assert_eq!(waiting.next_deadline(ControlId(1)), None);
    }

    #[test]
    fn a_client_that_waited_too_long_is_not_given_out() {
        let now = Instant::now();
        let mut waiting = Waiting::default();
        waiting.put(ControlId(1), id(1), now, "client");
        assert_eq!(waiting.claim(id(1), now), None);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Put(u64, u8),
        Claim(u8),
        Pass(u64),
        Forget(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..3u64, any::<u8>()).prop_map(|(control, id)| Step::Put(control, id)),
            any::<u8>().prop_map(Step::Claim),
            (0..8u64).prop_map(Step::Pass),
            (0..3u64).prop_map(Step::Forget),
        ]
    }

    proptest! {
        /// Against a list that is searched.
        #[test]
        fn the_table_does_what_a_plain_list_does(steps in proptest::collection::vec(step(), 0..200)) {
            let start = Instant::now();
            let mut now = start;
            let mut waiting = Waiting::default();
            let mut list: Vec<(u64, ConnectionId, Instant)> = Vec::new();
            let mut drawn = HashSet::new();
            for step in steps {
                match step {
                    Step::Put(control, number) => {
                        let (id, until) = (id(number), now + Duration::from_secs(10));
                        if !drawn.insert(id) {
                            continue; // Random ids come once.
                        }
                        waiting.put(ControlId(control), id, until, id);
                        list.push((control, id, until));
                    }
                    Step::Claim(number) => {
                        let wanted = list.iter().position(|(_, other, _)| *other == id(number));
                        let wanted = wanted.map(|place| list.remove(place).1);
                        prop_assert_eq!(waiting.claim(id(number), now), wanted);
                    }
                    Step::Pass(seconds) => {
                        now += Duration::from_secs(seconds);
                        for control in 0..3 {
                            let late = |entry: &(u64, ConnectionId, Instant)| {
                                entry.0 == control && entry.2 <= now
                            };
                            let expected: Vec<_> =
                                list.iter().filter(|entry| late(entry)).map(|entry| entry.1).collect();
                            list.retain(|entry| !late(entry));
                            prop_assert_eq!(waiting.expired(ControlId(control), now), expected);
                        }
                    }
                    Step::Forget(control) => {
                        let expected: Vec<_> =
                            list.iter().filter(|entry| entry.0 == control).map(|entry| entry.1).collect();
                        list.retain(|entry| entry.0 != control);
                        prop_assert_eq!(waiting.forget(ControlId(control)), expected);
                    }
                }
                prop_assert_eq!(waiting.len(), list.len());
                for control in 0..3 {
                    let oldest = list.iter().filter(|entry| entry.0 == control).map(|entry| entry.2).min();
                    prop_assert_eq!(waiting.next_deadline(ControlId(control)), oldest);
                }
            }
        }
    }
}
