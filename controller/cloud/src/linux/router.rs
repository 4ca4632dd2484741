//! The table itself: blocking work on one netlink socket.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use ipnet::IpNet;
use signpost_core::cloud::{
    CloudError, CloudErrorKind, ObservedRoute, Route as Wanted, RouteChange, TableListing,
    TableUsage,
};
use signpost_netlink::{Family, Netns, Route, RouteFilter, Socket, table as table_number};

use super::{LinuxConfig, connected, table};
use crate::nets::overlap;

/// What several writes look at.
#[derive(Default)]
struct Snapshot {
    /// The table's routes by destination.
    routes: HashMap<IpNet, Vec<Route>>,
    /// The addresses of this machine.
    own: HashSet<IpAddr>,
}

pub(super) struct Router {
    socket: Socket,
    config: LinuxConfig,
    /// A shared mark was told of.
    told: bool,
}

impl Router {
    pub(super) fn open(netns: &Netns, config: LinuxConfig) -> Result<Self, CloudError> {
        let socket = Socket::open_in(netns).map_err(|error| table::error(&error))?;
        Ok(Self {
            socket,
            config,
            told: false,
        })
    }

    /// The number by which the kernel's notifications name this router's own changes.
    pub(super) fn port(&self) -> u32 {
        self.socket.port()
    }

    /// All routes in the ranges, and what is barred there.
    pub(super) fn list(&mut self, ranges: &[IpNet]) -> Vec<TableListing> {
        let (routes, barred) = match self.look(ranges) {
            Ok((routes, barred)) => (Ok(routes), barred),
            Err(error) => (Err(error), Vec::new()),
        };
        vec![TableListing {
            table: table::id(self.config.table),
            routes,
            usage: TableUsage::default(),
            barred,
            pending: Vec::new(),
        }]
    }

    fn look(&mut self, ranges: &[IpNet]) -> Result<(Vec<ObservedRoute>, Vec<IpNet>), CloudError> {
        let mut found = Vec::new();
        let mut barred = Vec::new();
        for family in [Family::V4, Family::V6] {
            let routes = self.routes(family)?;
            self.tell_of_shared_mark(&routes, ranges);
            let here = table::blocks_here(&routes, self.config);
            let inside = routes.iter().filter(|route| {
                table::lies_in(route.destination, ranges) && !table::is_pods(route, &here)
            });
            found.extend(inside.map(|route| table::observe(route, self.config)));
            barred.extend(self.connected(family)?);
        }
        barred.retain(|net| ranges.iter().any(|range| overlap(net, range)));
        Ok((found, barred))
    }

    /// Networks that this machine reaches directly, and its own addresses.
    fn connected(&mut self, family: Family) -> Result<Vec<IpNet>, CloudError> {
        let mut all = Vec::new();
        for table in BTreeSet::from([self.config.table, table_number::MAIN, table_number::LOCAL]) {
            let routes = self.routes_of(family, table)?;
            all.extend(routes.iter().filter_map(connected::network));
        }
        Ok(all)
    }

    /// The addresses of this machine itself.
    fn own_addresses(&mut self) -> Result<HashSet<IpAddr>, CloudError> {
        let mut all = HashSet::new();
        for family in [Family::V4, Family::V6] {
            let routes = self.routes_of(family, table_number::LOCAL)?;
            all.extend(
                routes
                    .iter()
                    .filter_map(connected::network)
                    .map(|net| net.addr()),
            );
        }
        Ok(all)
    }

    /// Two programs with one protocol number take each other's routes for their own wherever their
    /// ranges overlap.
    fn tell_of_shared_mark(&mut self, routes: &[Route], ranges: &[IpNet]) {
        let protocol = self.config.route_protocol;
        let other = routes
            .iter()
            .find(|route| route.protocol == protocol && !table::lies_in(route.destination, ranges));
        if let Some(other) = other
            && !std::mem::replace(&mut self.told, true)
        {
            tracing::warn!(
                destination = %other.destination,
                protocol,
                table = self.config.table,
                "this route carries our protocol number and lies outside our ranges: it is left \
                 alone; if another cluster or program uses the number, give each its own in \
                 spec.cloud.linux.routeProtocol, and if it is left from a range that this cluster \
                 no longer has, remove it by hand"
            );
        }
    }

    /// Carries changes out, each for itself. One look into the table serves them all.
    pub(super) fn write(&mut self, changes: &[RouteChange]) -> Vec<Result<(), CloudError>> {
        let families: BTreeSet<Family> = changes
            .iter()
            .map(|change| Family::of(change.destination().addr()))
            .collect();
        let mut snapshot = match self.snapshot(families) {
            Ok(snapshot) => snapshot,
            Err(error) => return vec![Err(error); changes.len()],
        };
        changes
            .iter()
            .map(|change| self.write_one(&mut snapshot, change))
            .collect()
    }

    fn snapshot(&mut self, families: BTreeSet<Family>) -> Result<Snapshot, CloudError> {
        let mut snapshot = Snapshot {
            own: self.own_addresses()?,
            ..Snapshot::default()
        };
        for family in families {
            for route in self.routes(family)? {
                let routes = snapshot.routes.entry(route.destination);
                routes.or_default().push(route);
            }
        }
        Ok(snapshot)
    }

    fn write_one(
        &mut self,
        snapshot: &mut Snapshot,
        change: &RouteChange,
    ) -> Result<(), CloudError> {
        if *change.table() != table::id(self.config.table) {
            let detail = format!("this router has no table {}", change.table());
            return Err(CloudError::new(CloudErrorKind::Invalid, detail));
        }
        let Snapshot { routes, own } = snapshot;
        let present = routes.entry(change.destination()).or_default();
        match change {
            RouteChange::Create { route, .. } => self.create(present, self.wanted(route, own)?),
            RouteChange::Replace { old, route, .. } => {
                self.replace(present, old, &self.wanted(route, own)?)
            }
            RouteChange::Delete { route, .. } => self.delete(present, route),
        }
    }

    fn wanted(&self, route: &Wanted, own: &HashSet<IpAddr>) -> Result<Route, CloudError> {
        table::wanted(route, self.config, own)
    }

    fn create(&mut self, present: &mut Vec<Route>, route: Route) -> Result<(), CloudError> {
        // The kernel refuses a second route only if it has the same metric. What ours outranks may
        // stay beside it.
        let is_ours = |other: &Route| other.protocol == route.protocol;
        let mut others = present
            .iter()
            .filter(|other| is_ours(other) || !table::outranked(other));
        if let Some(other) = others.next() {
            let is_wanted = is_ours(other)
                && !other.multipath
                && (other.kind, other.gateway) == (route.kind, route.gateway)
                && (route.source.is_none() || other.source == route.source);
            return if is_wanted && others.next().is_none() {
                Ok(())
            } else {
                Err(exists(&route))
            };
        }
        self.socket
            .add_route(&route)
            .map_err(|error| table::error(&error))?;
        present.push(route);
        Ok(())
    }

    fn replace(
        &mut self,
        present: &mut [Route],
        old: &ObservedRoute,
        route: &Route,
    ) -> Result<(), CloudError> {
        let position = self.find(present, old)?;
        let metric = present[position].metric;
        let route = Route { metric, ..*route };
        // The kernel would replace the first of several routes with one metric, whosever it is.
        if present
            .iter()
            .filter(|other| other.metric == metric)
            .count()
            > 1
        {
            return Err(exists(&route));
        }
        self.socket
            .replace_route(&route)
            .map_err(|error| table::error(&error))?;
        present[position] = route;
        Ok(())
    }

    fn delete(&mut self, present: &mut Vec<Route>, old: &ObservedRoute) -> Result<(), CloudError> {
        let position = self.find(present, old)?;
        let route = present.swap_remove(position);
        match self.socket.delete_route(&route) {
            Ok(true) => Ok(()),
            Ok(false) => Err(not_found(old)),
            Err(error) => Err(table::error(&error)),
        }
    }

    /// Finds the route that was observed, if it still is as observed and ours.
    fn find(&self, present: &[Route], old: &ObservedRoute) -> Result<usize, CloudError> {
        let same = |route: &Route| {
            route.protocol == self.config.route_protocol
                && table::observe(route, self.config) == *old
        };
        present.iter().position(same).ok_or_else(|| not_found(old))
    }

    fn routes(&mut self, family: Family) -> Result<Vec<Route>, CloudError> {
        self.routes_of(family, self.config.table)
    }

    fn routes_of(&mut self, family: Family, table: u32) -> Result<Vec<Route>, CloudError> {
        let filter = RouteFilter {
            table: Some(table),
            ..RouteFilter::default()
        };
        self.socket
            .routes(family, filter)
            .map_err(|error| table::error(&error))
    }

    /// A router that does not forward makes every route useless; its owner decides.
    pub(super) fn warn_if_not_forwarding(&self, netns: &Netns) {
        const SETTINGS: [&str; 2] = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"];
        let off = netns.run(|| {
            SETTINGS.map(|setting| {
                let path = format!("/proc/sys/{}", setting.replace('.', "/"));
                std::fs::read_to_string(path).is_ok_and(|value| value.trim() == "0")
            })
        });
        for (setting, off) in SETTINGS.into_iter().zip(off.unwrap_or_default()) {
            if off {
                tracing::warn!(
                    table = self.config.table,
                    "this machine does not forward packets ({setting}=0), so its routes carry no \
                     pod traffic of that family: set {setting}=1"
                );
            }
        }
    }
}

fn exists(route: &Route) -> CloudError {
    let detail = format!("{} has a route already", route.destination);
    CloudError::new(CloudErrorKind::AlreadyExists, detail)
}

fn not_found(old: &ObservedRoute) -> CloudError {
    let detail = format!("the route to {} is no longer as it was", old.destination);
    CloudError::new(CloudErrorKind::NotFound, detail)
}
