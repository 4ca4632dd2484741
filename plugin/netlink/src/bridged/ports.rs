//! Which addresses a port may send from: looked at where frames come in, since behind that they are all the
//! bridge's.

use std::net::IpAddr;

use crate::error::Result;
use crate::nftables::{
    self, BaseChain, Batch, Chain, ChainKind, Content, Expression, Hook, Policy, Protocol, Rule,
    Set, Table,
};
use crate::route::Family;
use crate::wiring::HOST_INTERFACE_PREFIX;

/// `NF_BR_PRI_FIRST` is lower still; the bridge's own address translation begins at -300.
const PRIORITY: i32 = -400;

/// The table of what pods may send into a bridge: packets from their own addresses, and nothing else.
pub fn port_table() -> Table {
    let from_pods = || Expression::FromInterfaces(HOST_INTERFACE_PREFIX.to_owned());
    let own = |protocol, family| Rule {
        expressions: vec![
            from_pods(),
            Expression::SentBy(protocol, set(family).to_owned()),
            Expression::Accept,
        ],
        comment: String::new(),
    };
    let base = BaseChain {
        kind: ChainKind::Filter,
        hook: Hook::Prerouting,
        priority: PRIORITY,
        policy: Policy::Accept,
    };
    Table {
        family: nftables::Family::Bridge,
        name: "signpost".to_owned(),
        comment: "kept by signpost-cni and signpost-node".to_owned(),
        sets: [Family::V4, Family::V6]
            .map(|family| Set {
                name: set(family).to_owned(),
                content: Content::InterfaceAddresses(family),
            })
            .into(),
        chains: vec![Chain {
            name: "prerouting".to_owned(),
            base: Some(base),
            rules: vec![
                own(Protocol::Ipv4, Family::V4),
                own(Protocol::Ipv6, Family::V6),
                own(Protocol::Arp, Family::V4),
                Rule {
                    expressions: vec![from_pods(), Expression::Counter, Expression::Drop],
                    comment: "pods that send from an address that is not theirs".to_owned(),
                },
            ],
        }],
    }
}

fn set(family: Family) -> &'static str {
    match family {
        Family::V4 => "ports4",
        Family::V6 => "ports6",
    }
}

/// Lets a port send from these addresses. Where the table is not there it is made.
pub fn admit(socket: &mut nftables::Socket, port: &str, addresses: &[IpAddr]) -> Result<()> {
    let table = port_table();
    let add = |mut batch: Batch| {
        for address in addresses {
            batch.add_interface_address(&table, set(Family::of(*address)), port, *address);
        }
        batch
    };
    let missing = match socket.commit(add(Batch::new())) {
        Err(error) if error.is_not_found() => error,
        other => return other,
    };
    let mut batch = Batch::new();
    batch.create_table(&table);
    match socket.commit(add(batch)) {
        // Another was faster; it stands now, unless it is one that lacks a set.
        Err(error) if error.is_exists() => {
            let added = socket.commit(add(Batch::new()));
            added.map_err(|error| if error.is_not_found() { missing } else { error })
        }
        other => other,
    }
}

/// Takes that back, one by one, since another may be faster with some.
pub fn dismiss(
    socket: &mut nftables::Socket,
    port: &str,
    addresses: impl IntoIterator<Item = IpAddr>,
) -> Result<()> {
    let table = port_table();
    for address in addresses {
        let mut batch = Batch::new();
        batch.remove_interface_address(&table, set(Family::of(address)), port, address);
        match socket.commit(batch) {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The ports with the addresses that they may send from.
pub fn admitted(socket: &mut nftables::Socket) -> Result<Vec<(String, IpAddr)>> {
    let table = port_table();
    let mut all = Vec::new();
    for family in [Family::V4, Family::V6] {
        all.extend(socket.interface_addresses(&table, set(family))?);
    }
    Ok(all)
}
