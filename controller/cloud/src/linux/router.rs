//! The table itself: blocking work on one netlink socket.

use std::collections::{BTreeSet, HashMap};

use ipnet::IpNet;
use signpost_core::cloud::{
    CloudError, CloudErrorKind, ObservedRoute, Route as Wanted, RouteChange, TableListing,
    TableUsage,
};
use signpost_netlink::{Family, Netns, Route, RouteFilter, Socket};

use super::{LinuxConfig, table};

/// The table's routes by destination.
type Snapshot = HashMap<IpNet, Vec<Route>>;

pub(super) struct Router {
    socket: Socket,
    config: LinuxConfig,
}

impl Router {
    pub(super) fn open(netns: &Netns, config: LinuxConfig) -> Result<Self, CloudError> {
        let socket = Socket::open_in(netns).map_err(|error| table::error(&error))?;
        Ok(Self { socket, config })
    }

    /// The number by which the kernel's notifications name this router's own changes.
    pub(super) fn port(&self) -> u32 {
        self.socket.port()
    }

    /// All routes of ours, and those of others in the ranges.
    pub(super) fn list(&mut self, ranges: &[IpNet]) -> Vec<TableListing> {
        let mut listing = Ok(Vec::new());
        for family in [Family::V4, Family::V6] {
            let routes = self.routes(family);
            listing = listing.and_then(|mut found: Vec<ObservedRoute>| {
                let ours = self.config.route_protocol;
                let relevant = routes?.into_iter().filter(|route| {
                    route.protocol == ours || table::lies_in(route.destination, ranges)
                });
                found.extend(relevant.map(|route| table::observe(&route, self.config)));
                Ok(found)
            });
        }
        vec![TableListing {
            table: table::id(self.config.table),
            routes: listing,
            usage: TableUsage::default(),
            barred: Vec::new(),
        }]
    }

    /// Carries changes out, each for itself. One look into the table serves them all.
    pub(super) fn write(&mut self, changes: &[RouteChange]) -> Vec<Result<(), CloudError>> {
        let families: BTreeSet<Family> = changes
            .iter()
            .map(|change| Family::of(change.destination().addr()))
            .collect();
        let mut snapshot = Snapshot::new();
        for family in families {
            match self.routes(family) {
                Ok(routes) => {
                    for route in routes {
                        snapshot.entry(route.destination).or_default().push(route);
                    }
                }
                Err(error) => return vec![Err(error); changes.len()],
            }
        }
        changes
            .iter()
            .map(|change| self.write_one(&mut snapshot, change))
            .collect()
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
        let present = snapshot.entry(change.destination()).or_default();
        match change {
            RouteChange::Create { route, .. } => self.create(present, route),
            RouteChange::Replace { old, route, .. } => self.replace(present, old, route),
            RouteChange::Delete { route, .. } => self.delete(present, route),
        }
    }

    fn create(&mut self, present: &mut Vec<Route>, wanted: &Wanted) -> Result<(), CloudError> {
        let route = table::wanted(wanted, self.config)?;
        // The kernel refuses a second route only if it has the same metric.
        if let [other, ..] = present.as_slice() {
            let is_wanted = other.protocol == route.protocol
                && !other.multipath
                && (other.kind, other.gateway) == (route.kind, route.gateway);
            return if is_wanted && present.len() == 1 {
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
        wanted: &Wanted,
    ) -> Result<(), CloudError> {
        let position = self.find(present, old)?;
        let metric = present[position].metric;
        let route = Route {
            metric,
            ..table::wanted(wanted, self.config)?
        };
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
        let filter = RouteFilter {
            table: Some(self.config.table),
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
