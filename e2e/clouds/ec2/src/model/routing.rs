//! Route tables, their associations and routes.

use ipnet::IpNet;

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) vpc: String,
}

/// A table's use: by a subnet, for what comes in at a gateway, or as the main table of its VPC.
#[derive(Clone, Debug)]
pub(crate) struct Association {
    pub(crate) table: String,
    pub(crate) vpc: String,
    /// Nothing for the main table and for a gateway's.
    pub(crate) subnet: Option<String>,
    pub(crate) gateway: Option<String>,
}

impl Association {
    /// Whether it makes its table the main one.
    pub(crate) fn is_main(&self) -> bool {
        self.subnet.is_none() && self.gateway.is_none()
    }
}

/// Table and destination.
pub(crate) type RouteKey = (String, IpNet);

#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) target: Target,
    /// Whether it came with the table, as the routes of the VPC's own ranges do.
    pub(crate) implicit: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Local,
    Gateway(String),
    Interface(String),
    Peering(String),
    /// What there is nothing else of here: only routes that lead to it.
    Other {
        /// The member of a route that names it, such as `natGatewayId`.
        member: &'static str,
        id: String,
    },
}

/// A set of ranges for which there may be one route.
#[derive(Clone, Debug)]
pub(crate) struct PrefixList {
    pub(crate) name: String,
    pub(crate) v6: bool,
    /// What it counts for in a table. For a customer's list the most entries that it may have.
    pub(crate) weight: usize,
    /// A list of AWS itself, which does not tell how many entries it may have.
    pub(crate) of_aws: bool,
}
