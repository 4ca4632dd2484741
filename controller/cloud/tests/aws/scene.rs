//! A VPC with route tables and instances, and the provider that works on it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use signpost_cloud::{
    Change, Cloud, Meter, Progress,
    aws::{AwsConfig, AwsVpc, Rates, TableChoice},
};
use signpost_core::{
    cloud::{
        CloudError, CloudErrorKind, InstanceQuery, InstanceState, NextHop, ObservedRoute,
        Ownership, Range, Route, RouteChange, TableId, TableListing,
    },
    node::NodeKey,
};
use signpost_ec2::{Answer, Client, Emulator, Options, Settings};

pub(crate) const TAG: &str = "kubernetes.io/cluster/blue";
/// Whose credentials the provider has.
pub(crate) const ACCESS_KEY: &str = "AKIAEXAMPLE";

/// What the provider reports of its requests.
#[derive(Default)]
pub(crate) struct Log {
    requests: Mutex<BTreeMap<(&'static str, &'static str), usize>>,
    waited: Mutex<BTreeMap<&'static str, Duration>>,
}

impl Meter for Log {
    fn request(&self, action: &'static str, outcome: &'static str, _took: Duration) {
        let mut requests = self.requests.lock().unwrap();
        *requests.entry((action, outcome)).or_default() += 1;
    }

    fn waited(&self, action: &'static str, wait: Duration) {
        *self.waited.lock().unwrap().entry(action).or_default() += wait;
    }
}

impl Log {
    pub(crate) fn requests(&self, action: &'static str, outcome: &'static str) -> usize {
        let requests = self.requests.lock().unwrap();
        requests.get(&(action, outcome)).copied().unwrap_or(0)
    }

    pub(crate) fn waited(&self, action: &'static str) -> Duration {
        let waited = self.waited.lock().unwrap();
        waited.get(action).copied().unwrap_or_default()
    }
}

/// A VPC 10.0.0.0/16 (and an IPv6 range) with two tagged tables besides the main one, of which the
/// first is that of the only subnet, and the provider of cluster blue.
pub(crate) struct Scene {
    pub(crate) ec2: Emulator,
    pub(crate) client: Client,
    pub(crate) vpc: String,
    pub(crate) subnet: String,
    pub(crate) tables: [String; 2],
    pub(crate) cloud: AwsVpc,
    pub(crate) log: Arc<Log>,
}

pub(crate) fn pools() -> [Range; 2] {
    [("10.244.0.0/16", 24), ("fd00:10:244::/48", 64)].map(|(cidr, prefix_len)| Range {
        cidr: cidr.parse().unwrap(),
        prefix_len,
    })
}

pub(crate) fn config() -> AwsConfig {
    AwsConfig {
        cluster_name: "blue".to_owned(),
        region: None,
        vpc_id: None,
        tables: TableChoice::ClusterTag,
        rates: Rates::new(),
        longest_write: Duration::from_secs(2),
    }
}

/// How the provider reaches the emulator.
pub(crate) fn sdk(ec2: &Emulator) -> SdkConfig {
    sdk_at(&ec2.url(), ec2.region())
}

/// How the provider reaches an endpoint, with credentials that nobody checks.
pub(crate) fn sdk_at(url: &str, region: &str) -> SdkConfig {
    let credentials = Credentials::new(ACCESS_KEY, "secret", None, None, "tests");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region.to_owned()))
        .endpoint_url(url)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(config(), Settings::default()).await
    }

    /// The settings hold from when the scene was built.
    pub(crate) async fn with(config: AwsConfig, settings: Settings) -> Self {
        Self::build(config, settings, Options::default()).await
    }

    pub(crate) async fn in_region(region: &str) -> Self {
        let options = Options {
            region: region.to_owned(),
            ..Options::default()
        };
        Self::build(config(), Settings::default(), options).await
    }

    async fn build(config: AwsConfig, settings: Settings, options: Options) -> Self {
        let ec2 = Emulator::start(options).await.unwrap();
        let client = Client::new(&ec2.url(), ec2.region());
        let vpc = [
            ("CidrBlock", "10.0.0.0/16"),
            ("AmazonProvidedIpv6CidrBlock", "true"),
        ];
        let vpc = ok(&client, "CreateVpc", &vpc).await.text("vpcId");
        let described = ok(&client, "DescribeVpcs", &[("VpcId.1", &vpc)]).await;
        let v6 = described.text("ipv6CidrBlock").replace("/56", "/64");
        let subnet = [
            ("VpcId", vpc.as_str()),
            ("CidrBlock", "10.0.1.0/24"),
            ("Ipv6CidrBlock", &v6),
        ];
        let subnet = ok(&client, "CreateSubnet", &subnet).await.text("subnetId");
        let mut tables = Vec::new();
        for value in ["owned", "shared"] {
            tables.push(make_table(&client, &vpc, &[(TAG, value)]).await);
        }
        let both = [("RouteTableId", &*tables[0]), ("SubnetId", &subnet)];
        ok(&client, "AssociateRouteTable", &both).await;
        ec2.configure(|all| *all = settings).unwrap();
        ec2.fill_buckets();
        ec2.clear_calls();
        let log = Arc::<Log>::default();
        let sdk = sdk(&ec2);
        let meter = Arc::clone(&log);
        let cloud = AwsVpc::with_sdk(config, &sdk, Some(vpc.clone()), meter);
        Self {
            client,
            vpc,
            subnet,
            tables: tables.try_into().unwrap(),
            cloud,
            log,
            ec2,
        }
    }

    /// Another provider on the same VPC.
    pub(crate) fn another(&self, config: AwsConfig) -> AwsVpc {
        let meter = Arc::clone(&self.log);
        AwsVpc::with_sdk(config, &sdk(&self.ec2), Some(self.vpc.clone()), meter)
    }

    /// The answer of a call that must succeed.
    pub(crate) async fn ok(&self, action: &str, params: &[(&str, &str)]) -> Answer {
        ok(&self.client, action, params).await
    }

    pub(crate) async fn table(&self, tags: &[(&str, &str)]) -> String {
        make_table(&self.client, &self.vpc, tags).await
    }

    /// Instances with one interface each, of both families.
    pub(crate) async fn launch(&self, count: usize, tags: &[(&str, &str)]) -> Vec<String> {
        let count = count.to_string();
        let mut params: Vec<(String, String)> = [
            ("ImageId", "ami-12345678"),
            ("MinCount", &count),
            ("MaxCount", &count),
            ("SubnetId", &self.subnet),
            ("Ipv6AddressCount", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        if !tags.is_empty() {
            let resource = "TagSpecification.1.ResourceType".to_owned();
            params.push((resource, "instance".to_owned()));
        }
        for (index, (key, value)) in tags.iter().enumerate() {
            let tag = format!("TagSpecification.1.Tag.{}", index + 1);
            params.push((format!("{tag}.Key"), (*key).to_owned()));
            params.push((format!("{tag}.Value"), (*value).to_owned()));
        }
        let params: Vec<(&str, &str)> = params.iter().map(|(k, v)| (&**k, &**v)).collect();
        self.ok("RunInstances", &params).await.texts("instanceId")
    }

    /// The primary interface of an instance.
    pub(crate) fn primary(&self, instance: &str) -> String {
        let state = self.ec2.snapshot();
        let found = state.instances.iter().find(|of| of.id == instance).unwrap();
        found.interfaces[0].clone()
    }

    /// Somebody makes a route by hand.
    pub(crate) async fn by_hand(&self, action: &str, table: &str, to: &str, interface: &str) {
        let to = if to.contains(':') {
            ("DestinationIpv6CidrBlock", to)
        } else {
            ("DestinationCidrBlock", to)
        };
        let mut params = vec![("RouteTableId", table), to];
        if action != "DeleteRoute" {
            params.push(("NetworkInterfaceId", interface));
        }
        self.ok(action, &params).await;
    }

    /// Reads instances as the engine does and gives what was found.
    pub(crate) async fn read(&self, instances: &[String]) -> Vec<InstanceState> {
        read(&self.cloud, instances).await
    }

    pub(crate) async fn list(&self) -> Vec<TableListing> {
        self.cloud.list_routes(&pools()).await.unwrap()
    }

    /// The route that a table shows for a destination.
    pub(crate) async fn shown(&self, table: &str, to: &str) -> Option<ObservedRoute> {
        shown(&self.list().await, table, to)
    }

    /// Where the true state of a table leads a destination, and whether packets arrive.
    pub(crate) fn truth(&self, table: &str, to: &str) -> Option<(String, bool)> {
        let state = self.ec2.snapshot();
        let table = state.route_tables.into_iter().find(|it| it.id == table)?;
        let to = to.parse().unwrap();
        let route = table.routes.into_iter().find(|it| it.destination == to)?;
        match route.target {
            signpost_ec2::TargetState::Interface(id) => Some((id, route.active)),
            other => panic!("{other:?}"),
        }
    }

    /// Makes a change as the controller does.
    pub(crate) async fn change(&self, change: &RouteChange) -> Result<(), CloudErrorKind> {
        make(&self.cloud, change).await.map_err(|error| error.kind)
    }

    /// Numbers of calls of an action since the log was emptied.
    pub(crate) fn calls(&self, action: &str) -> usize {
        let calls = self.ec2.calls();
        calls.iter().filter(|call| call.action == action).count()
    }
}

/// Admits a change and makes it.
pub(crate) async fn make(cloud: &AwsVpc, change: &RouteChange) -> Result<(), CloudError> {
    cloud.admit(Change::Route(change)).await?;
    begin(cloud, Change::Route(change)).await
}

/// Makes a change that was admitted.
pub(crate) async fn begin(cloud: &AwsVpc, change: Change<'_>) -> Result<(), CloudError> {
    let made = cloud.begin(change).await?;
    assert_eq!(made, Progress::Done);
    Ok(())
}

/// Has a node's instance forward.
pub(crate) async fn enable_forwarding(
    cloud: &AwsVpc,
    query: &InstanceQuery,
) -> Result<(), CloudError> {
    let change = Change::Forwarding(query);
    cloud.admit(change).await?;
    begin(cloud, change).await
}

pub(crate) async fn read(cloud: &AwsVpc, instances: &[String]) -> Vec<InstanceState> {
    let queries: Vec<InstanceQuery> = instances.iter().map(|id| query(id)).collect();
    let mut answers: BTreeMap<_, _> = cloud.read_instances(&queries).await.into_iter().collect();
    let answer = |query: &InstanceQuery| answers.remove(&query.node).unwrap().unwrap();
    queries.iter().map(answer).collect()
}

pub(crate) fn query(instance: &str) -> InstanceQuery {
    InstanceQuery {
        node: NodeKey::new(instance, instance),
        provider_id: Some(format!("aws:///eu-central-1a/{instance}").into()),
        internal_ips: Vec::new(),
    }
}

pub(crate) fn shown(listings: &[TableListing], table: &str, to: &str) -> Option<ObservedRoute> {
    let listing = listings.iter().find(|it| &*it.table.0 == table).unwrap();
    let to = to.parse().unwrap();
    let routes = listing.routes.as_ref().unwrap();
    routes.iter().find(|it| it.destination == to).cloned()
}

pub(crate) fn route(to: &str, interface: &str) -> Route {
    Route {
        destination: to.parse().unwrap(),
        next_hop: NextHop::Target(interface.into()),
        node: NodeKey::new("node", "uid"),
    }
}

pub(crate) fn create(table: &str, to: &str, interface: &str) -> RouteChange {
    RouteChange::Create {
        table: TableId(table.into()),
        route: route(to, interface),
    }
}

pub(crate) fn observed(to: &str, interface: &str) -> ObservedRoute {
    ObservedRoute {
        destination: to.parse().unwrap(),
        next_hop: Some(NextHop::Target(interface.into())),
        ownership: Ownership::Ours,
        blackhole: None,
        handle: None,
    }
}

pub(crate) fn replace(table: &str, old: &ObservedRoute, interface: &str) -> RouteChange {
    RouteChange::Replace {
        table: TableId(table.into()),
        old: old.clone(),
        route: route(&old.destination.to_string(), interface),
    }
}

pub(crate) fn delete(table: &str, old: &ObservedRoute) -> RouteChange {
    RouteChange::Delete {
        table: TableId(table.into()),
        route: old.clone(),
    }
}

pub(crate) async fn make_table(client: &Client, vpc: &str, tags: &[(&str, &str)]) -> String {
    let table = ok(client, "CreateRouteTable", &[("VpcId", vpc)])
        .await
        .text("routeTableId");
    for (key, value) in tags {
        let params = [
            ("ResourceId.1", table.as_str()),
            ("Tag.1.Key", key),
            ("Tag.1.Value", value),
        ];
        ok(client, "CreateTags", &params).await;
    }
    table
}

pub(crate) async fn ok(client: &Client, action: &str, params: &[(&str, &str)]) -> Answer {
    match client.call(action, params).await {
        Ok(answer) => answer,
        Err(error) => panic!("{action} {params:?}: {error}"),
    }
}
