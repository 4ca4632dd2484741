//! A node as it is read: only the fields that decide. Everything else, such as the list of images,
//! which is most of a node, is skipped while it is parsed.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use ipnet::IpNet;
use k8s_openapi::{ClusterResourceScope, apimachinery::pkg::apis::meta::v1::Time};
use kube::{Resource, core::ObjectMeta};
use serde::Deserialize;
use signpost_api::IN_SERVICE_REASONS;
use signpost_core::{Node, NodeKey, node::NetworkCondition};

/// The label by which a node opts out.
pub const EXCLUDE_LABEL: &str = "signpost.dev/exclude";

/// The taint of a node to which the cloud-controller-manager has not been yet.
const UNINITIALIZED_TAINT: &str = "node.cloudprovider.kubernetes.io/uninitialized";

/// A node that takes the place of `k8s_openapi`'s wherever nodes are read.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "Raw")]
pub struct NodeLite {
    /// Name and resource version, which the watch needs.
    meta: ObjectMeta,
    node: Node,
}

impl NodeLite {
    /// `metadata.name`.
    pub fn name(&self) -> &str {
        &self.node.key.name
    }

    /// Which node of that name it is.
    pub fn key(&self) -> &NodeKey {
        &self.node.key
    }

    /// `metadata.resourceVersion`, by which newer is told from older (a decimal number, see
    /// "Resource versions" in the Kubernetes API concepts); `None` if it is none.
    pub fn version(&self) -> Option<u64> {
        self.meta.resource_version.as_ref()?.parse().ok()
    }

    /// The node as the engine knows it.
    pub fn into_node(self) -> Node {
        self.node
    }
}

#[derive(Deserialize)]
struct Raw {
    metadata: RawMeta,
    #[serde(default)]
    spec: RawSpec,
    #[serde(default)]
    status: RawStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMeta {
    #[serde(default)]
    name: Arc<str>,
    #[serde(default)]
    uid: Arc<str>,
    #[serde(default)]
    resource_version: String,
    creation_timestamp: Option<Time>,
    #[serde(default)]
    labels: BTreeMap<Arc<str>, Arc<str>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawSpec {
    #[serde(rename = "providerID")]
    provider_id: Option<Arc<str>>,
    #[serde(rename = "podCIDRs")]
    pod_cidrs: Vec<String>,
    taints: Vec<RawTaint>,
}

#[derive(Deserialize)]
struct RawTaint {
    key: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawStatus {
    addresses: Vec<RawAddress>,
    conditions: Vec<RawCondition>,
}

#[derive(Deserialize)]
struct RawAddress {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

#[derive(Deserialize)]
struct RawCondition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: Option<String>,
}

impl From<Raw> for NodeLite {
    fn from(raw: Raw) -> Self {
        let meta = ObjectMeta {
            name: Some(raw.metadata.name.to_string()),
            resource_version: Some(raw.metadata.resource_version),
            ..ObjectMeta::default()
        };
        let excluded = raw
            .metadata
            .labels
            .get(EXCLUDE_LABEL)
            .is_some_and(|value| &**value != "false");
        let node = Node {
            key: NodeKey::new(raw.metadata.name, raw.metadata.uid),
            created: raw
                .metadata
                .creation_timestamp
                .map_or(0, |time| time.0.as_second()),
            labels: raw.metadata.labels,
            provider_id: raw.spec.provider_id.filter(|id| !id.is_empty()),
            internal_ips: raw
                .status
                .addresses
                .iter()
                .filter(|address| address.kind == "InternalIP")
                .filter_map(|address| address.address.parse().ok())
                .collect(),
            // The API server has checked that they are CIDRs.
            pod_cidrs: raw
                .spec
                .pod_cidrs
                .iter()
                .filter_map(|cidr| parse(cidr))
                .collect(),
            uninitialized: raw
                .spec
                .taints
                .iter()
                .any(|taint| taint.key == UNINITIALIZED_TAINT),
            network: condition(&raw.status.conditions),
            excluded,
        };
        Self { meta, node }
    }
}

/// A CIDR as the API server takes it: IPv4 octets may have leading zeros, which mean nothing.
fn parse(cidr: &str) -> Option<IpNet> {
    cidr.parse().ok().or_else(|| {
        let octets = cidr
            .split('.')
            .map(|octet| match octet.trim_start_matches('0') {
                stripped if stripped.starts_with(|first: char| first.is_ascii_digit()) => {
                    stripped.to_owned()
                }
                zero => format!("0{zero}"),
            });
        octets.collect::<Vec<_>>().join(".").parse().ok()
    })
}

fn condition(conditions: &[RawCondition]) -> NetworkCondition {
    let condition = conditions
        .iter()
        .find(|condition| condition.kind == "NetworkUnavailable");
    let reason = condition.and_then(|condition| condition.reason.as_deref());
    match condition.map(|condition| condition.status.as_str()) {
        Some("False") if reason.is_some_and(|it| IN_SERVICE_REASONS.contains(&it)) => {
            NetworkCondition::Available
        }
        Some("False") => NetworkCondition::Foreign,
        Some("True") => NetworkCondition::Unavailable,
        _ => NetworkCondition::Unknown,
    }
}

impl Resource for NodeLite {
    type DynamicType = ();
    type Scope = ClusterResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Node".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "nodes".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use signpost_core::action::Reason;

    use super::*;

    fn read(node: serde_json::Value) -> Node {
        serde_json::from_value::<NodeLite>(node)
            .unwrap()
            .into_node()
    }

    #[test]
    fn reads_what_decides_and_skips_the_rest() {
        let node = read(json!({
            "metadata": {
                "name": "a", "uid": "u", "resourceVersion": "7",
                "creationTimestamp": "1970-01-01T00:01:40Z",
                "labels": {"zone": "z1"}, "annotations": {"x": "y"},
                "managedFields": [{"manager": "kubelet"}],
            },
            "spec": {
                "providerID": "aws:///eu-1a/i-1",
                "podCIDR": "10.1.0.0/24",
                "podCIDRs": ["10.1.0.0/24", "fd00::/64"],
                "taints": [{"key": "k", "effect": "NoSchedule"}],
            },
            "status": {
                "addresses": [
                    {"type": "Hostname", "address": "a"},
                    {"type": "InternalIP", "address": "192.0.2.1"},
                    {"type": "ExternalIP", "address": "198.51.100.1"},
                    {"type": "InternalIP", "address": "2001:db8::1"},
                ],
                "conditions": [
                    {"type": "Ready", "status": "True"},
                    {"type": "NetworkUnavailable", "status": "False", "reason": "SignpostRouteCreated"},
                ],
                "images": [{"names": ["pause"], "sizeBytes": 1}],
            },
        }));
        assert_eq!(&*node.key.name, "a");
        assert_eq!(&*node.key.uid, "u");
        assert_eq!(node.created, 100);
        assert_eq!(node.provider_id.as_deref(), Some("aws:///eu-1a/i-1"));
        assert_eq!(
            node.pod_cidrs,
            ["10.1.0.0/24".parse().unwrap(), "fd00::/64".parse().unwrap()]
        );
        let ips: Vec<String> = node.internal_ips.iter().map(ToString::to_string).collect();
        assert_eq!(ips, ["192.0.2.1", "2001:db8::1"]);
        assert_eq!(node.network, NetworkCondition::Available);
        assert_eq!(node.labels.get("zone").map(|value| &**value), Some("z1"));
        assert!(!node.excluded && !node.uninitialized);
    }

    #[test]
    fn the_taint_says_that_the_cloud_has_not_seen_the_node_yet() {
        let tainted = |key: &str| {
            let taints = json!([{"key": "other", "effect": "NoSchedule"},
                                {"key": key, "value": "true", "effect": "NoSchedule"}]);
            let node = json!({"metadata": {"name": "a", "uid": "u"}, "spec": {"taints": taints}});
            read(node).uninitialized
        };
        assert!(tainted(UNINITIALIZED_TAINT));
        assert!(!tainted("node.kubernetes.io/not-ready"));
    }

    #[test]
    fn a_cidr_with_leading_zeros_is_not_lost() {
        let cidr = |text| parse(text).map(|cidr| cidr.to_string());
        assert_eq!(cidr("10.010.00.0/24").as_deref(), Some("10.10.0.0/24"));
        assert_eq!(cidr("010.0.0.000/8").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(cidr("fd00::/64").as_deref(), Some("fd00::/64"));
        assert_eq!(cidr("10.0.0/24"), None);
    }

    #[test]
    fn a_bare_node_is_a_node() {
        let node = read(json!({"metadata": {"name": "a", "uid": "u"}}));
        assert_eq!(node.network, NetworkCondition::Unknown);
        assert!(node.pod_cidrs.is_empty());
        assert_eq!(node.provider_id, None);
    }

    #[test]
    fn only_for_a_reason_of_ours_a_node_is_in_service_by_us() {
        let ours = [Reason::RouteCreated, Reason::PodCIDRAssigned].map(Reason::as_str);
        for (reason, expected) in [
            (json!(ours[0]), NetworkCondition::Available),
            (json!(ours[1]), NetworkCondition::Available),
            // What the route controller and an agent of another network say.
            (json!("RouteCreated"), NetworkCondition::Foreign),
            (json!("CalicoIsUp"), NetworkCondition::Foreign),
            (json!(null), NetworkCondition::Foreign),
        ] {
            let condition =
                json!([{"type": "NetworkUnavailable", "status": "False", "reason": reason}]);
            let status = json!({"conditions": condition});
            let node = read(json!({"metadata": {"name": "a", "uid": "u"}, "status": status}));
            assert_eq!(node.network, expected, "{reason}");
        }
    }

    #[test]
    fn the_label_excludes_unless_it_says_false() {
        for (value, excluded) in [("", true), ("true", true), ("false", false)] {
            let labels = json!({EXCLUDE_LABEL: value});
            let node = read(json!({"metadata": {"name": "a", "uid": "u", "labels": labels}}));
            assert_eq!(node.excluded, excluded, "{value:?}");
        }
    }
}
