//! The board's network interfaces: names, states and sizes from `/sys`, addresses from the kernel by netlink (RFC 3549).
//!
//! Invariant: any bytes from the kernel give a list, in bounded time.

use model::facts::Link;
use rpc::device::Interface;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::fs::read_to_string;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// Most interfaces that are reported.
const MAX_INTERFACES: usize = 256;
/// Most datagrams of one answer.
const MAX_DATAGRAMS: usize = 64;

/// NETLINK_ROUTE is number 0, the default protocol of the family.
const ROUTE: Option<Protocol> = None;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// NLM_F_REQUEST | NLM_F_DUMP
const REQUEST_DUMP: u16 = 0x1 | 0x300;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const HEADER: usize = 16;
const BODY: usize = 8;

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Assigned {
    index: u32,
    address: IpAddr,
    prefix: u8,
}

/// All interfaces, by name.
#[must_use]
pub fn interfaces() -> Vec<Interface> {
    let addresses = addresses().unwrap_or_default();
    let mut found: Vec<_> = std::fs::read_dir("/sys/class/net")
        .into_iter()
        .flatten()
        .flatten()
        .take(MAX_INTERFACES)
        .filter(|entry| entry.path().is_dir())
        .map(|entry| interface(&entry.path(), &addresses))
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The interface that has this address.
#[must_use]
pub fn link_of(local: IpAddr) -> Option<Link> {
    let local = local.to_canonical();
    let index = addresses()?.into_iter().find(|a| a.address == local)?.index;
    let entry = std::fs::read_dir("/sys/class/net")
        .ok()?
        .flatten()
        .find(|entry| number(&entry.path(), "ifindex") == Some(index))?;
    Some(Link {
        interface: entry.file_name().to_string_lossy().into_owned(),
        address: local.to_string(),
        mac: line(&entry.path(), "address"),
    })
}

fn interface(dir: &Path, addresses: &[Assigned]) -> Interface {
    let index = number(dir, "ifindex");
    let flags = u32::from_str_radix(line(dir, "flags").trim_start_matches("0x"), 16).unwrap_or(0);
    // The loopback's operstate is "unknown"; the administrative flag tells then.
    let is_up = match line(dir, "operstate").as_str() {
        "unknown" => flags & 1 == 1,
        state => state == "up",
    };
    Interface {
        name: dir.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        mac: line(dir, "address"),
        state: if is_up { "up" } else { "down" }.into(),
        mtu: number(dir, "mtu").unwrap_or(0),
        addresses: addresses
            .iter()
            .filter(|a| Some(a.index) == index)
            .map(|a| format!("{}/{}", a.address, a.prefix))
            .collect(),
    }
}

fn line(dir: &Path, file: &str) -> String {
    read_to_string(dir.join(file)).unwrap_or_default().trim().to_owned()
}

fn number(dir: &Path, file: &str) -> Option<u32> {
    line(dir, file).parse().ok()
}

fn addresses() -> Option<Vec<Assigned>> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        ROUTE,
    )
    .ok()?;
    let kernel = SocketAddrNetlink::new(0, 0);
    rustix::net::sendto(&socket, &request(), SendFlags::empty(), &kernel).ok()?;
    let mut found = Vec::new();
    let mut buffer = vec![0; 32 * 1024];
    for _ in 0..MAX_DATAGRAMS {
        let (read, _) =
            rustix::net::recv(&socket, buffer.as_mut_slice(), RecvFlags::empty()).ok()?;
        if parse(buffer.get(..read)?, &mut found) == Rest::Complete {
            break;
        }
    }
    Some(found)
}

/// A dump of all addresses of all families.
fn request() -> Vec<u8> {
    let length = u32::try_from(HEADER + BODY).unwrap_or(0);
    let mut bytes = Vec::with_capacity(HEADER + BODY);
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&RTM_GETADDR.to_ne_bytes());
    bytes.extend_from_slice(&REQUEST_DUMP.to_ne_bytes());
    bytes.extend_from_slice(&[0; 8 + BODY]);
    bytes
}

#[derive(Debug, PartialEq, Eq)]
enum Rest {
    MoreComes,
    Complete,
}

fn parse(mut bytes: &[u8], found: &mut Vec<Assigned>) -> Rest {
    while let Some((length, kind)) = header(bytes) {
        if kind == NLMSG_DONE || kind == NLMSG_ERROR || length < HEADER {
            return Rest::Complete;
        }
        let message = bytes.get(HEADER..length).unwrap_or_default();
        if kind == RTM_NEWADDR {
            found.extend(assigned(message));
        }
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
    }
    Rest::MoreComes
}

fn header(bytes: &[u8]) -> Option<(usize, u16)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (kind, _) = rest.split_first_chunk::<2>()?;
    Some((usize::try_from(u32::from_ne_bytes(*length)).ok()?, u16::from_ne_bytes(*kind)))
}

/// `family prefix flags scope index(4)`, then attributes.
fn assigned(message: &[u8]) -> Option<Assigned> {
    let (body, mut rest) = message.split_first_chunk::<BODY>()?;
    let [_, prefix, _, _, i, j, k, l] = *body;
    let (mut peer, mut local) = (None, None);
    while let Some((length, kind, value)) = attribute(rest) {
        match kind {
            IFA_ADDRESS => peer = address(value),
            IFA_LOCAL => local = address(value),
            _ => {}
        }
        rest = rest.get(aligned(length)..).unwrap_or_default();
    }
    let index = u32::from_ne_bytes([i, j, k, l]);
    Some(Assigned { index, address: local.or(peer)?, prefix })
}

fn attribute(bytes: &[u8]) -> Option<(usize, u16, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (kind, _) = rest.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_ne_bytes(*length));
    Some((length, u16::from_ne_bytes(*kind), bytes.get(4..length)?))
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|sixteen| Ipv6Addr::from(sixteen).into())
}

fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_loopback_is_listed_with_its_address() {
        let lo = interfaces().into_iter().find(|i| i.name == "lo").unwrap();
        assert!(lo.addresses.contains(&"127.0.0.1/8".to_owned()), "{lo:?}");
        assert_eq!(link_of(IpAddr::from([127, 0, 0, 1])).unwrap().interface, "lo");
    }

    proptest! {
        #[test]
        fn any_answer_is_parsed(bytes: Vec<u8>) {
            let _ = parse(&bytes, &mut Vec::new());
        }
    }
}
