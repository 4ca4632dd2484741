//! What the tests of routes in a VPC rely on: without the right routes in every table, and with the
//! source/destination check on, nobody reaches anybody.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use signpost_e2e::addresses::{EXTERNAL_V4, EXTERNAL_V6, Zone};
use signpost_e2e::{Cluster, ClusterOptions, Node, Vpc, VpcOptions, wait};

use crate::suite::{Suite, named};
use crate::support::LIMIT;
use crate::support::behind::{self, BEHIND};

/// Two nodes in two zones, and nobody who programs routes.
pub(crate) fn add_to(suite: &mut Suite) {
    let options = ClusterOptions::new("vpc").nodes(2).dual_stack();
    suite
        .shared(options.in_vpc(VpcOptions::default()).without_signpost())
        .serial(named!(vpc_lets_through_only_what_routes_and_checks_allow))
        .serial(named!(vpc_subnets_follow_their_own_tables))
        .serial(named!(vpc_loses_packets_to_instances_that_are_down));
}

/// Nodes reach each other as they are. What is behind them does so once each zone's table leads to the
/// other's interface and both interfaces let packets pass that are not their own.
async fn vpc_lets_through_only_what_routes_and_checks_allow(cluster: &Cluster) -> Result<()> {
    let scene = Scene::set_up(cluster).await?;
    scene.nodes_reach_each_other().await?;
    scene.apart("without routes").await?;
    for zone in 0..2 {
        scene.create_route(zone, 1 - zone).await?;
    }
    scene.apart("with both checks on").await?;
    scene.check(0, false).await?;
    scene.apart("with one check on").await?;
    scene.check(1, false).await?;
    scene.together().await?;

    for zone in 0..2 {
        scene.delete_route(zone, 1 - zone).await?;
        scene.apart("with a route on one side only").await?;
        scene.create_route(zone, 1 - zone).await?;
        scene.together().await?;
    }
    for zone in 0..2 {
        scene.check(zone, true).await?;
        scene.apart("with one check on again").await?;
        scene.check(zone, false).await?;
    }
    scene.nodes_reach_each_other().await?;
    scene.clean_up().await
}

/// A table decides for the subnets that it is associated with, and what it has no route for is lost.
async fn vpc_subnets_follow_their_own_tables(cluster: &Cluster) -> Result<()> {
    let scene = Scene::open(cluster).await?;
    let vpc = cluster.vpc()?;

    let other = vpc.create_table(false).await?;
    let before = scene.association(0).await?;
    let moved = vpc
        .call(
            "ReplaceRouteTableAssociation",
            &[("AssociationId", &before), ("RouteTableId", &other)],
        )
        .await?;
    scene.apart("with a table that has no such route").await?;
    scene.nodes_reach_each_other().await?;
    let external = [EXTERNAL_V4.into(), EXTERNAL_V6.into()];
    for address in external {
        scene.nodes[0].machine().ping(address).await?;
    }
    vpc.call(
        "DeleteRoute",
        &[
            ("RouteTableId", &other),
            ("DestinationCidrBlock", "0.0.0.0/0"),
        ],
    )
    .await?;
    let (node, address) = (scene.nodes[0].machine(), external[0]);
    ensure!(
        node.ping(address).await.is_err(),
        "the internet is reached without a route to it"
    );
    scene.nodes[1].machine().ping(address).await?;

    let back = [
        ("AssociationId", &*moved.text("newAssociationId")),
        ("RouteTableId", vpc.table_of(Zone::A)),
    ];
    vpc.call("ReplaceRouteTableAssociation", &back).await?;
    scene.together().await?;
    vpc.call("DeleteRouteTable", &[("RouteTableId", &other)])
        .await?;
    scene.clean_up().await
}

/// A route to an interface whose instance is stopped is a blackhole, and one again once it runs.
async fn vpc_loses_packets_to_instances_that_are_down(cluster: &Cluster) -> Result<()> {
    let scene = Scene::open(cluster).await?;
    let vpc = cluster.vpc()?;
    let instance = scene.nodes[1].instance().context("an instance")?;
    let instance = [("InstanceId.1", &*instance.id)];
    vpc.call("StopInstances", &instance).await?;
    scene.apart("with one instance stopped").await?;
    ensure!(
        scene.nodes_reach_each_other().await.is_err(),
        "a stopped instance is reached"
    );
    vpc.call("StartInstances", &instance).await?;
    scene.together().await?;

    // A machine that fails and comes back has a device of the same name, and it is another.
    cluster.reboot(scene.nodes[1].name()).await?;
    scene.put_addresses(1).await?;
    wait::until("what is behind it to be reached again", LIMIT, async || {
        scene.together().await
    })
    .await?;
    scene.clean_up().await
}

/// Two nodes with addresses behind them, and routes to these.
struct Scene<'a> {
    vpc: &'a Vpc,
    nodes: [Arc<Node>; 2],
}

impl<'a> Scene<'a> {
    async fn set_up(cluster: &'a Cluster) -> Result<Self> {
        let scene = Self {
            vpc: cluster.vpc()?,
            nodes: [cluster.node("node-1")?, cluster.node("node-2")?],
        };
        let zones = scene.nodes.each_ref().map(|node| node.link().zone());
        ensure!(zones == [Zone::A, Zone::B], "the nodes are in {zones:?}");
        for zone in 0..2 {
            scene.put_addresses(zone).await?;
        }
        Ok(scene)
    }

    /// As [`set_up`](Self::set_up), with both checks off and routes both ways: what is behind the nodes
    /// reaches each other.
    async fn open(cluster: &'a Cluster) -> Result<Self> {
        let scene = Self::set_up(cluster).await?;
        for zone in 0..2 {
            scene.check(zone, false).await?;
            scene.create_route(zone, 1 - zone).await?;
        }
        scene.together().await?;
        Ok(scene)
    }

    async fn put_addresses(&self, zone: usize) -> Result<()> {
        behind::put_behind(&self.nodes[zone], zone).await
    }

    /// Programs the routes to what is behind the node of a zone in the table of another.
    async fn create_route(&self, zone: usize, to: usize) -> Result<()> {
        let interface = &self.nodes[to].instance().context("an instance")?.interface;
        for (name, destination) in destinations(to) {
            let target = ("NetworkInterfaceId", &**interface);
            let table = ("RouteTableId", self.table(zone));
            self.vpc
                .call("CreateRoute", &[table, (name, destination), target])
                .await?;
        }
        Ok(())
    }

    async fn delete_route(&self, zone: usize, to: usize) -> Result<()> {
        for (name, destination) in destinations(to) {
            let table = ("RouteTableId", self.table(zone));
            self.vpc
                .call("DeleteRoute", &[table, (name, destination)])
                .await?;
        }
        Ok(())
    }

    fn table(&self, zone: usize) -> &str {
        self.vpc.table_of([Zone::A, Zone::B][zone])
    }

    async fn nodes_reach_each_other(&self) -> Result<()> {
        for address in self.nodes[1].link().node_addresses(true) {
            self.nodes[0].machine().ping(address).await?;
        }
        Ok(())
    }

    /// What is behind the nodes reaches each other.
    async fn together(&self) -> Result<()> {
        behind::together(&self.nodes[0]).await
    }

    /// What is behind the nodes does not reach each other, in either family.
    async fn apart(&self, why: &str) -> Result<()> {
        behind::apart(&self.nodes[0], why).await
    }

    async fn check(&self, zone: usize, on: bool) -> Result<()> {
        let instance = self.nodes[zone].instance().context("an instance")?;
        let parameters = [
            ("NetworkInterfaceId", &*instance.interface),
            ("SourceDestCheck.Value", if on { "true" } else { "false" }),
        ];
        let action = "ModifyNetworkInterfaceAttribute";
        self.vpc.call(action, &parameters).await.map(drop)
    }

    /// The id of the association of a zone's subnet with its table.
    async fn association(&self, zone: usize) -> Result<String> {
        let filter = [
            ("Filter.1.Name", "association.subnet-id"),
            (
                "Filter.1.Value.1",
                self.vpc.subnet_of(self.nodes[zone].link()),
            ),
        ];
        let answer = self.vpc.call("DescribeRouteTables", &filter).await?;
        let all = answer.items("associationSet");
        let subnet = self.vpc.subnet_of(self.nodes[zone].link());
        let own = all.iter().find(|item| item.text("subnetId") == subnet);
        let own = own.with_context(|| format!("{subnet} is associated with no table"))?;
        Ok(own.text("routeTableAssociationId"))
    }

    /// Undoes all that a test does to the scene.
    async fn clean_up(&self) -> Result<()> {
        for zone in 0..2 {
            self.delete_route(zone, 1 - zone).await?;
            self.check(zone, true).await?;
        }
        Ok(())
    }
}

fn destinations(zone: usize) -> [(&'static str, &'static str); 2] {
    let [(v4, _), (v6, _)] = BEHIND[zone];
    [
        ("DestinationCidrBlock", v4),
        ("DestinationIpv6CidrBlock", v6),
    ]
}
