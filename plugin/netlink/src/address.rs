//! Addresses of interfaces.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::error::Result;
use crate::link::absent_is_false;
use crate::request::Request;
use crate::socket::{Socket, decode};

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// Index of the interface.
    pub interface: u32,
    /// The address with its prefix length.
    pub net: IpNet,
    /// Whether duplicate address detection is still to prove it, or has failed. An address with this
    /// set cannot be used yet.
    pub tentative: bool,
}

impl Socket {
    /// Adds an address, without duplicate address detection: it can be used at once. Fails with
    /// `EEXIST` if the interface has it already.
    pub fn add_address(&mut self, interface: u32, net: IpNet) -> Result<()> {
        self.make(Request::add_address(interface, net))
    }

    /// Removes an address. Tells whether there was one.
    pub fn delete_address(&mut self, interface: u32, net: IpNet) -> Result<bool> {
        let message = RouteNetlinkMessage::DelAddress(address_message(interface, net));
        absent_is_false(self.execute(message, 0))
            .map_err(|error| error.during(format!("remove address {net} from {interface}")))
    }

    /// The addresses of one interface, of both families.
    pub fn addresses(&mut self, interface: u32) -> Result<Vec<Address>> {
        let mut message = AddressMessage::default();
        message.header.index = interface;
        let addresses = self
            .channel
            .dump(RouteNetlinkMessage::GetAddress(message), |answer| {
                Ok(match decode(&answer)? {
                    RouteNetlinkMessage::NewAddress(message) => read_address(&message),
                    _ => None,
                })
            });
        match addresses {
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            other => other
                .map_err(|error| error.during(format!("list addresses of interface {interface}"))),
        }
    }
}

impl Request {
    /// To add an address; see [`Socket::add_address`].
    pub fn add_address(interface: u32, net: IpNet) -> Self {
        let mut message = address_message(interface, net);
        message.header.flags = AddressHeaderFlags::Nodad;
        message
            .attributes
            .push(AddressAttribute::Flags(AddressFlags::Nodad));
        let operation = format!("add address {net} to interface {interface}");
        let message = RouteNetlinkMessage::NewAddress(message);
        Self::new(message, NLM_F_CREATE | NLM_F_EXCL, operation)
    }
}

fn address_message(interface: u32, net: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = interface;
    message.header.prefix_len = net.prefix_len();
    message.header.family = match net {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    };
    message
        .attributes
        .push(AddressAttribute::Address(net.addr()));
    message.attributes.push(AddressAttribute::Local(net.addr()));
    message
}

pub(crate) fn read_address(message: &AddressMessage) -> Option<Address> {
    let mut address: Option<IpAddr> = None;
    let mut local = None;
    let mut flags = AddressFlags::from_bits_retain(message.header.flags.bits().into());
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Address(ip) => address = Some(*ip),
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Flags(all) => flags = *all,
            _ => {}
        }
    }
    // On a point-to-point address `Address` is the far end, `Local` is what the interface has.
    let net = IpNet::new(local.or(address)?, message.header.prefix_len).ok()?;
    let tentative = flags.intersects(AddressFlags::Tentative | AddressFlags::Dadfailed)
        && !flags.contains(AddressFlags::Optimistic);
    Some(Address {
        interface: message.header.index,
        net,
        tentative,
    })
}
