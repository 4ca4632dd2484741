//! Settings of an interface as messages. To open a setting's file takes far longer than to write it, since the
//! kernel makes each anew for each interface; messages it takes for all that there are of IPv4, together.

use netlink_packet_core::{DefaultNla, Emitable as _, NLA_F_NESTED};
use netlink_packet_route::link::{AfSpecInet, AfSpecUnspec, LinkAttribute, LinkMessage};
use netlink_packet_route::neighbour_table::{
    NeighbourTableAttribute, NeighbourTableMessage, NeighbourTableParameter,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::request::Request;
use crate::route::Family;
use crate::settings::Setting;

/// `IFLA_INET_CONF`.
const CONFIGURATION: u16 = 1;
/// What the kernel calls the settings below `net.ipv4.conf` (`IPV4_DEVCONF_*` in linux/ip.h).
const NUMBERS: [(&str, u16); 8] = [
    ("forwarding", 1),
    ("proxy_arp", 3),
    ("accept_redirects", 4),
    ("send_redirects", 6),
    ("rp_filter", 8),
    ("accept_source_route", 9),
    ("arp_notify", 22),
    ("accept_local", 23),
];
/// The table of neighbours in IPv4.
const NEIGHBOURS: &str = "arp_cache";
/// Its file has the delay in hundredths of a second, its message in milliseconds.
const MILLISECONDS: u64 = 10;

impl Request {
    /// To make settings of the interface with this index, and those of them that it takes a file to make, in
    /// their order.
    pub fn make_settings(
        interface: u32,
        settings: impl IntoIterator<Item = Setting>,
    ) -> (Vec<Self>, Vec<Setting>) {
        let (mut numbered, mut requests, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for setting in settings {
            let (family, key, value) = setting;
            let number = NUMBERS.iter().find(|(name, _)| *name == key);
            match (family, number, value.parse::<u32>()) {
                (Family::V4, Some((_, number)), Ok(value)) => numbered.push((*number, value)),
                (Family::V4, None, Ok(value)) if key == "neigh/proxy_delay" => {
                    requests.push(Self::delay_of_proxy(interface, value));
                }
                _ => others.push(setting),
            }
        }
        if !numbered.is_empty() {
            requests.push(Self::configure(interface, &numbered));
        }
        (requests, others)
    }

    fn configure(interface: u32, values: &[(u16, u32)]) -> Self {
        let values: Vec<DefaultNla> = values
            .iter()
            .map(|(number, value)| DefaultNla::new(*number, value.to_ne_bytes().to_vec()))
            .collect();
        let mut bytes = vec![0; values.as_slice().buffer_len()];
        values.as_slice().emit(&mut bytes);
        let all = DefaultNla::new(CONFIGURATION | NLA_F_NESTED, bytes);
        let mut message = LinkMessage::default();
        message.header.index = interface;
        message.attributes = vec![LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet(vec![
            AfSpecInet::Other(all),
        ])])];
        let operation = format!("make settings of IPv4 of interface {interface}");
        Self::new(RouteNetlinkMessage::SetLink(message), 0, operation)
    }

    fn delay_of_proxy(interface: u32, value: u32) -> Self {
        let mut message = NeighbourTableMessage::default();
        message.header.family = AddressFamily::Inet;
        message.attributes = vec![
            NeighbourTableAttribute::Name(NEIGHBOURS.into()),
            NeighbourTableAttribute::Parms(vec![
                NeighbourTableParameter::Ifindex(interface),
                NeighbourTableParameter::ProxyDelay(u64::from(value) * MILLISECONDS),
            ]),
        ];
        let operation = format!("set the delay of proxy_arp of interface {interface}");
        let message = RouteNetlinkMessage::SetNeighbourTable(message);
        Self::new(message, 0, operation)
    }
}
