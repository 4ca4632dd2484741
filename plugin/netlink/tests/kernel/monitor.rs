//! Notifications.

use std::time::Duration;

use signpost_netlink::nftables::{
    AddressRanges, Batch, Change, Content, Event, Family, Monitor, Set, Socket, Table,
};
use signpost_netlink::{Family as AddressFamily, Netns, Route, RouteEvent, RouteMonitor};

use crate::{net, run, wired};

const PATIENCE: Duration = Duration::from_secs(5);

#[test]
fn changes_of_both_families_are_notified() {
    let (netns, mut socket, index) = wired();
    let mut monitor = RouteMonitor::open_in(&netns).unwrap();
    for destination in ["10.1.0.0/24", "fd01::/64"] {
        let route = Route {
            protocol: 143,
            interface: Some(index),
            ..Route::to(net(destination))
        };
        socket.add_route(&route).unwrap();
        run(&netns, &format!("ip route del {destination}"));
        let mut events = Vec::new();
        while events.len() < 2 {
            let event = monitor.next(PATIENCE).unwrap().expect("an event in time");
            match event {
                RouteEvent::Added(route) if route.destination == net(destination) => {
                    events.push(("added", route.protocol));
                }
                RouteEvent::Removed(route) if route.destination == net(destination) => {
                    events.push(("removed", route.protocol));
                }
                _ => {}
            }
        }
        assert_eq!(events, [("added", 143), ("removed", 143)]);
    }
}

#[test]
fn changes_of_an_ignored_socket_are_left_out() {
    let (netns, mut socket, index) = wired();
    let mut monitor = RouteMonitor::open_in(&netns).unwrap();
    monitor.ignore_changes_of(socket.port());
    for destination in ["10.1.0.0/24", "fd01::/64"] {
        let route = Route {
            interface: Some(index),
            ..Route::to(net(destination))
        };
        socket.add_route(&route).unwrap();
        socket.replace_route(&route).unwrap();
        assert!(socket.delete_route(&route).unwrap());
    }
    run(&netns, "ip route add 10.2.0.0/24 dev eth0");
    loop {
        match monitor.next(PATIENCE).unwrap().expect("an event in time") {
            RouteEvent::Added(route) if route.destination == net("10.2.0.0/24") => break,
            RouteEvent::Added(route) | RouteEvent::Removed(route) => {
                let own = ["10.1.0.0/24", "fd01::/64"].map(net);
                assert!(!own.contains(&route.destination), "{route:?}");
            }
            _ => {}
        }
    }
}

#[test]
fn an_interface_that_goes_is_notified() {
    let (netns, _socket, _) = wired();
    for command in ["ip link set eth0 down", "ip link del eth0"] {
        let mut monitor = RouteMonitor::open_in(&netns).unwrap();
        run(&netns, command);
        while monitor.next(PATIENCE).unwrap().expect("an event in time") != RouteEvent::LinkGone {}
    }
}

#[test]
fn silence_ends_with_the_timeout() {
    let (netns, _socket, _) = wired();
    let mut monitor = RouteMonitor::open_in(&netns).unwrap();
    while monitor.next(Duration::from_millis(300)).unwrap().is_some() {}
    assert_eq!(monitor.next(Duration::from_millis(20)).unwrap(), None);
}

#[test]
fn more_changes_than_the_socket_holds_are_an_overrun() {
    let (netns, mut socket, index) = wired();
    let mut monitor = RouteMonitor::open_in(&netns).unwrap();
    for number in 0..3000_u32 {
        let destination = format!("10.{}.{}.0/24", number / 256, number % 256);
        let route = Route {
            interface: Some(index),
            ..Route::to(net(&destination))
        };
        socket.add_route(&route).unwrap();
    }
    let mut overrun = false;
    while let Some(event) = monitor.next(Duration::from_millis(200)).unwrap() {
        overrun |= event == RouteEvent::Overrun;
    }
    assert!(overrun);
    // The subscription goes on after it.
    run(&netns, "ip route del 10.0.0.0/24");
    let event = monitor.next(PATIENCE).unwrap();
    assert!(matches!(event, Some(RouteEvent::Removed(_))), "{event:?}");
}

fn table(name: &str, elements: u32) -> Table {
    let networks: Vec<_> = (0..elements)
        .map(|number| net(&format!("10.{}.{}.0/25", number / 256, number % 256)))
        .collect();
    Table {
        family: Family::Inet,
        name: name.into(),
        comment: String::new(),
        sets: vec![Set {
            name: "addresses".into(),
            content: Content::Ranges(AddressRanges::new(AddressFamily::V4, &networks)),
        }],
        chains: Vec::new(),
    }
}

fn write(socket: &mut Socket, table: &Table) {
    let mut batch = Batch::new();
    batch.replace_table(table);
    socket.commit(batch).unwrap();
}

#[test]
fn changes_of_nftables_tell_where_they_are_and_those_of_an_ignored_socket_nothing() {
    let netns = Netns::create().unwrap();
    let mut monitor = Monitor::open_in(&netns).unwrap();
    let mut socket = Socket::open_in(&netns).unwrap();
    monitor.ignore_changes_of(socket.port());
    write(&mut socket, &table("own", 3));
    run(&netns, "nft add table netdev other");
    run(&netns, "nft add table bridge ports");
    run(
        &netns,
        "nft add set bridge ports of { type ifname ; elements = { eth0 } ; }",
    );
    run(&netns, "nft add table ip filter");
    run(&netns, "nft add chain ip filter FORWARD");
    run(&netns, "nft add rule ip filter FORWARD accept");
    run(&netns, "nft flush set inet own addresses");
    let mut changes = Vec::new();
    while changes
        .last()
        .is_none_or(|change: &Change| change.table != "own")
    {
        match monitor.next(PATIENCE).unwrap().expect("an event in time") {
            Event::Changed(change) => changes.push(change),
            Event::Overrun => panic!("overrun"),
        }
    }
    let change = |family, table: &str, chain: Option<&str>| Change {
        family,
        table: table.into(),
        chain: chain.map(str::to_owned),
    };
    let forward = change(Family::Ip, "filter", Some("FORWARD"));
    assert_eq!(
        changes,
        [
            // The set, but not its element.
            change(Family::Bridge, "ports", None),
            change(Family::Bridge, "ports", None),
            change(Family::Ip, "filter", None),
            forward.clone(),
            forward,
            change(Family::Inet, "own", None),
        ],
        "the table, the chain, the rule in it, and the elements"
    );
}

#[test]
fn more_changes_of_nftables_than_the_socket_holds_are_an_overrun() {
    let netns = Netns::create().unwrap();
    let mut monitor = Monitor::open_in(&netns).unwrap();
    let mut socket = Socket::open_in(&netns).unwrap();
    let many = table("many", 5000);
    for _ in 0..40 {
        write(&mut socket, &many);
    }
    let mut overrun = false;
    while let Some(event) = monitor.next(Duration::from_millis(200)).unwrap() {
        overrun |= event == Event::Overrun;
    }
    assert!(overrun);
    write(&mut socket, &table("few", 1));
    let event = monitor.next(PATIENCE).unwrap();
    assert!(matches!(event, Some(Event::Changed(_))), "{event:?}");
}
