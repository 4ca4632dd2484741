//! One pod on one network: which interfaces it gets.

use sha2::{Digest as _, Sha256};
use signpost_netlink::{HOST_INTERFACE_PREFIX, Mac};

use crate::environment::Environment;

/// What they began with in an earlier version, whose pods may run still. As long as the one of today.
const FORMER_PREFIX: &str = "pod";
/// Digits after the prefix; each stands for five bits of the digest.
const HOST_INTERFACE_DIGITS: usize = 12;

/// The attachment of a container to the network. The names and hardware addresses follow from it, so
/// that DEL and CHECK find without any record what ADD has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attachment {
    pub(crate) container_id: String,
    /// Path of the pod's network namespace, empty if unknown.
    pub(crate) netns: String,
    /// Interface in the pod.
    pub(crate) interface: String,
    /// Hardware address of the interface in the pod.
    pub(crate) mac: Mac,
    /// Interface on the node.
    pub(crate) host_interface: String,
    /// Hardware address of the interface on the node, to which the pod sends.
    pub(crate) host_mac: Mac,
    /// Number of the pod's route table for this interface, if it is not the pod's first: out of the way of
    /// those that people choose.
    pub(crate) table: u32,
}

impl Attachment {
    pub(crate) fn new(network: &str, environment: &Environment) -> Self {
        Self {
            netns: environment.netns.clone(),
            ..Self::of(network, &environment.container_id, &environment.interface)
        }
    }

    /// That of a container of which the namespace is not known.
    pub(crate) fn of(network: &str, container_id: &str, interface: &str) -> Self {
        let mut digest = Sha256::new();
        for part in [network, container_id, interface] {
            // The length keeps "ab"+"c" and "a"+"bc" apart.
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        let digest: [u8; 32] = digest.finalize().into();
        Self {
            container_id: container_id.to_owned(),
            netns: String::new(),
            interface: interface.to_owned(),
            mac: local_mac(&digest[12..18]),
            host_interface: host_interface(&digest),
            host_mac: local_mac(&digest[18..24]),
            table: u32::from_be_bytes([
                digest[24] & 0x3f | 0x40,
                digest[25],
                digest[26],
                digest[27],
            ]),
        }
    }

    /// The attachment as an earlier version made it.
    pub(crate) fn formerly(&self) -> Self {
        let digits = self.host_interface.strip_prefix(HOST_INTERFACE_PREFIX);
        Self {
            host_interface: format!("{FORMER_PREFIX}{}", digits.unwrap_or_default()),
            ..self.clone()
        }
    }
}

fn host_interface(digest: &[u8; 32]) -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let digits = digest.iter().take(HOST_INTERFACE_DIGITS);
    HOST_INTERFACE_PREFIX
        .chars()
        .chain(digits.map(|byte| char::from(DIGITS[usize::from(byte & 31)])))
        .collect()
}

/// A unicast hardware address of the locally administered kind.
fn local_mac(bytes: &[u8]) -> Mac {
    let mut octets = [0; 6];
    octets.copy_from_slice(bytes);
    octets[0] = octets[0] & 0b1111_1100 | 0b0000_0010;
    Mac(octets)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::environment::Verb;

    fn attachment(network: &str, container_id: &str, interface: &str) -> Attachment {
        let environment = Environment {
            verb: Verb::Add,
            container_id: container_id.into(),
            netns: String::new(),
            interface: interface.into(),
            args: String::new(),
        };
        Attachment::new(network, &environment)
    }

    #[test]
    fn names_stay_the_same_between_releases() {
        // Pods that an older release has wired are removed by a newer one.
        let attachment = attachment("signpost", "container-1", "eth0");
        assert_eq!(attachment.host_interface, "sgnkf3ezzfcbshu");
        assert_eq!(attachment.formerly().host_interface, "podkf3ezzfcbshu");
        assert_eq!(attachment.mac.to_string(), "72:4d:e6:13:24:91");
        assert_eq!(attachment.host_mac.to_string(), "92:d6:4c:3d:e9:b1");
    }

    #[test]
    fn names_differ_with_each_part_of_the_attachment() {
        let attachments = [
            attachment("signpost", "a", "eth0"),
            attachment("signpost", "b", "eth0"),
            attachment("signpost", "a", "eth1"),
            attachment("other", "a", "eth0"),
            attachment("signposta", "", "eth0"),
        ];
        let names: HashSet<_> = attachments.iter().map(|a| &a.host_interface).collect();
        assert_eq!(names.len(), attachments.len());
        assert!(names.iter().all(|name| name.len() == 15));
    }

    #[test]
    fn hardware_addresses_are_local_unicast() {
        for number in 0..100 {
            let attachment = attachment("signpost", &number.to_string(), "eth0");
            for mac in [attachment.mac, attachment.host_mac] {
                assert_eq!(mac.0[0] & 0b11, 0b10, "{mac}");
            }
            assert_ne!(attachment.mac, attachment.host_mac);
        }
    }
}
