//! A network in the emulator, and what the tests do and see there.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use signpost_gce::{Client, Emulator, Identity, NextHop, Options};

use crate::{
    running::Running,
    support::{CONTROLLER, World, eventually},
};

pub(super) const PROJECT: &str = "example";
const ZONE: &str = "europe-west3-a";

/// A network with a subnet, and an instance for the controller.
pub(super) struct Network {
    pub(super) gce: Emulator,
    client: Client,
    subnet: String,
}

/// Names of instances, and what their nodes say of them.
pub(super) type Instances = Vec<(String, String)>;

impl Network {
    pub(super) async fn new() -> Self {
        let options = Options {
            metadata: Some(([127, 0, 0, 1], 0).into()),
            ..Options::default()
        };
        let gce = Emulator::start(options).await.unwrap();
        let client = Client::new(&gce.url());
        let network = client.network(PROJECT, "pods").await.unwrap();
        let subnet = client.subnetwork(&network, "europe-west3", "nodes", "10.0.0.0/20");
        let subnet = subnet.await.unwrap();
        client
            .instance(PROJECT, ZONE, "controller", &subnet)
            .await
            .unwrap();
        gce.set_identity(Identity {
            project: PROJECT.to_owned(),
            zone: ZONE.to_owned(),
            instance: "controller".to_owned(),
            ..Identity::default()
        });
        Self {
            gce,
            client,
            subnet,
        }
    }

    /// Lets operations take so many seconds.
    pub(super) fn slow(&self, seconds: f64) {
        self.gce
            .configure(|all| all.operations = [seconds; 2])
            .unwrap();
    }

    /// Lets the controller do nothing else.
    pub(super) fn permit(&self, permissions: &[&str]) {
        let account = Identity::default().email;
        self.gce.set_permissions(&account, PROJECT, permissions);
    }

    pub(super) async fn launch(&self, count: usize) -> Instances {
        self.launch_as(count, true).await
    }

    pub(super) async fn launch_as(&self, count: usize, forwards: bool) -> Instances {
        let mut instances = Instances::new();
        for number in 0..count {
            let name = format!("node-{number}");
            let body = json!({
                "name": name,
                "machineType": format!("zones/{ZONE}/machineTypes/e2-medium"),
                "canIpForward": forwards,
                "networkInterfaces": [{"subnetwork": self.subnet}],
            });
            let all = format!("projects/{PROJECT}/zones/{ZONE}/instances");
            self.client.make(&all, &body).await.unwrap();
            let id = format!("gce://{PROJECT}/{ZONE}/{name}");
            instances.push((name, id));
        }
        instances
    }

    pub(super) fn start(&self, world: &World) -> Running {
        let kubeconfig = world.control_plane.kubeconfig_for(CONTROLLER).unwrap();
        let metadata = self.gce.metadata_url().unwrap();
        let host = metadata.trim_start_matches("http://");
        Running::start_in(&kubeconfig, &[("GCE_METADATA_HOST", host)])
    }

    /// The names of instances by the destinations of routes to them; each destination has one.
    pub(super) fn routes(&self) -> BTreeMap<String, String> {
        let mut routes = BTreeMap::new();
        for route in self.gce.snapshot().static_routes() {
            let NextHop::Instance(path) = &route.next_hop else {
                panic!("{route:?}");
            };
            let name = path.rsplit('/').next().unwrap().to_owned();
            let twice = routes.insert(route.destination.to_string(), name);
            assert_eq!(twice, None, "two routes for {}", route.destination);
        }
        routes
    }

    /// How often methods were called.
    pub(super) fn calls(&self) -> BTreeMap<String, usize> {
        let mut calls = BTreeMap::new();
        for call in self.gce.calls() {
            *calls.entry(call.action).or_default() += 1;
        }
        calls
    }
}

pub(super) fn spec(period: &str, network: &Network) -> Value {
    json!({
        "pools": [{"name": "main", "cidr": "10.244.0.0/16", "nodePrefixLength": 24}],
        "cloud": {
            "provider": "gcp",
            "checkPeriod": period,
            "gcp": {"clusterName": "blue", "endpoint": network.gce.url()},
        },
        // Everything may be made anew at once.
        "safety": {"maxDeletionPercent": 100},
    })
}

pub(super) async fn add_nodes(world: &World, instances: &Instances) {
    for (name, id) in instances {
        world.add_instance(name, id).await;
    }
}

pub(super) async fn routed(world: &World, count: usize) {
    eventually("the nodes are routed", 60, async || {
        world.network().await["status"]["nodes"]["routed"] == count
    })
    .await;
}

/// What the routes should be.
pub(super) async fn wanted(world: &World, instances: &Instances) -> BTreeMap<String, String> {
    let mut wanted = BTreeMap::new();
    for (name, _) in instances {
        for cidr in world.pod_cidrs(name).await {
            wanted.insert(cidr, name.clone());
        }
    }
    wanted
}
