//! How much of everything an account may have.

use serde::{Deserialize, Serialize};

/// The quotas that are enforced, per region unless said otherwise.
///
/// Defaults are those of a new account, see
/// [VPC quotas](https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Quotas {
    /// Routes in one table, counted for IPv4 and IPv6 apart; routes that come with the table don't count.
    pub routes_per_table: usize,
    /// Route tables in one VPC.
    pub tables_per_vpc: usize,
    /// Subnets in one VPC.
    pub subnets_per_vpc: usize,
    /// VPCs.
    pub vpcs: usize,
    /// Address ranges of one VPC, counted for IPv4 and IPv6 apart.
    pub cidrs_per_vpc: usize,
    /// Network interfaces.
    pub interfaces: usize,
    /// Values in all filters of one call.
    pub filter_values: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            routes_per_table: 500,
            tables_per_vpc: 200,
            subnets_per_vpc: 200,
            vpcs: 5,
            cidrs_per_vpc: 5,
            interfaces: 5000,
            filter_values: 200,
        }
    }
}
