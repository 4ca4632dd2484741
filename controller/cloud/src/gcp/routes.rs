//! Routes as Google describes them: whose they are, where they lead, what they bar.

use std::sync::Arc;

use google_cloud_compute_v1::model::{self, route::warnings::Code};
use ipnet::{IpNet, Ipv4Net};
use signpost_core::cloud::{Blackhole, NextHop, ObservedRoute, Ownership, Range, Route};

use super::{config::GcpConfig, links, names::Names, place::Place};
use crate::nets::overlap;

/// How this cluster's routes are made.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) names: Names,
    priority: u32,
    tags: Vec<String>,
}

impl Form {
    pub(super) fn new(config: &GcpConfig) -> Self {
        let mut tags = config.tags.clone();
        tags.sort_unstable();
        Self {
            names: Names::new(&config.cluster_name),
            priority: config.priority,
            tags,
        }
    }

    /// What is asked for so that there is a route.
    pub(super) fn of(&self, route: &Route, place: &Place) -> model::Route {
        let new = model::Route::new()
            .set_name(self.names.of(route.destination))
            .set_description(self.names.description(&route.node))
            .set_network(place.to_string())
            .set_dest_range(route.destination.to_string())
            .set_priority(self.priority)
            .set_tags(self.tags.clone());
        match &route.next_hop {
            NextHop::Target(instance) => new.set_next_hop_instance(instance.as_ref()),
            NextHop::Address(address) => new.set_next_hop_ip(address.to_string()),
        }
    }

    /// Whether a route of ours was made by this cluster's Signpost.
    pub(super) fn is_ours(&self, route: &model::Route) -> bool {
        let name = route.name.as_deref().unwrap_or_default();
        let said = route.description.as_deref().unwrap_or_default();
        self.names.are_ours(name, said)
            && destination(route).is_some_and(|block| self.names.of(block) == name)
    }

    /// Where a route of ours leads. `None` where it leads to something that we never point at, or holds
    /// for others or with another precedence than it should: then it is removed and made anew.
    pub(super) fn next_hop(&self, route: &model::Route) -> Option<NextHop> {
        let mut tags: Vec<&str> = route.tags.iter().map(String::as_str).collect();
        tags.sort_unstable();
        if priority(route) != self.priority || tags != self.tags {
            return None;
        }
        leads_to(route)
    }

    /// What a route has to do with the ranges. `None`: nothing.
    pub(super) fn observe(&self, route: &model::Route, ranges: &[Range]) -> Option<ObservedRoute> {
        let destination = destination(route)?;
        let within = ranges.iter().any(|range| range.cidr.contains(&destination));
        if !within || is_of_a_subnet(route) {
            return None;
        }
        let is_block = ranges.iter().any(|range| range.has(&destination));
        let ownership = if is_block && self.is_ours(route) {
            Ownership::Ours
        } else if is_block && priority(route) > self.priority {
            // Of routes for the same destination the one with the lowest number wins ("Routing order" in
            // the document on VPC routes).
            Ownership::Outranked
        } else {
            Ownership::Foreign
        };
        let next_hop = if ownership == Ownership::Ours {
            self.next_hop(route)
        } else {
            leads_to(route)
        };
        Some(ObservedRoute {
            destination,
            next_hop,
            ownership,
            blackhole: blackhole(route),
            handle: route.name.as_deref().map(Arc::from),
        })
    }
}

fn destination(route: &model::Route) -> Option<IpNet> {
    let text = route.dest_range.as_deref()?;
    // Google writes a single address without its length.
    let net = text.parse();
    net.ok()
        .or_else(|| Some(IpNet::from(text.parse::<std::net::IpAddr>().ok()?)))
}

fn priority(route: &model::Route) -> u32 {
    route.priority.unwrap_or(GcpConfig::DEFAULT_PRIORITY)
}

fn leads_to(route: &model::Route) -> Option<NextHop> {
    let instance = route.next_hop_instance.as_deref().and_then(links::instance);
    if let Some(instance) = instance {
        return Some(NextHop::Target(instance.to_string().into()));
    }
    let address = route.next_hop_ip.as_deref()?;
    address.parse().ok().map(NextHop::Address)
}

/// Whether it came with a subnet: for its primary range or a secondary one.
fn is_of_a_subnet(route: &model::Route) -> bool {
    route
        .next_hop_network
        .as_deref()
        .is_some_and(|it| !it.is_empty())
}

/// Whether it counts against the quota of static routes.
pub(super) fn is_static(route: &model::Route) -> bool {
    let is_set = |link: &Option<String>| link.as_deref().is_some_and(|it| !it.is_empty());
    !is_of_a_subnet(route) && !is_set(&route.next_hop_peering) && !is_set(&route.next_hop_hub)
}

/// Why packets along a route are dropped: the warnings that Google computes for it.
fn blackhole(route: &model::Route) -> Option<Blackhole> {
    let causes = route
        .warnings
        .iter()
        .filter_map(|warning| match warning.code {
            Some(Code::NextHopInstanceNotFound) => Some(Blackhole::TargetGone),
            Some(Code::NextHopNotRunning) => Some(Blackhole::TargetStopped),
            Some(Code::NextHopCannotIpForward) => Some(Blackhole::NotForwarding),
            Some(Code::NextHopInstanceNotOnNetwork) => Some(Blackhole::NotOnNetwork),
            // That an address is no instance's of this project is so in every Shared VPC.
            _ => None,
        });
    causes.min()
}

/// Ranges in which no static route may lie, as far as they overlap one of these: those of the network's
/// subnets, and what Google cuts a network into by itself ("Subnet ranges" in the document on VPC).
pub(super) fn barred(routes: &[model::Route], auto_mode: bool, ranges: &[Range]) -> Vec<IpNet> {
    let of_subnets = routes.iter().filter(|route| is_of_a_subnet(route));
    let auto = auto_mode.then(|| Ipv4Net::new_assert([10, 128, 0, 0].into(), 9).into());
    of_subnets
        .filter_map(destination)
        .chain(auto)
        .filter(|net| ranges.iter().any(|range| overlap(&range.cidr, net)))
        .collect()
}

#[cfg(test)]
mod tests;
