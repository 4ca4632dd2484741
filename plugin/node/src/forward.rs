//! Forwarding where the FORWARD policy is DROP, as Docker sets it.
//!
//! A verdict "accept" in a table of one's own does not help there: it ends that table's chain only,
//! and the packet still meets the dropping chain. So the acceptance has to stand in that chain itself.
//! It is added at the end, just before the policy would apply: rules of others, such as those of a
//! network policy engine, still decide first.
//!
//! This is done for the chains of the `iptables` program (its nftables variant) natively, for those of
//! the legacy variant in [`crate::iptables_legacy`]. Dropping chains of other tables are somebody's
//! own firewall: they are named in the log and left alone.

use std::collections::BTreeSet;

use ipnet::IpNet;
use signpost_netlink::Family as AddressFamily;
use signpost_netlink::nftables::{
    Batch, ChainEntry, Direction, Expression, Family, Policy, Rule, Socket,
};
use tracing::info;

/// What the comments of rules begin with that this agent has added.
const MARK: &str = "signpost: ";
/// Number of the hook for forwarded packets.
const FORWARD_HOOK: u32 = 2;

/// Lets packets from and to `pods` pass the FORWARD chains of `iptables` that drop by policy.
///
/// Returns the names of dropping chains that are not those of `iptables`, for the log.
pub fn ensure(socket: &mut Socket, pods: &[IpNet]) -> signpost_netlink::Result<BTreeSet<String>> {
    let mut others = BTreeSet::new();
    let dropping = socket
        .chains()?
        .into_iter()
        .filter(|chain| chain.hook == Some(FORWARD_HOOK) && chain.policy == Some(Policy::Drop));
    for chain in dropping {
        if let Some(family) = iptables_family(&chain) {
            accept(socket, &chain, &rules(family, pods))?;
        } else {
            let family = format!("{:?}", chain.family).to_lowercase();
            others.insert(format!("{family} {} {}", chain.table, chain.name));
        }
    }
    Ok(others)
}

fn iptables_family(chain: &ChainEntry) -> Option<AddressFamily> {
    match (chain.family, chain.table.as_str(), chain.name.as_str()) {
        (Family::Ip, "filter", "FORWARD") => Some(AddressFamily::V4),
        (Family::Ip6, "filter", "FORWARD") => Some(AddressFamily::V6),
        _ => None,
    }
}

fn rules(family: AddressFamily, pods: &[IpNet]) -> Vec<Rule> {
    let of_family = pods
        .iter()
        .filter(|pods| AddressFamily::of(pods.addr()) == family);
    of_family
        .flat_map(|pods| {
            [(Direction::Source, "from"), (Direction::Destination, "to")].map(
                |(direction, word)| Rule {
                    expressions: vec![
                        Expression::InNetwork(direction, *pods),
                        Expression::Counter,
                        Expression::Accept,
                    ],
                    comment: format!("{MARK}{word} {pods}"),
                },
            )
        })
        .collect()
}

/// Makes the wanted rules stand in the chain, and no others of this agent.
fn accept(
    socket: &mut Socket,
    chain: &ChainEntry,
    wanted: &[Rule],
) -> signpost_netlink::Result<()> {
    let present = socket.rules(chain.family, &chain.table, &chain.name)?;
    let ours = || present.iter().filter(|rule| rule.comment.starts_with(MARK));
    if ours()
        .map(|rule| &rule.comment)
        .eq(wanted.iter().map(|rule| &rule.comment))
    {
        return Ok(());
    }
    let mut batch = Batch::new();
    for rule in ours() {
        batch.delete_rule(chain.family, &chain.table, &chain.name, rule.handle);
    }
    for rule in wanted {
        batch.add_rule(chain.family, &chain.table, &chain.name, rule, None);
    }
    socket.commit(batch)?;
    info!(
        family = ?chain.family,
        rules = wanted.len(),
        "the policy of the FORWARD chain is DROP: added rules that accept pod traffic"
    );
    Ok(())
}
