//! Routes on the router that others add, change and remove.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipnet::{IpNet, Ipv4Net};

use super::{Arena, Fault, fault};
use crate::addresses::EXTERNAL_V4;
use crate::blocks::following;
use crate::machine::Machine;
use crate::routes::{self, Routes};
use crate::{Traffic, objects};

pub(super) const FAULTS: &[Fault] = &[
    fault!(
        foreign_route_in_a_free_block,
        "somebody else's routes lie in the blocks that come next, and nodes join"
    ),
    fault!(
        foreign_route_in_a_held_block,
        "somebody else's routes appear inside and beside the blocks of nodes"
    ),
    fault!(
        routes_flushed,
        "somebody removes all of Signpost's routes from the router at once"
    ),
    fault!(
        route_changed,
        "somebody removes one of Signpost's routes, or lets it lead elsewhere"
    ),
];

/// Adds or removes a route of somebody else.
async fn foreign(router: &Machine, verb: &str, to: IpNet, metric: u32) -> Result<()> {
    let (to, via, metric) = (to.to_string(), EXTERNAL_V4.to_string(), metric.to_string());
    let argv = [
        "ip", "route", verb, &to, "via", &via, "proto", "static", "metric", &metric,
    ];
    router.run(&argv).await.map(drop)
}

/// The one block of a node.
async fn block(arena: &Arena, node: &str) -> Result<Ipv4Net> {
    match *objects::allocated(arena.cluster(), node).await? {
        [IpNet::V4(block)] => Ok(block),
        ref others => anyhow::bail!("{node} should have one IPv4 block: {others:?}"),
    }
}

async fn foreign_route_in_a_free_block(arena: &mut Arena) -> Result<()> {
    let foreign_before = inside(arena).await?;
    let first = arena.join_bare(1).await?;
    let mut next = block(arena, &first[0]).await?;
    let taken = routes::desired(arena.cluster()).await?;
    let mut in_the_way = Vec::new();
    for _ in 0..arena.choose(1..=3) {
        next = following(next)?;
        if !taken.contains_key(&next.into()) {
            let length = u8::try_from(arena.choose(24..=28))?;
            in_the_way.push(IpNet::V4(Ipv4Net::new(next.addr(), length)?));
        }
    }
    arena.did(format!("foreign: {in_the_way:?}"));
    for route in &in_the_way {
        foreign(arena.cluster().router(), "add", *route, 0).await?;
    }
    let count = foreign_before + u64::try_from(in_the_way.len())?;
    objects::status_becomes(arena.cluster(), "/routes/foreign", count).await?;

    let joined = arena.join_bare(in_the_way.len() + 1).await?;
    for name in &joined {
        objects::node_says(arena.cluster(), name, "False", "SignpostRouteCreated").await?;
        let block = IpNet::V4(block(arena, name).await?);
        let hit = in_the_way.iter().find(|route| block.contains(*route));
        ensure!(
            hit.is_none(),
            "{name} got {block}, where {hit:?} leads elsewhere"
        );
    }
    let kept = routes::of_protocol(arena.cluster().router(), "static").await?;
    for route in &in_the_way {
        ensure!(
            kept.contains_key(route),
            "{route} is not ours, and gone: {kept:?}"
        );
        foreign(arena.cluster().router(), "delete", *route, 0).await?;
    }
    Ok(())
}

/// How many foreign routes the status counts.
async fn inside(arena: &Arena) -> Result<u64> {
    objects::status_number(arena.cluster(), "/routes/foreign").await
}

async fn foreign_route_in_a_held_block(arena: &mut Arena) -> Result<()> {
    let bare = arena.join_bare(1).await?.remove(0);
    objects::node_says(arena.cluster(), &bare, "False", "SignpostRouteCreated").await?;
    // A part of the bare node's block; and all of a living node's, by a route that only counts where
    // there is no better one, so that its packets go on.
    let part = Ipv4Net::new(block(arena, &bare).await?.addr(), 26)?;
    let living = arena.choose_node()?;
    let whole = block(arena, &living).await?;
    arena.did(format!("{part} of {bare} and {whole} of {living}"));
    let before = routes::ours(arena.cluster()).await?;
    let added = [(&bare, part, 0), (&living, whole, 50)];
    for (_, route, metric) in &added {
        foreign(arena.cluster().router(), "add", (*route).into(), *metric).await?;
    }
    for (node, route, metric) in &added {
        let cluster = arena.cluster();
        // The part draws packets away, which is told. The other one counts for nothing beside ours.
        if *node == &bare {
            let said = objects::told(cluster, node, "RouteConflict").await?;
            ensure!(
                said.contains(&route.to_string()) && said.contains("; remove "),
                "{node}: {route} should be named with the remedy: {said}"
            );
        }
        objects::node_says(cluster, node, "False", "SignpostRouteCreated").await?;
        let ours = routes::ours(cluster).await?;
        ensure!(ours == before, "ours were {before:?}, they are {ours:?}");
        foreign(cluster.router(), "delete", (*route).into(), *metric).await?;
        objects::node_says(cluster, node, "False", "SignpostRouteCreated").await?;
    }
    Ok(())
}

async fn routes_flushed(arena: &mut Arena) -> Result<()> {
    let before = routes::ours(arena.cluster()).await?;
    let names = node_names(arena);
    let [from, to, ..] = names.as_slice() else {
        anyhow::bail!("there should be two nodes: {names:?}");
    };
    let (from, to) = (
        arena.mesh().pod(from)?.clone(),
        arena.mesh().pod(to)?.clone(),
    );
    excuse_all(arena).await?;
    let mut pings = Traffic::start(&from, to.address()?).await?;
    let took = mended(
        arena.cluster().router(),
        "ip route flush proto 143",
        &before,
    )
    .await?;
    let lap = pings.lap().await?;
    arena.did(format!(
        "{} routes flushed, mended after {} ms; {} of {} pings lost",
        before.len(),
        took.as_millis(),
        lap.lost,
        lap.sent
    ));
    objects::told(arena.cluster(), "default", "DriftMended").await?;
    Ok(())
}

async fn route_changed(arena: &mut Arena) -> Result<()> {
    let name = arena.choose_node()?;
    let node = arena.cluster().node(&name)?;
    let to = block(arena, &name).await?;
    let before = routes::ours(arena.cluster()).await?;
    let hop = IpAddr::V4(node.link().node_v4());
    let others = before.values().find(|other| **other != hop);
    let other = others.context("there is another node")?;
    let change = match arena.choose(0..=3) {
        0 => format!("ip route delete {to}"),
        1 => format!("ip route replace {to} via {other} proto 143"),
        2 => format!("ip route replace blackhole {to} proto 143"),
        // One more of ours that leads to nobody, in a block of nobody.
        _ => {
            let block = crate::blocks::unused(arena.cluster()).await?;
            format!("ip route add {block} via {other} proto 143")
        }
    };
    arena.excuse(&name).await?;
    let took = mended(arena.cluster().router(), &change, &before).await?;
    arena.did(format!("{change}; mended after {} ms", took.as_millis()));
    Ok(())
}

/// Changes the router's table by a command, waits until it is as before again, and says how long that
/// took. The router looks itself, as often as it can.
async fn mended(router: &Machine, change: &str, before: &Routes) -> Result<Duration> {
    let script = format!(
        "seen() {{ ip -4 route show proto 143 | sort; }}
         before=$(seen); {change} || exit 1
         begin=$(date +%s%N)
         until [ \"$(seen)\" = \"$before\" ]; do
           [ $(($(date +%s%N) - begin)) -lt 20000000000 ] || {{ seen; exit 1; }}
         done
         echo $(($(date +%s%N) - begin))"
    );
    let printed = router.run(&["sh", "-c", &script]).await;
    let printed = printed.with_context(|| format!("the routes should be {before:?} again"))?;
    let nanoseconds = printed.trim().parse().context(printed)?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// The names of all nodes that have machines.
pub(super) fn node_names(arena: &Arena) -> Vec<String> {
    let nodes = arena.cluster().nodes();
    nodes.iter().map(|node| node.name().to_owned()).collect()
}

/// Before something cuts all nodes off from each other.
pub(super) async fn excuse_all(arena: &mut Arena) -> Result<()> {
    for name in node_names(arena) {
        arena.excuse(&name).await?;
    }
    Ok(())
}
