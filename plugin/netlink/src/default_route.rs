//! How large packets may be that leave by the default routes.

use std::collections::BTreeMap;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteMetric, RouteType};

use crate::error::{Error, ErrorKind, Result};
use crate::route::{Family, RouteFilter, table};
use crate::socket::{Socket, decode};

/// Largest MTU that a veth takes.
const LARGEST: u32 = 65_535;

/// A way out by a default route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayOut {
    /// Name of the interface.
    pub interface: String,
    /// Largest packet in bytes: the interface's MTU, or the route's own where that is smaller.
    pub mtu: u32,
}

impl WayOut {
    /// The MTU, if it serves all `families`; else what is wrong with it, in words.
    pub fn mtu_for(&self, families: &[Family]) -> std::result::Result<u32, String> {
        let Self { interface, mtu } = self;
        match families.iter().find(|family| *mtu < family.least_mtu()) {
            None => Ok(*mtu),
            Some(family) => Err(format!(
                "the default route over {interface} has MTU {mtu}, and {family} needs {} at least",
                family.least_mtu()
            )),
        }
    }
}

/// A default route, as far as it matters here.
struct DefaultRoute {
    metric: u32,
    mtu: Option<u32>,
    /// Indices of the interfaces of its next hops.
    interfaces: Vec<u32>,
    /// Its next hops are an object that the kernel only names.
    hidden: bool,
}

impl Socket {
    /// The narrowest of all ways that the default routes of these families lead: of each family those of
    /// the main table with the lowest metric, with all their next hops. Routes over a loopback interface
    /// count as none. If none of the families has one, the other's are taken.
    pub fn way_out(&mut self, families: &[Family]) -> Result<Option<WayOut>> {
        let all = [Family::V4, Family::V6];
        let (wanted, other): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|family| families.contains(family));
        for families in [wanted, other] {
            let mut ways = Vec::new();
            for family in families {
                ways.extend(self.ways_out_of(family)?);
            }
            if let Some(narrowest) = ways.into_iter().min_by_key(|way| way.mtu) {
                return Ok(Some(narrowest));
            }
        }
        Ok(None)
    }

    /// All ways out of a family: the next hops of the default routes of the main table with the lowest metric.
    pub fn ways_out_of(&mut self, family: Family) -> Result<Vec<WayOut>> {
        let routes = self.default_routes(family)?;
        let mut by_metric: BTreeMap<u32, Vec<&DefaultRoute>> = BTreeMap::new();
        for route in &routes {
            by_metric.entry(route.metric).or_default().push(route);
        }
        for routes in by_metric.into_values() {
            let mut ways = Vec::new();
            for route in routes {
                if route.hidden {
                    let operation = format!("read the {family} default route");
                    return Err(Error::new(operation, ErrorKind::HiddenNextHop));
                }
                for index in &route.interfaces {
                    let link = self.link_by_index(*index)?;
                    ways.extend(link.filter(|link| !link.loopback).map(|link| WayOut {
                        mtu: route.mtu.unwrap_or(LARGEST).min(link.mtu).min(LARGEST),
                        interface: link.name,
                    }));
                }
            }
            if !ways.is_empty() {
                return Ok(ways);
            }
        }
        Ok(Vec::new())
    }

    fn default_routes(&mut self, family: Family) -> Result<Vec<DefaultRoute>> {
        let filter = RouteFilter {
            table: Some(table::MAIN),
            ..RouteFilter::default()
        };
        self.list_routes(family, filter, |answer| {
            // The kernel filters by no destination. To pass over a route by the second byte of `struct
            // rtmsg`, its prefix length, costs a fraction of decoding it where there are many.
            if answer.payload.get(1) != Some(&0) {
                return None;
            }
            match decode(answer) {
                Ok(RouteNetlinkMessage::NewRoute(message)) => DefaultRoute::read(&message),
                _ => None,
            }
        })
    }
}

impl DefaultRoute {
    /// Reads a route that sends packets on, else `None`.
    fn read(message: &RouteMessage) -> Option<Self> {
        if message.header.kind != RouteType::Unicast {
            return None;
        }
        let mut route = Self {
            metric: 0,
            mtu: None,
            interfaces: Vec::new(),
            hidden: false,
        };
        for attribute in &message.attributes {
            match attribute {
                RouteAttribute::Priority(metric) => route.metric = *metric,
                RouteAttribute::Oif(index) => route.interfaces.push(*index),
                RouteAttribute::MultiPath(hops) => {
                    route
                        .interfaces
                        .extend(hops.iter().map(|hop| hop.interface_index));
                }
                RouteAttribute::Metrics(metrics) => {
                    route.mtu = metrics.iter().find_map(|metric| match metric {
                        RouteMetric::Mtu(mtu) if *mtu > 0 => Some(*mtu),
                        _ => None,
                    });
                }
                RouteAttribute::NhId(_) => route.hidden = true,
                _ => {}
            }
        }
        route.hidden &= route.interfaces.is_empty();
        Some(route)
    }
}
