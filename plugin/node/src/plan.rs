//! What is to be done on this node, from what the API says. Pure.

use std::net::IpAddr;

use ipnet::IpNet;
use signpost_api::{DatapathMode, NodeNetwork};
use signpost_netlink::Family;

use crate::cluster::NodeView;

/// What is known of the cluster; `None` means not known yet, or not there.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    /// This node.
    pub node: Option<NodeView>,
    /// What the controller published of the pod network, or why it cannot be used.
    pub network: Option<Result<NodeNetwork, String>>,
}

/// What there is on this node.
#[derive(Clone, Debug, Default)]
pub struct OnNode {
    /// The subnets of the network configuration, which outlives a reboot.
    pub configured: Option<Vec<IpNet>>,
    /// The subnets for which the node was made ready since it booted.
    pub ready: Option<Vec<IpNet>>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing yet.
    Wait {
        /// For what, in words for people.
        what: String,
        /// The configuration on the node is for subnets that are not the node's.
        stale_configuration: bool,
    },
    /// Make the node work.
    Apply(Settings),
}

/// How this node is to be set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How pods are connected from now on.
    pub mode: DatapathMode,
    /// The node's pod CIDRs.
    pub subnets: Vec<IpNet>,
    /// The addresses from which the node talks to its pods: its first of each family.
    pub node_addresses: Vec<IpAddr>,
    /// MTU of pods; 0 means what the node's default routes allow.
    pub mtu: u16,
    /// The ranges of all pods, which are to be forwarded.
    pub pods: Vec<IpNet>,
    /// How many pods the kubelet runs at most, where that is known.
    pub max_pods: Option<u32>,
    /// Destinations that see pod addresses; `None` if nothing is masqueraded.
    pub exempt: Option<Vec<IpNet>>,
}

/// What is to be done on a node that has that.
pub fn plan(knowledge: &Knowledge, on_node: &OnNode) -> Plan {
    match settings(knowledge, on_node) {
        Ok(settings) => Plan::Apply(settings),
        Err(what) => {
            let subnets = knowledge.node.as_ref().map(|node| &node.pod_cidrs);
            let configured = on_node.configured.as_ref();
            let stale_configuration =
                configured.is_some() && subnets.is_some() && configured != subnets;
            Plan::Wait {
                what,
                stale_configuration,
            }
        }
    }
}

fn settings(knowledge: &Knowledge, on_node: &OnNode) -> Result<Settings, String> {
    let node = knowledge.node.as_ref().ok_or(
        "this machine's Node object: see that the kubelet runs, and that --node-name is its name",
    )?;
    if node.pod_cidrs.is_empty() {
        return Err(
            "pod CIDRs for this node: see that signpost-controller runs, and whether \
                    `kubectl get podnetwork default` shows free blocks"
                .to_owned(),
        );
    }
    // A node that was made ready had its routes then: what follows are changes. While it was down, anything may
    // have happened to them.
    if !node.routed && on_node.ready.as_ref() != Some(&node.pod_cidrs) {
        return Err(format!(
            "routes to this node's pod CIDRs ({})",
            node.unrouted_because
        ));
    }
    let network = match &knowledge.network {
        None => {
            return Err(
                "the network's configuration, which signpost-controller publishes as ConfigMap \
                 signpost-node: see that it runs, and that `kubectl get podnetwork default` finds one"
                    .to_owned(),
            );
        }
        Some(Err(fault)) => {
            return Err(format!(
                "a configuration of the network that can be used: ConfigMap signpost-node: {fault}"
            ));
        }
        Some(Ok(network)) => network,
    };
    let exempt = network.masquerade.then(|| exempt(node, network));
    Ok(Settings {
        mode: network.mode,
        subnets: node.pod_cidrs.clone(),
        node_addresses: first_of_each_family(&node.internal_ips),
        mtu: network.mtu,
        pods: network.pools.clone(),
        max_pods: node.max_pods,
        exempt,
    })
}

fn first_of_each_family(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let families = [Family::V4, Family::V6].into_iter();
    families
        .filter_map(|family| family.first_of(addresses))
        .collect()
}

/// Pods and nodes see each other's own addresses. Those of this node it knows itself, before the others hear of
/// them.
fn exempt(node: &NodeView, network: &NodeNetwork) -> Vec<IpNet> {
    let own = node.internal_ips.iter().copied().map(IpNet::from);
    let elsewhere = network.pools.iter().chain(&network.exempt).copied();
    elsewhere.chain(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn knowledge() -> Knowledge {
        Knowledge {
            node: Some(NodeView {
                pod_cidrs: vec![net("10.244.1.0/24")],
                routed: true,
                unrouted_because: String::new(),
                internal_ips: vec!["10.0.0.5".parse().unwrap()],
                max_pods: Some(110),
            }),
            network: Some(Ok(NodeNetwork {
                mode: DatapathMode::Ptp,
                mtu: 0,
                pools: vec![net("10.244.0.0/16")],
                masquerade: true,
                exempt: vec![net("10.0.0.6/32")],
            })),
        }
    }

    fn node(knowledge: &mut Knowledge) -> &mut NodeView {
        knowledge.node.as_mut().unwrap()
    }

    fn network(knowledge: &mut Knowledge) -> &mut NodeNetwork {
        knowledge.network.as_mut().unwrap().as_mut().unwrap()
    }

    #[test]
    fn plan_waits_and_says_for_what() {
        let complete = knowledge();
        let mut cases: Vec<(Knowledge, &str)> = Vec::new();
        cases.push((
            Knowledge {
                node: None,
                ..complete.clone()
            },
            "--node-name",
        ));
        cases.push((
            Knowledge {
                network: None,
                ..complete.clone()
            },
            "signpost-controller publishes",
        ));
        let invalid = Some(Err("network.json: EOF".to_owned()));
        cases.push((
            Knowledge {
                network: invalid,
                ..complete.clone()
            },
            "network.json: EOF",
        ));
        let mut unallocated = complete.clone();
        node(&mut unallocated).pod_cidrs.clear();
        cases.push((unallocated, "pod CIDRs"));
        let mut unrouted = complete.clone();
        node(&mut unrouted).routed = false;
        node(&mut unrouted).unrouted_because = "QuotaExceeded".into();
        cases.push((unrouted, "QuotaExceeded"));
        for (knowledge, word) in cases {
            let Plan::Wait {
                what,
                stale_configuration,
            } = plan(&knowledge, &OnNode::default())
            else {
                panic!("no waiting for {word}");
            };
            assert!(what.contains(word), "{what}");
            assert!(!stale_configuration);
        }
        assert!(matches!(
            plan(&complete, &OnNode::default()),
            Plan::Apply(_)
        ));
    }

    #[test]
    fn plan_goes_on_with_a_node_that_was_routed_before() {
        let mut knowledge = knowledge();
        node(&mut knowledge).routed = false;
        let ours = Some(vec![net("10.244.1.0/24")]);
        let mut on_node = OnNode {
            configured: ours.clone(),
            ready: ours,
        };
        assert!(matches!(plan(&knowledge, &on_node), Plan::Apply(_)));
        // Since the node was booted its routes may have gone, and its configuration stands nevertheless.
        on_node.ready = None;
        let Plan::Wait {
            what,
            stale_configuration,
        } = plan(&knowledge, &on_node)
        else {
            panic!("no waiting");
        };
        assert!(what.contains("routes") && !stale_configuration, "{what}");
    }

    #[test]
    fn plan_gives_up_a_configuration_with_other_subnets() {
        let other = OnNode {
            configured: Some(vec![net("10.244.9.0/24")]),
            ready: Some(vec![net("10.244.9.0/24")]),
        };
        let mut knowledge = knowledge();
        node(&mut knowledge).routed = false;
        let stale = |plan| {
            matches!(
                plan,
                Plan::Wait {
                    stale_configuration: true,
                    ..
                }
            )
        };
        assert!(stale(plan(&knowledge, &other)));
        node(&mut knowledge).pod_cidrs.clear();
        assert!(stale(plan(&knowledge, &other)));
        // As long as the node is not known, nothing is known to be wrong.
        knowledge.node = None;
        assert!(!stale(plan(&knowledge, &other)));
    }

    #[test]
    fn plan_exempts_pods_this_node_and_what_is_published() {
        let mut knowledge = knowledge();
        network(&mut knowledge).exempt.push(net("172.16.0.0/12"));
        let Plan::Apply(settings) = plan(&knowledge, &OnNode::default()) else {
            panic!("no plan")
        };
        let exempt = settings.exempt.unwrap();
        for address in ["10.244.9.9", "172.16.3.4", "10.0.0.5", "10.0.0.6"] {
            let address: IpAddr = address.parse().unwrap();
            assert!(
                exempt.iter().any(|range| range.contains(&address)),
                "{address}"
            );
        }
        network(&mut knowledge).masquerade = false;
        let Plan::Apply(settings) = plan(&knowledge, &OnNode::default()) else {
            panic!("no plan")
        };
        assert_eq!(settings.exempt, None);
    }
}
