//! Tests on real clusters. Those named `rNN_…` show a requirement, those named `fault_…` that a fault
//! harms nothing; see `suite` for how they run.
//!
//! `cargo test -p signpost-e2e --test clusters NAME` runs those whose name contains NAME.

use std::process::ExitCode;

mod gcp;
mod harness;
mod installed;
mod rows;
mod suite;
mod support;
mod upstream;
mod vpc;
mod wire;

use signpost_e2e::{ClusterOptions, faults};
use suite::{Suite, named};

fn main() -> std::io::Result<ExitCode> {
    signpost_e2e::run_hidden_role();
    let mut suite = Suite::new(tokio::runtime::Runtime::new()?);

    suite.alone(named!(harness::cluster_comes_and_goes));
    suite.alone(named!(harness::killed_harness_leaves_nothing));
    suite.alone(named!(harness::killed_keeper_leaves_nothing_after_a_sweep));

    suite
        .shared(
            ClusterOptions::new("wire")
                .nodes(2)
                .dual_stack()
                .without_signpost(),
        )
        .parallel(named!(
            wire::router_drops_what_comes_from_where_it_does_not_lead
        ))
        .parallel(named!(wire::external_host_knows_nodes_and_no_pods))
        .parallel(named!(wire::pods_are_run_and_entered))
        .serial(named!(wire::services_are_restarted_unless_stopped));

    installed::add_to(&mut suite);
    vpc::add_to(&mut suite);
    gcp::add_to(&mut suite);
    rows::add_to(&mut suite);
    suite.alone(named!(upstream::a_few_of_kubernetes_own_tests_pass));
    suite.arenas(["faults-a", "faults-b"], faults::all());

    Ok(suite.run())
}
