use std::time::Duration;

use google_cloud_compute_v1::model::route::Warnings;
use signpost_core::node::NodeKey;

use super::*;

fn config() -> GcpConfig {
    GcpConfig {
        cluster_name: "prod".into(),
        project: None,
        network: None,
        priority: 900,
        tags: vec!["b".into(), "a".into()],
        enable_ip_forwarding: false,
        endpoint: None,
        requests_per_minute: 750,
        longest_write: Duration::from_secs(5),
    }
}

fn ranges() -> [Range; 1] {
    [Range {
        cidr: "10.244.0.0/16".parse().unwrap(),
        prefix_len: 24,
    }]
}

/// As Google shows what was asked for.
fn made(form: &Form) -> model::Route {
    let route = Route {
        destination: "10.244.1.0/24".parse().unwrap(),
        next_hop: NextHop::Target("projects/p/zones/z/instances/n".into()),
        node: NodeKey::new("n", "u"),
    };
    let place = Place::new("p".into(), "pods".into(), []);
    let made = form.of(&route, &place);
    let whole = "https://www.googleapis.com/compute/v1/projects/p/zones/z/instances/n";
    made.set_next_hop_instance(whole)
}

fn observed(form: &Form, route: &model::Route) -> ObservedRoute {
    form.observe(route, &ranges()).unwrap()
}

#[test]
fn what_is_asked_for_is_recognised() {
    let form = Form::new(&config());
    let ours = made(&form);
    let seen = observed(&form, &ours);
    assert_eq!(seen.ownership, Ownership::Ours);
    let target = NextHop::Target("projects/p/zones/z/instances/n".into());
    assert_eq!(seen.next_hop, Some(target));
    assert_eq!(seen.handle.as_deref(), ours.name.as_deref());
    assert_eq!(seen.blackhole, None);
    // In whatever order Google lists the tags.
    let seen = observed(&form, &ours.clone().set_tags(["b", "a"]));
    assert!(seen.next_hop.is_some());
}

#[test]
fn a_route_of_ours_that_holds_otherwise_is_made_anew() {
    let form = Form::new(&config());
    let ours = made(&form);
    for other in [
        ours.clone().set_priority(1000_u32),
        ours.clone().set_tags(["a"]),
        ours.clone().set_tags([""; 0]),
        ours.clone()
            .set_or_clear_next_hop_instance(None::<String>)
            .set_next_hop_gateway("projects/p/global/gateways/default-internet-gateway"),
    ] {
        let seen = observed(&form, &other);
        assert_eq!((seen.ownership, seen.next_hop), (Ownership::Ours, None));
    }
}

#[test]
fn only_name_and_description_together_make_a_route_ours() {
    let form = Form::new(&config());
    let ours = made(&form);
    let mut others = config();
    others.cluster_name = "prod-2".into();
    let others = Form::new(&others);
    for foreign in [
        ours.clone().set_name("hand-made"),
        ours.clone().set_description("k8s-node-route"),
        ours.clone().set_dest_range("10.244.2.0/24"),
        made(&others),
    ] {
        assert_eq!(observed(&form, &foreign).ownership, Ownership::Foreign);
    }
    let weaker = ours.clone().set_name("hand-made").set_priority(901_u32);
    assert_eq!(observed(&form, &weaker).ownership, Ownership::Outranked);
    // A more specific one wins whatever its priority.
    let specific = weaker.set_dest_range("10.244.1.128/25");
    assert_eq!(observed(&form, &specific).ownership, Ownership::Foreign);
    assert_eq!(
        form.observe(&ours.set_dest_range("0.0.0.0/0"), &ranges()),
        None
    );
}

#[test]
fn warnings_say_why_packets_are_dropped() {
    let form = Form::new(&config());
    for (code, cause) in [
        (Code::NextHopInstanceNotFound, Some(Blackhole::TargetGone)),
        (Code::NextHopNotRunning, Some(Blackhole::TargetStopped)),
        (Code::NextHopCannotIpForward, Some(Blackhole::NotForwarding)),
        (
            Code::NextHopInstanceNotOnNetwork,
            Some(Blackhole::NotOnNetwork),
        ),
        (Code::NextHopAddressNotAssigned, None),
    ] {
        let route = made(&form).set_warnings([Warnings::new().set_code(code)]);
        assert_eq!(observed(&form, &route).blackhole, cause);
    }
}

#[test]
fn ranges_of_subnets_are_barred_and_count_against_no_quota() {
    let subnet = |range: &str| {
        model::Route::new()
            .set_dest_range(range)
            .set_next_hop_network("projects/p/global/networks/pods")
    };
    let form = Form::new(&config());
    let routes = [subnet("10.244.7.0/24"), subnet("10.0.0.0/20"), made(&form)];
    assert_eq!(form.observe(&routes[0], &ranges()), None);
    let shown = |auto| {
        let barred = barred(&routes, auto, &ranges());
        barred.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(shown(false), ["10.244.7.0/24"]);
    assert_eq!(shown(true), ["10.244.7.0/24", "10.128.0.0/9"]);
    let counted: Vec<bool> = routes.iter().map(is_static).collect();
    assert_eq!(counted, [false, false, true]);
}
