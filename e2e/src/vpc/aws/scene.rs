//! A VPC with two subnets in two zones and a route table for each, made by calls of the EC2 API.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use signpost_ec2::{Answer, Emulator};
use tokio::sync::OnceCell;

use super::Instance;
use crate::addresses::{
    BARE_NODES_V4, BARE_NODES_V6, Link, NODES_V4, NODES_V6, ZONES_V4, ZONES_V6, Zone, bare_v6,
};
use crate::vpc::place;

type Place = place::Place<Emulator>;

/// What the cluster's nodes are launched into.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) vpc: String,
    /// Subnets by zone.
    subnets: [String; 2],
    /// A subnet of the first zone for nodes that have no machine, once there is one.
    bare: OnceCell<String>,
    /// Route tables by zone.
    pub(super) tables: [String; 2],
    pub(super) gateway: String,
    cluster_tag: String,
    dual_stack: bool,
}

impl Scene {
    pub(super) async fn build(place: &Place, cluster: &str, dual_stack: bool) -> Result<Self> {
        let region = place.emulator.region().to_owned();
        let zones = ["a", "b"].map(|letter| format!("{region}{letter}"));
        let cluster_tag = format!("kubernetes.io/cluster/{cluster}");

        let vpc = place.call("CreateVpc", &[("CidrBlock", NODES_V4)]).await?;
        let vpc = vpc.text("vpcId");
        let of_vpc = ("VpcId", &*vpc);
        if dual_stack {
            let range = [
                of_vpc,
                ("Ipv6CidrBlock", NODES_V6),
                ("Ipv6Pool", "ipv6pool-ec2-e2e"),
            ];
            place.call("AssociateVpcCidrBlock", &range).await?;
        }
        let gateway = place.call("CreateInternetGateway", &[]).await?;
        let gateway = gateway.text("internetGatewayId");
        place
            .call(
                "AttachInternetGateway",
                &[of_vpc, ("InternetGatewayId", &gateway)],
            )
            .await?;

        let mut scene = Self {
            vpc: vpc.clone(),
            subnets: Default::default(),
            bare: OnceCell::new(),
            tables: Default::default(),
            gateway,
            cluster_tag,
            dual_stack,
        };
        for (number, zone) in zones.iter().enumerate() {
            let v6 = dual_stack.then_some(ZONES_V6[number]);
            let subnet = scene.subnet(place, zone, ZONES_V4[number], v6).await?;
            let table = scene.table(place, true).await?;
            scene.associate(place, &table, &subnet).await?;
            scene.subnets[number] = subnet;
            scene.tables[number] = table;
        }
        Ok(scene)
    }

    /// Makes the subnet for nodes that have no machine, in a range of its own.
    async fn bare_subnet(&self, place: &Place) -> Result<String> {
        let range = [("VpcId", &*self.vpc), ("CidrBlock", BARE_NODES_V4)];
        place.call("AssociateVpcCidrBlock", &range).await?;
        let zone = format!("{}a", place.emulator.region());
        let v6 = self.dual_stack.then_some(BARE_NODES_V6);
        let subnet = self.subnet(place, &zone, BARE_NODES_V4, v6).await?;
        self.associate(place, &self.tables[0], &subnet).await?;
        Ok(subnet)
    }

    async fn subnet(
        &self,
        place: &Place,
        zone: &str,
        v4: &str,
        v6: Option<&str>,
    ) -> Result<String> {
        let mut parameters = vec![
            ("VpcId", &*self.vpc),
            ("CidrBlock", v4),
            ("AvailabilityZone", zone),
        ];
        parameters.extend(v6.map(|v6| ("Ipv6CidrBlock", v6)));
        let answer = place.call("CreateSubnet", &parameters).await?;
        Ok(answer.text("subnetId"))
    }

    /// Makes a route table that leads to the internet, and gives its id.
    pub(super) async fn table(&self, place: &Place, tagged: bool) -> Result<String> {
        let answer = place
            .call("CreateRouteTable", &[("VpcId", &self.vpc)])
            .await?;
        let table = answer.text("routeTableId");
        if tagged {
            let tag = [
                ("ResourceId.1", &*table),
                ("Tag.1.Key", &self.cluster_tag),
                ("Tag.1.Value", "owned"),
            ];
            place.call("CreateTags", &tag).await?;
        }
        let v6 = self
            .dual_stack
            .then_some(("DestinationIpv6CidrBlock", "::/0"));
        for default in [Some(("DestinationCidrBlock", "0.0.0.0/0")), v6] {
            let Some(default) = default else { continue };
            let route = [
                ("RouteTableId", &*table),
                default,
                ("GatewayId", &*self.gateway),
            ];
            place.call("CreateRoute", &route).await?;
        }
        Ok(table)
    }

    async fn associate(&self, place: &Place, table: &str, subnet: &str) -> Result<()> {
        let both = [("RouteTableId", table), ("SubnetId", subnet)];
        place.call("AssociateRouteTable", &both).await.map(drop)
    }

    /// Launches an instance whose primary interface has the addresses of a link's node.
    pub(super) async fn launch(&self, place: &Place, link: Link) -> Result<Instance> {
        let v4 = link.node_v4().to_string();
        let v6 = self.dual_stack.then(|| link.node_v6().to_string());
        self.run(place, self.subnet_of(link), &v4, v6.as_deref())
            .await
    }

    /// Launches an instance in the subnet for nodes that have no machine.
    pub(super) async fn launch_bare(&self, place: &Place, address: Ipv4Addr) -> Result<Instance> {
        let subnet = self.bare.get_or_try_init(|| self.bare_subnet(place));
        let v6 = self.dual_stack.then(|| bare_v6(address).to_string());
        self.run(place, subnet.await?, &address.to_string(), v6.as_deref())
            .await
    }

    /// Attaches one more interface to an instance, with the addresses of a link's node.
    pub(super) async fn attach(
        &self,
        place: &Place,
        instance: &Instance,
        link: Link,
    ) -> Result<String> {
        let v4 = link.node_v4().to_string();
        let v6 = self.dual_stack.then(|| link.node_v6().to_string());
        let mut parameters = vec![
            ("SubnetId", self.subnet_of(link)),
            ("PrivateIpAddress", &v4),
        ];
        parameters.extend(
            v6.iter()
                .map(|v6| ("Ipv6Addresses.1.Ipv6Address", v6.as_str())),
        );
        let answer = place.call("CreateNetworkInterface", &parameters).await?;
        let interface = text(&answer, "networkInterfaceId")?;
        let both = [
            ("NetworkInterfaceId", &*interface),
            ("InstanceId", &instance.id),
            ("DeviceIndex", "1"),
        ];
        place.call("AttachNetworkInterface", &both).await?;
        Ok(interface)
    }

    pub(super) fn subnet_of(&self, link: Link) -> &str {
        match link.zone() {
            Zone::A => &self.subnets[0],
            Zone::B => &self.subnets[1],
        }
    }

    async fn run(
        &self,
        place: &Place,
        subnet: &str,
        v4: &str,
        v6: Option<&str>,
    ) -> Result<Instance> {
        let mut parameters = vec![
            ("ImageId", "ami-00000000000000000"),
            ("InstanceType", "m5.large"),
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("SubnetId", subnet),
            ("PrivateIpAddress", v4),
            ("TagSpecification.1.ResourceType", "instance"),
            ("TagSpecification.1.Tag.1.Key", &self.cluster_tag),
            ("TagSpecification.1.Tag.1.Value", "owned"),
        ];
        parameters.extend(v6.map(|v6| ("Ipv6Address.1.Ipv6Address", v6)));
        let answer = place.call("RunInstances", &parameters).await?;
        let (id, zone) = (
            text(&answer, "instanceId")?,
            text(&answer, "availabilityZone")?,
        );
        Ok(Instance {
            provider_id: format!("aws:///{zone}/{id}"),
            interface: text(&answer, "networkInterfaceId")?,
            id,
            zone,
        })
    }
}

fn text(answer: &Answer, name: &str) -> Result<String> {
    let text = answer.text(name);
    (!text.is_empty())
        .then_some(text)
        .with_context(|| format!("the answer has no {name}: {answer:?}"))
}
