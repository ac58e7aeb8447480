//! A peer that says anything to one end of a link: no panic, and what waits stays within the bounds.
//!
//! The input is messages, each behind a byte that gives its length and, by its highest bit, whether the owner of the channel
//! reads what came; this end agrees to every channel it is asked for.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tunnel::Side;
use tunnel::machine::{EAGER_CREDIT, Event, Limits, Machine, Taken};

const LIMITS: Limits = Limits { channels: 8, receive_budget: 64 * 1024, send_budget: 64 * 1024 };

fuzz_target!(|input: &[u8]| {
    let mut machine = Machine::new(Side::Listened, LIMITS);
    let mut channels = Vec::new();
    let mut rest = input;
    while let Some((first, bytes)) = rest.split_first() {
        let (message, behind) = bytes.split_at(usize::from(first & 0x7f).min(bytes.len()));
        rest = behind;
        if machine.handle_message(Bytes::copy_from_slice(message)).is_err() {
            break;
        }
        while let Some(event) = machine.poll_event() {
            if let Event::Offered { channel, .. } = event {
                machine.accept(channel);
                channels.push(channel);
            }
        }
        if first & 0x80 != 0 {
            for channel in &channels {
                if let Ok(Taken::Bytes(bytes)) = machine.take(*channel, usize::MAX) {
                    machine.consumed(*channel, bytes.len());
                }
            }
            while machine.poll_frame().is_some() {}
        }
        let count = machine.channel_count();
        assert!(count <= LIMITS.channels);
        let most = LIMITS.receive_budget + count * EAGER_CREDIT as usize;
        let memory = machine.memory();
        assert!(memory.unread <= memory.promised && memory.promised <= most as u64, "{memory:?}");
    }
    machine.abandon();
    for channel in channels {
        machine.release(channel);
    }
    assert_eq!(machine.channel_count(), 0);
    assert_eq!(machine.memory().promised, 0);
});
