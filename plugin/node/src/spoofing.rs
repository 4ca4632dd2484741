//! Pods send from their own addresses only.
//!
//! In IPv4 the host ends' `rp_filter` sees to it; IPv6 has none. So a packet from a pod is dropped unless the
//! route back to its source leads to that pod, and the route to a pod's address leads there alone.

use ipnet::IpNet;
use signpost_netlink::HOST_INTERFACE_PREFIX;
use signpost_netlink::nftables::{
    BaseChain, Chain, ChainKind, Direction, Expression, Hook, Policy, Rule,
};

/// Before connections are tracked: what is dropped leaves no trace.
const RAW: i32 = -300;

/// The chain that drops what pods send from addresses that are not theirs.
pub(crate) fn chain() -> Chain {
    let from_pods = Expression::FromInterfaces(HOST_INTERFACE_PREFIX.to_owned());
    let link_local = IpNet::new_assert([0xfe80, 0, 0, 0, 0, 0, 0, 0].into(), 10);
    let base = BaseChain {
        kind: ChainKind::Filter,
        hook: Hook::Prerouting,
        priority: RAW,
        policy: Policy::Accept,
    };
    Chain {
        name: "prerouting".to_owned(),
        base: Some(base),
        rules: vec![
            Rule {
                expressions: vec![
                    from_pods.clone(),
                    Expression::InNetwork(Direction::Source, link_local),
                    Expression::Accept,
                ],
                comment: "neighbour discovery, which never leaves the link".to_owned(),
            },
            Rule {
                expressions: vec![
                    from_pods,
                    Expression::NoWayBack,
                    Expression::Counter,
                    Expression::Drop,
                ],
                comment: "pods that send from an address that is not theirs".to_owned(),
            },
        ],
    }
}
