//! What is ours, and what is not.

use super::*;

fn ranges() -> [Range; 1] {
    [Range {
        cidr: "10.244.0.0/16".parse().unwrap(),
        prefix_len: 24,
    }]
}

fn route(destination: &str) -> RawRoute {
    RawRoute {
        destination: destination.parse().unwrap(),
        target: RawTarget::Interface("eni-1".into()),
        instance: None,
        origin: Origin::Created,
        blackhole: false,
    }
}

fn ownership(owners: &Owners, route: &RawRoute) -> Option<Ownership> {
    owners.observe(route, &ranges()).map(|it| it.ownership)
}

#[test]
fn a_live_route_is_ours_only_with_proof_of_its_instance() {
    let now = Instant::now();
    let route = route("10.244.1.0/24");
    let mut owners = Owners::default();
    assert_eq!(ownership(&owners, &route), Some(Ownership::Foreign));
    assert_eq!(
        owners.unknown(&route, &ranges(), now).as_deref(),
        Some("eni-1")
    );
    // Another cluster's instance, in the same table and a pool of the same range.
    assert!(!owners.learn(&"eni-1".into(), &"i-1".into(), false, now));
    assert_eq!(ownership(&owners, &route), Some(Ownership::Foreign));
    assert_eq!(owners.unknown(&route, &ranges(), now), None);
    // A node names it.
    let news = owners.name([&"i-1".into()].into_iter(), now);
    assert!(news, "the interface counted as foreign");
    assert!(!owners.name([&"i-1".into()].into_iter(), now));
    assert_eq!(ownership(&owners, &route), Some(Ownership::Ours));
    // Or the tag does.
    let mut tagged = Owners::default();
    tagged.learn(&"eni-1".into(), &"i-1".into(), true, now);
    assert_eq!(ownership(&tagged, &route), Some(Ownership::Ours));
}

#[test]
fn an_interface_is_looked_at_again_once_another_instance_has_it() {
    let now = Instant::now();
    let eni: Arc<str> = "eni-1".into();
    let mut owners = Owners::default();
    let looks = |owners: &Owners, instance: Option<&str>| {
        let instance = instance.map(Arc::from);
        let route = RawRoute {
            instance,
            ..route("10.244.1.0/24")
        };
        owners.unknown(&route, &ranges(), now).is_some()
    };
    owners.learn(&eni, &"i-1".into(), true, now);
    assert!(!looks(&owners, Some("i-1")));
    assert!(!looks(&owners, None), "the table does not say");
    assert!(looks(&owners, Some("i-2")));
    owners.loose(&eni, false, now);
    assert!(looks(&owners, Some("i-2")));
    assert!(!looks(&owners, None));
    owners.hidden(&eni, now);
    assert!(!looks(&owners, Some("i-2")), "no look would tell more");
}

#[test]
fn a_blackhole_is_ours_only_if_its_interface_was_or_is_gone() {
    let now = Instant::now();
    let mut route = route("10.244.1.0/24");
    route.blackhole = true;
    let eni: Arc<str> = "eni-1".into();
    let seen = |owners: &Owners| {
        let seen = owners.observe(&route, &ranges()).unwrap();
        (seen.ownership, seen.blackhole.unwrap())
    };
    // Another pair's interface on its way from one instance to the other.
    let mut owners = Owners::default();
    assert_eq!(owners.unknown(&route, &ranges(), now), Some("eni-1".into()));
    owners.loose(&eni, false, now);
    assert_eq!(seen(&owners).0, Ownership::Foreign);
    assert_eq!(owners.unknown(&route, &ranges(), now), None);
    assert!(
        owners
            .unknown(&route, &ranges(), now + LOST_HOLDS)
            .is_some()
    );
    owners.gone(&eni, now);
    assert_eq!(seen(&owners).0, Ownership::Foreign, "it was another's");
    // Ours, until it went.
    let mut owners = Owners::default();
    owners.learn(&eni, &"i-1".into(), true, now);
    assert_eq!(seen(&owners), (Ownership::Ours, Blackhole::TargetStopped));
    owners.loose(&eni, false, now);
    assert_eq!(seen(&owners), (Ownership::Ours, Blackhole::TargetGone));
    // After a restart.
    let mut owners = Owners::default();
    owners.gone(&eni, now);
    assert_eq!(seen(&owners), (Ownership::Ours, Blackhole::TargetGone));
    let reached = RawRoute {
        blackhole: false,
        ..route.clone()
    };
    let seen = ownership(&owners, &reached);
    assert_eq!(seen, Some(Ownership::Foreign), "it is somewhere");
    assert!(owners.unknown(&reached, &ranges(), now).is_some());
    route.target = RawTarget::Other;
    let seen = owners.observe(&route, &ranges()).unwrap();
    assert_eq!(seen.ownership, Ownership::Foreign);
}

#[test]
fn what_a_node_named_stays_ours_while_a_route_leads_there() {
    let start = Instant::now();
    let mut owners = Owners::default();
    let (eni, instance): (Arc<str>, Arc<str>) = ("eni-1".into(), "i-1".into());
    owners.name([&instance].into_iter(), start);
    let mut now = start;
    for _ in 0..30 {
        now += HOLDS / 2;
        owners.learn(&eni, &instance, false, now);
        owners.used(&eni, now);
        owners.tidy(now);
    }
    assert_eq!(
        ownership(&owners, &route("10.244.1.0/24")),
        Some(Ownership::Ours)
    );
    owners.tidy(now + NAMED_HOLDS);
    assert!(owners.named.is_empty() && owners.interfaces.is_empty());
}

#[test]
fn only_exact_blocks_that_somebody_created_are_ours() {
    let now = Instant::now();
    let mut owners = Owners::default();
    owners.learn(&"eni-1".into(), &"i-1".into(), true, now);
    for (destination, expected) in [
        ("10.244.1.0/24", Some(Ownership::Ours)),
        ("10.244.1.0/25", Some(Ownership::Foreign)),
        ("10.244.0.0/23", Some(Ownership::Foreign)),
        ("10.0.0.0/8", None),
        ("10.245.0.0/24", None),
        ("fd00::/24", None),
    ] {
        assert_eq!(
            ownership(&owners, &route(destination)),
            expected,
            "{destination}"
        );
    }
    let mut propagated = route("10.244.1.0/24");
    propagated.origin = Origin::Propagated;
    assert_eq!(ownership(&owners, &propagated), Some(Ownership::Outranked));
    assert_eq!(owners.unknown(&propagated, &ranges(), now), None);
}

#[test]
fn answers_are_asked_for_again_after_a_while() {
    let now = Instant::now();
    let mut owners = Owners::default();
    owners.learn(&"eni-1".into(), &"i-1".into(), false, now);
    let later = now + FOREIGN_HOLDS;
    let route = route("10.244.1.0/24");
    assert!(owners.unknown(&route, &ranges(), later).is_some());
    owners.learn(&"eni-1".into(), &"i-1".into(), true, now);
    assert!(owners.unknown(&route, &ranges(), later).is_none());
    owners.tidy(now + HOLDS);
    assert!(owners.unknown(&route, &ranges(), now).is_some());
}
