//! Neighbour entries (ARP and neighbour discovery).

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::RouteType;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::error::Result;
use crate::link::absent_is_false;
use crate::mac::Mac;
use crate::request::Request;
use crate::socket::{Socket, decode};

/// A neighbour entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Index of the interface on which the neighbour is reached.
    pub interface: u32,
    /// Its address.
    pub address: IpAddr,
    /// Its hardware address, absent while unresolved.
    pub mac: Option<Mac>,
    /// Whether the entry is permanent: never probed, never aged.
    pub permanent: bool,
}

impl Socket {
    /// Sets a permanent neighbour entry, replacing what is there for that address.
    pub fn set_neighbour(&mut self, interface: u32, address: IpAddr, mac: Mac) -> Result<()> {
        self.make(Request::set_neighbour(interface, address, mac))
    }

    /// Sets a neighbour entry as if the neighbour had just said so, replacing what is there: packets are sent
    /// at once, and the kernel takes note when the neighbour says otherwise.
    pub fn learn_neighbour(&mut self, interface: u32, address: IpAddr, mac: Mac) -> Result<()> {
        self.make(Request::learn_neighbour(interface, address, mac))
    }

    /// Removes the neighbour entry for that address. Tells whether there was one.
    pub fn remove_neighbour(&mut self, interface: u32, address: IpAddr) -> Result<bool> {
        let mut message = NeighbourMessage::default();
        (message.header.family, message.attributes) = of_address(address);
        message.header.ifindex = interface;
        absent_is_false(self.execute(RouteNetlinkMessage::DelNeighbour(message), 0))
            .map_err(|error| error.during(format!("remove neighbour {address} on {interface}")))
    }

    /// The neighbour entries of one interface, of both families.
    pub fn neighbours(&mut self, interface: u32) -> Result<Vec<Neighbour>> {
        let mut message = NeighbourMessage::default();
        message
            .attributes
            .push(NeighbourAttribute::IfIndex(interface));
        let listing = self
            .channel
            .dump(RouteNetlinkMessage::GetNeighbour(message), |answer| {
                Ok(match decode(&answer)? {
                    RouteNetlinkMessage::NewNeighbour(message) => read_neighbour(&message),
                    _ => None,
                })
            });
        listing.map_err(|error| error.during(format!("list neighbours of interface {interface}")))
    }
}

impl Request {
    /// To set a permanent neighbour entry; see [`Socket::set_neighbour`].
    pub fn set_neighbour(interface: u32, address: IpAddr, mac: Mac) -> Self {
        Self::neighbour(interface, address, mac, NeighbourState::Permanent)
    }

    /// To set a neighbour entry that was learnt; see [`Socket::learn_neighbour`].
    pub fn learn_neighbour(interface: u32, address: IpAddr, mac: Mac) -> Self {
        Self::neighbour(interface, address, mac, NeighbourState::Reachable)
    }

    fn neighbour(interface: u32, address: IpAddr, mac: Mac, state: NeighbourState) -> Self {
        let mut message = NeighbourMessage::default();
        (message.header.family, message.attributes) = of_address(address);
        message.header.ifindex = interface;
        message.header.state = state;
        message.header.kind = RouteType::Unspec;
        let mac = NeighbourAttribute::LinkLayerAddress(mac.0.to_vec());
        message.attributes.push(mac);
        let operation = format!("set neighbour {address} on {interface}");
        let message = RouteNetlinkMessage::NewNeighbour(message);
        Self::new(message, NLM_F_CREATE | NLM_F_REPLACE, operation)
    }
}

/// What a message says of the address that it is about.
fn of_address(address: IpAddr) -> (AddressFamily, Vec<NeighbourAttribute>) {
    let (family, address) = match address {
        IpAddr::V4(ip) => (AddressFamily::Inet, NeighbourAddress::Inet(ip)),
        IpAddr::V6(ip) => (AddressFamily::Inet6, NeighbourAddress::Inet6(ip)),
    };
    (family, vec![NeighbourAttribute::Destination(address)])
}

pub(crate) fn read_neighbour(message: &NeighbourMessage) -> Option<Neighbour> {
    let mut address = None;
    let mut mac = None;
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => {
                address = Some(IpAddr::V4(*ip));
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => {
                address = Some(IpAddr::V6(*ip));
            }
            NeighbourAttribute::LinkLayerAddress(octets) => {
                mac = octets.clone().try_into().ok().map(Mac);
            }
            _ => {}
        }
    }
    Some(Neighbour {
        interface: message.header.ifindex,
        address: address?,
        mac,
        permanent: message.header.state == NeighbourState::Permanent,
    })
}
