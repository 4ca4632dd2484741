//! From the strings of a spec to typed values.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::{MAX_BLOCK_BITS, PodNetworkSpec, Pool, PoolState};

/// The spec in typed values, which keep what the schema's rules promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedSpec {
    /// In the order of the spec; names are unique, ranges do not overlap.
    pub pools: Vec<ParsedPool>,
    /// Ranges from which nothing is handed out.
    pub reserved_cidrs: Vec<IpNet>,
    /// From one second to one hour.
    pub check_period: Duration,
    /// Destinations that see pod addresses.
    pub except_cidrs: Vec<IpNet>,
}

/// A pool in typed values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedPool {
    /// Unique among the pools.
    pub name: String,
    /// Without host bits.
    pub cidr: IpNet,
    /// From the prefix length of `cidr` to [`MAX_BLOCK_BITS`] more.
    pub node_prefix_length: u8,
    /// Labels that a node must carry, all of them; none match every node.
    pub match_labels: BTreeMap<String, String>,
    /// Whether new blocks are handed out.
    pub state: PoolState,
}

/// One field that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Path of the field, such as `spec.pools[0].cidr`.
    pub field: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Everything in a spec that cannot be used; at least one field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct InvalidSpec(pub Vec<Invalid>);

impl PodNetworkSpec {
    /// Turns strings into typed values.
    ///
    /// The API server refuses what fails here. It can still fail for an object that was stored
    /// under an earlier schema, and names every field concerned and the remedy.
    pub fn parse(&self) -> Result<ParsedSpec, InvalidSpec> {
        let mut problems = Problems::default();
        let mut pools: Vec<ParsedPool> = Vec::with_capacity(self.pools.len());
        if self.pools.is_empty() {
            problems.add("spec.pools", "there is no pool: add one");
        }
        for (index, pool) in self.pools.iter().enumerate() {
            let field = format!("spec.pools[{index}]");
            let Some(pool) = problems.pool(&field, pool) else {
                continue;
            };
            problems.compare(&field, &pool, &pools);
            pools.push(pool);
        }
        let parsed = ParsedSpec {
            pools,
            reserved_cidrs: problems.ranges("spec.reservedCIDRs", &self.reserved_cidrs),
            check_period: problems.check_period(&self.cloud.check_period),
            except_cidrs: problems.ranges(
                "spec.datapath.masquerade.exceptCIDRs",
                &self.datapath.masquerade.except_cidrs,
            ),
        };
        if problems.0.is_empty() {
            Ok(parsed)
        } else {
            Err(InvalidSpec(problems.0))
        }
    }
}

#[derive(Default)]
struct Problems(Vec<Invalid>);

impl Problems {
    fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Invalid {
            field: field.into(),
            message: message.into(),
        });
    }

    fn pool(&mut self, field: &str, pool: &Pool) -> Option<ParsedPool> {
        let cidr_field = format!("{field}.cidr");
        let cidr = self.range(&cidr_field, &pool.cidr)?;
        if !is_global_unicast(cidr.addr()) {
            self.add(
                &cidr_field,
                format!("pods cannot have addresses of {cidr}: use a private range"),
            );
        }
        let shortest = cidr.prefix_len();
        let longest = (shortest + MAX_BLOCK_BITS).min(cidr.max_prefix_len() - 2);
        let length = pool.node_prefix_length;
        if shortest > longest {
            self.add(
                cidr_field,
                format!("{cidr} has no room for a block: choose a larger range"),
            );
            return None;
        }
        if !(shortest..=longest).contains(&length) {
            self.add(
                format!("{field}.nodePrefixLength"),
                format!("{length} does not fit {cidr}: set it to {shortest} to {longest}"),
            );
            return None;
        }
        Some(ParsedPool {
            name: pool.name.clone(),
            cidr,
            node_prefix_length: length,
            match_labels: pool
                .node_selector
                .as_ref()
                .map(|selector| selector.match_labels.clone())
                .unwrap_or_default(),
            state: pool.state,
        })
    }

    fn compare(&mut self, field: &str, pool: &ParsedPool, earlier: &[ParsedPool]) {
        for other in earlier {
            if other.name == pool.name {
                self.add(
                    format!("{field}.name"),
                    format!("there are two pools {}: rename one", pool.name),
                );
            }
            if other.cidr.contains(&pool.cidr) || pool.cidr.contains(&other.cidr) {
                self.add(
                    format!("{field}.cidr"),
                    format!(
                        "{} overlaps {} of pool {}: give each pool a range of its own",
                        pool.cidr, other.cidr, other.name
                    ),
                );
            }
        }
    }

    fn ranges(&mut self, field: &str, texts: &[String]) -> Vec<IpNet> {
        texts
            .iter()
            .enumerate()
            .filter_map(|(index, text)| self.range(&format!("{field}[{index}]"), text))
            .collect()
    }

    fn range(&mut self, field: &str, text: &str) -> Option<IpNet> {
        let Ok(range) = text.parse::<IpNet>() else {
            self.add(
                field,
                format!("{text:?} is no range in CIDR notation: write one, such as 10.244.0.0/16"),
            );
            return None;
        };
        if range != range.trunc() {
            self.add(
                field,
                format!("{range} has host bits set: write {}", range.trunc()),
            );
            return None;
        }
        Some(range)
    }

    fn check_period(&mut self, text: &str) -> Duration {
        const ALLOWED: std::ops::RangeInclusive<Duration> =
            Duration::from_secs(1)..=Duration::from_secs(3600);
        let period = text
            .parse::<kube::core::Duration>()
            .ok()
            .filter(|d| !d.is_negative());
        match period.map(Duration::from) {
            Some(period) if ALLOWED.contains(&period) => period,
            _ => {
                self.add(
                    "spec.cloud.checkPeriod",
                    format!(
                        "{text:?} is not from 1s to 1h: write a number and a unit, such as 30s"
                    ),
                );
                *ALLOWED.start()
            }
        }
    }
}

/// The same addresses as the function of this name in the rules of the API server.
fn is_global_unicast(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !link_local && !address.is_unspecified() && !address.is_loopback() && !address.is_multicast()
}
