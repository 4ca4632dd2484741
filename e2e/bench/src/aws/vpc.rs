//! A VPC with route tables and instances of one cluster, in an emulator of EC2 within this process.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use signpost_ec2::{Answer, Call, Emulator, Identity, Options, TargetState};

use super::{LATENCY, Scale};
use crate::clouds::Emulated;

/// The cluster's name, as its tag has it.
pub(super) const CLUSTER: &str = "bench";

/// Far from the pods' range.
const RANGE: &str = "172.31.0.0/16";
/// Room for 4,000 instances.
const SUBNET: &str = "172.31.0.0/20";
/// Beyond the 500 that an account has unless it asks for more.
const ROUTES_PER_TABLE: usize = 1000;
const ZONE: &str = "eu-central-1a";

/// The VPC, with an instance for every node that will be.
pub(super) struct Vpc {
    pub(super) ec2: Emulator,
    client: signpost_ec2::Client,
    tables: Vec<String>,
    instances: Vec<String>,
}

impl Vpc {
    /// Builds it, then switches rates and latency on.
    pub(super) async fn new(scale: &Scale) -> Result<Self> {
        let options = Options {
            imds: Some(([127, 0, 0, 1], 0).into()),
            ..Options::default()
        };
        let ec2 = Emulator::start(options)
            .await
            .context("starting the emulator of EC2")?;
        let client = signpost_ec2::Client::new(&ec2.url(), ec2.region());
        let mut vpc = Self {
            ec2,
            client,
            tables: Vec::new(),
            instances: Vec::new(),
        };
        let id = vpc.call("CreateVpc", &[("CidrBlock", RANGE)]).await?;
        let id = id.text("vpcId");
        let subnet = [("VpcId", id.as_str()), ("CidrBlock", SUBNET)];
        let subnet = vpc.call("CreateSubnet", &subnet).await?.text("subnetId");
        let tag = cluster_tag();
        for _ in 0..scale.tables {
            let table = vpc.call("CreateRouteTable", &[("VpcId", &id)]).await?;
            let table = table.text("routeTableId");
            let tag = [
                ("ResourceId.1", table.as_str()),
                ("Tag.1.Key", &tag),
                ("Tag.1.Value", "owned"),
            ];
            vpc.call("CreateTags", &tag).await?;
            vpc.tables.push(table);
        }
        if let Some(table) = vpc.tables.first() {
            let both = [("RouteTableId", table.as_str()), ("SubnetId", &subnet)];
            vpc.call("AssociateRouteTable", &both).await?;
        }
        vpc.instances = vpc
            .launch(&subnet, scale.nodes + scale.joining, &[])
            .await?;
        let role = [("IamInstanceProfile.Name", "signpost-controller")];
        let controller = vpc.launch(&subnet, 1, &role).await?.pop();
        vpc.ec2.set_identity(Identity {
            instance: controller,
            ..Identity::default()
        });
        let configured = vpc.ec2.configure(|settings| {
            settings.rates = true;
            settings.latency = LATENCY.as_secs_f64();
            settings.quotas.routes_per_table = ROUTES_PER_TABLE;
        });
        configured.map_err(|error| anyhow!("the emulator's settings: {error}"))?;
        vpc.ec2.clear_calls();
        Ok(vpc)
    }

    async fn launch(&self, subnet: &str, count: u32, more: &[(&str, &str)]) -> Result<Vec<String>> {
        let (count, tag) = (count.to_string(), cluster_tag());
        let parameters = [
            ("ImageId", "ami-12345678"),
            ("MinCount", &count),
            ("MaxCount", &count),
            ("SubnetId", subnet),
            ("TagSpecification.1.ResourceType", "instance"),
            ("TagSpecification.1.Tag.1.Key", &tag),
            ("TagSpecification.1.Tag.1.Value", "owned"),
        ];
        let parameters = [&parameters, more].concat();
        let launched = self.call("RunInstances", &parameters).await?;
        Ok(launched.texts("instanceId"))
    }

    async fn call(&self, action: &str, parameters: &[(&str, &str)]) -> Result<Answer> {
        let answer = self.client.call(action, parameters).await;
        answer.with_context(|| format!("{action} {parameters:?}"))
    }

    /// What leads the controller here, as if it ran on an instance.
    pub(super) fn environment(&self) -> Result<Vec<(&'static str, String)>> {
        let metadata = self.ec2.imds_url().context("no metadata service")?;
        Ok(vec![
            ("AWS_ENDPOINT_URL", self.ec2.url()),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata),
            // Whatever this machine has of its own.
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ])
    }
}

impl Emulated for Vpc {
    const API: &'static str = "EC2";
    const CREATION: &'static str = "CreateRoute";

    fn provider_id(&self, number: u32) -> Result<String> {
        let instance = self.instances.get(number as usize);
        let instance = instance.with_context(|| format!("no instance for node {number}"))?;
        Ok(format!("aws:///{ZONE}/{instance}"))
    }

    fn calls_after(&self, number: u64) -> Vec<Call> {
        self.ec2.calls_after(number)
    }

    /// To interfaces, in the first table.
    fn routes(&self) -> BTreeMap<String, String> {
        let state = self.ec2.snapshot();
        let first = self.tables.first();
        let table = state.route_tables.iter().find(|it| Some(&it.id) == first);
        let routes = table.iter().flat_map(|table| &table.routes);
        routes
            .filter_map(|route| match &route.target {
                TargetState::Interface(id) => Some((route.destination.to_string(), id.clone())),
                _ => None,
            })
            .collect()
    }

    async fn remove_route(&self, destination: &str) -> Result<()> {
        let table = self.tables.first().context("no table")?;
        let parameters = [
            ("RouteTableId", table.as_str()),
            ("DestinationCidrBlock", destination),
        ];
        self.call("DeleteRoute", &parameters).await.map(drop)
    }
}

fn cluster_tag() -> String {
    format!("kubernetes.io/cluster/{CLUSTER}")
}
