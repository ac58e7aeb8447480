//! How many machines enrol at one time, in all and from each place, so that one stranger cannot hold all the places.
//!
//! Invariant: what entered leaves once; places that nobody comes from are not remembered.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// Bits of an IPv6 address that name the network of one customer (RFC 6177); below them anybody may have as many as they like.
const NETWORK_V6: u32 = 64;

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Enrolling {
    all: u32,
    places: HashMap<IpAddr, u32>,
}

impl Enrolling {
    pub(super) fn enter(&mut self, from: Option<IpAddr>) {
        self.all = self.all.saturating_add(1);
        if let Some(address) = from {
            let count = self.places.entry(place(address)).or_default();
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn leave(&mut self, from: Option<IpAddr>) {
        self.all = self.all.saturating_sub(1);
        let Some(place) = from.map(place) else { return };
        if let Some(count) = self.places.get_mut(&place) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.places.remove(&place);
            }
        }
    }

    /// In all.
    pub(super) fn all(&self) -> u32 {
        self.all
    }

    /// From where this address is.
    pub(super) fn from(&self, address: IpAddr) -> u32 {
        self.places.get(&place(address)).copied().unwrap_or_default()
    }
}

fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let network = v6.to_bits() & (u128::MAX << (Ipv6Addr::BITS - NETWORK_V6));
            Ipv6Addr::from_bits(network).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customers_network_is_one_place_and_is_forgotten_when_it_is_empty() {
        let mut enrolling = Enrolling::default();
        let [a, b, c]: [IpAddr; 3] = ["2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"]
            .map(|text| text.parse().unwrap());
        for from in [Some(a), Some(b), Some(c), None] {
            enrolling.enter(from);
        }
        assert_eq!((enrolling.all(), enrolling.from(a), enrolling.from(c)), (4, 2, 1));
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        enrolling.enter(Some("192.0.2.1".parse().unwrap()));
        assert_eq!(enrolling.from(mapped), 1);
        for from in [a, b, c, mapped] {
            enrolling.leave(Some(from));
        }
        assert!(enrolling.places.is_empty());
    }
}
