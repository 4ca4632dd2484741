//! The narrowest way out, whatever form the default routes have.

use signpost_netlink::{ErrorKind, Family, Netns, Socket, WayOut};

use crate::run;

const BOTH: [Family; 2] = [Family::V4, Family::V6];

/// A namespace with the uplinks `wide` (MTU 1500, `192.0.2.1/24`, `2001:db8:1::1/64`) and `narrow`
/// (MTU 1400, `198.51.100.1/24`, `2001:db8:2::1/64`).
fn uplinks() -> (Netns, Socket) {
    let netns = Netns::create().unwrap();
    for command in [
        "ip link set lo up",
        "ip link add wide mtu 1500 type veth peer name far1",
        "ip link add narrow mtu 1400 type veth peer name far2",
        "ip link set far1 up",
        "ip link set far2 up",
        "ip link set wide up",
        "ip link set narrow up",
        "ip address add 192.0.2.1/24 dev wide",
        "ip address add 198.51.100.1/24 dev narrow",
        "ip address add 2001:db8:1::1/64 dev wide nodad",
        "ip address add 2001:db8:2::1/64 dev narrow nodad",
    ] {
        run(&netns, command);
    }
    let socket = Socket::open_in(&netns).unwrap();
    (netns, socket)
}

/// The way out after these commands; empty where there is none.
fn way(families: &[Family], commands: &[&str]) -> (String, u32) {
    let (netns, mut socket) = uplinks();
    for command in commands {
        run(&netns, &format!("ip {command}"));
    }
    let way = socket.way_out(families).unwrap();
    way.map_or((String::new(), 0), |way| (way.interface, way.mtu))
}

#[test]
fn default_routes_with_several_next_hops_have_the_narrowest_one() {
    let hops = "route add default nexthop via 192.0.2.9 nexthop via 198.51.100.9";
    assert_eq!(way(&BOTH, &[hops]), ("narrow".into(), 1400));
    let hops = "-6 route add default nexthop via 2001:db8:1::9 nexthop via 2001:db8:2::9";
    assert_eq!(way(&BOTH, &[hops]), ("narrow".into(), 1400));
}

#[test]
fn default_routes_over_next_hop_objects_are_followed() {
    let objects = [
        "nexthop add id 1 via 192.0.2.9 dev wide",
        "nexthop add id 2 via 198.51.100.9 dev narrow",
        "nexthop add id 3 group 1/2",
        "-6 nexthop add id 4 via 2001:db8:1::9 dev wide",
        "-6 nexthop add id 5 via 2001:db8:2::9 dev narrow",
        "nexthop add id 6 group 4/5",
    ];
    for (route, expected) in [
        ("route add default nhid 1", ("wide", 1500)),
        ("route add default nhid 3", ("narrow", 1400)),
        ("-6 route add default nhid 4", ("wide", 1500)),
        ("-6 route add default nhid 6", ("narrow", 1400)),
    ] {
        let commands: Vec<&str> = objects.into_iter().chain([route]).collect();
        let (interface, mtu) = way(&BOTH, &commands);
        assert_eq!((interface.as_str(), mtu), expected, "{route}");
    }
}

#[test]
fn a_next_hop_that_the_kernel_only_names_is_an_error_with_a_remedy() {
    let (netns, mut socket) = uplinks();
    for command in [
        "busybox sysctl -qw net.ipv4.nexthop_compat_mode=0",
        "ip nexthop add id 1 via 192.0.2.9 dev wide",
        "ip route add default nhid 1",
    ] {
        run(&netns, command);
    }
    let error = socket.way_out(&BOTH).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::HiddenNextHop), "{error}");
    assert!(error.to_string().contains("nexthop_compat_mode"), "{error}");
}

#[test]
fn default_routes_without_a_gateway_count_and_those_that_lead_nowhere_do_not() {
    let wide = ("wide".into(), 1500);
    assert_eq!(way(&BOTH, &["route add default dev wide"]), wide);
    for nowhere in [
        "route add default dev lo",
        "route add blackhole default",
        "route add unreachable default",
        "-6 route add blackhole default metric 1",
    ] {
        assert_eq!(way(&BOTH, &[nowhere]), (String::new(), 0), "{nowhere}");
        let behind = "route add default dev wide metric 7";
        assert_eq!(way(&BOTH, &[nowhere, behind]), wide, "{nowhere}");
    }
}

#[test]
fn default_routes_of_a_higher_metric_do_not_count() {
    let narrow = "route add default dev narrow metric 20";
    let wide = "route add default dev wide metric 10";
    assert_eq!(way(&BOTH, &[narrow, wide]), ("wide".into(), 1500));
    // What router advertisements make: several of one metric that are not joined.
    let routers = [
        "-6 route add default via 2001:db8:1::9 metric 9 proto ra",
        "-6 route append default via 2001:db8:2::9 metric 9 proto ra",
    ];
    assert_eq!(way(&BOTH, &routers), ("narrow".into(), 1400));
}

#[test]
fn a_routes_own_mtu_counts_where_it_is_smaller() {
    let own = |mtu: &str| {
        way(
            &BOTH,
            &[&format!("route add default via 192.0.2.9 mtu {mtu}")],
        )
    };
    assert_eq!(own("1300"), ("wide".into(), 1300));
    assert_eq!(own("lock 1300"), ("wide".into(), 1300));
    assert_eq!(own("9000"), ("wide".into(), 1500));
}

#[test]
fn the_families_of_pods_decide_and_the_other_one_serves_where_they_have_none() {
    let four = "route add default via 192.0.2.9";
    let six = "-6 route add default via 2001:db8:2::9";
    let (wide, narrow) = (("wide".into(), 1500), ("narrow".into(), 1400));
    assert_eq!(way(&[Family::V4], &[four, six]), wide);
    assert_eq!(way(&[Family::V6], &[four, six]), narrow);
    assert_eq!(way(&BOTH, &[four, six]), narrow);
    assert_eq!(way(&BOTH, &[four]), wide);
    assert_eq!(way(&[Family::V4], &[six]), narrow);
    assert_eq!(way(&BOTH, &[]), (String::new(), 0));
}

#[test]
fn an_mtu_that_is_too_small_for_a_family_is_told() {
    let way = |mtu| WayOut {
        interface: "wg0".into(),
        mtu,
    };
    assert_eq!(way(1280).mtu_for(&BOTH), Ok(1280));
    assert_eq!(way(1279).mtu_for(&[Family::V4]), Ok(1279));
    let fault = way(1279).mtu_for(&BOTH).unwrap_err();
    assert!(
        fault.contains("wg0") && fault.contains("IPv6") && fault.contains("1280"),
        "{fault}"
    );
    assert!(way(67).mtu_for(&[Family::V4]).is_err());
}
