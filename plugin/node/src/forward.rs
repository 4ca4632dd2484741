//! Forwarding through FORWARD chains that drop, as Docker, RHEL's images and firewalld make them.
//!
//! A verdict "accept" in a table of one's own does not help there: it ends that table's chain only,
//! and the packet still meets the dropping chain. So the acceptance has to stand in that chain itself,
//! just before what drops: rules of others, such as those of a network policy engine, decide first.
//!
//! What drops is read from the chains: the first rule that every packet meets and that drops it, else
//! the policy. A packet sent through the kernel on trial would tell of that packet alone: rules ask for
//! interfaces, marks and states that a trial pair has not, and policy engines and counters would see
//! traffic that is none. The end of a chain, in contrast, is certain. Whether a rule of others before it
//! accepts pods' packets already need not be known to add rules behind it.
//!
//! That is done for the chains of the `iptables` program (its nftables variant) natively, for those of
//! the legacy variant in [`crate::iptables_legacy`]. Dropping chains of other tables are somebody's
//! own firewall and are left alone: they are named with the remedy, unless a rule of theirs asks for
//! the pod ranges. Of a drop that hides behind other rules in a chain that is jumped to nothing is said.

use std::collections::BTreeSet;

use ipnet::IpNet;
use signpost_netlink::Family as AddressFamily;
use signpost_netlink::nftables::{
    Batch, ChainEntry, Direction, Expression, Family, Policy, Rule, RuleEntry, Socket, Verdict,
};
use tracing::info;

use crate::hand::Hand;

/// What the comments of rules begin with that this agent has added.
const MARK: &str = "signpost: ";
/// Number of the hook for forwarded packets.
const HOOK: u32 = 2;
/// How deep chains are followed; the kernel allows no deeper jumps.
const DEEPEST: usize = 16;

/// Lets packets from and to `pods`, and those of translated connections, pass the FORWARD chains of
/// `iptables`. Where none drops, no rules of this agent remain.
///
/// Returns what stops packets in chains that are not those of `iptables`, each with its remedy.
pub fn ensure(
    socket: &mut Socket,
    pods: &[IpNet],
    hand: &mut Hand,
) -> signpost_netlink::Result<BTreeSet<String>> {
    let tables = socket.tables()?;
    let asleep = |chain: &ChainEntry| {
        tables.iter().any(|table| {
            table.is_dormant() && (table.family, &table.name) == (chain.family, &chain.table)
        })
    };
    let mut obstacles = BTreeSet::new();
    for chain in socket.chains()? {
        if chain.hook != Some(HOOK) || asleep(&chain) {
            continue;
        }
        let rules = socket.rules(chain.family, &chain.table, &chain.name)?;
        let end = end(socket, &chain, &rules)?;
        match iptables_family(chain.family, &chain.table, &chain.name) {
            Some(family) => accept(socket, &chain, &rules, &end, &wanted(family, pods), hand)?,
            None => obstacles.extend(obstacle(socket, &chain, &end, pods)?),
        }
    }
    Ok(obstacles)
}

/// Removes the rules of this agent from the FORWARD chains of `iptables`.
pub fn remove(socket: &mut Socket, hand: &mut Hand) -> signpost_netlink::Result<()> {
    for chain in socket.chains()? {
        if iptables_family(chain.family, &chain.table, &chain.name).is_some() {
            let rules = socket.rules(chain.family, &chain.table, &chain.name)?;
            accept(socket, &chain, &rules, &End::Pass, &[], hand)?;
        }
    }
    Ok(())
}

/// The address family of a chain, if it is a FORWARD chain of `iptables`.
pub fn iptables_family(family: Family, table: &str, chain: &str) -> Option<AddressFamily> {
    match (family, table, chain) {
        (Family::Ip, "filter", "FORWARD") => Some(AddressFamily::V4),
        (Family::Ip6, "filter", "FORWARD") => Some(AddressFamily::V6),
        _ => None,
    }
}

/// What becomes of packets that no rule with a condition decides.
enum End<'a> {
    Pass,
    DropByPolicy,
    DropBy(&'a RuleEntry),
}

fn end<'a>(
    socket: &mut Socket,
    chain: &ChainEntry,
    rules: &'a [RuleEntry],
) -> signpost_netlink::Result<End<'a>> {
    for rule in rules {
        match &rule.verdict() {
            Some(Verdict::Accept) => return Ok(End::Pass),
            Some(Verdict::Drop | Verdict::Reject) => return Ok(End::DropBy(rule)),
            Some(Verdict::Jump(target) | Verdict::Goto(target))
                if drops_all(socket, chain, target)? =>
            {
                return Ok(End::DropBy(rule));
            }
            Some(Verdict::Return | Verdict::Goto(_)) => break,
            Some(Verdict::Jump(_)) | None => {}
        }
    }
    Ok(match chain.policy {
        Some(Policy::Drop) => End::DropByPolicy,
        _ => End::Pass,
    })
}

/// Whether a chain that is jumped to drops by its very first rule, as ufw's `ufw-reject-forward` does.
fn drops_all(
    socket: &mut Socket,
    from: &ChainEntry,
    chain: &str,
) -> signpost_netlink::Result<bool> {
    let mut chain = chain.to_owned();
    for _ in 0..DEEPEST {
        let rules = socket.rules(from.family, &from.table, &chain)?;
        match rules.first().and_then(RuleEntry::verdict) {
            Some(Verdict::Drop | Verdict::Reject) => return Ok(true),
            Some(Verdict::Jump(next) | Verdict::Goto(next)) => chain = next,
            _ => return Ok(false),
        }
    }
    Ok(false)
}

/// The rules that let packets pass: of pods, and of connections whose destination was translated. Of
/// those both ends may be nodes, such as a client's node and the one of a `NodePort`'s backend that is on
/// its node's network.
fn wanted(family: AddressFamily, pods: &[IpNet]) -> Vec<Rule> {
    let accept = |condition, what: String| Rule {
        expressions: vec![condition, Expression::Counter, Expression::Accept],
        comment: format!("{MARK}{what}"),
    };
    let mut rules: Vec<_> = of_family(pods, Some(family))
        .flat_map(|pods| {
            [(Direction::Source, "from"), (Direction::Destination, "to")].map(
                |(direction, word)| {
                    let condition = Expression::InNetwork(direction, *pods);
                    accept(condition, format!("{word} {pods}"))
                },
            )
        })
        .collect();
    if !rules.is_empty() {
        rules.push(accept(
            Expression::DestinationTranslated,
            "translated destinations".to_owned(),
        ));
    }
    rules
}

fn of_family(pods: &[IpNet], family: Option<AddressFamily>) -> impl Iterator<Item = &IpNet> {
    pods.iter()
        .filter(move |pods| family.is_none_or(|family| AddressFamily::of(pods.addr()) == family))
}

/// Makes the wanted rules stand just before the chain's end, and no others of this agent.
fn accept(
    socket: &mut Socket,
    chain: &ChainEntry,
    present: &[RuleEntry],
    end: &End<'_>,
    wanted: &[Rule],
    hand: &mut Hand,
) -> signpost_netlink::Result<()> {
    let (wanted, before) = match end {
        End::Pass => (&[][..], None),
        End::DropByPolicy => (wanted, None),
        End::DropBy(rule) => (wanted, Some(rule.handle)),
    };
    let is_ours = |rule: &&RuleEntry| rule.comment.starts_with(MARK);
    let ours: Vec<_> = present.iter().filter(is_ours).collect();
    let reached = present
        .iter()
        .position(|rule| Some(rule.handle) == before)
        .unwrap_or(present.len());
    let place = &present[reached.saturating_sub(wanted.len())..reached];
    let stand = ours.len() == wanted.len()
        && place.len() == wanted.len()
        && place
            .iter()
            .zip(wanted)
            .all(|(rule, wanted)| rule.is(chain.family, wanted));
    if stand {
        return Ok(());
    }
    let what = difference(chain, &ours, wanted);
    hand.make(what.clone(), || {
        let mut batch = Batch::new();
        for rule in ours {
            batch.delete_rule(chain.family, &chain.table, &chain.name, rule.handle);
        }
        for rule in wanted {
            batch.add_rule(chain.family, &chain.table, &chain.name, rule, before);
        }
        socket.commit(batch)?;
        info!("{what}");
        Ok(())
    })
}

/// What is changed in a chain, in words.
fn difference(chain: &ChainEntry, ours: &[&RuleEntry], wanted: &[Rule]) -> String {
    let family = format!("{:?}", chain.family).to_lowercase();
    let mut what = Vec::new();
    if !ours.is_empty() {
        what.push(format!("delete {} rules of Signpost's", ours.len()));
    }
    if !wanted.is_empty() {
        let comments = wanted.iter().map(|rule| rule.comment.as_str());
        let which = comments.map(|comment| comment.trim_start_matches(MARK));
        let which = which.collect::<Vec<_>>().join(", ");
        what.push(format!("add rules that accept packets ({which})"));
    }
    let (what, table, name) = (what.join(" and "), &chain.table, &chain.name);
    format!("in the nftables chain {family} {table} {name}, {what}")
}

/// Says how a chain of somebody else stops the pods' packets, if it may.
fn obstacle(
    socket: &mut Socket,
    chain: &ChainEntry,
    end: &End<'_>,
    pods: &[IpNet],
) -> signpost_netlink::Result<Option<String>> {
    let how = match end {
        End::Pass => return Ok(None),
        End::DropByPolicy => "by policy".to_owned(),
        End::DropBy(rule) => {
            let handle = rule.handle;
            let verdict = match rule.verdict() {
                Some(Verdict::Reject) => "reject".to_owned(),
                Some(Verdict::Jump(target) | Verdict::Goto(target)) => format!("jump {target}"),
                _ => "drop".to_owned(),
            };
            format!("by its rule `{verdict}` (handle {handle})")
        }
    };
    let family = match chain.family {
        Family::Inet => None,
        Family::Ip => Some(AddressFamily::V4),
        Family::Ip6 => Some(AddressFamily::V6),
        // It sees nothing of what is routed.
        Family::Bridge => return Ok(None),
    };
    let rules = socket.rules_of_table(chain.family, &chain.table)?;
    let unasked: Vec<_> = of_family(pods, family)
        .filter(|pods| !rules.iter().any(|rule| rule.asks_for(pods)))
        .collect();
    if unasked.is_empty() {
        return Ok(None);
    }
    let family = format!("{:?}", chain.family).to_lowercase();
    let (table, name) = (&chain.table, &chain.name);
    let ranges: Vec<_> = unasked.iter().map(ToString::to_string).collect();
    let remedy = if table == "firewalld" {
        let sources: Vec<_> = ranges
            .iter()
            .map(|range| format!(" --add-source={range}"))
            .collect();
        format!(
            "`firewall-cmd --permanent --zone=trusted{}` and `firewall-cmd --reload`, and the same \
             with the nodes' addresses where other nodes are to reach pods",
            sources.concat()
        )
    } else {
        format!("add rules there that accept {}", ranges.join(" and "))
    };
    Ok(Some(format!(
        "nftables chain {family} {table} {name} drops forwarded packets {how}, those of pods too if \
         no rule before accepts them: {remedy}"
    )))
}
