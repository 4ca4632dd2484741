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
}
