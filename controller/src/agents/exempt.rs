//! Which destinations outside the pools see pods' own addresses.

use std::net::IpAddr;

use ipnet::IpNet;

/// The ranges that the spec lists, and the nodes' addresses in families that pods have, merged into the
/// fewest ranges that hold nothing else; in order, so that the same nodes are always told in the same words.
pub fn exempt(
    pools: &[IpNet],
    listed: &[IpNet],
    nodes: impl IntoIterator<Item = IpAddr>,
) -> Vec<IpNet> {
    let in_question = |node: &IpAddr| {
        let of_family = |pool: &IpNet| pool.addr().is_ipv4() == node.is_ipv4();
        pools.iter().any(of_family) && !pools.iter().any(|pool| pool.contains(node))
    };
    let nodes = nodes.into_iter().filter(in_question).map(IpNet::from);
    let all: Vec<IpNet> = listed.iter().copied().chain(nodes).collect();
    let mut merged = IpNet::aggregate(&all);
    merged.sort_unstable();
    merged
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn of(pools: &[&str], listed: &[&str], nodes: &[&str]) -> Vec<IpNet> {
        let nodes = nodes.iter().map(|text| text.parse().unwrap());
        exempt(&nets(pools), &nets(listed), nodes)
    }

    #[test]
    fn neighbours_are_one_range_and_others_stay_apart() {
        let pools = ["10.244.0.0/16", "fd00::/48"];
        let nodes = [
            "192.0.2.3",
            "2001:db8::1",
            "192.0.2.2",
            "192.0.2.9",
            "192.0.2.2",
            "2001:db8::",
        ];
        let expected = ["192.0.2.2/31", "192.0.2.9/32", "2001:db8::/127"];
        assert_eq!(of(&pools, &[], &nodes), nets(&expected));
    }

    #[test]
    fn a_node_in_a_listed_range_changes_nothing() {
        let listed = ["198.51.100.0/24", "192.0.2.0/24"];
        let expected = nets(&["192.0.2.0/24", "198.51.100.0/24"]);
        let pools = ["10.244.0.0/16"];
        assert_eq!(of(&pools, &listed, &[]), expected);
        assert_eq!(of(&pools, &listed, &["192.0.2.7"]), expected);
    }

    #[test]
    fn families_that_pods_do_not_have_and_the_pools_are_left_out() {
        let nodes = ["2001:db8::1", "10.244.3.4", "192.0.2.1"];
        assert_eq!(of(&["10.244.0.0/16"], &[], &nodes), nets(&["192.0.2.1/32"]));
    }

    #[test]
    fn random_nodes_are_covered_and_nothing_else() {
        let pools = nets(&["10.244.0.0/16"]);
        let mut dice = fastrand::Rng::with_seed(4711);
        for _ in 0..200 {
            let address = |last: u8| IpAddr::from(Ipv4Addr::new(192, 0, 2, last));
            let mut nodes: Vec<IpAddr> = (0..=255).filter(|_| dice.bool()).map(address).collect();
            let merged = exempt(&pools, &[], nodes.iter().copied());
            for last in 0..=255 {
                let address = address(last);
                let covered = merged.iter().any(|range| range.contains(&address));
                assert_eq!(covered, nodes.contains(&address), "{address} of {nodes:?}");
            }
            dice.shuffle(&mut nodes);
            assert_eq!(exempt(&pools, &[], nodes), merged, "the order tells");
        }
    }
}
