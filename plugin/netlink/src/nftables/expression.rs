//! Expressions lowered to the kernel's register machine.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{DefaultNla, NLA_F_NESTED};
use netlink_packet_netfilter::nftables::{
    Bitwise, Cmp, DataAttribute, ExpressionAttribute, Expressions, Immediate, ListAttribute,
    Lookup, Meta, MetaKey, Operator, Payload, Register, Verdict, VerdictAttribute,
};

use super::model::{Direction, Expression, Family, Protocol, Rule};
use crate::route::Family as AddressFamily;

/// `NFPROTO_IPV4`.
const PROTOCOL_IPV4: u8 = 2;
/// `NFPROTO_IPV6`.
const PROTOCOL_IPV6: u8 = 10;
/// `NFT_PAYLOAD_NETWORK_HEADER`.
const NETWORK_HEADER: u32 = 1;
/// `NFT_LOOKUP_F_INV`.
const INVERTED: u32 = 1;
/// `NF_ACCEPT`.
const ACCEPT: u32 = 1;
/// `NF_DROP`.
const DROP: u32 = 0;
/// `NFTA_FIB_DREG`, `NFTA_FIB_RESULT` and `NFTA_FIB_FLAGS`.
const FIB_FIELDS: [u16; 3] = [1, 2, 3];
/// `NFT_REG_1`.
const REGISTER_1: u32 = 1;
/// `NFT_FIB_RESULT_OIF`.
const FIB_INTERFACE: u32 = 1;
/// `NFTA_FIB_F_SADDR`, `NFTA_FIB_F_IIF` and `NFTA_FIB_F_PRESENT`.
const FIB_SOURCE_PRESENT: u32 = 1 | 1 << 3 | 1 << 5;
/// `NFTA_MASQ_FLAGS`.
const MASQUERADE_FLAGS: u16 = 1;
/// `NF_NAT_RANGE_PROTO_RANDOM_FULLY`.
const RANDOM_FULLY: u32 = 1 << 4;
/// `NFTA_MATCH_NAME`, `NFTA_MATCH_REV` and `NFTA_MATCH_INFO`.
const MATCH_FIELDS: [u16; 3] = [1, 2, 3];
/// Revision of `struct xt_conntrack_mtinfo3`.
const CONNTRACK_REVISION: u32 = 3;
/// Its size, rounded up as iptables does.
const CONNTRACK_BYTES: usize = 168;
/// Its `match_flags`, and `XT_CONNTRACK_STATE` in them.
const CONNTRACK_ASKED: (usize, u16) = (146, 1);
/// Its `state_mask`, and `XT_CONNTRACK_STATE_DNAT` in it.
const CONNTRACK_STATES: (usize, u16) = (150, 1 << 7);
/// `NFTA_COUNTER_BYTES` and `NFTA_COUNTER_PACKETS`.
const COUNTER_FIELDS: [u16; 2] = [1, 2];

/// The kernel's expressions of one rule of a table of `family`.
pub(super) fn lower(family: Family, rule: &Rule) -> Vec<ListAttribute<ExpressionAttribute>> {
    rule.expressions
        .iter()
        .flat_map(|expression| lower_one(family, expression))
        .map(ListAttribute::from)
        .collect()
}

fn lower_one(family: Family, expression: &Expression) -> Vec<Expressions> {
    match expression {
        Expression::InNetwork(direction, network) => in_network(family, *direction, network),
        Expression::InSet(direction, address_family, set) => {
            in_set(family, *direction, *address_family, set, false)
        }
        Expression::NotInSet(direction, address_family, set) => {
            in_set(family, *direction, *address_family, set, true)
        }
        Expression::DestinationTranslated => vec![destination_translated()],
        Expression::FromInterfaces(prefix) => vec![
            Expressions::Meta(vec![
                Meta::DestinationRegister(Register::Reg1),
                Meta::Key(MetaKey::Iifname),
            ]),
            equals(prefix.clone().into_bytes()),
        ],
        Expression::SentBy(protocol, set) => sent_by(*protocol, set),
        Expression::NoWayBack => vec![way_back(), equals(vec![0; 4])],
        Expression::Counter => vec![counter()],
        Expression::Accept => vec![verdict(ACCEPT)],
        Expression::Drop => vec![verdict(DROP)],
        Expression::Masquerade => vec![Expressions::Other {
            expression_type: "masq".to_owned(),
            attributes: vec![DefaultNla::new(
                MASQUERADE_FLAGS,
                RANDOM_FULLY.to_be_bytes().to_vec(),
            )],
        }],
    }
}

fn in_network(family: Family, direction: Direction, network: &IpNet) -> Vec<Expressions> {
    let mut lowered = load_address(family, direction, AddressFamily::of(network.addr()));
    let mask = octets(network.netmask());
    if network.prefix_len() < network.max_prefix_len() {
        let length = u32::from(network.max_prefix_len() / 8);
        lowered.push(Expressions::Bitwise(vec![
            Bitwise::SourceRegister(Register::Reg1),
            Bitwise::DestinationRegister(Register::Reg1),
            Bitwise::Length(length),
            Bitwise::Xor(DataAttribute::Value(vec![0; mask.len()])),
            Bitwise::Mask(DataAttribute::Value(mask)),
        ]));
    }
    lowered.push(equals(octets(network.network())));
    lowered
}

fn in_set(
    family: Family,
    direction: Direction,
    address_family: AddressFamily,
    set: &str,
    inverted: bool,
) -> Vec<Expressions> {
    let mut lowered = load_address(family, direction, address_family);
    let mut lookup = vec![
        Lookup::Set(set.to_owned()),
        Lookup::SourceRegister(Register::Reg1),
    ];
    if inverted {
        lookup.push(Lookup::Flags(INVERTED));
    }
    lowered.push(Expressions::Lookup(lookup));
    lowered
}

/// The name of the incoming interface, which fills register 1, and the address behind it are one key.
fn sent_by(protocol: Protocol, set: &str) -> Vec<Expressions> {
    let (ether_type, offset, length): (u16, u32, u32) = match protocol {
        // Behind the addresses' kinds and lengths, the operation and the sender's hardware address (RFC 826).
        Protocol::Arp => (0x0806, 14, 4),
        Protocol::Ipv4 => (0x0800, offset(AddressFamily::V4, Direction::Source), 4),
        Protocol::Ipv6 => (0x86dd, offset(AddressFamily::V6, Direction::Source), 16),
    };
    let meta = |key| {
        Expressions::Meta(vec![
            Meta::DestinationRegister(Register::Reg1),
            Meta::Key(key),
        ])
    };
    vec![
        meta(MetaKey::EtherTypeProtocol),
        equals(ether_type.to_be_bytes().to_vec()),
        meta(MetaKey::Iifname),
        Expressions::Payload(vec![
            Payload::DestinationRegister(Register::Reg2),
            Payload::Base(NETWORK_HEADER),
            Payload::Offset(offset),
            Payload::Len(length),
        ]),
        Expressions::Lookup(vec![
            Lookup::Set(set.to_owned()),
            Lookup::SourceRegister(Register::Reg1),
        ]),
    ]
}

/// Loads an address into register 1. A table of both families first has to ask which one it is.
fn load_address(
    family: Family,
    direction: Direction,
    address_family: AddressFamily,
) -> Vec<Expressions> {
    let (protocol, length) = match address_family {
        AddressFamily::V4 => (PROTOCOL_IPV4, 4),
        AddressFamily::V6 => (PROTOCOL_IPV6, 16),
    };
    let mut lowered = Vec::new();
    if family == Family::Inet {
        lowered.push(Expressions::Meta(vec![
            Meta::DestinationRegister(Register::Reg1),
            Meta::Key(MetaKey::Nfproto),
        ]));
        lowered.push(equals(vec![protocol]));
    }
    lowered.push(Expressions::Payload(vec![
        Payload::DestinationRegister(Register::Reg1),
        Payload::Base(NETWORK_HEADER),
        Payload::Offset(offset(address_family, direction)),
        Payload::Len(length),
    ]));
    lowered
}

/// Where an address lies in the network header.
fn offset(family: AddressFamily, direction: Direction) -> u32 {
    match (family, direction) {
        (AddressFamily::V4, Direction::Source) => 12,
        (AddressFamily::V4, Direction::Destination) => 16,
        (AddressFamily::V6, Direction::Source) => 8,
        (AddressFamily::V6, Direction::Destination) => 24,
    }
}

/// Base and offset of the addresses of a packet that can be in `network`.
pub(super) fn addresses(network: &IpNet) -> [(u32, u32); 2] {
    let family = AddressFamily::of(network.addr());
    [Direction::Source, Direction::Destination]
        .map(|direction| (NETWORK_HEADER, offset(family, direction)))
}

fn equals(value: Vec<u8>) -> Expressions {
    Expressions::Cmp(vec![
        Cmp::SourceRegister(Register::Reg1),
        Cmp::Op(Operator::Equal),
        Cmp::Data(DataAttribute::Value(value)),
    ])
}

fn verdict(code: u32) -> Expressions {
    Expressions::Immediate(vec![
        Immediate::DestinationRegister(Register::Verdict),
        Immediate::Data(DataAttribute::Verdict(vec![VerdictAttribute::Code(
            Verdict::Other(code),
        )])),
    ])
}

fn destination_translated() -> Expressions {
    let mut info = vec![0; CONNTRACK_BYTES];
    for (offset, value) in [CONNTRACK_ASKED, CONNTRACK_STATES] {
        info[offset..offset + 2].copy_from_slice(&value.to_ne_bytes());
    }
    let [name, revision, content] = MATCH_FIELDS;
    Expressions::Other {
        expression_type: "match".to_owned(),
        attributes: vec![
            DefaultNla::new(name, b"conntrack\0".to_vec()),
            DefaultNla::new(revision, CONNTRACK_REVISION.to_be_bytes().to_vec()),
            DefaultNla::new(content, info),
        ],
    }
}

/// Loads into register 1 whether a route to the source leads over the incoming interface.
fn way_back() -> Expressions {
    let values = [REGISTER_1, FIB_INTERFACE, FIB_SOURCE_PRESENT];
    let fields = FIB_FIELDS.iter().zip(values);
    Expressions::Other {
        expression_type: "fib".to_owned(),
        attributes: fields
            .map(|(kind, value)| DefaultNla::new(*kind, value.to_be_bytes().to_vec()))
            .collect(),
    }
}

fn counter() -> Expressions {
    Expressions::Other {
        expression_type: "counter".to_owned(),
        attributes: COUNTER_FIELDS
            .iter()
            .map(|kind| DefaultNla::new(*kind & !NLA_F_NESTED, vec![0; 8]))
            .collect(),
    }
}

pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}
