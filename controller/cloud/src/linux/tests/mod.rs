//! The provider on a router in a fresh network namespace, with `ip` as the other party.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use signpost_core::cloud::{Blackhole, NextHop, ObservedRoute, Ownership, Route, TableId};
use signpost_netlink::{Socket, VethEnd, table};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::*;

mod nodes;
mod others;
mod routes;

const CONFIG: LinuxConfig = LinuxConfig {
    route_protocol: 143,
    table: table::MAIN,
};
const PATIENCE: Duration = Duration::from_secs(5);

/// A router with the networks of nodes, 192.0.2.0/24 and `2001:db8::/64`.
struct World {
    netns: Netns,
    cloud: LinuxRouter,
}

impl World {
    fn new() -> Self {
        let netns = Netns::create().unwrap();
        let mut socket = Socket::open_in(&netns).unwrap();
        let end = |name| VethEnd {
            name,
            netns: None,
            mac: None,
            mtu: None,
        };
        socket.create_veth(&end("nodes"), &end("far")).unwrap();
        let cloud = netns.run(|| LinuxRouter::open(CONFIG)).unwrap().unwrap();
        let world = Self { netns, cloud };
        world.ip("link set far up");
        world.ip("address add 192.0.2.1/24 dev nodes");
        world.ip("address add 2001:db8::1/64 dev nodes nodad");
        world
    }

    fn ip(&self, arguments: &str) -> String {
        let mut command = Command::new("ip");
        command.args(arguments.split_whitespace());
        let output = self.netns.run(move || command.output()).unwrap().unwrap();
        assert!(output.status.success(), "ip {arguments}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What `ip` shows of the routes to `destination`, each line trimmed.
    fn shown(&self, destination: &str) -> Vec<String> {
        let family = if destination.contains(':') {
            "-6"
        } else {
            "-4"
        };
        let text = self.ip(&format!("{family} route show {destination}"));
        text.lines().map(|line| line.trim().to_owned()).collect()
    }

    async fn make(&self, change: &RouteChange) -> Result<(), CloudErrorKind> {
        let made = self.cloud.begin(Change::Route(change)).await;
        made.map(|progress| assert_eq!(progress, Progress::Done))
            .map_err(|error| error.kind)
    }

    async fn create(&self, destination: &str, next_hop: &str) -> Result<(), CloudErrorKind> {
        let change = RouteChange::Create {
            table: main(),
            route: route(destination, next_hop),
        };
        self.make(&change).await
    }

    async fn replace(&self, old: &ObservedRoute, next_hop: &str) -> Result<(), CloudErrorKind> {
        let route = route(&old.destination.to_string(), next_hop);
        let change = RouteChange::Replace {
            table: main(),
            old: old.clone(),
            route,
        };
        self.make(&change).await
    }

    async fn delete(&self, old: &ObservedRoute) -> Result<(), CloudErrorKind> {
        let change = RouteChange::Delete {
            table: main(),
            route: old.clone(),
        };
        self.make(&change).await
    }

    async fn list(&self) -> Vec<ObservedRoute> {
        let pools = [("10.244.0.0/16", 24), ("fd00::/48", 64)].map(|(range, prefix_len)| Range {
            cidr: range.parse().unwrap(),
            prefix_len,
        });
        let mut listings = self.cloud.list_routes(&pools).await.unwrap();
        assert_eq!(listings.len(), 1);
        assert_eq!(listings[0].table, main());
        listings.remove(0).routes.unwrap()
    }

    async fn observed(&self, destination: &str) -> ObservedRoute {
        let destination: IpNet = destination.parse().unwrap();
        let mut all = self.list().await;
        all.retain(|route| route.destination == destination);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }
}

fn main() -> TableId {
    TableId("main".into())
}

fn route(destination: &str, next_hop: &str) -> Route {
    Route {
        destination: destination.parse().unwrap(),
        next_hop: NextHop::Address(next_hop.parse().unwrap()),
        node: NodeKey::new("n1", "u1"),
    }
}
