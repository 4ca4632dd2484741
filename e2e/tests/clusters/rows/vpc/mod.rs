//! R2, R5, R6, R7, R19: routes in the tables of a VPC.

mod instances;
mod quota;
mod tables;
mod teardown;
mod zones;

use serde_json::json;
use signpost_e2e::{ClusterOptions, VpcOptions, pod_network};

use super::paths;
use crate::suite::{Suite, named};

/// Registers the tests in a VPC.
pub(super) fn add_to(suite: &mut Suite) {
    suite
        .shared(dual_stack())
        .parallel(named!(paths::r02_five_paths_in_a_vpc))
        .parallel(named!(zones::r05_pods_in_two_zones_reach_each_other))
        .serial(named!(zones::r05_a_check_turned_on_again_is_turned_off))
        .serial(named!(
            zones::r07_a_node_of_a_vpc_joins_and_leaves_under_traffic
        ))
        .serial(named!(tables::r19_a_table_that_appears_is_filled))
        .serial(named!(tables::r19_foreign_routes_in_a_table_are_left_alone))
        .serial(named!(
            instances::r05_an_instance_is_replaced_under_its_name
        ))
        .serial(named!(instances::r05_a_second_interface_gets_no_routes))
        .serial(named!(
            instances::r19_a_node_without_instance_disturbs_nobody
        ));
    suite.alone(named!(quota::r06_a_full_table_is_told_early_and_once));
    suite.alone(named!(
        teardown::r07_a_deleted_pod_network_leaves_nothing_in_a_vpc
    ));
}

/// Three nodes of both families in two zones. Tables are listed often, so that what others change is
/// seen soon.
fn dual_stack() -> ClusterOptions {
    let mut spec = pod_network(&[("pods", "10.244.0.0/16", 24), ("pods-v6", "fd44::/48", 64)]);
    spec["cloud"] = json!({"checkPeriod": "2s"});
    // One test after the other removes nodes: together more than may go within a minute.
    spec["safety"] = json!({"maxDeletionPercent": 100});
    ClusterOptions::new("zones")
        .dual_stack()
        .pod_network(spec)
        .in_vpc(VpcOptions::default())
}
