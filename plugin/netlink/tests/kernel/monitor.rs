//! Notifications.

use std::time::Duration;

use signpost_netlink::{Route, RouteEvent, RouteMonitor};

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
