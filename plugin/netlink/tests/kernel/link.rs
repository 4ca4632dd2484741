//! Links, addresses, neighbours, namespaces.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use signpost_netlink::{Errno, LinkChange, LinkRemovals, Mac, Netns, Socket, VethEnd};

use crate::{json, net, run, wired};

const OUTER: Mac = Mac([2, 0, 0, 0, 0, 1]);
const INNER: Mac = Mac([2, 0, 0, 0, 0, 2]);

fn veth(host: &Netns, pod: &Netns) -> signpost_netlink::Result<()> {
    let outer = VethEnd {
        name: "outer",
        netns: None,
        mac: Some(OUTER),
        mtu: Some(1400),
    };
    let inner = VethEnd {
        name: "eth0",
        netns: Some(pod),
        mac: Some(INNER),
        mtu: Some(1400),
    };
    Socket::open_in(host)?.create_veth(&outer, &inner)
}

#[test]
fn veth_is_created_with_both_ends_in_their_namespaces() {
    let (host, pod) = (Netns::create().unwrap(), Netns::create().unwrap());
    veth(&host, &pod).unwrap();
    let outer = &json(&host, "ip -json -details link show outer")[0];
    assert_eq!(outer["address"], OUTER.to_string());
    assert_eq!(outer["mtu"], 1400);
    assert_eq!(outer["linkinfo"]["info_kind"], "veth");
    assert!(outer["flags"].as_array().unwrap().contains(&json!("UP")));
    let inner = &json(&pod, "ip -json link show eth0")[0];
    assert_eq!(inner["address"], INNER.to_string());
    assert_eq!(inner["mtu"], 1400);

    let inside = Socket::open_in(&pod)
        .unwrap()
        .link_by_name("eth0")
        .unwrap()
        .unwrap();
    let outside = Socket::open_in(&host)
        .unwrap()
        .link_by_name("outer")
        .unwrap()
        .unwrap();
    assert!(inside.veth && !inside.up && outside.up);
    assert_eq!(
        (inside.peer, inside.mac),
        (Some(outside.index), Some(INNER))
    );
}

#[test]
fn veth_whose_inner_name_is_taken_creates_nothing() {
    let (host, pod) = (Netns::create().unwrap(), Netns::create().unwrap());
    run(&pod, "ip link add eth0 type bridge");
    let error = veth(&host, &pod).unwrap_err();
    assert!(error.is_exists(), "{error}");
    assert_eq!(
        Socket::open_in(&host)
            .unwrap()
            .link_by_name("outer")
            .unwrap(),
        None
    );
}

#[test]
fn change_and_removal_of_a_link() {
    let (netns, mut socket, index) = wired();
    let change = LinkChange {
        name: None,
        mac: Some(INNER),
        mtu: Some(1280),
        up: Some(false),
        alias: Some("pod web-1".into()),
        group: Some(7),
    };
    socket.change_link(index, &change).unwrap();
    let link = &json(&netns, "ip -json link show eth0")[0];
    assert_eq!(link["ifalias"], "pod web-1");
    assert_eq!(link["group"], "7");
    assert_eq!(
        (&link["mtu"], &link["address"]),
        (&json!(1280), &json!(INNER.to_string()))
    );
    assert!(!link["flags"].as_array().unwrap().contains(&json!("UP")));

    assert!(socket.delete_link("eth0").unwrap());
    assert!(!socket.delete_link("eth0").unwrap());
    assert_eq!(socket.link_by_index(index).unwrap(), None);
}

#[test]
fn addresses_are_usable_at_once_and_listed_by_interface() {
    let (netns, mut socket, index) = wired();
    let shown = json(&netns, "ip -json address show dev eth0 scope global");
    let find = |family: &str| {
        let infos = shown[0]["addr_info"].as_array().unwrap();
        infos
            .iter()
            .find(|info| info["family"] == family)
            .unwrap()
            .clone()
    };
    assert_eq!(find("inet")["local"], "192.0.2.1");
    let six = find("inet6");
    assert_eq!(
        (&six["local"], &six["nodad"]),
        (&json!("2001:db8::1"), &json!(true))
    );
    assert!(six.get("tentative").is_none());

    let again = socket.add_address(index, net("192.0.2.1/24")).unwrap_err();
    assert!(again.is_exists(), "{again}");
    let listed = |socket: &mut Socket| -> Vec<_> {
        socket
            .addresses(index)
            .unwrap()
            .into_iter()
            .map(|address| address.net)
            .collect()
    };
    assert!(listed(&mut socket).contains(&net("192.0.2.1/24")));
    assert!(listed(&mut socket).contains(&net("2001:db8::1/64")));
    assert!(socket.delete_address(index, net("192.0.2.1/24")).unwrap());
    assert!(!socket.delete_address(index, net("192.0.2.1/24")).unwrap());
    assert!(!listed(&mut socket).contains(&net("192.0.2.1/24")));
}

#[test]
fn permanent_neighbours_of_both_families() {
    let (netns, mut socket, index) = wired();
    for address in ["192.0.2.9", "fe80::9"] {
        socket
            .set_neighbour(index, address.parse().unwrap(), INNER)
            .unwrap();
    }
    socket
        .set_neighbour(index, "192.0.2.9".parse().unwrap(), OUTER)
        .unwrap();
    let shown = json(&netns, "ip -json neighbour show dev eth0 nud permanent");
    let mut seen: Vec<_> = shown
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (
                entry["dst"].as_str().unwrap(),
                entry["lladdr"].as_str().unwrap(),
            )
        })
        .collect();
    seen.sort_unstable();
    assert_eq!(
        seen,
        [
            ("192.0.2.9", "02:00:00:00:00:01"),
            ("fe80::9", "02:00:00:00:00:02")
        ]
    );
    let entries = socket.neighbours(index).unwrap();
    assert!(entries.iter().any(|entry| {
        entry.permanent && entry.mac == Some(OUTER) && entry.address.to_string() == "192.0.2.9"
    }));
}

#[test]
fn namespace_paths_that_are_none_are_told_apart() {
    let absent = Netns::open(Path::new("/run/netns/no-such-namespace")).unwrap_err();
    assert_eq!(absent.errno(), Some(Errno::ENOENT));
    let ordinary = Netns::open(Path::new("/etc/hostname")).unwrap_err();
    assert_eq!(ordinary.errno(), Some(Errno::EINVAL));
    assert!(ordinary.to_string().contains("/etc/hostname"), "{ordinary}");
}

#[test]
fn running_in_a_namespace_leaves_the_caller_where_it_was() {
    let before = Netns::current().unwrap();
    let other = Netns::create().unwrap();
    let inside = other.run(Netns::current).unwrap().unwrap();
    assert!(inside.is_same(&other).unwrap());
    assert!(!inside.is_same(&before).unwrap());
    assert!(Netns::current().unwrap().is_same(&before).unwrap());
}

#[test]
fn an_alternative_name_is_one_interface_s_as_long_as_it_lives() {
    let (host, pod) = (Netns::create().unwrap(), Netns::create().unwrap());
    veth(&host, &pod).unwrap();
    run(&host, "ip link add other type bridge");
    run(&host, "ip route add 10.244.1.5 dev outer");
    let mut socket = Socket::open_in(&host).unwrap();
    let index = |socket: &mut Socket, name: &str| socket.link_by_name(name).unwrap().unwrap().index;
    let (outer, other) = (index(&mut socket, "outer"), index(&mut socket, "other"));
    for name in ["10.244.1.5", "fd00:0:0:1::5"] {
        socket.add_alternative_name(outer, name).unwrap();
        for taken in [outer, other] {
            let error = socket.add_alternative_name(taken, name).unwrap_err();
            assert_eq!(error.errno(), Some(Errno::EEXIST), "{error}");
        }
    }
    run(&host, "ip route flush table main");
    run(&host, "ip link set outer down");
    run(&host, "ip link set outer name renamed");
    assert_eq!(index(&mut socket, "10.244.1.5"), outer);
    let links = socket.links().unwrap();
    let named = links.iter().find(|link| link.index == outer).unwrap();
    assert_eq!(named.name, "renamed");
    assert_eq!(named.alternative_names, ["10.244.1.5", "fd00:0:0:1::5"]);
    assert!(
        links
            .iter()
            .any(|link| link.name == "other" && link.alternative_names.is_empty())
    );

    assert!(socket.remove_alternative_name(outer, "10.244.1.5").unwrap());
    socket.add_alternative_name(other, "10.244.1.5").unwrap();
    assert!(socket.delete_link("renamed").unwrap());
    socket.add_alternative_name(other, "fd00:0:0:1::5").unwrap();
}

#[test]
fn an_end_has_one_queue_however_many_processors_there_are() {
    let (host, pod) = (Netns::create().unwrap(), Netns::create().unwrap());
    veth(&host, &pod).unwrap();
    for (netns, name) in [(&host, "outer"), (&pod, "eth0")] {
        let shown = &json(netns, &format!("ip -json -details link show {name}"))[0];
        assert_eq!(
            (&shown["num_tx_queues"], &shown["num_rx_queues"]),
            (&json!(1), &json!(1))
        );
    }
}

#[test]
fn the_interfaces_of_a_group_go_at_once() {
    let (host, pod) = (Netns::create().unwrap(), Netns::create().unwrap());
    for (name, group) in [("one", 7), ("two", 7), ("other", 8)] {
        run(&host, &format!("ip link add {name} type bridge"));
        run(&host, &format!("ip link set {name} group {group}"));
    }
    veth(&host, &pod).unwrap();
    run(&host, "ip link set outer group 7");
    let mut socket = Socket::open_in(&host).unwrap();
    let links = socket.links().unwrap();
    assert_eq!(links.iter().filter(|link| link.group == 7).count(), 3);
    assert!(socket.delete_links(7).unwrap());
    assert!(!socket.delete_links(7).unwrap());
    let left: Vec<String> = socket
        .links()
        .unwrap()
        .into_iter()
        .map(|link| link.name)
        .collect();
    assert_eq!(left, ["lo", "other"]);
    assert!(
        Socket::open_in(&pod)
            .unwrap()
            .link_by_name("eth0")
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_removal_is_told_once_the_name_is_free() {
    let (host, pod) = (Netns::create().unwrap(), Netns::create().unwrap());
    veth(&host, &pod).unwrap();
    run(&host, "ip link add bridge type bridge");
    run(&host, "ip link set outer master bridge");
    let mut socket = Socket::open_in(&host).unwrap();
    let index = socket.link_by_name("outer").unwrap().unwrap().index;
    let mut removals = host.run(LinkRemovals::open).unwrap().unwrap();
    run(&host, "ip link set outer nomaster");
    assert!(
        !removals
            .wait_for(index, Duration::from_millis(200))
            .unwrap(),
        "it left the bridge"
    );
    assert!(socket.delete_link_by_index(index).unwrap());
    assert!(removals.wait_for(index, Duration::from_secs(5)).unwrap());
    assert!(!socket.delete_link_by_index(index).unwrap());
}
