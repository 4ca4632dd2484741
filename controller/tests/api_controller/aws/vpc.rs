//! A VPC in the emulator, and what the tests do and see there.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use signpost_ec2::{Answer, Client, Emulator, Identity, Options, TargetState};

use crate::{
    running::Running,
    support::{CONTROLLER, World, eventually},
};

const TAG: &str = "kubernetes.io/cluster/blue";

/// A VPC with two tables of cluster blue and an instance for the controller.
pub(super) struct Vpc {
    pub(super) ec2: Emulator,
    client: Client,
    pub(super) id: String,
    pub(super) subnet: String,
    pub(super) tables: Vec<String>,
}

impl Vpc {
    pub(super) async fn new() -> Self {
        let options = Options {
            imds: Some(([127, 0, 0, 1], 0).into()),
            ..Options::default()
        };
        let ec2 = Emulator::start(options).await.unwrap();
        let client = Client::new(&ec2.url(), ec2.region());
        let id = ok(&client, "CreateVpc", &[("CidrBlock", "10.0.0.0/16")]).await;
        let id = id.text("vpcId");
        let subnet = [("VpcId", id.as_str()), ("CidrBlock", "10.0.0.0/20")];
        let subnet = ok(&client, "CreateSubnet", &subnet).await.text("subnetId");
        let mut vpc = Self {
            ec2,
            client,
            id,
            subnet,
            tables: Vec::new(),
        };
        for _ in 0..2 {
            vpc.add_table().await;
        }
        // A node whose subnet follows a table that is not programmed gets no routes.
        let follows = [
            ("RouteTableId", vpc.tables[0].as_str()),
            ("SubnetId", vpc.subnet.as_str()),
        ];
        vpc.ok("AssociateRouteTable", &follows).await;
        let role = [("IamInstanceProfile.Name", "signpost-controller")];
        let controller = vpc.launch_with(1, &role).await.remove(0);
        vpc.ec2.set_identity(Identity {
            instance: Some(controller),
            ..Identity::default()
        });
        vpc.ec2.clear_calls();
        vpc
    }

    pub(super) async fn ok(&self, action: &str, params: &[(&str, &str)]) -> Answer {
        ok(&self.client, action, params).await
    }

    pub(super) async fn add_table(&mut self) {
        let table = self.ok("CreateRouteTable", &[("VpcId", &self.id)]).await;
        let table = table.text("routeTableId");
        let tag = [
            ("ResourceId.1", table.as_str()),
            ("Tag.1.Key", TAG),
            ("Tag.1.Value", "owned"),
        ];
        self.ok("CreateTags", &tag).await;
        self.tables.push(table);
    }

    pub(super) async fn launch(&self, count: usize) -> Vec<String> {
        self.launch_with(count, &[]).await
    }

    pub(super) async fn launch_with(&self, count: usize, more: &[(&str, &str)]) -> Vec<String> {
        let count = count.to_string();
        let params = [
            ("ImageId", "ami-12345678"),
            ("MinCount", &count),
            ("MaxCount", &count),
            ("SubnetId", &self.subnet),
            ("TagSpecification.1.ResourceType", "instance"),
            ("TagSpecification.1.Tag.1.Key", TAG),
            ("TagSpecification.1.Tag.1.Value", "owned"),
        ];
        let params = [&params, more].concat();
        self.ok("RunInstances", &params).await.texts("instanceId")
    }

    pub(super) fn start(&self, world: &World) -> Running {
        let kubeconfig = world.control_plane.kubeconfig_for(CONTROLLER).unwrap();
        let imds = self.ec2.imds_url().unwrap();
        let environment = [
            ("AWS_ENDPOINT_URL", self.ec2.url()),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds),
            // Whatever this machine has of its own.
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ];
        let environment = environment
            .each_ref()
            .map(|(name, value)| (*name, &**value));
        Running::start_in(&kubeconfig, &environment)
    }

    pub(super) fn primary(&self, instance: &str) -> String {
        let state = self.ec2.snapshot();
        let found = state.instances.iter().find(|of| of.id == instance).unwrap();
        found.interfaces[0].clone()
    }

    /// The live routes of a table to interfaces.
    pub(super) fn routes(&self, table: &str) -> BTreeMap<String, String> {
        let state = self.ec2.snapshot();
        let table = state.route_tables.iter().find(|it| it.id == table).unwrap();
        let routes = table.routes.iter().filter(|route| route.active);
        routes
            .filter_map(|route| match &route.target {
                TargetState::Interface(id) => Some((route.destination.to_string(), id.clone())),
                _ => None,
            })
            .collect()
    }

    pub(super) fn calls(&self) -> BTreeMap<String, usize> {
        let mut calls = BTreeMap::new();
        for call in self
            .ec2
            .calls()
            .into_iter()
            .filter(|call| !call.is_dry_run())
        {
            *calls.entry(call.action).or_default() += 1;
        }
        calls
    }
}

async fn ok(client: &Client, action: &str, params: &[(&str, &str)]) -> Answer {
    match client.call(action, params).await {
        Ok(answer) => answer,
        Err(error) => panic!("{action} {params:?}: {error}"),
    }
}

pub(super) fn spec(check_period: &str) -> Value {
    json!({
        "pools": [{"name": "main", "cidr": "10.244.0.0/16", "nodePrefixLength": 24}],
        "cloud": {"provider": "aws", "checkPeriod": check_period, "aws": {"clusterName": "blue"}},
    })
}

pub(super) async fn add_nodes(world: &World, instances: &[String]) {
    for instance in instances {
        let provider_id = format!("aws:///eu-central-1a/{instance}");
        world.add_instance(instance, &provider_id).await;
    }
}

/// Where each of these nodes should be routed.
pub(super) async fn wanted(
    world: &World,
    vpc: &Vpc,
    instances: &[String],
) -> BTreeMap<String, String> {
    let mut wanted = BTreeMap::new();
    for instance in instances {
        for cidr in world.pod_cidrs(instance).await {
            wanted.insert(cidr, vpc.primary(instance));
        }
    }
    wanted
}

pub(super) async fn routed(world: &World, count: usize) {
    eventually("all nodes are routed", 60, async || {
        world.network().await["status"]["nodes"]["routed"] == count
    })
    .await;
}

pub(super) async fn network_unavailable(world: &World, node: &str) -> (String, String) {
    let node = world.nodes.get(node).await.unwrap();
    let conditions = node.status.unwrap().conditions.unwrap_or_default();
    let found = conditions
        .into_iter()
        .find(|it| it.type_ == "NetworkUnavailable");
    found.map_or_else(Default::default, |it| {
        (it.status, it.reason.unwrap_or_default())
    })
}
