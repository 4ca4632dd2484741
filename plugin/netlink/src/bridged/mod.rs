//! What the node has for pods whose links are ports of one bridge: known to the plugin, which makes it, and to
//! the agent, which restores what somebody takes away.
//!
//! A pod sends everything to the node, as if it were alone on the bridge, and the node routes, so that what
//! filters or translates packets sees them all, whether or not the kernel shows bridged frames to netfilter
//! (`br_netfilter`).

mod ensure;
mod ports;

pub use ensure::{BridgeFault, ensure};
pub use ports::{admit, admitted, dismiss, port_table};

use std::net::IpAddr;

use ipnet::IpNet;

use crate::mac::Mac;

/// The bridge of a node. Rules for what pods' interfaces are called hold for it too.
pub const BRIDGE: &str = "sgnbr0";
/// Its hardware address on every node, as it is on no wire: pods know it as their gateway's, also when the
/// bridge has been made anew.
pub const BRIDGE_MAC: Mac = Mac([0x02, 0x73, 0x67, 0x6e, 0x62, 0x72]);

/// The gateway of the pods of a subnet: its first address, which no pod gets.
pub fn bridge_gateway(subnet: IpNet) -> IpAddr {
    match subnet.network() {
        IpAddr::V4(ip) => IpAddr::V4((ip.to_bits() | 1).into()),
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() | 1).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_is_the_first_address_of_the_subnet() {
        for (subnet, gateway) in [
            ("10.244.1.0/24", "10.244.1.1"),
            ("10.244.1.64/28", "10.244.1.65"),
            ("fd00:0:0:1::/64", "fd00:0:0:1::1"),
        ] {
            let found = bridge_gateway(subnet.parse().unwrap());
            assert_eq!(found, gateway.parse::<IpAddr>().unwrap());
        }
    }
}
