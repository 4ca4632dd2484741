//! Names and descriptions of routes.
//!
//! Google keeps only the *name* of a route unique: two routes for one destination under two names share its
//! traffic. So the name is a function of cluster and block alone, and whoever asks for a block's route again
//! asks for the same one.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use signpost_core::node::NodeKey;

/// How all our routes' names begin, those of other clusters too.
const PREFIX: &str = "sgn";
/// Digits of the cluster's digest: clusters of one network that are as many as it may have routes get the
/// same with a probability of 1 to 10 million.
const DIGEST_LEN: usize = 10;

/// The names of one cluster's routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    cluster: String,
    /// With the dash at its end.
    prefix: String,
}

impl Names {
    pub(super) fn new(cluster: &str) -> Self {
        let digest = Sha256::digest(cluster);
        let mut digits = String::new();
        for byte in &digest[..DIGEST_LEN / 2] {
            // Writing to a string does not fail.
            let _ = write!(digits, "{byte:02x}");
        }
        Self {
            cluster: cluster.to_owned(),
            prefix: format!("{PREFIX}-{digits}-"),
        }
    }

    /// The name of a block's route: `sgn-0123456789-10-244-1-0-24`, or with the 32 digits of an IPv6
    /// address. Valid in Google's sense and at most 52 letters long.
    pub(super) fn of(&self, block: IpNet) -> String {
        let length = block.prefix_len();
        match block.network() {
            IpAddr::V4(address) => {
                let [a, b, c, d] = address.octets();
                format!("{}{a}-{b}-{c}-{d}-{length}", self.prefix)
            }
            IpAddr::V6(address) => format!("{}{:032x}-{length}", self.prefix, address.to_bits()),
        }
    }

    /// The block whose route has this name, if it is a name of this cluster.
    pub(super) fn block(&self, name: &str) -> Option<IpNet> {
        let rest = name.strip_prefix(&self.prefix)?;
        let (address, length) = rest.rsplit_once('-')?;
        let address: IpAddr = if let Ok(bits) = u128::from_str_radix(address, 16)
            && address.len() == 32
        {
            Ipv6Addr::from_bits(bits).into()
        } else {
            address.replace('-', ".").parse::<Ipv4Addr>().ok()?.into()
        };
        let block = IpNet::new(address, length.parse().ok()?).ok()?;
        (self.of(block) == name).then_some(block)
    }

    /// What the route of a node's block says of itself.
    pub(super) fn description(&self, node: &NodeKey) -> String {
        let mark = Mark {
            managed_by: MANAGED_BY.into(),
            cluster: self.cluster.clone(),
            node: node.name.to_string(),
            uid: node.uid.to_string(),
        };
        // A struct of texts has a form in JSON.
        serde_json::to_string(&mark).unwrap_or_default()
    }

    /// Whether a route of this name that says this of itself was made by this cluster's Signpost.
    pub(super) fn are_ours(&self, name: &str, description: &str) -> bool {
        name.starts_with(&self.prefix)
            && serde_json::from_str::<Mark>(description)
                .is_ok_and(|mark| mark.managed_by == MANAGED_BY && mark.cluster == self.cluster)
    }
}

const MANAGED_BY: &str = "signpost";

/// A description, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mark {
    managed_by: String,
    cluster: String,
    node: String,
    uid: String,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn is_valid(name: &str) -> bool {
        let letters = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
        name.len() <= 63
            && name.starts_with(|it: char| it.is_ascii_lowercase())
            && name.ends_with(letters)
            && name.chars().all(|it| letters(it) || it == '-')
    }

    #[test]
    fn names_are_valid_and_lead_back_to_their_blocks() {
        let names =
            Names::new("a cluster with ANY name, however long it is, up to a hundred letters");
        let blocks = [
            "10.244.1.0/24",
            "10.24.41.0/24",
            "10.244.1.0/25",
            "0.0.0.0/0",
            "255.255.255.255/32",
            "fd00:10:244:1::/64",
            "fd00:10:244:1::/80",
            "::/0",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
        ];
        let mut all = BTreeSet::new();
        for block in blocks {
            let block: IpNet = block.parse().unwrap();
            let name = names.of(block);
            assert!(is_valid(&name), "{name}");
            assert_eq!(names.block(&name), Some(block), "{name}");
            assert!(all.insert(name));
        }
        for other in [
            "",
            "sgn-",
            "default-route-1",
            "sgn-0123456789-10-244-1-0-24",
        ] {
            assert_eq!(names.block(other), None);
        }
        let cut = names.of("10.244.1.0/24".parse().unwrap());
        assert_eq!(names.block(&format!("{cut}4")), None, "no such length");
        assert_eq!(names.block(&cut.replace("10-244", "010-244")), None);
    }

    #[test]
    fn clusters_whose_names_share_a_prefix_have_other_names_and_marks() {
        let block = "10.244.1.0/24".parse().unwrap();
        let (one, two) = (Names::new("prod"), Names::new("prod-2"));
        assert_ne!(one.of(block), two.of(block));
        assert_eq!(one.block(&two.of(block)), None);
        let node = NodeKey::new("node-1", "uid-1");
        assert!(one.are_ours(&one.of(block), &one.description(&node)));
        assert!(!one.are_ours(&one.of(block), &two.description(&node)));
        assert!(!one.are_ours(&two.of(block), &one.description(&node)));
        for description in ["", "k8s-node-route", "{}", "null"] {
            assert!(!one.are_ours(&one.of(block), description));
        }
    }

    #[test]
    fn what_a_route_says_of_itself_is_read_by_machines() {
        let said = Names::new("prod").description(&NodeKey::new("node-1", "uid-1"));
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let expected = serde_json::json!({
            "managedBy": "signpost", "cluster": "prod", "node": "node-1", "uid": "uid-1",
        });
        assert_eq!(said, expected);
    }
}
