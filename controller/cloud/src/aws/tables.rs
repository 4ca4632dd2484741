//! Route tables as EC2 describes them.

use std::sync::Arc;

use aws_sdk_ec2::types::{self, RouteOrigin, RouteState};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use signpost_core::cloud::Range;

use super::{
    interfaces,
    prefix_lists::{Weight, Weights},
};
use crate::nets::overlap;

/// A route table as EC2 describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawTable {
    pub(super) id: Arc<str>,
    pub(super) vpc: Arc<str>,
    /// The account that it belongs to.
    pub(super) owner: Option<Arc<str>>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) routes: Vec<RawRoute>,
    /// Destinations that are no ranges.
    pub(super) prefix_lists: Vec<Arc<str>>,
    /// Subnets without an association follow it.
    pub(super) main: bool,
    /// The subnets that are associated with it.
    pub(super) subnets: Vec<Arc<str>>,
    /// The gateway that is associated with it: it decides about what comes in there.
    pub(super) gateway: Option<Arc<str>>,
}

/// A route as EC2 describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawRoute {
    pub(super) destination: IpNet,
    pub(super) target: RawTarget,
    /// The instance that has the interface now, as far as EC2 says.
    pub(super) instance: Option<Arc<str>>,
    pub(super) origin: Origin,
    /// The target cannot be reached.
    pub(super) blackhole: bool,
}

/// How a route came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Somebody made it with `CreateRoute`.
    Created,
    /// It came with the table: a range of the VPC, whose addresses are reached directly.
    Vpc,
    /// A gateway propagates it or a route server advertises it. A created route for the same
    /// destination stands beside it and wins, if it leads to a network interface ("Route priority and
    /// propagated routes" in the VPC's guide).
    Propagated,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RawTarget {
    /// A network interface.
    Interface(Arc<str>),
    /// An instance whose interface EC2 does not name.
    Instance(Arc<str>),
    /// A gateway, a peering connection, ….
    Other,
}

impl RawTable {
    /// `None` for one without an id, which EC2 never sends.
    pub(super) fn read(table: &types::RouteTable) -> Option<Self> {
        let associations = || table.associations().iter();
        let subnets = associations().filter_map(types::RouteTableAssociation::subnet_id);
        let mut gateways = associations().filter_map(types::RouteTableAssociation::gateway_id);
        Some(Self {
            id: table.route_table_id()?.into(),
            vpc: table.vpc_id().unwrap_or_default().into(),
            owner: table.owner_id().map(Arc::from),
            tags: interfaces::tags(table.tags()),
            routes: table.routes().iter().filter_map(RawRoute::read).collect(),
            prefix_lists: table.routes().iter().filter_map(prefix_list).collect(),
            main: associations().any(|it| it.main() == Some(true)),
            subnets: subnets.map(Arc::from).collect(),
            gateway: gateways.next().map(Arc::from),
        })
    }

    /// Routes of each family that count against the quota.
    pub(super) fn used(&self, weights: &Weights) -> Used {
        let mut used = Used::default();
        for route in self
            .routes
            .iter()
            .filter(|route| route.origin == Origin::Created)
        {
            match route.destination {
                IpNet::V4(_) => used.v4 += 1,
                IpNet::V6(_) => used.v6 += 1,
            }
        }
        for list in &self.prefix_lists {
            let Weight { v6, entries } = weights.of(list);
            *(if v6 { &mut used.v6 } else { &mut used.v4 }) += entries;
        }
        used
    }
}

/// The list for which a route is, if it is for one. What a gateway propagates is never for one.
fn prefix_list(route: &types::Route) -> Option<Arc<str>> {
    route.destination_prefix_list_id().map(Arc::from)
}

/// Number of routes by family.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) v4: u32,
    pub(super) v6: u32,
}

impl RawRoute {
    /// `None` where the destination is no range but a prefix list.
    fn read(route: &types::Route) -> Option<Self> {
        let destination = route
            .destination_cidr_block()
            .or(route.destination_ipv6_cidr_block())?;
        let target = match (route.network_interface_id(), route.instance_id()) {
            (Some(interface), _) if !interface.is_empty() => RawTarget::Interface(interface.into()),
            (_, Some(instance)) if !instance.is_empty() => RawTarget::Instance(instance.into()),
            _ => RawTarget::Other,
        };
        Some(Self {
            destination: destination.parse().ok()?,
            target,
            instance: route
                .instance_id()
                .filter(|id| !id.is_empty())
                .map(Arc::from),
            origin: match route.origin() {
                Some(RouteOrigin::CreateRoute) => Origin::Created,
                Some(RouteOrigin::CreateRouteTable) => Origin::Vpc,
                _ => Origin::Propagated,
            },
            blackhole: route.state() == Some(&RouteState::Blackhole),
        })
    }
}

impl RawTable {
    /// Ranges in which no route of ours may lie, as far as they overlap one of these: the VPC's own,
    /// where a route could only take a whole subnet's traffic, and what the network reserves for its
    /// services ("Route tables" in the VPC's guide).
    pub(super) fn barred(&self, ranges: &[Range]) -> Vec<IpNet> {
        let reserved: [IpNet; 2] = [
            Ipv4Net::new_assert([169, 254, 168, 0].into(), 22).into(),
            Ipv6Net::new_assert([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0].into(), 32).into(),
        ];
        let own = self.routes.iter().filter(|it| it.origin == Origin::Vpc);
        own.map(|route| route.destination)
            .chain(reserved)
            .filter(|net| ranges.iter().any(|range| overlap(&range.cidr, net)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(destination: &str) -> aws_sdk_ec2::types::builders::RouteBuilder {
        let builder = types::Route::builder()
            .origin(RouteOrigin::CreateRoute)
            .state(RouteState::Active);
        if destination.contains(':') {
            builder.destination_ipv6_cidr_block(destination)
        } else {
            builder.destination_cidr_block(destination)
        }
    }

    #[test]
    fn routes_are_read_with_their_interface_first() {
        let both = route("10.0.0.0/24")
            .network_interface_id("eni-1")
            .instance_id("i-1")
            .build();
        let both = RawRoute::read(&both).unwrap();
        assert_eq!(both.target, RawTarget::Interface("eni-1".into()));
        assert!(both.origin == Origin::Created && !both.blackhole);

        let lost = route("fd00::/64").instance_id("i-1");
        let lost = RawRoute::read(&lost.state(RouteState::Blackhole).build()).unwrap();
        assert_eq!(lost.target, RawTarget::Instance("i-1".into()));
        assert!(lost.blackhole);

        let local = route("10.0.0.0/16").gateway_id("local");
        let local = RawRoute::read(&local.origin(RouteOrigin::CreateRouteTable).build()).unwrap();
        assert_eq!(local.target, RawTarget::Other);
        assert_eq!(local.origin, Origin::Vpc);
    }

    #[test]
    fn prefix_lists_are_no_destinations() {
        let route = types::Route::builder().destination_prefix_list_id("pl-1");
        assert_eq!(RawRoute::read(&route.build()), None);
    }

    #[test]
    fn families_count_apart_and_only_what_was_created() {
        let table = types::RouteTable::builder()
            .route_table_id("rtb-1")
            .routes(route("10.0.0.0/24").build())
            .routes(route("10.0.1.0/24").build())
            .routes(route("fd00::/64").build())
            .routes(
                route("10.9.0.0/16")
                    .origin(RouteOrigin::EnableVgwRoutePropagation)
                    .build(),
            )
            .build();
        let used = RawTable::read(&table).unwrap().used(&Weights::default());
        assert_eq!(used, Used { v4: 2, v6: 1 });
    }

    #[test]
    fn the_vpcs_own_and_reserved_ranges_are_barred() {
        let local = |to: &str| route(to).origin(RouteOrigin::CreateRouteTable).build();
        let table = types::RouteTable::builder()
            .route_table_id("rtb-1")
            .routes(local("10.0.0.0/16"))
            .routes(local("fd12::/56"))
            .routes(route("10.244.1.0/24").build())
            .build();
        let table = RawTable::read(&table).unwrap();
        let barred = |range: &str| {
            let cidr = range.parse().unwrap();
            let range = Range {
                cidr,
                prefix_len: cidr.max_prefix_len(),
            };
            let barred = table.barred(&[range]);
            barred.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(barred("10.0.0.0/8"), ["10.0.0.0/16"]);
        assert_eq!(barred("10.0.7.0/24"), ["10.0.0.0/16"]);
        assert_eq!(barred("10.244.0.0/16"), [""; 0]);
        assert_eq!(barred("169.254.0.0/16"), ["169.254.168.0/22"]);
        assert_eq!(barred("fd00::/8"), ["fd12::/56", "fd00:ec2::/32"]);
    }
}
