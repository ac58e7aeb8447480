//! The text of `ifconfig`, which upstream's boards answer when they are asked for their network, as the list that ours answer.
//!
//! Invariant: total and bounded: any text gives a list; what is not understood is left out. Pure. Both forms are read, the
//! present one (`eth0: flags=…`) and that of net-tools before 2.0 (`eth0  Link encap:…`).

use rpc::device::Interface;

/// Most interfaces, and most addresses of one; more are left out.
const MAX_INTERFACES: usize = 256;
const MAX_ADDRESSES: usize = 64;

/// The interfaces of a text; none when it is no text of `ifconfig`.
#[must_use]
pub fn interfaces(text: &str) -> Vec<Interface> {
    let mut found: Vec<Interface> = Vec::new();
    for line in text.lines() {
        let is_head = line.starts_with(|c: char| !c.is_whitespace());
        if is_head {
            if found.len() == MAX_INTERFACES {
                break;
            }
            match head(line) {
                Some(interface) => found.push(interface),
                None => continue,
            }
        }
        if let Some(interface) = found.last_mut() {
            read(interface, line);
        }
    }
    found
}

/// The first line of an interface.
fn head(line: &str) -> Option<Interface> {
    let (name, rest) = line.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let is_one = rest.starts_with("flags=") || rest.starts_with("Link encap:");
    let name = name.trim_end_matches(':');
    let known = is_one && !name.is_empty();
    known.then(|| Interface { name: name.into(), state: "down".into(), ..Interface::default() })
}

/// What a line says of the interface that it is about.
fn read(interface: &mut Interface, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let after = |word: &str| {
        let at = words.iter().position(|other| *other == word)?;
        words.get(at + 1).copied()
    };
    let begins = |word: &str| words.iter().find_map(|other| other.strip_prefix(word));
    if words.contains(&"UP") || begins("flags=").is_some_and(is_up) {
        interface.state = "up".into();
    }
    if let Some(mtu) = after("mtu").or(begins("MTU:")).and_then(|mtu| mtu.parse().ok()) {
        interface.mtu = mtu;
    }
    if let Some(mac) = after("ether").or(after("HWaddr")) {
        interface.mac = mac.to_ascii_lowercase();
    }
    if let Some(address) = address(&words, after, begins)
        && interface.addresses.len() < MAX_ADDRESSES
    {
        interface.addresses.push(address);
    }
}

fn is_up(flags: &str) -> bool {
    let names = flags.split(['<', '>']).nth(1).unwrap_or_default();
    names.split(',').any(|name| name == "UP")
}

/// An address with the length of its prefix.
fn address<'a>(
    words: &[&'a str],
    after: impl Fn(&str) -> Option<&'a str>,
    begins: impl Fn(&str) -> Option<&'a str>,
) -> Option<String> {
    match words.first().copied()? {
        "inet" => {
            let address = begins("addr:").or(after("inet"))?;
            let mask = begins("Mask:").or(after("netmask"));
            Some(format!("{address}/{}", mask.and_then(prefix).unwrap_or(32)))
        }
        "inet6" => match after("addr:") {
            Some(address) => Some(address.to_owned()),
            None => Some(format!("{}/{}", after("inet6")?, after("prefixlen").unwrap_or("128"))),
        },
        _ => None,
    }
}

/// The length of the prefix that a mask stands for.
fn prefix(mask: &str) -> Option<u32> {
    let address: std::net::Ipv4Addr = mask.parse().ok()?;
    Some(u32::from(address).leading_ones())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PRESENT: &str = "eth0: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1500
        inet 192.168.1.20  netmask 255.255.255.0  broadcast 192.168.1.255
        inet6 fe80::ba27:ebff:fe00:1  prefixlen 64  scopeid 0x20<link>
        ether B8:27:EB:00:00:01  txqueuelen 1000  (Ethernet)
        RX packets 12  bytes 1234 (1.2 KiB)

lo: flags=73<UP,LOOPBACK,RUNNING>  mtu 65536
        inet 127.0.0.1  netmask 255.0.0.0
        inet6 ::1  prefixlen 128  scopeid 0x10<host>
        loop  txqueuelen 1000  (Local Loopback)

wlan0: flags=4098<BROADCAST,MULTICAST>  mtu 1500
        ether b8:27:eb:00:00:02  txqueuelen 1000  (Ethernet)";
    const OLD: &str = "eth0      Link encap:Ethernet  HWaddr b8:27:eb:00:00:01
          inet addr:192.168.1.20  Bcast:192.168.1.255  Mask:255.255.255.0
          inet6 addr: fe80::ba27:ebff:fe00:1/64 Scope:Link
          UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1
          RX packets:12 errors:0 dropped:0 overruns:0 frame:0";

    #[test]
    fn both_forms_of_ifconfig_are_read() {
        let found = interfaces(PRESENT);
        let names: Vec<_> = found.iter().map(|interface| interface.name.as_str()).collect();
        assert_eq!(names, ["eth0", "lo", "wlan0"]);
        assert_eq!(found[0], interfaces(OLD)[0]);
        assert_eq!(found[0].addresses, ["192.168.1.20/24", "fe80::ba27:ebff:fe00:1/64"]);
        assert_eq!((found[0].mtu, found[0].mac.as_str()), (1500, "b8:27:eb:00:00:01"));
        assert_eq!((found[0].state.as_str(), found[2].state.as_str()), ("up", "down"));
        assert_eq!(found[1].addresses, ["127.0.0.1/8", "::1/128"]);
    }

    #[test]
    fn what_is_no_ifconfig_gives_nothing_and_much_of_it_is_cut() {
        for text in ["", "N/A", "/bin/sh: 1: ifconfig: not found", "   inet 1.2.3.4", ": x"] {
            assert_eq!(interfaces(text), [], "{text:?}");
        }
        let many = "x: flags=1<UP>  mtu 1\n".repeat(1000);
        assert_eq!(interfaces(&many).len(), MAX_INTERFACES);
    }

    proptest! {
        #[test]
        fn any_text_gives_a_list(text in "(\\PC|\n|( {2,8}(inet|inet6|ether|mtu|addr:|Mask:)))*") {
            let _ = interfaces(&text);
        }
    }
}
