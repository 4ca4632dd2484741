//! A network with instances, and the provider that works on it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use google_cloud_auth::{
    credentials::{CacheableResource, Credentials, CredentialsProvider, EntityTag},
    errors::CredentialsError,
};
use http::{Extensions, HeaderMap, HeaderValue, header::AUTHORIZATION};
use serde_json::{Value, json};
use signpost_cloud::{
    Change, Cloud, Meter, Progress,
    gcp::{GcpConfig, GcpNetwork},
};
use signpost_core::{
    cloud::{
        CloudError, InstanceQuery, InstanceState, NextHop, ObservedRoute, Range, Route,
        RouteChange, TableId, TableListing,
    },
    node::NodeKey,
};
use signpost_gce::{Client, Emulator, Options, Settings};

/// The project of the network.
pub(crate) const PROJECT: &str = "host";
/// A service project of it.
pub(crate) const SERVICE: &str = "service";
pub(crate) const NETWORK: &str = "projects/host/global/networks/pods";
pub(crate) const ZONE: &str = "europe-west3-a";
/// By which the emulator knows the provider.
pub(crate) const TOKEN: &str = "signpost";

/// What the provider reports of its requests.
#[derive(Default)]
pub(crate) struct Log {
    requests: Mutex<BTreeMap<(&'static str, &'static str), usize>>,
}

impl Meter for Log {
    fn request(&self, action: &'static str, outcome: &'static str, _took: Duration) {
        let mut requests = self.requests.lock().unwrap();
        *requests.entry((action, outcome)).or_default() += 1;
    }

    fn waited(&self, _action: &'static str, _wait: Duration) {}
}

impl Log {
    pub(crate) fn requests(&self, action: &'static str, outcome: &'static str) -> usize {
        let requests = self.requests.lock().unwrap();
        requests.get(&(action, outcome)).copied().unwrap_or(0)
    }
}

/// A token that is its own name, of a universe (`None`: googleapis.com).
#[derive(Debug)]
pub(crate) struct Token(pub(crate) Option<&'static str>);

impl CredentialsProvider for Token {
    async fn headers(
        &self,
        _extensions: Extensions,
    ) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        let bearer = HeaderValue::from_str(&format!("Bearer {TOKEN}")).unwrap();
        Ok(CacheableResource::New {
            entity_tag: EntityTag::new(),
            data: HeaderMap::from_iter([(AUTHORIZATION, bearer)]),
        })
    }

    async fn universe_domain(&self) -> Option<String> {
        self.0.map(str::to_owned)
    }
}

/// The network `pods` of project `host`, with one subnet 10.0.0.0/20 of both families, and the provider
/// of cluster blue.
pub(crate) struct Scene {
    pub(crate) gce: Emulator,
    pub(crate) client: Client,
    pub(crate) cloud: GcpNetwork,
    pub(crate) log: Arc<Log>,
    pub(crate) subnet: String,
}

pub(crate) fn pools() -> [Range; 2] {
    [("10.244.0.0/16", 24), ("fd00:10:244::/48", 64)].map(|(cidr, prefix_len)| Range {
        cidr: cidr.parse().unwrap(),
        prefix_len,
    })
}

pub(crate) fn config(gce: &Emulator) -> GcpConfig {
    GcpConfig {
        cluster_name: "blue".to_owned(),
        project: Some(PROJECT.to_owned()),
        network: Some("pods".to_owned()),
        priority: GcpConfig::DEFAULT_PRIORITY,
        tags: Vec::new(),
        enable_ip_forwarding: false,
        endpoint: Some(gce.url()),
        requests_per_minute: 100_000,
        longest_write: Duration::from_secs(2),
    }
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    /// The settings hold from when the scene was built.
    pub(crate) async fn with(settings: Settings) -> Self {
        let options = Options {
            projects: vec![PROJECT.to_owned(), SERVICE.to_owned()],
            hosts: BTreeMap::from([(SERVICE.to_owned(), PROJECT.to_owned())]),
            ..Options::default()
        };
        let gce = Emulator::start(options).await.unwrap();
        let client = Client::new(&gce.url());
        let network = json!({
            "name": "pods", "autoCreateSubnetworks": false, "enableUlaInternalIpv6": true,
        });
        let networks = format!("projects/{PROJECT}/global/networks");
        client.make(&networks, &network).await.unwrap();
        let subnet = json!({
            "name": "nodes", "network": NETWORK, "ipCidrRange": "10.0.0.0/20",
            "stackType": "IPV4_IPV6", "ipv6AccessType": "INTERNAL",
        });
        let subnets = format!("projects/{PROJECT}/regions/europe-west3/subnetworks");
        client.make(&subnets, &subnet).await.unwrap();
        gce.configure(|all| *all = settings).unwrap();
        gce.clear_calls();
        let log = Arc::<Log>::default();
        Self {
            cloud: provider(config(&gce), &log).await,
            client,
            log,
            subnet: format!("{subnets}/nodes"),
            gce,
        }
    }

    /// Another provider on the same network, as after a change of leaders or of another cluster.
    pub(crate) async fn another(&self, change: impl FnOnce(&mut GcpConfig)) -> GcpNetwork {
        let mut config = config(&self.gce);
        change(&mut config);
        provider(config, &self.log).await
    }

    /// An instance of both families, which forwards; gives what its node is asked for by.
    pub(crate) async fn launch(&self, project: &str, zone: &str, name: &str) -> InstanceQuery {
        self.launch_as(project, zone, name, true).await
    }

    pub(crate) async fn launch_as(
        &self,
        project: &str,
        zone: &str,
        name: &str,
        forwards: bool,
    ) -> InstanceQuery {
        let body = json!({
            "name": name,
            "machineType": format!("zones/{zone}/machineTypes/e2-medium"),
            "canIpForward": forwards,
            "labels": {"team": "net"},
            "networkInterfaces": [{"subnetwork": self.subnet, "stackType": "IPV4_IPV6"}],
        });
        let instances = format!("projects/{project}/zones/{zone}/instances");
        self.client.make(&instances, &body).await.unwrap();
        query(project, zone, name)
    }

    pub(crate) async fn state(&self, query: &InstanceQuery) -> InstanceState {
        let mut answers = self.cloud.read_instances(std::slice::from_ref(query)).await;
        answers.pop().unwrap().1.unwrap()
    }

    /// Makes a change and waits for its end.
    pub(crate) async fn make(&self, change: &RouteChange) -> Result<(), CloudError> {
        make(&self.cloud, Change::Route(change)).await
    }

    /// What the provider shows of the one table.
    pub(crate) async fn listing(&self) -> TableListing {
        listing(&self.cloud).await
    }

    /// The routes that it shows.
    pub(crate) async fn routes(&self) -> Vec<ObservedRoute> {
        self.listing().await.routes.unwrap()
    }

    /// The only static route but the default one, as the emulator has it.
    pub(crate) async fn only_route(&self) -> Value {
        let all = format!("projects/{PROJECT}/global/routes");
        let all = self.client.get(&all).await.unwrap();
        let mut made =
            all["items"].as_array().unwrap().iter().filter(|route| {
                route["nextHopNetwork"].is_null() && route["nextHopGateway"].is_null()
            });
        let only = made.next().unwrap().clone();
        assert!(made.next().is_none(), "{all}");
        only
    }
}

pub(crate) fn query(project: &str, zone: &str, name: &str) -> InstanceQuery {
    InstanceQuery {
        node: NodeKey::new(name, format!("uid-of-{name}")),
        provider_id: Some(format!("gce://{project}/{zone}/{name}").into()),
        internal_ips: Vec::new(),
    }
}

async fn provider(config: GcpConfig, log: &Arc<Log>) -> GcpNetwork {
    let meter = Arc::clone(log);
    GcpNetwork::with_credentials(config, Credentials::from(Token(None)), meter)
        .await
        .unwrap()
}

pub(crate) async fn listing(cloud: &GcpNetwork) -> TableListing {
    let mut all = cloud.list_routes(&pools()).await.unwrap();
    assert_eq!(all.len(), 1);
    all.pop().unwrap()
}

pub(crate) async fn make(cloud: &GcpNetwork, change: Change<'_>) -> Result<(), CloudError> {
    cloud.admit(change).await?;
    match cloud.begin(change).await? {
        Progress::Done => Ok(()),
        Progress::Accepted(operation) => cloud.finish(operation).await,
    }
}

pub(crate) fn table() -> TableId {
    TableId(NETWORK.into())
}

pub(crate) fn hop(zone: &str, name: &str) -> NextHop {
    NextHop::Target(format!("projects/{PROJECT}/zones/{zone}/instances/{name}").into())
}

/// Leads a block to where an instance is.
pub(crate) fn create(block: &str, next_hop: NextHop) -> RouteChange {
    RouteChange::Create {
        table: table(),
        route: Route {
            destination: block.parse().unwrap(),
            next_hop,
            node: NodeKey::new("node", "uid"),
        },
    }
}

pub(crate) fn delete(route: &ObservedRoute) -> RouteChange {
    RouteChange::Delete {
        table: table(),
        route: route.clone(),
    }
}
