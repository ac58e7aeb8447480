//! When to ping a silent peer and when to give it up; pure, the caller owns the clock.
//!
//! Two paces: while something waits for the peer (a call, a channel) silence is noticed within seconds, otherwise within
//! a minute, so that a sleeping link costs nothing. Any received byte counts as life, not only a pong.
//!
//! Invariant: a peer is given up only after a ping went out and nothing came in the time that it has to answer, which is
//! what the settings leave between ping and death. So a pause of ours (a busy or sleeping machine) is never taken for his.

use std::time::{Duration, Instant};

/// The two paces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Silence after which an idle peer is pinged, and again after each further such time.
    pub idle_ping: Duration,
    /// Silence after which an idle peer is dead.
    pub idle_dead: Duration,
    /// Silence after which a peer that something waits for is pinged.
    pub active_ping: Duration,
    /// Silence after which a peer that something waits for is dead.
    pub active_dead: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            idle_ping: Duration::from_secs(30),
            idle_dead: Duration::from_secs(75),
            active_ping: Duration::from_secs(1),
            active_dead: Duration::from_secs(3),
        }
    }
}

/// Whether something waits for the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Nothing waits.
    Idle,
    /// A call, a channel or a port waits.
    Active,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing before this instant, unless something is received or the activity changes.
    Wait(Instant),
    /// Send a ping now, then ask again.
    Ping,
    /// Give the peer up.
    Dead,
}

/// The watch over one peer.
#[derive(Debug, Clone)]
pub struct Liveness {
    settings: Settings,
    received: Instant,
    /// The last ping since then.
    pinged: Option<Instant>,
    /// The first one.
    first_ping: Option<Instant>,
    activity: Activity,
    /// Start of the present silence as far as an active wait is concerned: when the wait began, or, if the wait ended
    /// and began again without a sign of life between, when the first ping of the earlier wait went out.
    waiting_since: Option<Instant>,
    first_active_ping: Option<Instant>,
}

impl Liveness {
    /// A watch that starts idle, with the peer just heard.
    pub fn new(settings: Settings, now: Instant) -> Self {
        Self {
            settings,
            received: now,
            pinged: None,
            first_ping: None,
            activity: Activity::Idle,
            waiting_since: None,
            first_active_ping: None,
        }
    }

    /// Something was received, whatever it was.
    pub fn on_receive(&mut self, now: Instant) {
        self.received = now;
        self.pinged = None;
        self.first_ping = None;
        self.first_active_ping = None;
    }

    /// Something began to wait for the peer, or nothing does any more. Telling it twice changes nothing.
    pub fn set_active(&mut self, now: Instant, activity: Activity) {
        if self.activity == activity {
            return;
        }
        self.activity = activity;
        self.waiting_since = match activity {
            Activity::Idle => None,
            Activity::Active => Some(self.first_active_ping.unwrap_or(now)),
        };
    }

    /// What to do now. Answering [`Step::Ping`] counts the ping as sent.
    pub fn poll(&mut self, now: Instant) -> Step {
        let dead_at = self.dead_at();
        if dead_at.is_some_and(|dead_at| now >= dead_at) {
            return Step::Dead;
        }
        let ping_at = self.ping_at();
        if now < ping_at {
            return Step::Wait(dead_at.map_or(ping_at, |dead_at| ping_at.min(dead_at)));
        }
        self.pinged = Some(now);
        self.first_ping.get_or_insert(now);
        if self.activity == Activity::Active {
            self.first_active_ping.get_or_insert(now);
        }
        Step::Ping
    }

    /// None as long as the peer was not asked.
    fn dead_at(&self) -> Option<Instant> {
        let Settings { idle_ping, idle_dead, active_ping, active_dead } = self.settings;
        let to_answer = active_dead.saturating_sub(active_ping);
        match self.waiting_since {
            None => {
                let to_answer = to_answer.min(idle_dead.saturating_sub(idle_ping));
                Some((self.first_ping? + to_answer).max(self.received + idle_dead))
            }
            Some(since) => {
                let silent = self.received.max(since) + active_dead;
                Some((self.first_active_ping? + to_answer).max(silent))
            }
        }
    }

    fn ping_at(&self) -> Instant {
        let (interval, last) = match self.activity {
            Activity::Idle => (self.settings.idle_ping, self.pinged),
            // An idle ping may lie far back; a wait that begins asks afresh.
            Activity::Active => {
                (self.settings.active_ping, self.first_active_ping.and(self.pinged))
            }
        };
        last.unwrap_or(self.received) + interval
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: f64) -> Duration {
        Duration::from_secs_f64(count)
    }

    #[test]
    fn an_idle_peer_is_pinged_at_thirty_and_sixty_and_dead_at_seventy_five() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Settings::default(), start);
        assert_eq!(liveness.poll(start), Step::Wait(start + seconds(30.0)));
        assert_eq!(liveness.poll(start + seconds(30.0)), Step::Ping);
        assert_eq!(liveness.poll(start + seconds(30.1)), Step::Wait(start + seconds(60.0)));
        assert_eq!(liveness.poll(start + seconds(60.0)), Step::Ping);
        assert_eq!(liveness.poll(start + seconds(60.0)), Step::Wait(start + seconds(75.0)));
        assert_eq!(liveness.poll(start + seconds(75.0)), Step::Dead);
    }

    #[test]
    fn an_active_peer_is_pinged_after_one_second_and_dead_after_three() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Settings::default(), start);
        liveness.set_active(start, Activity::Active);
        assert_eq!(liveness.poll(start), Step::Wait(start + seconds(1.0)));
        assert_eq!(liveness.poll(start + seconds(1.0)), Step::Ping);
        assert_eq!(liveness.poll(start + seconds(1.5)), Step::Wait(start + seconds(2.0)));
        assert_eq!(liveness.poll(start + seconds(2.0)), Step::Ping);
        assert_eq!(liveness.poll(start + seconds(3.0)), Step::Dead);
    }

    #[test]
    fn turning_active_after_long_silence_pings_at_once_and_gives_three_seconds() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Settings::default(), start);
        assert_eq!(liveness.poll(start + seconds(30.0)), Step::Ping);
        let turn = start + seconds(50.0);
        liveness.set_active(turn, Activity::Active);
        assert_eq!(liveness.poll(turn), Step::Ping);
        assert_eq!(liveness.poll(turn), Step::Wait(turn + seconds(1.0)));
        assert_eq!(liveness.poll(turn + seconds(2.9)), Step::Ping);
        assert_eq!(liveness.poll(turn + seconds(2.9)), Step::Wait(turn + seconds(3.0)));
        assert_eq!(liveness.poll(turn + seconds(3.0)), Step::Dead);
    }

    #[test]
    fn anything_received_is_a_sign_of_life() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Settings::default(), start);
        liveness.set_active(start, Activity::Active);
        assert_eq!(liveness.poll(start + seconds(2.0)), Step::Ping);
        liveness.on_receive(start + seconds(2.5));
        assert_eq!(liveness.poll(start + seconds(3.0)), Step::Wait(start + seconds(3.5)));
        assert_eq!(liveness.poll(start + seconds(3.5)), Step::Ping);
        assert_eq!(liveness.poll(start + seconds(5.5)), Step::Dead);
    }

    #[test]
    fn a_peer_is_asked_before_a_pause_of_ours_counts_against_him() {
        let start = Instant::now();
        for (activity, pause, answer) in
            [(Activity::Active, 5.0, 2.0), (Activity::Idle, 3600.0, 2.0)]
        {
            let mut liveness = Liveness::new(Settings::default(), start);
            liveness.set_active(start, activity);
            let awake = start + seconds(pause);
            assert_eq!(liveness.poll(awake), Step::Ping);
            assert!(matches!(liveness.poll(awake), Step::Wait(_)));
            let mut answered = liveness.clone();
            assert_eq!(liveness.poll(awake + seconds(answer)), Step::Dead);
            answered.on_receive(awake + seconds(1.0));
            assert!(matches!(answered.poll(awake + seconds(1.5)), Step::Wait(_)));
        }
    }

    #[test]
    fn waits_that_come_and_go_do_not_keep_a_dead_peer_alive() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Settings::default(), start);
        let turn = start + seconds(10.0);
        liveness.set_active(turn, Activity::Active);
        assert_eq!(liveness.poll(turn), Step::Ping);
        liveness.set_active(turn + seconds(2.0), Activity::Idle);
        assert!(matches!(liveness.poll(turn + seconds(2.0)), Step::Wait(_)));
        liveness.set_active(turn + seconds(2.5), Activity::Active);
        assert_eq!(liveness.poll(turn + seconds(3.0)), Step::Dead);
    }

    #[test]
    fn a_wait_too_short_for_a_ping_does_not_count_against_the_peer() {
        let start = Instant::now();
        let mut liveness = Liveness::new(Settings::default(), start);
        liveness.set_active(start + seconds(0.1), Activity::Active);
        liveness.set_active(start + seconds(0.2), Activity::Idle);
        let turn = start + seconds(20.0);
        liveness.set_active(turn, Activity::Active);
        assert_eq!(liveness.poll(turn), Step::Ping);
        assert_eq!(liveness.poll(turn), Step::Wait(turn + seconds(1.0)));
    }
}
