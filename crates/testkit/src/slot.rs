//! Numbers that only one world of this machine has at a time, for ports and addresses.
//!
//! Invariant: a slot is held by a lock on a file, so it is free again when its process is gone, however it ended. Ports of
//! a slot lie below the kernel's ephemeral range, so that no outgoing connection takes one between two starts of a cloud.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// First port of the first slot.
const FIRST_PORT: u16 = 20_000;
/// Ports of a slot: one for the API, two for upstream's boards, the others for services.
const PORTS: u16 = 18;
/// Ports of a slot for services.
pub(crate) const SERVICE_PORTS: u16 = PORTS - 3;
/// How many slots there are.
const SLOTS: u16 = 600;

/// A number held.
#[derive(Debug)]
pub struct Slot {
    number: u16,
    _lock: File,
}

impl Slot {
    /// A slot of which all ports are free.
    ///
    /// # Panics
    /// None is left.
    #[must_use]
    pub fn take() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let folder = std::env::temp_dir().join("s4t-test-slots");
        std::fs::create_dir_all(&folder).unwrap();
        let start = (std::process::id() % u32::from(SLOTS)) as u16 * 7;
        for _ in 0..SLOTS {
            let number = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % SLOTS;
            let lock = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(folder.join(number.to_string()))
                .unwrap();
            let slot = Self { number, _lock: lock };
            if slot._lock.try_lock().is_ok() && slot.is_free() {
                return slot;
            }
        }
        panic!("all {SLOTS} slots of test ports are taken")
    }

    fn is_free(&self) -> bool {
        (self.api_port()..self.api_port() + PORTS)
            .all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The port of the API.
    #[must_use]
    pub fn api_port(&self) -> u16 {
        FIRST_PORT + self.number * PORTS
    }

    /// The ports of the control channel and of the tunnels of upstream's boards.
    #[must_use]
    pub fn upstream_ports(&self) -> [u16; 2] {
        [1, 2].map(|place| self.api_port() + SERVICE_PORTS + place)
    }

    /// The first of [`SERVICE_PORTS`] ports of services.
    #[must_use]
    pub fn first_service_port(&self) -> u16 {
        self.api_port() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_slots_are_the_same_at_a_time() {
        let (one, two) = (Slot::take(), Slot::take());
        assert_ne!(one.number(), two.number());
        assert!(one.api_port() + PORTS <= 32_768);
    }
}
