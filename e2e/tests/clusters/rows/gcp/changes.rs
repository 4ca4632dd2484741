//! R4, R19: what others change, and leaders that end while something is carried out.

use anyhow::{Result, ensure};
use ipnet::IpNet;
use serde_json::json;
use signpost_e2e::vpc::gcp::{NETWORK, PROJECT, routes};
use signpost_e2e::{Cluster, PodSpec, wait};

use crate::rows::clouds;
use crate::rows::paths::delete;
use crate::support::{LIMIT, blocks, objects};

fn all_routes() -> String {
    format!("projects/{PROJECT}/global/routes")
}

/// A route of Signpost's that somebody removes is made again, and packets go as before.
pub(crate) async fn r04_a_route_removed_by_hand_is_made_again(cluster: &Cluster) -> Result<()> {
    let network = cluster.network()?;
    let one = cluster
        .run_pod(PodSpec::new("hand-one").on("node-1"))
        .await?;
    let two = cluster
        .run_pod(PodSpec::new("hand-two").on("node-2"))
        .await?;
    let before = routes::settle(cluster).await?;
    let target = clouds::target(two.node())?;
    let own = routes::own(network).into_iter();
    let own = own.filter(|route| route.instance.as_deref() == Some(&target));
    let names: Vec<String> = own.map(|route| route.name).collect();
    ensure!(names.len() == 2, "one of each family: {names:?}");
    // Without a controller, so that it is not faster than the ping.
    cluster.controller()?.stop().await?;
    for name in &names {
        network.end(&format!("{}/{name}", all_routes())).await?;
    }
    for address in two.addresses() {
        ensure!(
            one.ping(*address).await.is_err(),
            "without a route {address} should not be reached"
        );
    }
    cluster.controller()?.start().await?;
    ensure!(routes::settle(cluster).await? == before);
    for address in two.addresses() {
        one.ping(*address).await?;
    }
    // And while it runs.
    network
        .end(&format!("{}/{}", all_routes(), names[0]))
        .await?;
    ensure!(routes::settle(cluster).await? == before);
    delete(cluster, &[one, two]).await
}

/// A route that somebody else made for a block of the pool stays, and the block is not handed out. An instance
/// of another zone that has a node's name is another one.
pub(crate) async fn r19_foreign_routes_in_a_network_are_left_alone(
    cluster: &Cluster,
) -> Result<()> {
    let network = cluster.network()?;
    objects::status_becomes(cluster, "/routes/foreign", 0).await?;
    let node = cluster.node("node-1")?;
    let twin = format!("projects/{PROJECT}/zones/europe-west3-c/instances");
    let body = json!({
        "name": node.name(),
        "machineType": "zones/europe-west3-c/machineTypes/e2-medium",
        "canIpForward": true,
        "networkInterfaces": [{
            "subnetwork": format!("projects/{PROJECT}/regions/europe-west3/subnetworks/zone-a"),
        }],
    });
    network.make(&twin, body).await?;
    let twin = format!("{twin}/{}", node.name());

    // Blocks are handed out in turn, so the next one is known.
    objects::create_bare_node(cluster, "r19-before", 21, &[]).await?;
    let before = blocks::v4_of(&objects::allocated(cluster, "r19-before").await?)?;
    let next = blocks::following(before)?;
    let foreign = json!({
        "name": "by-hand", "network": NETWORK, "destRange": next.to_string(), "priority": 1000,
        "nextHopInstance": twin,
    });
    network.make(&all_routes(), foreign).await?;
    objects::status_becomes(cluster, "/routes/foreign", 1).await?;

    objects::create_bare_node(cluster, "r19-beside", 22, &[]).await?;
    let beside = blocks::v4_of(&objects::allocated(cluster, "r19-beside").await?)?;
    ensure!(
        beside == blocks::following(next)?,
        "after {before} comes {next}, where a foreign route leads elsewhere: the block behind it was \
         to be allocated, not {beside}"
    );
    let settled = routes::settle(cluster).await?;
    ensure!(
        !settled.values().any(|target| *target == twin),
        "no route should lead to the twin: {settled:?}"
    );
    let kept = network.emulator().snapshot().routes.into_iter();
    let kept = kept
        .filter(|route| route.destination == IpNet::V4(next))
        .count();
    ensure!(
        kept == 1,
        "the foreign route should be the only one for {next}"
    );

    network.end(&format!("{}/by-hand", all_routes())).await?;
    network.end(&twin).await?;
    objects::status_becomes(cluster, "/routes/foreign", 0).await?;
    let bare = ["r19-before".into(), "r19-beside".into()];
    cluster.delete_bare_nodes(&bare).await?;
    routes::settle(cluster).await.map(drop)
}

/// Google's own controllers say of a node that it has no route, as they do of one whose route they did not
/// make (`route_controller.go` of k8s.io/cloud-provider): what holds is said again, and no pod is evicted.
pub(crate) async fn r04_what_others_say_of_a_nodes_network_is_put_right(
    cluster: &Cluster,
) -> Result<()> {
    let name = cluster.node("node-2")?.name().to_owned();
    let is = async |expected: (&str, &str)| {
        let node = objects::node(cluster, &name).await?;
        let said = objects::condition(&node, "NetworkUnavailable");
        let expected = (expected.0.to_owned(), expected.1.to_owned());
        ensure!(said.as_ref() == Some(&expected), "{said:?}");
        let taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
        ensure!(taints.is_empty(), "{taints:?}");
        Ok(())
    };
    let ours = ("False", "SignpostRouteCreated");
    wait::until("the node to be routed", LIMIT, async || is(ours).await).await?;
    let theirs = json!({"status": {"conditions": [{
        "type": "NetworkUnavailable", "status": "True", "reason": "NoRouteCreated",
        "message": "RouteController failed to create a route",
    }]}});
    let theirs = theirs.to_string();
    let patch = [
        "patch",
        "node",
        &name,
        "--subresource=status",
        "-p",
        &theirs,
    ];
    for _ in 0..2 {
        cluster.kubectl(&patch).await?;
        wait::until("what holds to be said again", LIMIT, async || {
            is(ours).await
        })
        .await?;
    }
    Ok(())
}

/// The controller is killed while its operations are under way: the next one waits for them, asks for nothing a
/// second time, and nothing is made twice.
pub(crate) async fn r04_a_controller_killed_during_operations_makes_nothing_twice(
    cluster: &Cluster,
) -> Result<()> {
    let network = cluster.network()?;
    let before = routes::settle(cluster).await?;
    let emulator = network.emulator();
    let settings = emulator.settings();
    network.configure(|all| all.operations = [8.0, 8.0])?;
    let last = emulator.calls().last().map_or(0, |call| call.id);
    let names = cluster.create_bare_nodes(6).await?;
    let inserts = || {
        let calls = emulator.calls_after(last).into_iter();
        calls.filter(|call| call.action == "routes.insert").count()
    };
    wait::until("all routes to be asked for", LIMIT, async || {
        ensure!(inserts() == 2 * names.len(), "{} are", inserts());
        Ok(())
    })
    .await?;
    ensure!(
        routes::routes(network)? == before,
        "the operations should still be under way"
    );
    cluster.controller()?.kill().await?;
    let settled = routes::settle(cluster).await?;
    ensure!(settled.len() == before.len() + 2 * names.len());
    ensure!(
        inserts() == 2 * names.len(),
        "{} insertions for {} routes",
        inserts(),
        2 * names.len()
    );
    network.configure(|all| all.operations = settings.operations)?;
    cluster.delete_bare_nodes(&names).await?;
    routes::wait_for(network, &before).await
}
