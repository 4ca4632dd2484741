//! Routes.

use serde_json::Value;
use signpost_netlink::{Errno, ErrorKind, Family, Netns, Route, RouteFilter, RouteKind, Scope};

use crate::{json, net, run, wired};

const OURS: u8 = 143;

fn ours(destination: &str, gateway: &str) -> Route {
    Route {
        protocol: OURS,
        gateway: Some(gateway.parse().unwrap()),
        ..Route::to(net(destination))
    }
}

fn shown(netns: &Netns, arguments: &str) -> Vec<Value> {
    json(netns, &format!("ip -json -details {arguments}"))
        .as_array()
        .unwrap()
        .clone()
}

#[test]
fn routes_carry_protocol_gateway_metric_and_scope() {
    let (netns, mut socket, index) = wired();
    socket.add_route(&ours("10.1.0.0/24", "192.0.2.9")).unwrap();
    socket.add_route(&ours("fd01::/64", "2001:db8::9")).unwrap();
    let onlink = Route {
        interface: Some(index),
        onlink: true,
        metric: 7,
        ..ours("10.2.0.0/24", "169.254.1.1")
    };
    socket.add_route(&onlink).unwrap();
    let link = Route {
        gateway: None,
        interface: Some(index),
        scope: Scope::Link,
        ..ours("10.3.0.4/32", "192.0.2.9")
    };
    socket.add_route(&link).unwrap();
    let hole = Route {
        gateway: None,
        kind: RouteKind::Blackhole,
        ..ours("10.4.0.0/24", "192.0.2.9")
    };
    socket.add_route(&hole).unwrap();

    let four = shown(&netns, "-4 route show proto 143");
    let find = |dst: &str| four.iter().find(|route| route["dst"] == dst).unwrap();
    assert_eq!(find("10.1.0.0/24")["gateway"], "192.0.2.9");
    assert_eq!(find("10.2.0.0/24")["metric"], 7);
    assert_eq!(find("10.2.0.0/24")["flags"][0], "onlink");
    assert_eq!(find("10.3.0.4")["scope"], "link");
    assert_eq!(find("10.4.0.0/24")["type"], "blackhole");
    assert_eq!(
        shown(&netns, "-6 route show proto 143")[0]["gateway"],
        "2001:db8::9"
    );

    let filter = RouteFilter {
        protocol: Some(OURS),
        ..RouteFilter::default()
    };
    let read = socket.routes(Family::V4, filter).unwrap();
    assert_eq!(read.len(), 4);
    assert!(read.contains(&Route {
        interface: Some(index),
        ..onlink
    }));
    assert!(read.contains(&link));
}

#[test]
fn adding_is_exclusive_even_to_other_devices_and_protocols() {
    let (netns, mut socket, index) = wired();
    run(&netns, "ip route add 10.3.0.4/32 dev peer0 proto static");
    run(&netns, "ip -6 route add fd03::4/128 dev peer0 proto static");
    for destination in ["10.3.0.4/32", "fd03::4/128"] {
        let claim = Route {
            protocol: OURS,
            interface: Some(index),
            ..Route::to(net(destination))
        };
        let error = socket.add_route(&claim).unwrap_err();
        assert!(error.is_exists(), "{error}");
        assert!(
            error
                .to_string()
                .starts_with(&format!("add route {destination}: ")),
            "{error}"
        );
    }
}

#[test]
fn deletion_spares_routes_of_another_protocol() {
    let (netns, mut socket, _) = wired();
    run(
        &netns,
        "ip route add 10.1.0.0/24 via 192.0.2.8 proto static",
    );
    run(
        &netns,
        "ip -6 route add fd01::/64 via 2001:db8::8 proto static",
    );
    for (destination, gateway) in [("10.1.0.0/24", "192.0.2.8"), ("fd01::/64", "2001:db8::8")] {
        assert!(!socket.delete_route(&ours(destination, gateway)).unwrap());
    }
    assert_eq!(shown(&netns, "-4 route show 10.1.0.0/24").len(), 1);
    assert_eq!(shown(&netns, "-6 route show fd01::/64").len(), 1);

    socket.add_route(&ours("10.5.0.0/24", "192.0.2.9")).unwrap();
    assert!(
        !socket
            .delete_route(&ours("10.5.0.0/24", "192.0.2.8"))
            .unwrap(),
        "other gateway"
    );
    assert!(
        socket
            .delete_route(&ours("10.5.0.0/24", "192.0.2.9"))
            .unwrap()
    );
    assert_eq!(shown(&netns, "-4 route show 10.5.0.0/24").len(), 0);
}

#[test]
fn replacement_changes_the_next_hop_without_a_second_route() {
    let (netns, mut socket, _) = wired();
    for (destination, old, new) in [
        ("10.1.0.0/24", "192.0.2.8", "192.0.2.9"),
        ("fd01::/64", "2001:db8::8", "2001:db8::9"),
    ] {
        socket.add_route(&ours(destination, old)).unwrap();
        socket.replace_route(&ours(destination, new)).unwrap();
        let family = if destination.contains(':') {
            "-6"
        } else {
            "-4"
        };
        let left = shown(&netns, &format!("{family} route show {destination}"));
        assert_eq!(left.len(), 1);
        assert_eq!(left[0]["gateway"], new);
    }
}

#[test]
fn listings_are_filtered_by_table_protocol_and_interface() {
    let (netns, mut socket, index) = wired();
    run(
        &netns,
        "ip route add 10.9.0.0/24 via 192.0.2.8 table 1000 proto 143",
    );
    socket.add_route(&ours("10.1.0.0/24", "192.0.2.9")).unwrap();
    let destinations = |socket: &mut signpost_netlink::Socket, filter| -> Vec<String> {
        let routes = socket.routes(Family::V4, filter).unwrap();
        routes
            .iter()
            .map(|route| route.destination.to_string())
            .collect()
    };
    let none = RouteFilter::default();
    let main = RouteFilter {
        table: Some(signpost_netlink::table::MAIN),
        ..none
    };
    assert_eq!(
        destinations(&mut socket, main),
        ["10.1.0.0/24", "192.0.2.0/24"]
    );
    let other = RouteFilter {
        table: Some(1000),
        ..none
    };
    assert_eq!(destinations(&mut socket, other), ["10.9.0.0/24"]);
    assert!(
        destinations(
            &mut socket,
            RouteFilter {
                table: Some(4711),
                ..none
            }
        )
        .is_empty()
    );
    let marked = RouteFilter {
        protocol: Some(OURS),
        ..none
    };
    assert_eq!(destinations(&mut socket, marked).len(), 2);
    let elsewhere = RouteFilter {
        interface: Some(index + 1),
        ..main
    };
    assert!(destinations(&mut socket, elsewhere).is_empty());
    let six = RouteFilter {
        protocol: Some(2),
        table: main.table,
        ..none
    };
    assert!(!socket.routes(Family::V6, six).unwrap().is_empty());
}

#[test]
fn errors_carry_errno_and_the_kernels_explanation() {
    let (_netns, mut socket, _) = wired();
    let error = socket
        .add_route(&ours("10.1.0.0/24", "198.51.100.1"))
        .unwrap_err();
    assert_eq!(error.errno(), Some(Errno::ENETUNREACH));
    let ErrorKind::Kernel { explanation, .. } = error.kind() else {
        panic!("{error:?}")
    };
    assert!(explanation.contains("gateway"), "{explanation:?}");
}

#[test]
fn a_listing_of_many_routes_is_complete() {
    let (netns, mut socket, index) = wired();
    for number in 0..3000_u32 {
        let destination = format!("10.{}.{}.0/24", number / 256, number % 256);
        let route = Route {
            protocol: OURS,
            interface: Some(index),
            ..Route::to(net(&destination))
        };
        socket.add_route(&route).unwrap();
    }
    let filter = RouteFilter {
        protocol: Some(OURS),
        ..RouteFilter::default()
    };
    assert_eq!(socket.routes(Family::V4, filter).unwrap().len(), 3000);
    assert_eq!(shown(&netns, "route show proto 143").len(), 3000);
}

#[test]
fn the_entry_that_packets_follow_is_found() {
    let (netns, mut socket, index) = wired();
    run(&netns, "ip link set lo up");
    run(&netns, "ip route add 10.1.0.0/24 via 192.0.2.9 metric 50");
    run(&netns, "ip route add 10.1.0.7/32 via 192.0.2.9 metric 100");
    run(&netns, "ip -6 route add fd01::/64 via 2001:db8::9");
    for refused in [
        "blackhole 10.2.0.0/24",
        "unreachable 10.3.0.0/24",
        "prohibit 10.4.0.0/24",
    ] {
        run(&netns, &format!("ip route add {refused}"));
    }
    let mut to = |address: &str| socket.route_to(address.parse().unwrap()).unwrap();
    for (address, destination) in [
        ("10.1.0.1", "10.1.0.0/24"),
        ("10.1.0.7", "10.1.0.7/32"),
        ("fd01::5", "fd01::/64"),
    ] {
        let route = to(address).unwrap();
        assert_eq!(route.destination, net(destination));
        assert_eq!(route.interface, Some(index));
        assert_eq!(route.kind, RouteKind::Unicast);
    }
    let own = to("192.0.2.1").unwrap();
    assert_eq!(
        (own.destination, own.kind),
        (net("192.0.2.1/32"), RouteKind::Other(2))
    );
    for nowhere in [
        "10.2.0.1",
        "10.3.0.1",
        "10.4.0.1",
        "198.51.100.1",
        "fd02::1",
    ] {
        assert_eq!(to(nowhere), None, "{nowhere}");
    }
}
