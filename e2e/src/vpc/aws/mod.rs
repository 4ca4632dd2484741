//! A VPC of AWS: what comes from a node's interface follows the route table of the interface's subnet and
//! nothing else; what is neither from nor for an interface's own addresses is dropped unless its
//! source/destination check is off; blackholes drop.
//!
//! | question | file |
//! |---|---|
//! | which VPC do clusters have | `scene` |
//! | what does a state of the VPC mean for packets | `plan` |
//! | are its routes those that nodes need | [`tables`] |

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use serde_json::Value;
use signpost_ec2::{Answer, Client, Emulator, Options, Settings, TableState};

use super::fabric::Setup;
use super::place::{Place, api_address};
use super::{CLUSTER_NAME, Instance, settled};
use crate::addresses::{Link, Zone};
use crate::machine::Machine;

mod plan;
mod scene;
pub mod tables;

use scene::Scene;

/// What kind of VPC a cluster is in.
#[derive(Clone, Debug, Default)]
pub struct VpcOptions {
    /// How the emulated EC2 behaves: quotas, rates, delays.
    pub settings: Settings,
}

/// A VPC with two subnets in two zones, and a route table for each.
pub struct Vpc {
    place: Place<Emulator>,
    scene: Scene,
}

impl Vpc {
    /// Starts the emulator on the router, and builds the scene.
    pub(super) async fn start(router: &Machine, setup: Setup, options: VpcOptions) -> Result<Self> {
        let dual_stack = setup.dual_stack;
        let begin = async || {
            let options = Options {
                listen: api_address(),
                settings: options.settings,
                ..Options::default()
            };
            let started = Emulator::start(options).await;
            started.context("starting the EC2 emulator")
        };
        let place = Place::start(router.pid(), setup, begin).await?;
        let scene = Scene::build(&place, CLUSTER_NAME, dual_stack).await?;
        Ok(Self { place, scene })
    }

    /// The emulator: its true state, its log of calls, faults and settings.
    pub fn emulator(&self) -> &Emulator {
        &self.place.emulator
    }

    /// Calls the EC2 API as somebody who is not Signpost, and returns when packets go accordingly.
    pub async fn call(&self, action: &str, parameters: &[(&str, &str)]) -> Result<Answer> {
        let answer = self.place.call(action, parameters).await?;
        self.settled().await?;
        Ok(answer)
    }

    /// Waits until packets go as the emulator's state says.
    pub async fn settled(&self) -> Result<()> {
        let version = self.emulator().snapshot().version;
        settled(self.place.followed.clone(), version).await
    }

    /// The VPC's id.
    pub fn id(&self) -> &str {
        &self.scene.vpc
    }

    /// The id of the route table that decides for packets from a zone's nodes.
    pub fn table_of(&self, zone: Zone) -> &str {
        match zone {
            Zone::A => &self.scene.tables[0],
            Zone::B => &self.scene.tables[1],
        }
    }

    /// The id of the VPC's internet gateway.
    pub fn gateway(&self) -> &str {
        &self.scene.gateway
    }

    /// The id of the subnet that a link's node is in.
    pub fn subnet_of(&self, link: Link) -> &str {
        self.scene.subnet_of(link)
    }

    /// A route table by its id, as packets meet it now.
    pub fn table(&self, id: &str) -> Result<TableState> {
        let tables = self.emulator().snapshot().route_tables;
        let table = tables.into_iter().find(|table| table.id == id);
        table.with_context(|| format!("there is no route table {id}"))
    }

    /// Makes one more route table, with a route to the internet; gives its id.
    pub async fn create_table(&self, tagged: bool) -> Result<String> {
        let table = self.scene.table(&self.place, tagged).await?;
        self.settled().await?;
        Ok(table)
    }

    /// Launches the instance of a link's node.
    pub(crate) async fn launch(&self, link: Link) -> Result<Instance> {
        let instance = self.scene.launch(&self.place, link).await?;
        self.settled().await?;
        Ok(instance)
    }

    /// Launches an instance that no machine stands behind, with an address of the range of bare nodes,
    /// and one of IPv6 if the cluster has both families.
    pub(crate) async fn launch_bare(&self, address: Ipv4Addr) -> Result<Instance> {
        self.scene.launch_bare(&self.place, address).await
    }

    /// Makes one more network interface, with the addresses of a link's node, and attaches it to an
    /// instance. Gives its id.
    pub(crate) async fn attach(&self, instance: &Instance, link: Link) -> Result<String> {
        let interface = self.scene.attach(&self.place, instance, link).await?;
        self.settled().await?;
        Ok(interface)
    }

    /// Terminates an instance: its interface is gone, and packets to it are lost.
    pub async fn terminate(&self, instance: &Instance) -> Result<()> {
        self.call("TerminateInstances", &[("InstanceId.1", &instance.id)])
            .await
            .map(drop)
    }

    /// Completes the `spec` of a `PodNetwork` so that it means this VPC.
    pub(crate) fn complete(&self, spec: &mut Value) {
        let cloud = &mut spec["cloud"];
        cloud["provider"] = "aws".into();
        cloud["aws"]["clusterName"] = CLUSTER_NAME.into();
        cloud["aws"]["region"] = self.emulator().region().into();
        cloud["aws"]["vpcID"] = self.id().into();
    }

    /// What has to be in a program's environment so that it finds the emulator, and nothing else.
    pub(crate) fn environment(&self) -> [(&'static str, String); 6] {
        [
            ("AWS_ENDPOINT_URL", self.emulator().url()),
            ("AWS_ACCESS_KEY_ID", "AKIASIGNPOST".into()),
            ("AWS_SECRET_ACCESS_KEY", "not-a-secret".into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
            // Nothing of whoever runs the tests.
            ("AWS_CONFIG_FILE", "/dev/null".into()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".into()),
        ]
    }
}

impl Place<Emulator> {
    /// Calls the EC2 API from within the router's network.
    async fn call(&self, action: &str, parameters: &[(&str, &str)]) -> Result<Answer> {
        let client = Client::new(&self.emulator.url(), self.emulator.region())
            .with_access_key("AKIAHARNESS");
        let owned: Vec<(String, String)> = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let named = action.to_owned();
        let call = self.handle.spawn(async move {
            let parameters: Vec<(&str, &str)> = owned
                .iter()
                .map(|(name, value)| (&**name, &**value))
                .collect();
            client.call(&named, &parameters).await
        });
        let answer = call.await.context("the VPC's thread has ended")?;
        answer.with_context(|| format!("{action} {parameters:?}"))
    }
}
