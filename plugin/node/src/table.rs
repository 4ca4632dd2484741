//! The agent's table of nftables, `inet signpost`.
//!
//! It is replaced as a whole in one batch, so that packets never meet half of it, and only if it does not
//! stand as wanted, down to each expression and element.

use ipnet::IpNet;
use signpost_netlink::nftables::{Batch, Content, Family, Socket, Table};
use tracing::info;

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
pub fn ensure(socket: &mut Socket, wanted: &Table) -> signpost_netlink::Result<()> {
    if socket.stands(wanted)? {
        return Ok(());
    }
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
}
