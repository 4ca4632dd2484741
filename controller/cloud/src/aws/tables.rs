//! Route tables: which are looked at, and what they have.

use std::{collections::HashSet, sync::Arc};

use aws_sdk_ec2::types::{self, Filter, RouteOrigin, RouteState};
use ipnet::IpNet;
use signpost_core::cloud::{CloudError, CloudErrorKind};

use super::{
    api::filter,
    config::{AwsConfig, TableChoice},
};

/// A route table as EC2 describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawTable {
    pub(super) id: Arc<str>,
    pub(super) routes: Vec<RawRoute>,
}

/// A route as EC2 describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawRoute {
    pub(super) destination: IpNet,
    pub(super) target: RawTarget,
    /// Somebody made it with `CreateRoute`; it is neither the VPC's own nor propagated.
    pub(super) created: bool,
    /// The target cannot be reached.
    pub(super) blackhole: bool,
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
        Some(Self {
            id: table.route_table_id()?.into(),
            routes: table.routes().iter().filter_map(RawRoute::read).collect(),
        })
    }

    /// Routes of each family that count against the quota.
    pub(super) fn used(&self) -> Used {
        let mut used = Used::default();
        for route in self.routes.iter().filter(|route| route.created) {
            match route.destination {
                IpNet::V4(_) => used.v4 += 1,
                IpNet::V6(_) => used.v6 += 1,
            }
        }
        used
    }
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
            created: route.origin() == Some(&RouteOrigin::CreateRoute),
            blackhole: route.state() == Some(&RouteState::Blackhole),
        })
    }
}

/// What lets the wanted tables pass.
pub(super) fn filters(config: &AwsConfig, vpc: Option<&str>) -> Vec<Filter> {
    let tags = match &config.tables {
        TableChoice::ClusterTag => vec![by_cluster_tag(&config.cluster_tag())],
        TableChoice::Tags(tags) => tags
            .iter()
            .map(|(key, value)| filter(format!("tag:{key}"), [literally(value)]))
            .collect(),
        // As many as one call may name, so the VPC does not fit beside them.
        TableChoice::Ids(ids) => return vec![by_id(ids.iter().cloned())],
    };
    let vpc = vpc.map(|vpc| filter("vpc-id", [vpc.to_owned()]));
    vpc.into_iter().chain(tags).collect()
}

/// A filter's value that matches itself only.
fn literally(value: &str) -> String {
    let mut pattern = String::with_capacity(value.len());
    for letter in value.chars() {
        if matches!(letter, '*' | '?' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

/// What lets pass what belongs to the cluster.
pub(super) fn by_cluster_tag(tag: &str) -> Filter {
    filter(
        format!("tag:{tag}"),
        ["owned".to_owned(), "shared".to_owned()],
    )
}

/// What lets these tables pass.
pub(super) fn by_id(ids: impl IntoIterator<Item = String>) -> Filter {
    filter("route-table-id", ids)
}

/// Tables that are named in the configuration and were not found.
pub(super) fn missing(config: &AwsConfig, found: &[RawTable]) -> Vec<(Arc<str>, CloudError)> {
    let TableChoice::Ids(ids) = &config.tables else {
        return Vec::new();
    };
    let found: HashSet<&str> = found.iter().map(|table| &*table.id).collect();
    ids.iter()
        .filter(|id| !found.contains(id.as_str()))
        .map(|id| {
            let problem = format!(
                "there is no route table {id} in this region: correct or remove it in \
                 spec.cloud.aws.routeTableIDs"
            );
            (
                id.as_str().into(),
                CloudError::new(CloudErrorKind::NotFound, problem),
            )
        })
        .collect()
}

/// There is no table at all.
pub(super) fn none(config: &AwsConfig, vpc: Option<&str>) -> CloudError {
    let vpc = vpc.unwrap_or("the VPC");
    let (tags, field) = match &config.tables {
        TableChoice::Tags(tags) => {
            let tags: Vec<String> = tags.iter().map(|(k, v)| format!("{k}={v}")).collect();
            (tags.join(" and "), "spec.cloud.aws.routeTableTags")
        }
        TableChoice::ClusterTag | TableChoice::Ids(_) => (
            format!("{} = owned or shared", config.cluster_tag()),
            "spec.cloud.aws.clusterName",
        ),
    };
    CloudError::new(
        CloudErrorKind::NotFound,
        format!(
            "no route table of {vpc} carries the tag {tags}: tag the route tables of the nodes' \
             subnets, correct {field}, or name them in spec.cloud.aws.routeTableIDs"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_in_tags_match_themselves_only() {
        assert_eq!(literally("a*b?c\\"), "a\\*b\\?c\\\\");
    }

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
        assert!(both.created && !both.blackhole);

        let lost = route("fd00::/64").instance_id("i-1");
        let lost = RawRoute::read(&lost.state(RouteState::Blackhole).build()).unwrap();
        assert_eq!(lost.target, RawTarget::Instance("i-1".into()));
        assert!(lost.blackhole);

        let local = route("10.0.0.0/16").gateway_id("local");
        let local = RawRoute::read(&local.origin(RouteOrigin::CreateRouteTable).build()).unwrap();
        assert_eq!(local.target, RawTarget::Other);
        assert!(!local.created);
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
        let used = RawTable::read(&table).unwrap().used();
        assert_eq!(used, Used { v4: 2, v6: 1 });
    }
}
