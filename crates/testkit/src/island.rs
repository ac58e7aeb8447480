//! A network of its own for a board: a namespace, a cable (veth) to ours, and a switch that swallows packets without a word.
//!
//! Invariant: everything is gone with the value; addresses are those of a [`Slot`], so islands do not meet.

use crate::slot::Slot;
use std::net::Ipv4Addr;
use std::process::Command;

/// A network namespace with one cable to ours.
#[derive(Debug)]
pub struct Island {
    slot: Slot,
}

impl Island {
    /// Makes one. Needs [`crate::Need::Networks`].
    ///
    /// # Panics
    /// The machine refuses.
    #[must_use]
    pub fn create() -> Self {
        let island = Self { slot: Slot::take() };
        let (name, ours, theirs) = (island.name(), island.cable('a'), island.cable('b'));
        // Left behind by a test that was killed.
        let _ = Command::new("ip").args(["netns", "del", &name]).output();
        let _ = Command::new("ip").args(["link", "del", &ours]).output();
        run(&["ip", "netns", "add", &name]);
        run(&["ip", "link", "add", &ours, "type", "veth", "peer", "name", &theirs]);
        run(&["ip", "link", "set", &theirs, "netns", &name]);
        run(&["ip", "addr", "add", &format!("{}/29", island.our_address()), "dev", &ours]);
        run(&["ip", "link", "set", &ours, "up"]);
        island.inside(&["ip", "addr", "add", &format!("{}/29", island.address(0)), "dev", &theirs]);
        island.inside(&["ip", "link", "set", &theirs, "up"]);
        island.inside(&["ip", "link", "set", "lo", "up"]);
        island
    }

    fn name(&self) -> String {
        format!("s4t-{}", self.slot.number())
    }

    fn cable(&self, end: char) -> String {
        format!("s4t{}{end}", self.slot.number())
    }

    fn host(&self, number: u8) -> Ipv4Addr {
        let [high, low] = (self.slot.number() * 8).to_be_bytes();
        Ipv4Addr::new(10, 214, high, low + number)
    }

    /// Our end of the cable.
    #[must_use]
    pub fn our_address(&self) -> Ipv4Addr {
        self.host(1)
    }

    /// An address of the island; 0 is the one it has first.
    #[must_use]
    pub fn address(&self, number: u8) -> Ipv4Addr {
        self.host(2 + number)
    }

    /// A command that runs there.
    #[must_use]
    pub fn command(&self, program: &std::path::Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name()]).arg(program);
        command
    }

    /// From now on every packet in both directions is lost; nobody is told.
    pub fn swallow(&self) {
        let cable = self.cable('b');
        self.inside(&["iptables", "-A", "INPUT", "-i", &cable, "-j", "DROP"]);
        self.inside(&["iptables", "-A", "OUTPUT", "-o", &cable, "-j", "DROP"]);
    }

    /// Packets flow again.
    pub fn heal(&self) {
        self.inside(&["iptables", "-F"]);
    }

    /// The island's address changes: the old one is gone, as when a lease ends or a modem dials again.
    pub fn change_address(&self, from: u8, to: u8) {
        let cable = self.cable('b');
        self.inside(&["ip", "addr", "del", &format!("{}/29", self.address(from)), "dev", &cable]);
        self.inside(&["ip", "addr", "add", &format!("{}/29", self.address(to)), "dev", &cable]);
    }

    fn inside(&self, words: &[&str]) {
        run(&[&["ip", "netns", "exec", &self.name()], words].concat());
    }
}

fn run(words: &[&str]) {
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Drop for Island {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["link", "del", &self.cable('a')]).output();
        let _ = Command::new("ip").args(["netns", "del", &self.name()]).output();
    }
}
