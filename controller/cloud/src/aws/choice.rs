//! Which of a VPC's tables are programmed, and what to say of those that are not.

use std::{collections::HashSet, sync::Arc};

use signpost_core::cloud::{CloudError, CloudErrorKind, TableId, TableListing, TableUsage};

use super::{
    config::{AwsConfig, TableChoice},
    interfaces::belongs_to,
    tables::RawTable,
};

/// Whether the configuration chooses a table.
pub(super) fn names(config: &AwsConfig, table: &RawTable) -> bool {
    match &config.tables {
        TableChoice::ClusterTag => belongs_to(&table.tags, &config.cluster_tag()),
        TableChoice::Tags(tags) => tags.iter().all(|(key, value)| {
            let mut has = table.tags.iter();
            has.any(|(k, v)| (k, v) == (key, value))
        }),
        TableChoice::Ids(ids) => ids.iter().any(|id| **id == *table.id),
    }
}

/// Whether a table is programmed. One that is associated with a gateway takes no routes outside the
/// VPC's ranges ("Gateway route tables" in the VPC's guide).
pub(super) fn is_programmed(config: &AwsConfig, table: &RawTable) -> bool {
    names(config, table) && table.gateway.is_none()
}

/// What to do so that a table is programmed.
pub(super) fn remedy(config: &AwsConfig, table: &str) -> String {
    match &config.tables {
        TableChoice::ClusterTag => format!("tag {table} with {} = shared", config.cluster_tag()),
        TableChoice::Tags(tags) => format!("tag {table} with {}", listed(tags)),
        TableChoice::Ids(_) => format!("add {table} to spec.cloud.aws.routeTableIDs"),
    }
}

fn listed(tags: &std::collections::BTreeMap<String, String>) -> String {
    let tags: Vec<String> = tags.iter().map(|(k, v)| format!("{k} = {v}")).collect();
    tags.join(" and ")
}

/// Why a table is not programmed although the configuration chooses it.
pub(super) fn at_gateway(table: &RawTable) -> Option<String> {
    let gateway = table.gateway.as_ref()?;
    Some(format!(
        "route table {} is associated with the gateway {gateway}, so it takes no routes outside the \
         VPC's ranges: it is not programmed; choose the tables of the nodes' subnets only",
        table.id
    ))
}

/// Tables that are named by id and cannot be programmed, each with the reason.
pub(super) fn unusable(config: &AwsConfig, found: &[RawTable]) -> Vec<TableListing> {
    let TableChoice::Ids(ids) = &config.tables else {
        return Vec::new();
    };
    let known: HashSet<&str> = found.iter().map(|table| &*table.id).collect();
    let absent = ids.iter().filter(|id| !known.contains(id.as_str()));
    let absent = absent.map(|id| {
        let problem = format!(
            "there is no route table {id} in this region: correct or remove it in \
             spec.cloud.aws.routeTableIDs"
        );
        let id: Arc<str> = id.as_str().into();
        (id, CloudError::new(CloudErrorKind::NotFound, problem))
    });
    let chosen = found.iter().filter(|table| names(config, table));
    let at_gateways = chosen.filter_map(|table| {
        let error = CloudError::new(CloudErrorKind::Invalid, at_gateway(table)?);
        Some((Arc::clone(&table.id), error))
    });
    let failed = absent
        .chain(at_gateways)
        .map(|(table, error)| TableListing {
            table: TableId(table),
            routes: Err(error),
            usage: TableUsage::default(),
            barred: Vec::new(),
            pending: Vec::new(),
        });
    failed.collect()
}

/// There is no table at all to program, among these.
pub(super) fn none(config: &AwsConfig, vpc: Option<&str>, found: &[RawTable]) -> CloudError {
    let mut chosen = found.iter().filter(|table| names(config, table));
    if let Some(problem) = chosen.find_map(at_gateway) {
        return CloudError::new(CloudErrorKind::NotFound, problem);
    }
    let vpc = vpc.unwrap_or("the VPC");
    let (tags, field) = match &config.tables {
        TableChoice::Tags(tags) => (listed(tags), "spec.cloud.aws.routeTableTags"),
        TableChoice::ClusterTag | TableChoice::Ids(_) => (
            format!("{} = owned or shared", config.cluster_tag()),
            "spec.cloud.aws.clusterName",
        ),
    };
    let untagged = !found.is_empty() && found.iter().all(|table| table.tags.is_empty());
    let owner = found.iter().find_map(|table| table.owner.as_deref());
    let shared = match owner {
        Some(owner) if untagged => format!(
            " (they belong to account {owner}; in a VPC that another account shares its tags cannot \
             be seen and its tables not be changed, which is not supported)"
        ),
        _ => String::new(),
    };
    CloudError::new(
        CloudErrorKind::NotFound,
        format!(
            "no route table of {vpc} carries the tag {tags}{shared}: tag the route tables of the \
             nodes' subnets, correct {field}, or name them in spec.cloud.aws.routeTableIDs"
        ),
    )
}
