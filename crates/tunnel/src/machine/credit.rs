//! How many bytes a peer may have under way to us, for each channel and for the whole link.
//! Invariant: for every channel `held` (allowed but not yet arrived, plus arrived but not yet consumed)
//! never exceeds its window; for the link the sum stays within `budget + EAGER_CREDIT * channels`.
//! So unread bytes are bounded whatever the peer and the readers do, and yet no channel can be starved:
//! each always gets `EAGER_CREDIT`.
//! Not here: the bytes; the frames that carry the credit.

/// What every channel may send before it has heard anything: enough for the first words of a client
/// (a request, a TLS hello), and the least that a channel is ever allowed.
pub const EAGER_CREDIT: u32 = 8 * 1024;
/// Window of a fresh channel.
pub(crate) const FIRST_WINDOW: u32 = 32 * 1024;
/// Window of a channel whose reader keeps up, if it is alone on a link with the default budget: fills 80 ms at 100 MB/s.
pub(crate) const LARGEST_WINDOW: u32 = 8 * 1024 * 1024;
/// A window does not shrink below this because its reader lags: frames stay large.
const LAGGING_WINDOW: u32 = 256 * 1024;
/// More credit than this at once is a broken peer.
pub(crate) const MAX_CREDIT: u32 = 1 << 30;

/// The link's account over all channels.
#[derive(Debug)]
pub(crate) struct Account {
    budget: u64,
    held: u64,
    channels: u64,
}

impl Account {
    pub(crate) fn new(budget: u64) -> Self {
        Self { budget, held: 0, channels: 0 }
    }

    /// What the peer may still send plus what waits unread, over all channels.
    pub(crate) fn held(&self) -> u64 {
        self.held
    }

    /// The part of the budget that one channel may take: half is kept for those to come.
    fn share(&self) -> u32 {
        let share = self.budget / 2 / self.channels.max(1);
        u32::try_from(share).unwrap_or(LARGEST_WINDOW).clamp(EAGER_CREDIT, LARGEST_WINDOW)
    }

    fn left(&self) -> u32 {
        u32::try_from(self.budget.saturating_sub(self.held)).unwrap_or(u32::MAX)
    }
}

/// Whether a grant may wait until it is worth a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Haste {
    /// Only if it is worth a frame.
    Worthwhile,
    /// Whatever there is, so that the sender hears that its bytes arrive.
    Now,
}

/// One channel's account of what it receives.
#[derive(Debug)]
pub(crate) struct Receiving {
    window: u32,
    allowed: u32,
    unread: u32,
    since_resize: u32,
}

/// The peer sent more than it was allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overrun;

impl Receiving {
    /// Opens an account in which the peer may already send `allowed` bytes.
    pub(crate) fn open(account: &mut Account, allowed: u32) -> Self {
        account.channels += 1;
        account.held += u64::from(allowed);
        Self { window: FIRST_WINDOW, allowed, unread: 0, since_resize: 0 }
    }

    /// What a fresh channel may be allowed within the budget.
    pub(crate) fn first_allowance(account: &Account) -> u32 {
        FIRST_WINDOW.min(account.share()).min(account.left()).max(EAGER_CREDIT)
    }

    /// Closes the account: nothing more is kept for this channel.
    pub(crate) fn close(&mut self, account: &mut Account) {
        account.channels -= 1;
        self.forget(account);
    }

    /// Nothing more is expected or kept, but the channel still counts.
    pub(crate) fn forget(&mut self, account: &mut Account) {
        account.held -= u64::from(self.held());
        self.allowed = 0;
        self.unread = 0;
    }

    fn held(&self) -> u32 {
        self.allowed + self.unread
    }

    pub(crate) fn unread(&self) -> u32 {
        self.unread
    }

    /// Bytes have arrived.
    pub(crate) fn arrived(&mut self, bytes: u32) -> Result<(), Overrun> {
        self.allowed = self.allowed.checked_sub(bytes).ok_or(Overrun)?;
        self.unread += bytes;
        Ok(())
    }

    /// The reader is done with bytes.
    pub(crate) fn consumed(&mut self, account: &mut Account, bytes: u32) {
        let bytes = bytes.min(self.unread);
        self.unread -= bytes;
        account.held -= u64::from(bytes);
        self.since_resize = self.since_resize.saturating_add(bytes);
    }

    /// Further credit for the peer, zero if it should wait.
    pub(crate) fn grant(&mut self, account: &mut Account, haste: Haste) -> u32 {
        let target = self.window.min(account.share());
        let least = EAGER_CREDIT.saturating_sub(self.held());
        let more = target.saturating_sub(self.held()).min(account.left().max(least));
        let nearly_out = self.allowed <= EAGER_CREDIT / 2 && more >= EAGER_CREDIT / 2;
        if haste == Haste::Worthwhile && more < target / 2 && !nearly_out {
            return 0;
        }
        self.resize();
        self.allowed += more;
        account.held += u64::from(more);
        more
    }

    /// Doubles the window of a reader that keeps up, halves that of one that lags.
    fn resize(&mut self) {
        if self.since_resize < self.window / 2 {
            return;
        }
        self.since_resize = 0;
        if self.unread <= self.window / 8 {
            self.window = (self.window * 2).min(LARGEST_WINDOW);
        } else if self.unread > self.allowed && self.window > LAGGING_WINDOW {
            self.window /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BUDGET: u64 = 16 * 1024 * 1024;

    #[test]
    fn a_reader_that_keeps_up_is_trusted_with_more() {
        let mut account = Account::new(BUDGET);
        let mut channel = Receiving::open(&mut account, FIRST_WINDOW);
        for _ in 0..2000 {
            let piece = channel.allowed.min(64 * 1024);
            channel.arrived(piece).unwrap();
            channel.consumed(&mut account, piece);
            channel.grant(&mut account, Haste::Worthwhile);
        }
        assert_eq!(channel.window, LARGEST_WINDOW);
        channel.close(&mut account);
        assert_eq!(account.held(), 0);
    }

    #[test]
    fn a_reader_that_lags_is_trusted_with_less() {
        let mut account = Account::new(BUDGET);
        let mut channel = Receiving::open(&mut account, FIRST_WINDOW);
        channel.window = LARGEST_WINDOW;
        for _ in 0..2000 {
            channel.arrived(channel.allowed).unwrap();
            channel.consumed(&mut account, 16 * 1024);
            channel.grant(&mut account, Haste::Worthwhile);
        }
        assert_eq!(channel.window, LAGGING_WINDOW);
    }

    #[test]
    fn more_than_allowed_is_an_overrun() {
        let mut account = Account::new(BUDGET);
        let mut channel = Receiving::open(&mut account, EAGER_CREDIT);
        assert_eq!(channel.arrived(EAGER_CREDIT + 1), Err(Overrun));
    }

    /// Bytes that pass over a line which holds `product` bytes (bandwidth times delay), within one round of the line
    /// after the window has grown: the reader takes what arrives, the sender always has more.
    fn passed_in_a_round(product: u32) -> u32 {
        let mut account = Account::new(BUDGET);
        let mut channel = Receiving::open(&mut account, FIRST_WINDOW);
        // What the sender knows it may send, and what is under way to either side, in quarters of a round.
        let (mut credit, mut data, mut news) = (FIRST_WINDOW, [0; 2], [0; 2]);
        let mut passed = 0;
        for quarter in 0..400 {
            credit += std::mem::replace(&mut news[quarter % 2], 0);
            let arriving = std::mem::replace(&mut data[quarter % 2], credit.min(product / 4));
            credit -= data[quarter % 2];
            channel.arrived(arriving).unwrap();
            channel.consumed(&mut account, arriving);
            news[quarter % 2] = channel.grant(&mut account, Haste::Worthwhile);
            passed = if quarter < 396 { 0 } else { passed + arriving };
        }
        passed
    }

    proptest! {
        #[test]
        fn a_line_is_filled_up_to_half_the_largest_window(product in 1_000u32..LARGEST_WINDOW / 2) {
            prop_assert!(passed_in_a_round(product) >= product / 4 * 4, "{}", passed_in_a_round(product));
        }

        #[test]
        fn the_budget_holds_and_no_channel_starves(
            steps in proptest::collection::vec((0usize..300, any::<bool>(), 0u32..70_000), 1..2000),
        ) {
            let mut account = Account::new(1024 * 1024);
            let mut channels: Vec<_> = (0..300)
                .map(|_| { let first = Receiving::first_allowance(&account); Receiving::open(&mut account, first) })
                .collect();
            for (index, sends, bytes) in steps {
                let channel = &mut channels[index];
                if sends {
                    channel.arrived(bytes.min(channel.allowed)).unwrap();
                } else {
                    let bytes = bytes.min(channel.unread);
                    channel.consumed(&mut account, bytes);
                    channel.grant(&mut account, Haste::Worthwhile);
                }
                prop_assert!(channel.unread > 0 || channel.allowed > EAGER_CREDIT / 2, "starved");
                prop_assert!(account.held() <= 1024 * 1024 + 300 * u64::from(EAGER_CREDIT));
            }
            let sum: u64 = channels.iter().map(|channel| u64::from(channel.held())).sum();
            prop_assert_eq!(sum, account.held());
        }
    }
}
