//! What the agent needs to know of the API's objects.

use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::{ConfigMap, Node, NodeCondition};
use signpost_api::{IN_SERVICE_REASONS, NodeNetwork};

/// A Node object, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeView {
    /// Its pod CIDRs, empty until the controller has allocated them.
    pub pod_cidrs: Vec<IpNet>,
    /// Whether its condition `NetworkUnavailable` is False by Signpost's controller: the routes to it are in
    /// place.
    pub routed: bool,
    /// What that condition says otherwise.
    pub unrouted_because: String,
    /// Its addresses of type `InternalIP`.
    pub internal_ips: Vec<IpAddr>,
    /// How many pods its kubelet runs at most, where that is known.
    pub max_pods: Option<u32>,
}

impl From<&Node> for NodeView {
    fn from(node: &Node) -> Self {
        let spec = node.spec.as_ref();
        let cidrs = spec
            .and_then(|spec| spec.pod_cidrs.clone())
            .unwrap_or_default();
        let condition = node
            .status
            .iter()
            .flat_map(|status| status.conditions.iter().flatten())
            .find(|condition| condition.type_ == "NetworkUnavailable");
        let because = condition.map_or_else(
            || "no controller has said so yet".to_owned(),
            |condition| {
                let reason = condition.reason.as_deref().unwrap_or("no reason given");
                let said = match condition.message.as_deref().unwrap_or_default() {
                    "" => reason.to_owned(),
                    message => format!("{reason}: {message}"),
                };
                if condition.status == "False" {
                    format!("so far only somebody else has put the node into service, {said}")
                } else {
                    said
                }
            },
        );
        Self {
            pod_cidrs: cidrs.iter().filter_map(|cidr| cidr.parse().ok()).collect(),
            routed: condition.is_some_and(is_ours),
            unrouted_because: because,
            internal_ips: internal_ips(node),
            max_pods: max_pods(node),
        }
    }
}

/// Whether it is Signpost's controller by which a node is in service. An agent of another network says it of
/// its own.
fn is_ours(condition: &NodeCondition) -> bool {
    let reason = condition.reason.as_deref().unwrap_or_default();
    condition.status == "False" && IN_SERVICE_REASONS.contains(&reason)
}

fn max_pods(node: &Node) -> Option<u32> {
    let capacity = node.status.as_ref()?.capacity.as_ref()?;
    capacity.get("pods")?.0.parse().ok()
}

/// The addresses of type `InternalIP` of a node, in order.
fn internal_ips(node: &Node) -> Vec<IpAddr> {
    let addresses = node
        .status
        .iter()
        .flat_map(|status| status.addresses.iter().flatten());
    let mut found: Vec<IpAddr> = addresses
        .filter(|address| address.type_ == "InternalIP")
        .filter_map(|address| address.address.parse().ok())
        .collect();
    found.sort_unstable();
    found
}

/// Reads what the controller published; the error says what is wrong with it, and the remedy.
pub fn network(object: &ConfigMap) -> Result<NodeNetwork, String> {
    let key = NodeNetwork::KEY;
    let data = object.data.as_ref();
    let text = data.and_then(|data| data.get(key)).ok_or_else(|| {
        format!("it lacks {key}, which signpost-controller writes: see that it runs")
    })?;
    serde_json::from_str(text).map_err(|error| {
        format!("{key}: {error}: see that signpost-controller runs, and is of this agent's version")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn node(spec: &Value, status: &Value) -> NodeView {
        let node = json!({"metadata": {"name": "n1"}, "spec": spec, "status": status});
        NodeView::from(&serde_json::from_value::<Node>(node).unwrap())
    }

    #[test]
    fn cluster_node_is_routed_only_by_our_condition_that_is_false() {
        let condition = |status: &str, reason: &str| {
            let condition = json!({
                "type": "NetworkUnavailable",
                "status": status,
                "reason": reason,
                "message": "table rtb-1 is full",
            });
            node(&json!({}), &json!({"conditions": [condition]}))
        };
        for ours in IN_SERVICE_REASONS {
            assert!(condition("False", ours).routed, "{ours}");
            assert!(!condition("True", ours).routed, "{ours}");
        }
        assert_eq!(
            condition("Unknown", "NoRoute").unrouted_because,
            "NoRoute: table rtb-1 is full"
        );
        // Kubernetes' route controller, and an agent of another network.
        for theirs in ["RouteCreated", "CalicoIsUp", ""] {
            let node = condition("False", theirs);
            assert!(!node.routed, "{theirs}");
            let because = &node.unrouted_because;
            assert!(
                because.contains("somebody else") && because.contains(theirs),
                "{because}"
            );
        }
        let silent = node(&json!({}), &json!({}));
        assert!(!silent.routed && silent.unrouted_because.contains("no controller"));
    }

    #[test]
    fn cluster_node_has_pod_cidrs_and_internal_addresses() {
        let view = node(
            &json!({"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24", "fd00::/64"]}),
            &json!({"addresses": [
                {"type": "Hostname", "address": "n1"},
                {"type": "InternalIP", "address": "fd01::5"},
                {"type": "InternalIP", "address": "10.0.0.5"},
                {"type": "ExternalIP", "address": "192.0.2.1"},
            ]}),
        );
        assert_eq!(view.pod_cidrs.len(), 2);
        assert_eq!(
            view.internal_ips,
            ["10.0.0.5", "fd01::5"].map(|ip| ip.parse::<IpAddr>().unwrap())
        );
    }

    #[test]
    fn cluster_network_that_cannot_be_read_names_the_key() {
        let read = |data: Value| {
            let object = json!({"metadata": {"name": NodeNetwork::CONFIG_MAP}, "data": data});
            network(&serde_json::from_value(object).unwrap())
        };
        for (data, words) in [
            (json!(null), "it lacks network.json"),
            (json!({"network.json": "{"}), "network.json: EOF"),
            (
                json!({"network.json": r#"{"mode":"tunnel"}"#}),
                "unknown variant `tunnel`",
            ),
        ] {
            let error = read(data).unwrap_err();
            assert!(error.contains(words), "{error}");
            assert!(error.contains("see that"), "{error}");
        }
        let text = r#"{"mode":"ptp","mtu":0,"pools":[],"masquerade":false,"exempt":[]}"#;
        assert!(read(json!({"network.json": text})).is_ok());
    }
}
