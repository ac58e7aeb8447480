//! The machine's rules, one test for each, and a peer that keeps to none of them.
//! Not here: streams over a network (`simulation.rs`).

use proptest::prelude::*;

use super::*;
use crate::reason::{GoAwayCode, RefusalCode};

/// A peer that sends whatever it likes.
fn any_frame() -> impl Strategy<Value = Frame> {
    let channel = (0u32..12).prop_map(ChannelId);
    let length = prop_oneof![1usize..100, 1usize..=MAX_DATA];
    prop_oneof![
        (channel.clone(), any::<u32>()).prop_map(|(channel, credit)| Frame::Open {
            channel,
            key: key(),
            credit
        }),
        (channel.clone(), any::<u32>())
            .prop_map(|(channel, credit)| Frame::Opened { channel, credit }),
        (channel.clone(), any::<u16>()).prop_map(|(channel, code)| Frame::Refused {
            channel,
            refusal: Refusal::new(RefusalCode::from_code(code), "")
        }),
        (channel.clone(), length)
            .prop_map(|(channel, length)| Frame::Data { channel, payload: vec![0; length].into() }),
        (channel.clone(), 1u32..).prop_map(|(channel, bytes)| Frame::Credit { channel, bytes }),
        channel.clone().prop_map(|channel| Frame::Finish { channel }),
        (channel, any::<u16>()).prop_map(|(channel, code)| Frame::Reset {
            channel,
            reason: ResetReason::from_code(code)
        }),
        any::<u16>().prop_map(|code| Frame::GoAway(GoAway::new(GoAwayCode::from_code(code), ""))),
    ]
}

proptest! {
    #[test]
    fn whatever_a_peer_sends_is_bounded_and_never_panics(
        frames in proptest::collection::vec((any_frame(), 0u8..8), 1..200),
    ) {
        let limits = Limits { channels: 4, receive_budget: 64 * 1024, send_budget: 64 * 1024 };
        let mut machine = Machine::new(Side::Dialled, limits);
        for (frame, deed) in frames {
            // The link would end at a violation; that the machine stands it anyway is the point.
            let _ = machine.handle(frame);
            while let Some(event) = machine.poll_event() {
                if let Event::Offered { channel, .. } = event {
                    machine.accept(channel);
                    let _ = machine.send(channel, vec![1; 100].into());
                }
            }
            let ids: Vec<_> = machine.channels.keys().copied().collect();
            match (deed, ids.first()) {
                (0, _) => drop(machine.open(key())),
                (1, Some(id)) => machine.release(*id),
                (2, Some(id)) => drop(machine.finish(*id)),
                (3, Some(id)) => {
                    if let Ok(Taken::Bytes(bytes)) = machine.take(*id, 1000) {
                        machine.consumed(*id, bytes.len());
                    }
                }
                (4, _) => while machine.poll_frame().is_some() {},
                _ => {}
            }
            let bound = 64 * 1024 + u64::from(EAGER_CREDIT) * machine.channel_count() as u64;
            prop_assert!(machine.memory().promised <= bound);
            prop_assert!(machine.channel_count() <= 4);
        }
    }
}

fn pair() -> (Machine, Machine) {
    let limits = Limits::default();
    (Machine::new(Side::Dialled, limits), Machine::new(Side::Listened, limits))
}

/// Delivers everything in both directions until both are quiet.
fn settle(one: &mut Machine, other: &mut Machine) {
    loop {
        if let Some(frame) = one.poll_frame() {
            other.handle(frame).unwrap();
        } else if let Some(frame) = other.poll_frame() {
            one.handle(frame).unwrap();
        } else {
            return;
        }
    }
}

fn key() -> ServiceKey {
    ServiceKey::new(&b"ssh"[..]).unwrap()
}

fn opened(board: &mut Machine, cloud: &mut Machine) -> ChannelId {
    let id = cloud.open(key()).unwrap();
    settle(cloud, board);
    board.accept(id);
    settle(cloud, board);
    while board.poll_event().is_some() || cloud.poll_event().is_some() {}
    id
}

#[test]
fn first_words_leave_right_behind_the_open() {
    let (mut board, mut cloud) = pair();
    let id = cloud.open(key()).unwrap();
    assert_eq!(cloud.room(id), Ok(EAGER_CREDIT as usize));
    cloud.send(id, Bytes::from_static(b"hello")).unwrap();
    cloud.finish(id).unwrap();
    settle(&mut cloud, &mut board);
    assert_eq!(board.poll_event(), Some(Event::Offered { channel: id, key: key() }));
    board.accept(id);
    assert_eq!(board.take(id, 100), Ok(Taken::Bytes(Bytes::from_static(b"hello"))));
    assert_eq!(board.take(id, 100), Ok(Taken::Finished));
}

#[test]
fn an_owner_that_lets_go_after_both_finished_still_delivers_what_it_wrote() {
    let (mut board, mut cloud) = pair();
    let id = opened(&mut board, &mut cloud);
    cloud.finish(id).unwrap();
    settle(&mut cloud, &mut board);
    assert_eq!(board.take(id, 100), Ok(Taken::Finished));
    board.send(id, Bytes::from(vec![1; 20_000])).unwrap();
    board.finish(id).unwrap();
    board.release(id);
    settle(&mut cloud, &mut board);
    assert_eq!(cloud.take(id, 20_000), Ok(Taken::Bytes(vec![1; 20_000].into())));
    assert_eq!(cloud.take(id, 100), Ok(Taken::Finished));
    assert_eq!(board.channel_count(), 0);
}

#[test]
fn data_beyond_the_credit_ends_the_link() {
    let (mut board, mut cloud) = pair();
    let id = opened(&mut board, &mut cloud);
    let payload = Bytes::from(vec![0; MAX_DATA]);
    let overrun = board.handle(Frame::Data { channel: id, payload });
    assert_eq!(overrun, Err(Violation::CreditOverrun));
}

#[test]
fn data_after_finish_ends_the_link() {
    let (mut board, mut cloud) = pair();
    let id = opened(&mut board, &mut cloud);
    board.handle(Frame::Finish { channel: id }).unwrap();
    let data = Frame::Data { channel: id, payload: Bytes::from_static(b"x") };
    assert_eq!(board.handle(data), Err(Violation::AfterFinish));
    assert_eq!(board.handle(Frame::Finish { channel: id }), Err(Violation::AfterFinish));
}

#[test]
fn frames_for_channels_that_never_were_end_the_link() {
    let (mut board, mut cloud) = pair();
    let id = opened(&mut board, &mut cloud);
    let data =
        |number| Frame::Data { channel: ChannelId(number), payload: Bytes::from_static(b"x") };
    assert_eq!(board.handle(data(id.0 + 2)), Err(Violation::UnknownChannel));
    assert_eq!(board.handle(data(1)), Err(Violation::UnknownChannel));
}

#[test]
fn frames_that_crossed_a_reset_are_dropped() {
    let (mut board, mut cloud) = pair();
    let id = opened(&mut board, &mut cloud);
    board.reset(id, ResetReason::ConnectionReset);
    for frame in [
        Frame::Data { channel: id, payload: Bytes::from_static(b"x") },
        Frame::Credit { channel: id, bytes: 1 },
        Frame::Finish { channel: id },
        Frame::Reset { channel: id, reason: ResetReason::Failed },
    ] {
        board.handle(frame.clone()).unwrap();
        board.release(id);
        board.handle(frame).unwrap();
    }
}

#[test]
fn numbers_in_use_or_of_the_wrong_side_may_not_be_opened() {
    let (mut board, mut cloud) = pair();
    let id = opened(&mut board, &mut cloud);
    for channel in [id, ChannelId(1)] {
        let open = Frame::Open { channel, key: key(), credit: 1 };
        assert_eq!(board.handle(open), Err(Violation::NumberTaken));
    }
}

#[test]
fn more_channels_than_allowed_are_refused() {
    let limits = Limits { channels: 2, ..Limits::default() };
    let mut board = Machine::new(Side::Dialled, limits);
    let mut cloud = Machine::new(Side::Listened, Limits::default());
    let ids: Vec<_> = (0..3).map(|_| cloud.open(key()).unwrap()).collect();
    settle(&mut cloud, &mut board);
    let refusal = Refusal::new(RefusalCode::Exhausted, "");
    assert_eq!(cloud.answered(ids[2]), Err(ChannelError::Refused(refusal)));
    assert_eq!(board.channel_count(), 2);
}

#[test]
fn a_link_that_goes_away_takes_no_new_channels_but_finishes_the_old() {
    let (mut board, mut cloud) = pair();
    let id = opened(&mut board, &mut cloud);
    board.go_away(GoAway::new(GoAwayCode::Shutdown, ""));
    let late = cloud.open(key()).unwrap();
    settle(&mut cloud, &mut board);
    let refusal = Refusal::new(RefusalCode::GoingAway, "");
    assert_eq!(cloud.answered(late), Err(ChannelError::Refused(refusal)));
    assert_eq!(cloud.open(key()), Err(OpenError::GoingAway));
    cloud.send(id, Bytes::from_static(b"still")).unwrap();
    settle(&mut cloud, &mut board);
    assert_eq!(board.take(id, 100), Ok(Taken::Bytes(Bytes::from_static(b"still"))));
}

#[test]
fn a_peer_that_asks_without_reading_answers_is_cut_off() {
    let limits = Limits { channels: 1, ..Limits::default() };
    let mut board = Machine::new(Side::Dialled, limits);
    let flood = (1..5000u32)
        .map(|number| Frame::Open { channel: ChannelId(2 * number), key: key(), credit: 0 })
        .find_map(|frame| board.handle(frame).err());
    assert_eq!(flood, Some(Violation::Flood));
}

#[test]
fn a_small_message_overtakes_the_bulk_of_another_channel() {
    let (mut board, mut cloud) = pair();
    let bulk = opened(&mut board, &mut cloud);
    let small = opened(&mut board, &mut cloud);
    let room = board.room(bulk).unwrap();
    board.send(bulk, vec![0; room].into()).unwrap();
    assert!(matches!(board.poll_frame(), Some(Frame::Data { channel, .. }) if channel == bulk));
    board.send(bulk, Bytes::from(vec![0; 0])).unwrap();
    board.send(small, Bytes::from_static(b"key")).unwrap();
    let next = board.poll_frame();
    assert_eq!(next, Some(Frame::Data { channel: small, payload: Bytes::from_static(b"key") }));
}

#[test]
fn a_lost_link_resets_every_channel() {
    let (mut board, mut cloud) = pair();
    let id = opened(&mut board, &mut cloud);
    assert_eq!(cloud.take(id, 1), Ok(Taken::Nothing));
    cloud.abandon();
    assert_eq!(cloud.poll_event(), Some(Event::Readable(id)));
    assert_eq!(cloud.take(id, 1), Err(ChannelError::Reset(ResetReason::LinkLost)));
    assert_eq!(cloud.memory(), Memory::default());
}

#[test]
fn little_reading_is_told_when_asked_for() {
    let (mut board, mut cloud) = pair();
    let id = opened(&mut board, &mut cloud);
    cloud.send(id, Bytes::from_static(b"x")).unwrap();
    settle(&mut cloud, &mut board);
    assert!(matches!(board.take(id, 10), Ok(Taken::Bytes(_))));
    board.consumed(id, 1);
    assert!(board.owes_credit() && !board.has_frames());
    board.grant_owed();
    assert_eq!(board.poll_frame(), Some(Frame::Credit { channel: id, bytes: 1 }));
}
