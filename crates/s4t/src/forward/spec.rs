//! What is to lead where: `LOCAL:PORT`, `ADDRESS:LOCAL:PORT` or `PORT`. Pure.

use model::service::Port;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

/// One local port and where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spec {
    /// Where this machine listens.
    pub(super) address: IpAddr,
    /// Its port; 0: a free one.
    pub(super) local: u16,
    /// The port on the board.
    pub(super) port: Port,
}

/// Reads a port of a board.
pub(super) fn port(text: &str) -> Result<Port, String> {
    let number: u32 = text.parse().map_err(|_| format!("{text:?} is no port"))?;
    Port::try_from(number).map_err(|error| error.to_string())
}

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((front, last)) = text.rsplit_once(':') else {
            let port = port(text)?;
            return Ok(Self { address: Ipv4Addr::LOCALHOST.into(), local: port.number(), port });
        };
        let port = port(last)?;
        let (address, local) = match front.rsplit_once(':') {
            Some((address, local)) => (read_address(address)?, local),
            None => (Ipv4Addr::LOCALHOST.into(), front),
        };
        let local = local.parse().map_err(|_| format!("{local:?} is no port of this machine"))?;
        Ok(Self { address, local, port })
    }
}

fn read_address(text: &str) -> Result<IpAddr, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    match bare {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        "*" => Ok(Ipv4Addr::UNSPECIFIED.into()),
        _ => bare
            .parse()
            .map_err(|_| format!("{text:?} is no address of this machine, such as 127.0.0.1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_as_people_write_them() {
        let read = |text: &str| {
            let spec: Spec = text.parse().unwrap();
            (spec.address.to_string(), spec.local, spec.port.number())
        };
        assert_eq!(read("80"), ("127.0.0.1".into(), 80, 80));
        assert_eq!(read("8080:80"), ("127.0.0.1".into(), 8080, 80));
        assert_eq!(read("0:22"), ("127.0.0.1".into(), 0, 22));
        assert_eq!(read("*:8080:80"), ("0.0.0.0".into(), 8080, 80));
        assert_eq!(read("[::1]:8080:80"), ("::1".into(), 8080, 80));
        for wrong in
            ["", ":", "80:", ":80", "0", "8080:0", "80:ssh", "there:80:80", "70000:80", "1:2:3:4"]
        {
            assert!(wrong.parse::<Spec>().is_err(), "{wrong}");
        }
    }
}
