//! How many routes a route to a prefix list counts for.
//!
//! A prefix list that a route leads from counts against the table's quota with the most entries that it
//! may have, however few it has ("Prefix lists concepts and rules" in the VPC's guide). Those of AWS
//! itself name no such number; they have a weight ("AWS-managed prefix list weight").

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use aws_sdk_ec2::types::ManagedPrefixList;
use signpost_core::cloud::CloudErrorKind;
use tokio::time::Instant;

use super::{AwsVpc, lock, tables::RawTable};

/// How long the size of a list is remembered, which its owner may change.
const HOLDS: Duration = Duration::from_secs(600);
/// Most lists that one call names.
pub(super) const LISTS_A_CALL: usize = 100;
/// The one list of AWS that counts for more than a few.
const CLOUDFRONT: (&str, u32) = ("cloudfront.origin-facing", 55);

/// What a list counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) v6: bool,
    pub(super) entries: u32,
}

/// A list of which nothing is known has at least one entry.
const UNKNOWN: Weight = Weight {
    v6: false,
    entries: 1,
};

/// The lists that are known.
#[derive(Debug, Default)]
pub(super) struct Weights {
    known: HashMap<Arc<str>, (Weight, Instant)>,
    /// It was told that lists cannot be read.
    told: bool,
}

impl Weights {
    pub(super) fn of(&self, list: &str) -> Weight {
        self.known.get(list).map_or(UNKNOWN, |(weight, _)| *weight)
    }
}

/// A list as EC2 describes it.
#[derive(Debug)]
pub(super) struct RawPrefixList {
    id: Arc<str>,
    weight: Weight,
}

impl RawPrefixList {
    /// `None` for one without an id, which EC2 never sends.
    pub(super) fn read(list: &ManagedPrefixList) -> Option<Self> {
        let (name, entries) = CLOUDFRONT;
        let own = list.prefix_list_name().is_some_and(|it| it.contains(name));
        let weight = if own { entries } else { 1 };
        let most = list.max_entries().and_then(|it| u32::try_from(it).ok());
        Some(Self {
            id: list.prefix_list_id()?.into(),
            weight: Weight {
                v6: list.address_family() == Some("IPv6"),
                entries: most.filter(|most| *most > 0).unwrap_or(weight),
            },
        })
    }
}

impl AwsVpc {
    /// Reads the lists in these tables that are not known yet, or for long. What cannot be read counts
    /// as before, or as one route.
    pub(super) async fn weigh(&self, tables: &[RawTable]) {
        let now = Instant::now();
        let fresh = |at: Instant| now.saturating_duration_since(at) < HOLDS;
        let used: BTreeSet<Arc<str>> = tables
            .iter()
            .flat_map(|table| table.prefix_lists.iter().cloned())
            .collect();
        let unknown: Vec<Arc<str>> = {
            let mut weights = lock(&self.weights);
            weights.known.retain(|list, _| used.contains(list));
            let known = |list: &Arc<str>| weights.known.get(list).is_some_and(|(_, at)| fresh(*at));
            used.iter().filter(|list| !known(list)).cloned().collect()
        };
        for lists in unknown.chunks(LISTS_A_CALL) {
            let found = self.api.prefix_lists(lists).await;
            let mut weights = lock(&self.weights);
            match found {
                Ok(found) => {
                    let found = found.into_iter().map(|it| (it.id, (it.weight, now)));
                    weights.known.extend(found);
                    weights.told = false;
                }
                Err(error) => {
                    if error.kind == CloudErrorKind::Denied
                        && !std::mem::replace(&mut weights.told, true)
                    {
                        tracing::warn!(
                            "prefix lists count as one route each against the quota of a table: \
                             {error}"
                        );
                    }
                }
            }
        }
    }
}
