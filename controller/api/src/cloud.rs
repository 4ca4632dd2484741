//! Where routes are programmed.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// Where routes are programmed, and how often they are checked.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.provider == 'linux' || !has(self.linux)").message(
        "the section linux belongs to provider linux: remove the section, or set provider to linux"
    ).field_path(".linux"),
    validation = Rule::new("self.provider == 'aws' || !has(self.aws)").message(
        "the section aws belongs to provider aws: remove the section, or set provider to aws"
    ).field_path(".aws"),
    validation = Rule::new("self.provider == 'gcp' || !has(self.gcp)").message(
        "the section gcp belongs to provider gcp: remove the section, or set provider to gcp"
    ).field_path(".gcp"),
    validation = Rule::new("self.provider != 'aws' || has(self.aws)").message(
        "provider aws needs the section aws, which says at least clusterName"
    ),
    validation = Rule::new("self.provider != 'gcp' || has(self.gcp)").message(
        "provider gcp needs the section gcp, which says at least clusterName"
    )
)]
pub struct Cloud {
    /// linux: routes in the kernel of the machine that runs the controller, which is the router
    /// between the nodes. aws: route tables of a VPC. gcp: routes of a VPC network. none: pod
    /// ranges are allocated and no routes are programmed; something else carries the packets. The
    /// controller must be built with the provider, and reports it if it is not. On a change the
    /// routes of the provider before are removed first, for at most two minutes; what is left then is
    /// named in the condition RoutesSynced.
    pub provider: Provider,

    /// Settings of provider linux. Allowed for that provider only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linux: Option<LinuxCloud>,

    /// Settings of provider aws. Required for that provider, not allowed for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsCloud>,

    /// Settings of provider gcp. Required for that provider, not allowed for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcp: Option<GcpCloud>,

    /// How often the route tables are listed to notice changes made by others: a number with the
    /// unit ms, s, m or h, from 1s to 1h. After such a change they are listed five times as often
    /// for a while. Each check is one paged listing, filtered where the
    /// cloud can; the nodes' instances are read again ten times as rarely. New nodes do not wait
    /// for it. Default: 30s.
    #[serde(default = "default_check_period")]
    #[schemars(schema_with = "schema::check_period")]
    pub check_period: String,
}

/// Where routes are programmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// The kernel of the machine that runs the controller.
    Linux,
    /// The route tables of an AWS VPC.
    Aws,
    /// The routes of a Google Cloud VPC network.
    Gcp,
    /// Nowhere.
    None,
}

impl Provider {
    /// The name in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::None => "none",
        }
    }
}

/// Settings of provider linux: the machine that runs the controller routes between the nodes.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LinuxCloud {
    /// The number that marks a kernel route as Signpost's ("proto" in ip route). Routes with
    /// another number are never touched, so no other program on the machine may use this one: the
    /// numbers of the kernel (0 to 4) and of known routing programs are refused. On a change the
    /// routes with the number before are removed first. From 5 to 255. Default: 143.
    #[serde(default = "default_route_protocol")]
    #[schemars(range(min = 5, max = 255))]
    #[x_kube(validation = Rule::new(schema::ROUTE_PROTOCOL_IS_FREE).message(
        "this number marks the routes of another routing program (see \
         /etc/iproute2/rt_protos), which would be taken for Signpost's: choose an unused one, \
         such as 143"
    ))]
    pub route_protocol: u8,

    /// The kernel's route table that routes are put in: 254 is the main one. The machine's rules
    /// must look it up. On a change the routes in the table before are removed first. From 1 to
    /// 4294967295, but not 255, which is the kernel's table of local addresses. Default: 254.
    #[serde(default = "default_table")]
    #[schemars(range(min = 1, max = 4_294_967_295u32))]
    #[x_kube(validation = Rule::new("self != 255").message(
        "table 255 is the kernel's own, for local addresses: use 254 (main) or a table of your own"
    ))]
    pub table: u32,
}

impl Default for LinuxCloud {
    fn default() -> Self {
        Self {
            route_protocol: default_route_protocol(),
            table: default_table(),
        }
    }
}

/// Settings of provider aws: the route tables of a VPC. Credentials are found as every SDK of AWS
/// finds them: EKS Pod Identity, IRSA, instance profile, environment, profile.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("size(self.routeTableIDs) == 0 || size(self.routeTableTags) == 0").message(
        "route tables are chosen by id or by tags: remove routeTableIDs or routeTableTags"
    ).field_path(".routeTableTags")
)]
pub struct AwsCloud {
    /// Name of the cluster as in the tag kubernetes.io/cluster/NAME (value owned or shared) of its
    /// route tables and instances, 1 to 100 characters. A route that leads to an instance without
    /// this tag, and without a node of this cluster, is never touched.
    #[schemars(length(min = 1, max = 100))]
    pub cluster_name: String,

    /// The region, such as eu-west-1. Default: as the SDK finds it (AWS_REGION, profile, instance
    /// metadata).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub region: Option<String>,

    /// The VPC whose route tables are looked at, such as vpc-0123456789abcdef0. Default: the VPC
    /// of the instance that runs the controller.
    #[serde(default, rename = "vpcID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub vpc_id: Option<String>,

    /// The route tables to program, by id, at most 200. No node becomes ready while one of them
    /// does not exist. Default: those that carry the tag of clusterName, looked up anew with every
    /// check.
    #[serde(default, rename = "routeTableIDs")]
    #[schemars(schema_with = "schema::id_list")]
    pub route_table_ids: Vec<String>,

    /// The route tables to program: those of the VPC that carry all these tags, at most 10.
    /// Default: those that carry the tag of clusterName.
    #[serde(default)]
    #[schemars(schema_with = "schema::tags")]
    pub route_table_tags: BTreeMap<String, String>,

    /// How often each action of the API may be called. Default: the rates that AWS publishes for an
    /// account in a region, less a tenth of the burst; lower them where others share the account.
    /// A rate is halved by itself when AWS throttles, and recovers.
    #[serde(default, skip_serializing_if = "AwsRates::is_default")]
    pub rates: AwsRates,
}

/// Rates of the actions of the EC2 API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsRates {
    /// Default: burst 90, perSecond 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub describe_route_tables: Option<CallRate>,
    /// Default: burst 90, perSecond 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub describe_instances: Option<CallRate>,
    /// Default: burst 45, perSecond 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_route: Option<CallRate>,
    /// Default: burst 45, perSecond 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace_route: Option<CallRate>,
    /// Default: burst 45, perSecond 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_route: Option<CallRate>,
    /// Default: burst 90, perSecond 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modify_network_interface_attribute: Option<CallRate>,
}

impl AwsRates {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How often something may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallRate {
    /// Calls at once after a rest, from 1 to 10000.
    #[schemars(range(min = 1, max = 10_000))]
    pub burst: u32,
    /// Calls a second for as long as one likes, from 1 to 10000.
    #[schemars(range(min = 1, max = 10_000))]
    pub per_second: u32,
}

/// Settings of provider gcp: the routes of a VPC network. Credentials are found as every client of
/// Google's finds them: workload identity, the instance's service account,
/// GOOGLE_APPLICATION_CREDENTIALS.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GcpCloud {
    /// Name of the cluster, of which the names of its routes are made, 1 to 100 characters. No two
    /// clusters of a network may have the same. Routes of other names are never touched. On a change the
    /// routes of the name before are removed first.
    #[schemars(length(min = 1, max = 100))]
    pub cluster_name: String,

    /// Id of the project that has the network: the host project of a Shared VPC. Default: the project of
    /// the network of the instance that runs the controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub project: Option<String>,

    /// Name of the VPC network that gets the routes. Default: the network of the instance that
    /// runs the controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub network: Option<String>,

    /// Priority of the routes: of several for the same destination those with the lowest number are
    /// followed. From 0 to 65535. On a change the routes are made anew, one by one. Default: 1000.
    #[serde(default = "default_priority")]
    #[schemars(range(min = 0, max = 65_535))]
    pub priority: u32,

    /// Network tags of the instances for which the routes hold, at most 64: then only instances that
    /// carry one of them reach pods on other nodes. Default: all instances of the network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::network_tags")]
    pub tags: Vec<String>,

    /// Whether IP forwarding (canIpForward) of nodes' instances is switched on where it is off, without a
    /// restart. It belongs in the instance template: a managed instance group reverts what differs from
    /// it. Where this is false such a node does not become ready and says why. Default: false.
    #[serde(default, rename = "enableIPForwarding")]
    pub enable_ip_forwarding: bool,

    /// Where the API is, for private endpoints: the URL up to the host or port, such as
    /// `https://compute-psc.p.googleapis.com`. Default: as the universe domain of the credentials says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::endpoint")]
    pub endpoint: Option<String>,

    /// How many requests are sent in a minute, at most, of each group that Google counts together in a
    /// project (changes, reads, listings, reads of operations), from 120 to 100000. Default: 750, half of
    /// what a project has by default; lower it where others share the project.
    #[serde(default = "default_requests_per_minute")]
    #[schemars(range(min = 120, max = 100_000))]
    pub requests_per_minute: u32,
}

fn default_check_period() -> String {
    "30s".to_owned()
}

fn default_route_protocol() -> u8 {
    143
}

fn default_table() -> u32 {
    254
}

fn default_priority() -> u32 {
    1000
}

fn default_requests_per_minute() -> u32 {
    750
}
