//! Whether the node's subnets have room for its pods. Pure.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::events::Reason;

/// What people should hear of subnets, of which pods have these addresses, on a node whose kubelet runs that
/// many pods at most.
pub fn remarks(
    subnets: &[IpNet],
    claimed: &[IpAddr],
    max_pods: Option<u32>,
) -> Vec<(Reason, String)> {
    let mut remarks = Vec::new();
    for subnet in subnets {
        let room = room(*subnet);
        let used = claimed.iter().filter(|address| subnet.contains(*address));
        if used.count() as u128 >= room {
            remarks.push((
                Reason::SubnetFull,
                format!(
                    "all {room} addresses of {subnet} are in use, so further pods wait: let the kubelet \
                     run fewer pods (maxPods), or give nodes larger subnets (nodePrefixLength of the pool)"
                ),
            ));
        } else if let Some(pods) = max_pods.filter(|pods| u128::from(*pods) > room) {
            remarks.push((
                Reason::SubnetSmall,
                format!(
                    "the kubelet runs up to {pods} pods, but {subnet} has {room} addresses: set its maxPods \
                     to {room} plus the pods with hostNetwork, or give nodes larger subnets \
                     (nodePrefixLength of the pool)"
                ),
            ));
        }
    }
    remarks
}

/// How many pods a subnet has addresses for: all but the network's own, the gateway's and in IPv4 the broadcast
/// address, as the plugin gives them out.
fn room(subnet: IpNet) -> u128 {
    let bits = subnet.max_prefix_len() - subnet.prefix_len();
    let reserved = if subnet.addr().is_ipv4() { 3 } else { 2 };
    (1_u128 << bits.min(127)).saturating_sub(reserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(subnets: &[&str], claimed: &[&str], max_pods: Option<u32>) -> Vec<Reason> {
        let subnets: Vec<IpNet> = subnets.iter().map(|text| text.parse().unwrap()).collect();
        let claimed: Vec<IpAddr> = claimed.iter().map(|text| text.parse().unwrap()).collect();
        let remarks = remarks(&subnets, &claimed, max_pods);
        remarks.into_iter().map(|(reason, _)| reason).collect()
    }

    #[test]
    fn a_subnet_that_is_small_or_full_is_told_once() {
        let small = "10.244.1.0/29";
        let five = [
            "10.244.1.2",
            "10.244.1.3",
            "10.244.1.4",
            "10.244.1.5",
            "10.244.1.6",
        ];
        assert_eq!(reasons(&[small], &five[..4], Some(5)), []);
        assert_eq!(reasons(&[small], &[], None), []);
        assert_eq!(
            reasons(&[small], &five[..4], Some(6)),
            [Reason::SubnetSmall]
        );
        assert_eq!(reasons(&[small], &five, Some(110)), [Reason::SubnetFull]);
        let elsewhere = [
            "10.244.2.2",
            "10.244.2.3",
            "10.244.2.4",
            "10.244.2.5",
            "fd00::2",
        ];
        assert_eq!(reasons(&[small], &elsewhere, None), []);
        assert_eq!(
            reasons(&["fd00:0:0:1::/64", "fd00:0:0:2::/125"], &[], Some(7)),
            [Reason::SubnetSmall]
        );
        assert_eq!(reasons(&["::/0"], &[], Some(u32::MAX)), []);
    }
}
