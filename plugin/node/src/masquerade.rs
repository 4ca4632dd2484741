//! Masquerading of traffic that leaves the pod network.
//!
//! One table of nftables, `inet signpost`: packets from this node's pods get the node's address,
//! unless they go to an exempt destination. It is replaced as a whole in one batch, so that packets
//! never meet half of it, and only if it does not stand as wanted, down to each expression and element.

use ipnet::IpNet;
use signpost_netlink::Family as AddressFamily;
use signpost_netlink::nftables::{
    AddressRanges, BaseChain, Batch, Chain, ChainKind, Direction, Expression, Family, Hook, Policy,
    Rule, Set, Socket, Table,
};
use tracing::info;

/// Name of the table.
pub const TABLE: &str = "signpost";
const CHAIN: &str = "postrouting";
/// Priority of source NAT.
const SOURCE_NAT: i32 = 100;

/// The table that masquerades packets from `pods`, but not to `exempt`; `None` if there is nothing to
/// masquerade.
pub fn table(pods: &[IpNet], exempt: &[IpNet]) -> Option<Table> {
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
                ranges,
            });
        }
    }
    if rules.is_empty() {
        return None;
    }
    let base = BaseChain {
        kind: ChainKind::Nat,
        hook: Hook::Postrouting,
        priority: SOURCE_NAT,
        policy: Policy::Accept,
    };
    Some(Table {
        family: Family::Inet,
        name: TABLE.to_owned(),
        comment: "kept by signpost-node".to_owned(),
        sets,
        chains: vec![Chain {
            name: CHAIN.to_owned(),
            base: Some(base),
            rules,
        }],
    })
}

fn multicast(family: AddressFamily) -> IpNet {
    match family {
        AddressFamily::V4 => IpNet::new_assert([224, 0, 0, 0].into(), 4),
        AddressFamily::V6 => IpNet::new_assert([0xff00, 0, 0, 0, 0, 0, 0, 0].into(), 8),
    }
}

/// Makes the table stand as wanted; `None` means that there shall be none.
pub fn ensure(socket: &mut Socket, wanted: Option<&Table>) -> signpost_netlink::Result<()> {
    let mut batch = Batch::new();
    match wanted {
        Some(table) if socket.stands(table)? => {}
        Some(table) => {
            batch.replace_table(table);
            socket.commit(batch)?;
            let elements: usize = table
                .sets
                .iter()
                .map(|set| set.ranges.element_count())
                .sum();
            info!(exempt_bounds = elements, "wrote the masquerading rules");
        }
        None if is_there(socket)? => {
            batch.remove_table(Family::Inet, TABLE);
            socket.commit(batch)?;
            info!("removed the masquerading rules");
        }
        None => {}
    }
    Ok(())
}

fn is_there(socket: &mut Socket) -> signpost_netlink::Result<bool> {
    let tables = socket.tables()?;
    Ok(tables
        .iter()
        .any(|table| table.family == Family::Inet && table.name == TABLE))
}
