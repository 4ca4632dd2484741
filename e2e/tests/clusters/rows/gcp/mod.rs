//! R2, R4, R7, R19: routes of a network of Google.

mod changes;
mod instances;
mod quota;
mod sharing;
mod zones;

use serde_json::json;
use signpost_e2e::{ClusterOptions, GcpOptions, pod_network};

use super::paths;
use crate::suite::{Suite, named};

/// Registers the tests in a network of Google.
pub(super) fn add_to(suite: &mut Suite) {
    suite
        .shared(dual_stack())
        .parallel(named!(paths::r02_five_paths_in_a_network_of_google))
        .parallel(named!(zones::r04_each_block_has_one_route_to_its_instance))
        .serial(named!(
            zones::r07_a_node_of_a_network_joins_and_leaves_under_traffic
        ))
        .serial(named!(
            instances::r04_an_instance_is_made_again_under_its_name
        ))
        .serial(named!(changes::r04_a_route_removed_by_hand_is_made_again))
        .serial(named!(
            changes::r19_foreign_routes_in_a_network_are_left_alone
        ))
        .serial(named!(
            changes::r04_what_others_say_of_a_nodes_network_is_put_right
        ))
        .serial(named!(
            changes::r04_a_controller_killed_during_operations_makes_nothing_twice
        ))
        .serial(named!(quota::r04_a_full_network_is_told_and_room_is_used));
    suite.alone(named!(
        sharing::r04_instances_of_a_service_project_are_led_to_by_address
    ));
}

/// Three nodes of both families in two zones, whose instances do not forward when they are launched.
/// Routes are listed often, so that what others change is seen soon.
fn dual_stack() -> ClusterOptions {
    let mut spec = pod_network(&[("pods", "10.244.0.0/16", 24), ("pods-v6", "fd44::/48", 64)]);
    spec["cloud"] = json!({"checkPeriod": "2s"});
    // One test after the other removes nodes: together more than may go within a minute.
    spec["safety"] = json!({"maxDeletionPercent": 100});
    let mut options = GcpOptions {
        without_forwarding: true,
        ..GcpOptions::default()
    };
    options.settings.operations = [0.5, 2.0];
    ClusterOptions::new("gcp")
        .dual_stack()
        .pod_network(spec)
        .in_gcp(options)
}
