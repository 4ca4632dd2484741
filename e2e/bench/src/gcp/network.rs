//! A VPC network with instances of one cluster in three zones, in an emulator of Compute Engine within
//! this process.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use futures::{StreamExt, TryStreamExt, stream};
use signpost_gce::{Call, Client, Emulator, Identity, NextHop, Options};

use super::{LATENCY, Scale};
use crate::clouds::Emulated;
use crate::nodes;

const PROJECT: &str = "example";
const REGION: &str = "europe-west3";
const ZONES: [&str; 3] = ["europe-west3-a", "europe-west3-b", "europe-west3-c"];
/// Far from the pods' range, with room for 4,000 instances.
const SUBNET: &str = "172.31.0.0/20";
/// The instance that the controller believes to run on.
const CONTROLLER: &str = "controller";
/// Beyond what networks and projects have unless they ask for more.
const ROUTES: usize = 2000;
/// Instances that are made at once.
const AT_ONCE: usize = 16;

/// The network, with an instance for every node that will be.
pub(super) struct Network {
    pub(super) gce: Emulator,
    client: Client,
}

impl Network {
    /// Builds it, then switches rates, latency and the time of operations on.
    pub(super) async fn new(scale: &Scale, instances: u32) -> Result<Self> {
        let options = Options {
            metadata: Some(([127, 0, 0, 1], 0).into()),
            projects: vec![PROJECT.to_owned()],
            ..Options::default()
        };
        let gce = Emulator::start(options)
            .await
            .context("starting the emulator of Compute Engine")?;
        let client = Client::new(&gce.url());
        let network = client.network(PROJECT, "pods").await?;
        let subnet = client.subnetwork(&network, REGION, "nodes", SUBNET).await?;
        stream::iter(0..instances)
            .map(|number| (zone(number), nodes::name(number)))
            .chain(stream::iter([(ZONES[0], CONTROLLER.to_owned())]))
            .map(|(zone, name)| {
                let (client, subnet) = (&client, &subnet);
                async move { client.instance(PROJECT, zone, &name, subnet).await }
            })
            .buffer_unordered(AT_ONCE)
            .try_for_each(|_| async { Ok(()) })
            .await
            .context("making instances")?;
        gce.set_identity(Identity {
            project: PROJECT.to_owned(),
            zone: ZONES[0].to_owned(),
            instance: CONTROLLER.to_owned(),
            ..Identity::default()
        });
        let configured = gce.configure(|settings| {
            settings.rates = true;
            settings.latency = LATENCY.as_secs_f64();
            settings.operations = [scale.operation.as_secs_f64(); 2];
            settings.quotas.routes = ROUTES;
            settings.quotas.static_routes_per_network = ROUTES;
        });
        configured.map_err(|error| anyhow!("the emulator's settings: {error}"))?;
        gce.clear_calls();
        Ok(Self { gce, client })
    }

    /// What leads the controller here, as if it ran on an instance.
    pub(super) fn environment(&self) -> Result<Vec<(&'static str, String)>> {
        let metadata = self.gce.metadata_url().context("no metadata server")?;
        let host = metadata.trim_start_matches("http://").to_owned();
        Ok(vec![
            ("GCE_METADATA_HOST", host),
            // Whatever credentials this machine has of its own.
            ("HOME", "/nonexistent".to_owned()),
        ])
    }
}

fn zone(number: u32) -> &'static str {
    ZONES[number as usize % ZONES.len()]
}

impl Emulated for Network {
    const API: &'static str = "Compute Engine";
    const CREATION: &'static str = "routes.insert";

    fn provider_id(&self, number: u32) -> Result<String> {
        let name = nodes::name(number);
        Ok(format!("gce://{PROJECT}/{}/{name}", zone(number)))
    }

    fn calls_after(&self, number: u64) -> Vec<Call> {
        self.gce.calls_after(number)
    }

    fn routes(&self) -> BTreeMap<String, String> {
        let state = self.gce.snapshot();
        let routes = state.static_routes();
        routes
            .filter_map(|route| match &route.next_hop {
                NextHop::Instance(path) => Some((route.destination.to_string(), path.clone())),
                _ => None,
            })
            .collect()
    }

    async fn remove_route(&self, destination: &str) -> Result<()> {
        let state = self.gce.snapshot();
        let mut routes = state.static_routes();
        let route = routes.find(|route| route.destination.to_string() == destination);
        let name = &route.context("no such route")?.name;
        let path = format!("projects/{PROJECT}/global/routes/{name}");
        self.client
            .end(&path)
            .await
            .with_context(|| format!("deleting {path}"))?;
        Ok(())
    }
}
