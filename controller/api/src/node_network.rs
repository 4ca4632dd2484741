//! What the controller tells the node agents, once for all of them.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::DatapathMode;

/// As much of the pod network as a node agent needs, apart from its own node.
///
/// It is the content of one ConfigMap, [`CONFIG_MAP`](Self::CONFIG_MAP), under the key
/// [`KEY`](Self::KEY). Every agent follows it, so it is small and changes rarely. Readers ignore fields
/// that they do not know.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct NodeNetwork {
    /// How pods are connected.
    pub mode: DatapathMode,
    /// MTU of pods; 0 means what the node's default routes allow.
    pub mtu: u16,
    /// Ranges from which pods get addresses.
    pub pools: Vec<IpNet>,
    /// Whether traffic that leaves the pod network is masqueraded.
    pub masquerade: bool,
    /// Destinations outside the pools that see pod addresses all the same. Empty if nothing is
    /// masqueraded.
    pub exempt: Vec<IpNet>,
}

impl NodeNetwork {
    /// `metadata.name` of the object, which lies in the namespace of the programs.
    pub const CONFIG_MAP: &str = "signpost-node";
    /// Its key, whose value is this as JSON.
    pub const KEY: &str = "network.json";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_passes_over_what_it_does_not_know() {
        let network = NodeNetwork {
            mode: DatapathMode::Ptp,
            mtu: 1400,
            pools: vec!["10.244.0.0/16".parse().unwrap()],
            masquerade: true,
            exempt: vec!["192.0.2.1/32".parse().unwrap()],
        };
        let text = serde_json::to_string(&network).unwrap();
        assert_eq!(
            text,
            r#"{"mode":"ptp","mtu":1400,"pools":["10.244.0.0/16"],"masquerade":true,"exempt":["192.0.2.1/32"]}"#
        );
        let newer = text.replace('{', r#"{"later":1,"#);
        assert_eq!(
            serde_json::from_str::<NodeNetwork>(&newer).unwrap(),
            network
        );
    }
}
