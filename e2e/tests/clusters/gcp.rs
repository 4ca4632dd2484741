//! What the tests of routes in a network of Google rely on: packets go by the most specific route, then by
//! priority, to one of those of the same; and nowhere without a route or through an instance that does not
//! forward or does not run.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use signpost_e2e::addresses::{EXTERNAL_V4, EXTERNAL_V6};
use signpost_e2e::vpc::gcp::{NETWORK, PROJECT};
use signpost_e2e::{Cluster, ClusterOptions, GcpOptions, Network, Node, wait};

use crate::suite::{Suite, named};
use crate::support::LIMIT;
use crate::support::behind::{self, BEHIND};

/// Three nodes in two zones, and nobody who programs routes.
pub(crate) fn add_to(suite: &mut Suite) {
    let options = ClusterOptions::new("gcp-wire").nodes(3).dual_stack();
    suite
        .shared(options.in_gcp(GcpOptions::default()).without_signpost())
        .serial(named!(
            gcp_lets_through_only_what_routes_and_forwarding_allow
        ))
        .serial(named!(
            gcp_prefers_by_length_and_priority_and_spreads_equals
        ));
}

/// Nodes and the internet are reached as they are. What is behind nodes is reached with a route each way,
/// unless one of the instances does not forward or does not run.
async fn gcp_lets_through_only_what_routes_and_forwarding_allow(cluster: &Cluster) -> Result<()> {
    let scene = Scene::set_up(cluster).await?;
    for address in scene.nodes[1].link().node_addresses(true) {
        scene.nodes[0].machine().ping(address).await?;
    }
    for address in [EXTERNAL_V4.into(), EXTERNAL_V6.into()] {
        scene.nodes[0].machine().ping(address).await?;
    }
    scene.apart("without routes").await?;
    scene.lead("there", BEHIND[1], 1, 1000).await?;
    scene.apart("with a route on one side only").await?;
    scene.lead("back", BEHIND[0], 0, 1000).await?;
    scene.together().await?;
    scene.forwards(1, false).await?;
    scene
        .apart("with one instance that does not forward")
        .await?;
    scene.forwards(1, true).await?;
    scene.together().await?;
    let path = scene.path(1)?;
    scene.network.act(&format!("{path}/stop")).await?;
    scene.apart("with one instance stopped").await?;
    scene.network.act(&format!("{path}/start")).await?;
    scene.together().await?;
    for name in ["there", "back"] {
        scene.forget(name).await?;
    }
    scene.apart("without routes again").await
}

/// A more specific route wins whatever its priority; of the same destination the lowest number; and of
/// the same both flows take either.
async fn gcp_prefers_by_length_and_priority_and_spreads_equals(cluster: &Cluster) -> Result<()> {
    let scene = Scene::set_up(cluster).await?;
    scene.lead("back", BEHIND[0], 0, 1000).await?;
    let wide = [("10.244.0.0/16", ""), ("fd44::/48", "")];
    scene.lead("wide", wide, 2, 0).await?;
    scene.apart("with a wide route to another").await?;
    scene.lead("there", BEHIND[1], 1, 60000).await?;
    scene.together().await?;
    scene.lead("better", BEHIND[1], 2, 59999).await?;
    scene.apart("with a better route to another").await?;
    scene.forget("better").await?;
    scene.together().await?;

    // Each node tells flows that came to it by their marks.
    scene.lead("equal", BEHIND[1], 2, 60000).await?;
    let mut taken = BTreeSet::new();
    for number in 2..40 {
        let from = format!("10.244.1.{number}");
        behind::put(&scene.nodes[0], &format!("{from}/32")).await?;
        taken.insert(
            behind::ping(&scene.nodes[0], &from, BEHIND[1][0].1)
                .await
                .is_ok(),
        );
    }
    ensure!(
        taken.len() == 2,
        "of 38 flows some should come to each of two instances: {taken:?}"
    );
    for name in ["there", "back", "wide", "equal"] {
        scene.forget(name).await?;
    }
    Ok(())
}

/// Two nodes with addresses behind them, and a third.
struct Scene<'a> {
    network: &'a Network,
    nodes: [Arc<Node>; 3],
}

impl<'a> Scene<'a> {
    async fn set_up(cluster: &'a Cluster) -> Result<Self> {
        let node = |name| cluster.node(name);
        let scene = Self {
            network: cluster.network()?,
            nodes: [node("node-1")?, node("node-2")?, node("node-3")?],
        };
        for number in 0..BEHIND.len() {
            behind::put_behind(&scene.nodes[number], number).await?;
        }
        Ok(scene)
    }

    fn path(&self, node: usize) -> Result<String> {
        let instance = self.nodes[node].instance().context("an instance")?;
        Ok(instance.interface.clone())
    }

    /// Makes a route of each family to a node.
    async fn lead(
        &self,
        name: &str,
        to: [(&str, &str); 2],
        node: usize,
        priority: u32,
    ) -> Result<()> {
        for ((range, _), family) in to.into_iter().zip(["v4", "v6"]) {
            let body = json!({
                "name": format!("{name}-{family}"), "network": NETWORK, "destRange": range,
                "priority": priority, "nextHopInstance": self.path(node)?,
            });
            self.network
                .make(&format!("projects/{PROJECT}/global/routes"), body)
                .await?;
        }
        Ok(())
    }

    async fn forget(&self, name: &str) -> Result<()> {
        for family in ["v4", "v6"] {
            let path = format!("projects/{PROJECT}/global/routes/{name}-{family}");
            self.network.end(&path).await?;
        }
        Ok(())
    }

    async fn forwards(&self, node: usize, forwards: bool) -> Result<()> {
        self.network
            .change(&self.path(node)?, |instance: &mut Value| {
                instance["canIpForward"] = forwards.into();
            })
            .await
    }

    /// What is behind the nodes reaches each other.
    async fn together(&self) -> Result<()> {
        wait::until(
            "what is behind nodes to reach each other",
            LIMIT,
            async || behind::together(&self.nodes[0]).await,
        )
        .await
    }

    /// What is behind the nodes does not reach each other, in either family.
    async fn apart(&self, why: &str) -> Result<()> {
        behind::apart(&self.nodes[0], why).await
    }
}
