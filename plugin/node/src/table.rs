//! The agent's table of nftables, `inet signpost`.
//!
//! It is replaced as a whole in one batch, so that packets never meet half of it, and only if it does not
//! stand as wanted, down to each expression and element.

use ipnet::IpNet;
use signpost_netlink::nftables::{Batch, Content, Family, Socket, Table, TableEntry};
use tracing::info;

use crate::hand::Hand;
use crate::{masquerade, spoofing};

/// Its name.
pub const NAME: &str = "signpost";

/// The table of a node with the subnets `pods`, from which packets are masqueraded but to `exempt`; not at all
/// where that is `None`.
pub fn table(pods: &[IpNet], exempt: Option<&[IpNet]>) -> Table {
    let mut chains = vec![spoofing::chain()];
    let mut sets = Vec::new();
    if let Some(exempt) = exempt {
        let (chain, its_sets) = masquerade::chain(pods, exempt);
        chains.push(chain);
        sets = its_sets;
    }
    Table {
        family: Family::Inet,
        name: NAME.to_owned(),
        comment: "kept by signpost-node".to_owned(),
        sets,
        chains,
    }
}

/// Makes the table stand as wanted.
pub fn ensure(
    socket: &mut Socket,
    wanted: &Table,
    hand: &mut Hand,
) -> signpost_netlink::Result<()> {
    if socket.stands(wanted)? {
        return Ok(());
    }
    let chains = wanted.chains.iter().map(|chain| chain.name.as_str());
    let chains = chains.collect::<Vec<_>>().join(" and ");
    let what = format!("write the nftables table inet {NAME} with its chains {chains}");
    hand.make(what, || {
        let mut batch = Batch::new();
        batch.replace_table(wanted);
        socket.commit(batch)?;
        let sets = wanted.sets.iter();
        let ranges = sets.filter_map(|set| match &set.content {
            Content::Ranges(ranges) => Some(ranges.element_count()),
            Content::InterfaceAddresses(_) => None,
        });
        let elements: usize = ranges.sum();
        info!(
            chains = wanted.chains.len(),
            exempt_bounds = elements,
            "wrote the rules of the node"
        );
        Ok(())
    })
}

/// Removes the table, if it is there.
pub fn remove(socket: &mut Socket, hand: &mut Hand) -> signpost_netlink::Result<()> {
    let is_ours = |table: &TableEntry| (table.family, table.name.as_str()) == (Family::Inet, NAME);
    if !socket.tables()?.iter().any(is_ours) {
        return Ok(());
    }
    hand.make(format!("remove the nftables table inet {NAME}"), || {
        let mut batch = Batch::new();
        batch.remove_table(Family::Inet, NAME);
        socket.commit(batch)
    })
}
