//! Tests of the requirements, and the clusters that they share.

mod addresses;
mod bridge;
mod clouds;
mod controller;
mod gcp;
mod joining;
mod masquerade;
mod paths;
mod policies;
mod rights;
mod router;
mod runtimes;
mod services;
mod sharing;
mod subnets;
mod teardown;
mod turns;
mod vpc;

use serde_json::json;
use signpost_e2e::{ClusterOptions, pod_network};

use crate::suite::{Suite, named};

/// Registers all tests of requirements.
pub(crate) fn add_to(suite: &mut Suite) {
    suite
        .shared(ipv4())
        .parallel(named!(
            addresses::r01_every_pod_has_its_own_address_without_nat
        ))
        .parallel(named!(paths::r02_five_paths))
        .parallel(named!(
            addresses::r09_a_pod_is_wired_by_a_veth_pair_of_its_own
        ))
        .parallel(named!(sharing::r15_containers_of_a_pod_share_loopback))
        .parallel(named!(services::r16_a_service_is_reached_from_everywhere))
        .serial(named!(controller::status_tells_the_truth))
        .serial(named!(subnets::r03_each_node_has_a_subnet_of_its_own))
        .serial(named!(joining::r07_a_node_joins_and_leaves_under_traffic))
        .serial(named!(joining::r12_a_node_becomes_ready_once_it_is_routed))
        .serial(named!(masquerade::r14_only_what_leaves_is_masqueraded))
        .serial(named!(bridge::r10_pods_of_a_node_are_ports_of_one_bridge))
        .serial(named!(
            router::r18_the_router_has_exactly_the_routes_of_the_nodes
        ))
        .serial(named!(router::r18_foreign_routes_are_left_alone))
        .serial(named!(router::r18_a_route_changed_by_hand_is_mended));
    suite
        .shared(dual_stack())
        .parallel(named!(
            addresses::r01_every_pod_has_its_own_address_without_nat_dual_stack
        ))
        .parallel(named!(paths::r02_five_paths_dual_stack))
        .parallel(named!(
            addresses::r09_a_pod_is_wired_by_a_veth_pair_of_its_own_dual_stack
        ))
        .parallel(named!(
            services::r16_a_service_is_reached_from_everywhere_dual_stack
        ))
        .serial(named!(runtimes::r08_libcni_calls_every_verb))
        .serial(named!(
            runtimes::r08_containers_without_kubernetes_are_wired
        ))
        .serial(named!(
            turns::r11_addresses_are_unique_and_come_back_in_turn
        ))
        .serial(named!(
            runtimes::r21_addresses_of_containers_that_vanish_are_free_again
        ))
        .serial(named!(
            masquerade::r14_only_what_leaves_is_masqueraded_dual_stack
        ))
        .serial(named!(
            bridge::r10_pods_of_a_node_are_ports_of_one_bridge_dual_stack
        ))
        .serial(named!(
            joining::r13_pods_are_forwarded_where_the_policy_is_drop
        ))
        .serial(named!(router::fault_a_node_lacks_an_address_of_one_family))
        .serial(named!(
            policies::r20_a_network_policy_engine_runs_beside_signpost
        ));
    vpc::add_to(suite);
    gcp::add_to(suite);
    suite.alone(named!(
        rights::each_program_uses_exactly_the_verbs_that_it_is_granted
    ));
    suite.alone(named!(
        teardown::r07_a_deleted_pod_network_leaves_only_what_is_foreign
    ));
}

/// Three nodes with a /24 each, and a second pool for nodes with a label.
fn ipv4() -> ClusterOptions {
    let mut spec = pod_network(&[
        ("small", "10.245.0.0/20", 26),
        ("pods", "10.244.0.0/16", 24),
    ]);
    spec["pools"][0]["nodeSelector"] = json!({"matchLabels": {subnets::SIZE: "small"}});
    // One test after the other removes nodes: together more than may go within a minute.
    spec["safety"] = json!({"maxDeletionPercent": 100});
    ClusterOptions::new("ipv4").pod_network(spec)
}

/// Two nodes, with subnets so small that a test can use them up: 13 IPv4 and 14 IPv6 addresses.
fn dual_stack() -> ClusterOptions {
    let spec = pod_network(&[
        ("pods", "10.244.0.0/22", 28),
        ("pods-v6", "fd44::/112", 124),
    ]);
    ClusterOptions::new("dual")
        .nodes(2)
        .dual_stack()
        .pod_network(spec)
}
