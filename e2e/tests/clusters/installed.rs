//! Signpost as users install it: images in the nodes, an overlay applied, one object created.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod as PodObject;
use kube::api::{Api, EvictParams};
use signpost_e2e::identity::{CONTROLLER, NAMESPACE};
use signpost_e2e::{Cluster, ClusterOptions, Overlay, PODS_V4, PodSpec, Traffic, VpcOptions};
use signpost_e2e::{pod_network, wait};

use crate::suite::{Suite, named};
use crate::support::{recorded, routes};

/// Selects the controller's pods.
const PROGRAM: &str = "app.kubernetes.io/name=signpost-controller";
const LIMIT: Duration = Duration::from_secs(90);

pub(crate) fn add_to(suite: &mut Suite) {
    suite.alone(named!(r17_a_cluster_in_a_vpc_comes_up_by_the_overlay));
    suite.alone(named!(
        r17_a_cluster_whose_router_is_a_node_comes_up_by_the_overlay
    ));
    suite.alone(named!(
        r17_controllers_are_evicted_drained_and_lost_with_their_node
    ));
}

/// Nodes that are not ready, and no pod network: controllers and agents start all the same, pods on
/// different nodes reach each other, and all goes again.
async fn r17_a_cluster_in_a_vpc_comes_up_by_the_overlay() -> Result<()> {
    let options = ClusterOptions::new("installed").nodes(2);
    let options = options.in_vpc(VpcOptions::default()).without_signpost();
    let cluster = Cluster::start(options).await?;
    let run = async {
        install(&cluster).await?;
        let a = cluster.run_pod(PodSpec::new("a").on("node-1")).await?;
        let b = cluster.run_pod(PodSpec::new("b").on("node-2")).await?;
        a.ping(b.address()?).await?;
        b.ping(a.address()?).await?;
        uninstall(&cluster, Overlay::Aws).await
    };
    let result = Box::pin(run).await;
    recorded(&[&cluster], result).await
}

/// As kubeadm makes a cluster: the machine of the control plane is a node, and here the router. Pods there
/// and on other nodes reach each other; a node joins, and one leaves.
async fn r17_a_cluster_whose_router_is_a_node_comes_up_by_the_overlay() -> Result<()> {
    let options = ClusterOptions::new("router-joins").nodes(1);
    let cluster = Cluster::start(options.router_joins().without_signpost()).await?;
    let result = Box::pin(router_joins(&cluster)).await;
    recorded(&[&cluster], result).await
}

async fn router_joins(cluster: &Cluster) -> Result<()> {
    let label = ["label", "node", "control-plane", "signpost.dev/router="];
    cluster.kubectl(&label).await?;
    install(cluster).await?;
    let on_router = cluster
        .run_pod(PodSpec::new("on-router").on("control-plane"))
        .await?;
    let beside = cluster
        .run_pod(PodSpec::new("beside").on("control-plane"))
        .await?;
    let near = cluster.run_pod(PodSpec::new("near").on("node-1")).await?;

    let node = cluster.boot_node("node-2").await?;
    cluster.load_images(&node).await?;
    cluster.join_node("node-2").await?;
    cluster.wait_registered(&["node-2"], LIMIT).await?;
    cluster.wait_ready(&["node-2"], LIMIT).await?;
    let far = cluster.run_pod(PodSpec::new("far").on("node-2")).await?;
    let pods = [on_router, beside, near, far];
    for from in &pods {
        for to in &pods {
            from.ping(to.address()?).await?;
        }
    }

    let router = cluster.router();
    let to_node = ["ip", "route", "show", "via", "172.30.2.2"];
    ensure!(router.run(&to_node).await?.contains("10.244."));
    cluster.remove_node("node-2").await?;
    // Its pods' objects would stay for a minute, and the namespace for two.
    let of_node = ["--field-selector=spec.nodeName=node-2"];
    let at_once = ["delete", "pods", "-A", "--force", "--grace-period=0"];
    cluster.kubectl(&[&at_once[..], &of_node].concat()).await?;
    wait::until("the route to node-2 to go", LIMIT, async || {
        let left = router.run(&to_node).await?;
        ensure!(left.is_empty(), "{left}");
        Ok(())
    })
    .await?;

    let own = ["ip", "route", "show", "type", "unreachable"];
    let shown = router.run(&own).await?;
    ensure!(
        shown.contains("10.244."),
        "no route for its own block: {shown}"
    );
    uninstall_controller_first(cluster).await?;
    uninstall(cluster, Overlay::Linux).await?;
    for of_ours in [own, ["ip", "route", "show", "proto", routes::PROTOCOL]] {
        let left = router.run(&of_ours).await?;
        ensure!(left.is_empty(), "routes are left: {left}");
    }
    Ok(())
}

/// The pod of the controller that leads is evicted, its node drained, and its machine loses power: each time
/// the other one leads and gives a node that joins its routes, and pods elsewhere notice nothing.
async fn r17_controllers_are_evicted_drained_and_lost_with_their_node() -> Result<()> {
    let options = ClusterOptions::new("evicted").nodes(3);
    let options = options.in_vpc(VpcOptions::default()).without_signpost();
    let cluster = Cluster::start(options).await?;
    let result = Box::pin(lose_leaders(&cluster)).await;
    recorded(&[&cluster], result).await
}

async fn lose_leaders(cluster: &Cluster) -> Result<()> {
    install(cluster).await?;
    let pods: Api<PodObject> = Api::namespaced(cluster.client(), NAMESPACE);

    let first = leader(cluster).await?;
    let evicted = pods.evict(&first.pod, &EvictParams::default()).await;
    evicted.context("evicting the leader")?;
    let second = successor(cluster, &first).await?;
    joined_is_routed(cluster, 0).await?;
    cluster.wait_controller().await?;

    let drain = [
        "drain",
        &second.node,
        "--ignore-daemonsets",
        "--timeout=60s",
    ];
    cluster.kubectl(&drain).await?;
    let third = successor(cluster, &second).await?;
    ensure!(
        third.node != second.node,
        "it leads on a node that is drained"
    );
    joined_is_routed(cluster, 1).await?;
    cluster.kubectl(&["uncordon", &second.node]).await?;
    cluster.wait_controller().await?;

    let last = leader(cluster).await?;
    let nodes = cluster.nodes();
    let mut others = nodes.iter().filter(|node| node.name() != last.node);
    let mut other = async |name: &str| {
        let node = others.next().context("there are two others")?;
        cluster.run_pod(PodSpec::new(name).on(node.name())).await
    };
    let (one, two) = (other("one").await?, other("two").await?);
    one.ping(two.address()?).await?;
    let traffic = Traffic::start(&one, two.address()?).await?;
    cluster.power_off(&last.node).await?;
    successor(cluster, &last).await?;
    joined_is_routed(cluster, 2).await?;
    traffic.finish().await
}

/// A node without a machine joins, and has its routes.
async fn joined_is_routed(cluster: &Cluster, number: u32) -> Result<()> {
    let names = cluster.create_bare_nodes_of(number..number + 1).await?;
    for name in &names {
        signpost_e2e::objects::node_says(cluster, name, "False", "SignpostRouteCreated").await?;
    }
    cluster.delete_bare_nodes(&names).await
}

/// A pod that leads, and its node.
struct Leader {
    pod: String,
    node: String,
}

async fn leader(cluster: &Cluster) -> Result<Leader> {
    let leases: Api<Lease> = Api::namespaced(cluster.client(), NAMESPACE);
    let pods: Api<PodObject> = Api::namespaced(cluster.client(), NAMESPACE);
    wait::until("a controller to lead", LIMIT, async || {
        let spec = leases.get(CONTROLLER).await?.spec.unwrap_or_default();
        let holder = spec.holder_identity.unwrap_or_default();
        let (pod, _) = holder.split_once('_').context("nobody leads")?;
        let node = pods.get(pod).await?.spec.and_then(|spec| spec.node_name);
        Ok(Leader {
            pod: pod.to_owned(),
            node: node.context("its pod has a node")?,
        })
    })
    .await
}

async fn successor(cluster: &Cluster, of: &Leader) -> Result<Leader> {
    wait::until("another controller to lead", LIMIT, async || {
        let now = leader(cluster).await?;
        ensure!(now.pod != of.pod, "{} holds the lease", of.pod);
        Ok(now)
    })
    .await
}

async fn install(cluster: &Cluster) -> Result<()> {
    let nodes = cluster.all_nodes();
    for node in &nodes {
        cluster.load_images(node).await?;
    }
    cluster.install().await?;
    let spec = pod_network(&[("pods", PODS_V4, 24)]);
    cluster.create_pod_network(spec).await?;
    let names: Vec<&str> = nodes.iter().map(|node| node.name()).collect();
    cluster.wait_ready(&names, LIMIT).await?;
    cluster.wait_controller().await?;
    cluster.wait_agents().await
}

/// Without the policy that refuses it: the controller and its rights go before the object and its routes,
/// which then stay until the overlay is applied again.
async fn uninstall_controller_first(cluster: &Cluster) -> Result<()> {
    for kind in [
        "validatingadmissionpolicybindings",
        "validatingadmissionpolicies",
    ] {
        cluster
            .kubectl(&["delete", kind, "signpost-deletion"])
            .await?;
    }
    let router = cluster.router();
    wait::until("the controller to go", LIMIT, async || {
        let delete = ["delete", "deployment", CONTROLLER, "--ignore-not-found"];
        cluster
            .kubectl(&[&["-n", NAMESPACE], &delete[..]].concat())
            .await?;
        let pods = ["get", "pods", "-A", "-o", "name", "-l", PROGRAM];
        let left = cluster.kubectl(&pods).await?;
        ensure!(left.is_empty(), "{left}");
        Ok(())
    })
    .await?;
    let delete = ["delete", "--ignore-not-found", "--wait=false"];
    cluster.overlay(&delete, Overlay::Linux).await?;
    let ours = ["ip", "route", "show", "proto", routes::PROTOCOL];
    let left = router.run(&ours).await?;
    ensure!(left.contains("10.244."), "whoever took its routes? {left}");
    // The namespace takes a moment to go, and cannot come again before.
    wait::until("the overlay to be applied again", LIMIT, async || {
        cluster
            .overlay(&["apply", "--server-side"], Overlay::Linux)
            .await
    })
    .await?;
    wait::until("the routes to go", LIMIT, async || {
        let left = router.run(&ours).await?;
        ensure!(left.is_empty(), "{left}");
        Ok(())
    })
    .await
}

/// In one go the object and its routes, and once they are gone the rest in a second one.
async fn uninstall(cluster: &Cluster, overlay: Overlay) -> Result<()> {
    // Routes may be gone sooner than anything is refused.
    let delete = ["delete", "--ignore-not-found"];
    if let Err(refused) = cluster.overlay(&delete, overlay).await {
        let said = format!("{refused:#}");
        ensure!(said.contains("kubectl delete podnetwork default"), "{said}");
    }
    let network = ["get", "podnetworks.signpost.dev", "-o", "name"];
    wait::until("the PodNetwork to be gone", LIMIT, async || {
        // With the last one goes its kind.
        let left = cluster.kubectl(&network).await.unwrap_or_default();
        ensure!(left.is_empty(), "{left}");
        Ok(())
    })
    .await?;
    // The API server goes on for a moment with a policy that was deleted.
    wait::until("the rest to be deleted", LIMIT, async || {
        cluster.overlay(&delete, overlay).await
    })
    .await?;
    wait::until("the namespace to be gone", LIMIT, async || {
        let left = cluster.kubectl(&["get", "namespace", "-o", "name"]).await?;
        ensure!(!left.contains("signpost-system"), "{left}");
        Ok(())
    })
    .await
}
