//! Masquerading of traffic that leaves the pod network.
//!
//! Packets from this node's pods get the node's address, unless they go to an exempt destination.

use ipnet::IpNet;
use signpost_netlink::Family as AddressFamily;
use signpost_netlink::nftables::{
    AddressRanges, BaseChain, Chain, ChainKind, Content, Direction, Expression, Hook, Policy, Rule,
    Set,
};

const CHAIN: &str = "postrouting";
/// Priority of source NAT.
const SOURCE_NAT: i32 = 100;

/// The chain that masquerades packets from `pods`, but not to `exempt`, with the sets that it refers to.
pub(crate) fn chain(pods: &[IpNet], exempt: &[IpNet]) -> (Chain, Vec<Set>) {
    let mut sets = Vec::new();
    let mut rules = Vec::new();
    for (family, set) in [
        (AddressFamily::V4, "exempt4"),
        (AddressFamily::V6, "exempt6"),
    ] {
        let of_family = pods
            .iter()
            .filter(|pods| AddressFamily::of(pods.addr()) == family);
        let before = rules.len();
        rules.extend(of_family.map(|pods| Rule {
            expressions: vec![
                Expression::InNetwork(Direction::Source, *pods),
                Expression::NotInSet(Direction::Destination, family, set.to_owned()),
                Expression::Counter,
                Expression::Masquerade,
            ],
            comment: "pods of this node to outside the pod network".to_owned(),
        }));
        if rules.len() > before {
            let ranges = AddressRanges::new(family, exempt.iter().chain(&[multicast(family)]));
            sets.push(Set {
                name: set.to_owned(),
                content: Content::Ranges(ranges),
            });
        }
    }
    let base = BaseChain {
        kind: ChainKind::Nat,
        hook: Hook::Postrouting,
        priority: SOURCE_NAT,
        policy: Policy::Accept,
    };
    let chain = Chain {
        name: CHAIN.to_owned(),
        base: Some(base),
        rules,
    };
    (chain, sets)
}

fn multicast(family: AddressFamily) -> IpNet {
    match family {
        AddressFamily::V4 => IpNet::new_assert([224, 0, 0, 0].into(), 4),
        AddressFamily::V6 => IpNet::new_assert([0xff00, 0, 0, 0, 0, 0, 0, 0].into(), 8),
    }
}
