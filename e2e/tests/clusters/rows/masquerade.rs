//! R14: which packets leave a node with the node's address.

use std::net::IpAddr;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use signpost_e2e::{Cluster, PodSpec, wait};

use super::paths::externals;
use crate::support::place::{Place, serve_on};
use crate::support::{LIMIT, objects};

pub(crate) async fn r14_only_what_leaves_is_masqueraded(cluster: &Cluster) -> Result<()> {
    masquerade(cluster).await
}

pub(crate) async fn r14_only_what_leaves_is_masqueraded_dual_stack(
    cluster: &Cluster,
) -> Result<()> {
    ensure!(cluster.dual_stack());
    masquerade(cluster).await
}

/// A host beyond the router sees the node's address; the pod's own if its range is exempt, or if
/// masquerading is switched off: and then it can answer only if it knows the way. What stays inside
/// is seen with the pod's address by the tests of R1.
async fn masquerade(cluster: &Cluster) -> Result<()> {
    let pod = cluster.run_pod(PodSpec::new("r14").on("node-1")).await?;
    let node = pod.node().link().node_addresses(cluster.dual_stack());
    serve_on(cluster.external()).await?;
    let externals = externals(cluster);
    let place = Place::from(&pod);

    let off = json!({"masquerade": {"enabled": false, "exceptCIDRs": null}});
    let on = json!({"masquerade": {"enabled": true, "exceptCIDRs": null}});
    // More than one, since people have several networks.
    let mut ranges = vec!["198.51.100.0/24", "192.0.2.0/28"];
    if cluster.dual_stack() {
        ranges.push("2001:db8::/64");
    }
    let except = json!({"masquerade": {"enabled": true, "exceptCIDRs": ranges}});

    for external in &externals {
        seen_as(place, *external, &node, "at first").await?;
    }
    for (name, own) in [("exempt", &except), ("switched off", &off)] {
        objects::change_pod_network(cluster, &json!({"datapath": own})).await?;
        for external in &externals {
            unanswered(place, *external, name).await?;
        }
        // Once the external host knows the way to the pod, it sees who is asking.
        for address in pod.addresses() {
            route_back(cluster, "add", *address).await?;
        }
        for external in &externals {
            seen_as(place, *external, pod.addresses(), name).await?;
        }
        for address in pod.addresses() {
            route_back(cluster, "delete", *address).await?;
        }
        objects::change_pod_network(cluster, &json!({"datapath": &on})).await?;
        for external in &externals {
            seen_as(place, *external, &node, &format!("no longer {name}")).await?;
        }
    }
    cluster.delete_pod("r14").await
}

/// Waits until the server sees one of these addresses.
async fn seen_as(place: Place<'_>, at: IpAddr, expected: &[IpAddr], when: &str) -> Result<()> {
    let what = format!(
        "{at} to see {} as one of {expected:?}, {when}",
        place.name()
    );
    wait::until(&what, LIMIT, async || {
        let seen = place.seen_by(at).await?;
        ensure!(expected.contains(&seen), "it saw {seen}");
        Ok(())
    })
    .await
}

/// Waits until the external host no longer answers, because it knows no way back.
async fn unanswered(place: Place<'_>, at: IpAddr, when: &str) -> Result<()> {
    let what = format!("{at} not to answer {}, {when}", place.name());
    wait::until(&what, LIMIT, async || {
        let argv = ["ping", "-c", "1", "-W", "1", &at.to_string()];
        if place.run(&argv).await.is_ok() {
            bail!("it answers, so it sees an address that it knows");
        }
        Ok(())
    })
    .await
}

/// A route from the external host to a pod, by the router.
async fn route_back(cluster: &Cluster, verb: &str, pod: IpAddr) -> Result<()> {
    use signpost_e2e::addresses::{ROUTER_EXTERNAL_V4, ROUTER_EXTERNAL_V6};
    let gateway = match pod {
        IpAddr::V4(_) => ROUTER_EXTERNAL_V4.to_string(),
        IpAddr::V6(_) => ROUTER_EXTERNAL_V6.to_string(),
    };
    let argv = ["ip", "route", verb, &pod.to_string(), "via", &gateway];
    cluster
        .external()
        .run(&argv)
        .await
        .map(drop)
        .context("a route back")
}
