//! What the provider is made from.

use std::{collections::BTreeMap, time::Duration};

use super::action::Rates;

/// Settings of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsConfig {
    /// The cluster's name, as in the tag `kubernetes.io/cluster/NAME`.
    pub cluster_name: String,
    /// `None`: as the SDK finds it (environment, profile, instance metadata).
    pub region: Option<String>,
    /// `None`: the VPC of this instance, unless tables are named by id.
    pub vpc_id: Option<String>,
    /// Which tables.
    pub tables: TableChoice,
    /// Rates other than the defaults.
    pub rates: Rates,
    /// The longest that a write may take.
    pub longest_write: Duration,
}

/// Which route tables are programmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableChoice {
    /// Those of the VPC that carry the cluster's tag with the value `owned` or `shared`.
    ClusterTag,
    /// Those of the VPC that carry all these tags.
    Tags(BTreeMap<String, String>),
    /// Just these, whether they exist or not.
    Ids(Vec<String>),
}

impl AwsConfig {
    /// The tag by which things of the cluster are known; its value is `owned` or `shared`.
    pub fn cluster_tag(&self) -> String {
        format!("kubernetes.io/cluster/{}", self.cluster_name)
    }
}
