//! Rights: what they allow, what they refuse, and the naive model that they are held against.

use super::*;
use base::key::{KeyPair, PublicKey};
use model::{BoardId, PluginId, Timestamp};
use proptest::prelude::*;
use std::sync::OnceLock;

const NOW: i64 = 1_800_000_000_000_000;

fn now() -> Timestamp {
    Timestamp::from_micros(NOW)
}

fn after(seconds: u64) -> Timestamp {
    now().after(Duration::from_secs(seconds))
}

fn cloud() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(KeyPair::generate)
}

fn root() -> PublicKey {
    cloud().public()
}

fn all() -> Acts {
    Act::ALL.into_iter().collect()
}

fn grant(board: BoardId) -> Grant {
    Grant {
        board,
        holder: "7f2c9c2e51d94a2c8d5f0e6a4b7d9c31".into(),
        issued_at: now(),
        life: Duration::from_secs(120),
        epoch: 3,
        depth: 8,
        acts: all(),
        thing: Thing::Board,
    }
}

fn judge(right: &Right, board: BoardId) -> Result<Allowed, Refusal> {
    right.verify(&root(), board, 3, after(1))
}

#[test]
fn a_right_is_good_for_its_board_its_time_and_its_epoch_only() {
    let board = BoardId::new();
    let right = Right::issue(cloud(), &grant(board));
    let right: Right = right.to_string().parse().unwrap();
    let allowed = judge(&right, board).unwrap();
    assert_eq!((allowed.holder.len(), allowed.hops, allowed.until), (32, 0, after(120)));
    assert_eq!(allowed.may(Act::Call, Some(PluginId::new())), Ok(()));
    assert_eq!(allowed.may(Act::Status, None), Ok(()));
    let at = |time, epoch| right.verify(&root(), board, epoch, time).map(drop);
    assert_eq!(at(after(119), 3), Ok(()));
    assert_eq!(at(after(120), 3), Err(Refusal::Over));
    assert_eq!(at(Timestamp::from_micros(NOW - 9_000_000), 3), Ok(()), "clocks differ a little");
    assert_eq!(at(Timestamp::from_micros(NOW - 11_000_000), 3), Err(Refusal::NotYet));
    assert_eq!(at(after(1), 2), Ok(()), "the board has not heard of the epoch yet");
    assert_eq!(at(after(1), 4), Err(Refusal::Revoked));
    assert_eq!(judge(&right, BoardId::new()).err(), Some(Refusal::OtherBoard));
    let other = KeyPair::generate().public();
    assert_eq!(right.verify(&other, board, 3, after(1)).err(), Some(Refusal::Forged));
}

#[test]
fn a_right_lives_five_minutes_at_the_most_whatever_it_says() {
    let board = BoardId::new();
    let long = Grant { life: Duration::from_secs(86_400), ..grant(board) };
    let right = Right::issue(cloud(), &long);
    let until = |seconds| right.verify(&root(), board, 0, after(seconds)).map(drop);
    assert_eq!((until(299), until(300)), (Ok(()), Err(Refusal::Over)));
}

#[test]
fn a_right_is_passed_on_as_often_as_it_says_and_no_block_can_be_taken_off() {
    let board = BoardId::new();
    let right = Right::issue(cloud(), &Grant { depth: 2, ..grant(board) });
    let one = right.narrow(Narrowing::default()).unwrap();
    let two = one.narrow(Narrowing::default()).unwrap();
    assert_eq!(judge(&two, board).unwrap().hops, 2);
    assert_eq!(two.narrow(Narrowing::default()).err(), Some(Refusal::TooDeep));
    let less = right.narrow(Narrowing { depth: Some(0), ..Narrowing::default() }).unwrap();
    assert_eq!(less.narrow(Narrowing::default()).err(), Some(Refusal::TooDeep));
    // The bytes of the shorter chain with the secret of the longer one.
    let (short, long) = (one.to_bytes(), two.to_bytes());
    let mut cut = short[..short.len() - 32].to_vec();
    cut.extend(&long[long.len() - 32..]);
    assert_eq!(judge(&Right::from_bytes(&cut).unwrap(), board).err(), Some(Refusal::Forged));
}

#[test]
fn blocks_of_two_rights_do_not_make_a_third() {
    let board = BoardId::new();
    let small = Grant { acts: [Act::Status].into_iter().collect(), ..grant(board) };
    let rights = [Right::issue(cloud(), &small), Right::issue(cloud(), &grant(board))];
    let hop = |right: &Right| {
        right.narrow(Narrowing { until_s: Some(60), ..Narrowing::default() }).unwrap().to_bytes()
    };
    let [a, b] = [hop(&rights[0]), hop(&rights[1])];
    // Both chains have their first block in front and a hop of one size behind it.
    let tail = 1 + 3 + 32 + 64 + 32;
    for (head, end) in [(&a, &b), (&b, &a)] {
        let mut spliced = head[..head.len() - tail].to_vec();
        spliced.extend(&end[end.len() - tail..]);
        let spliced = Right::from_bytes(&spliced).unwrap();
        assert_eq!(judge(&spliced, board).err(), Some(Refusal::Forged));
    }
}

#[test]
fn a_right_is_smaller_than_the_reference() {
    let right = Right::issue(cloud(), &grant(BoardId::new()));
    let narrowing = Narrowing {
        acts: Some([Act::Call].into_iter().collect()),
        until_s: Some(60),
        thing: Some(Thing::Plugin(PluginId::new())),
        ..Narrowing::default()
    };
    let narrowed = right.narrow(narrowing).unwrap();
    let (size, hop) = (right.to_bytes().len(), narrowed.to_bytes().len() - right.to_bytes().len());
    assert!(size <= 192 && hop <= 119, "{size} bytes and {hop} a hop");
    assert!(narrowed.to_string().len() < MAX_TEXT);
}

#[test]
fn what_is_no_right_is_refused_with_a_reason() {
    let long = format!("s4tr1.{}", "A".repeat(MAX_TEXT));
    for text in ["", "s4tr1.", "s4t1.abc", "s4tr1.AAAA", "s4tr1.é", long.as_str()] {
        let refusal = text.parse::<Right>().unwrap_err();
        assert!(matches!(refusal, Refusal::Malformed(_)), "{text}: {refusal}");
    }
    let right = Right::issue(cloud(), &grant(BoardId::new()));
    assert!(format!("{right:?}").len() < 80, "secrets are not shown");
}

/// A block as the naive model sees it: a question answered by all of them.
fn lets(block: &Narrowing, act: Act, plugin: PluginId, second: u16) -> bool {
    block.acts.is_none_or(|acts| acts.contains(act))
        && block.from_s.is_none_or(|from| second + 10 >= from)
        && block.until_s.is_none_or(|until| second < until)
        && block.thing.is_none_or(|thing| thing.covers(plugin))
}

fn plugins() -> &'static [PluginId; 2] {
    static IDS: OnceLock<[PluginId; 2]> = OnceLock::new();
    IDS.get_or_init(|| [PluginId::new(), PluginId::new()])
}

fn things() -> impl Strategy<Value = Thing> {
    prop_oneof![Just(Thing::Board), (0usize..2).prop_map(|which| Thing::Plugin(plugins()[which])),]
}

prop_compose! {
    fn narrowings()(
        acts in proptest::option::of(0u16..16),
        from_s in proptest::option::of(0u16..400),
        until_s in proptest::option::of(0u16..400),
        depth in proptest::option::of(0u8..10),
        thing in proptest::option::of(things()),
    ) -> Narrowing {
        Narrowing { acts: acts.map(Acts::from_bits), from_s, until_s, depth, thing }
    }
}

proptest! {
    #[test]
    fn a_narrowed_right_allows_what_each_of_its_blocks_allows_and_no_more(
        blocks in proptest::collection::vec(narrowings(), 0..9),
        bits in 0u16..16,
        life in 0u64..400,
        depth in 0u8..9,
        second in 0u16..400,
        plugin in 0usize..2,
    ) {
        let board = BoardId::new();
        let first = Grant { acts: Acts::from_bits(bits), life: Duration::from_secs(life), depth, ..grant(board) };
        let mut right = Right::issue(cloud(), &first);
        let (mut kept, mut left) = (Vec::new(), depth);
        for block in blocks {
            match right.narrow(block) {
                Ok(narrowed) => {
                    prop_assert!(left > 0);
                    left = (left - 1).min(block.depth.unwrap_or(u8::MAX));
                    right = narrowed;
                    kept.push(block);
                }
                Err(refusal) => prop_assert_eq!((refusal, left), (Refusal::TooDeep, 0)),
            }
        }
        let right: Right = right.to_string().parse().unwrap();
        let (plugin, at) = (plugins()[plugin], after(second.into()));
        for act in Act::ALL {
            let allowed = right.verify(&root(), board, 0, at).and_then(|allowed| allowed.may(act, Some(plugin)));
            let wanted = first.acts.contains(act)
                && u64::from(second) < life.min(300)
                && kept.iter().all(|block| lets(block, act, plugin, second));
            prop_assert_eq!(allowed.is_ok(), wanted, "{:?}", allowed);
        }
    }

    #[test]
    fn a_right_with_any_bit_flipped_is_refused(
        blocks in proptest::collection::vec(narrowings(), 0..4),
        place: prop::sample::Index,
        bit in 0u8..8,
    ) {
        let board = BoardId::new();
        let mut right = Right::issue(cloud(), &grant(board));
        for block in blocks {
            right = right.narrow(Narrowing { depth: None, ..block }).unwrap();
        }
        let mut bytes = right.to_bytes().to_vec();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        let refused = Right::from_bytes(&bytes).and_then(|right| right.verify(&root(), board, 0, after(1)));
        // Of the secret too each bit counts: its hash is what is used (RFC 8032, 5.1.5).
        prop_assert!(refused.is_err(), "byte {} bit {}", place, bit);
    }

    #[test]
    fn a_truncated_right_and_any_bytes_are_refused_or_say_something(
        length: prop::sample::Index,
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let right = Right::issue(cloud(), &grant(BoardId::new())).narrow(Narrowing::default()).unwrap();
        let whole = right.to_bytes();
        prop_assert!(Right::from_bytes(&whole[..length.index(whole.len())]).is_err());
        if let Ok(right) = Right::from_bytes(&bytes) {
            let _ = right.says();
            prop_assert_eq!(&right.to_bytes()[..], &bytes[..]);
        }
    }
}
