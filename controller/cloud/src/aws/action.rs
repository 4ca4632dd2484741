//! The API actions that are called, each with its permission and its rate.

use std::collections::BTreeMap;

use crate::buckets::Rate;

/// An action of an AWS API. Nothing else is ever called, so this is also what the IAM policy must
/// allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Which tables there are and their routes.
    DescribeRouteTables,
    /// Instances by id.
    DescribeInstances,
    /// Network interfaces by id: whose they are, and whether their check is off.
    DescribeNetworkInterfaces,
    /// How many entries the prefix lists of a table may have. It may be denied.
    DescribeManagedPrefixLists,
    /// A new route.
    CreateRoute,
    /// Another target for a route.
    ReplaceRoute,
    /// One route less.
    DeleteRoute,
    /// Switches the source/destination check off.
    ModifyNetworkInterfaceAttribute,
    /// How many routes a table may have. It may be denied.
    GetServiceQuota,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::DescribeRouteTables,
        Self::DescribeInstances,
        Self::DescribeNetworkInterfaces,
        Self::DescribeManagedPrefixLists,
        Self::CreateRoute,
        Self::ReplaceRoute,
        Self::DeleteRoute,
        Self::ModifyNetworkInterfaceAttribute,
        Self::GetServiceQuota,
    ];

    /// The API's own name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DescribeRouteTables => "DescribeRouteTables",
            Self::DescribeInstances => "DescribeInstances",
            Self::DescribeNetworkInterfaces => "DescribeNetworkInterfaces",
            Self::DescribeManagedPrefixLists => "DescribeManagedPrefixLists",
            Self::CreateRoute => "CreateRoute",
            Self::ReplaceRoute => "ReplaceRoute",
            Self::DeleteRoute => "DeleteRoute",
            Self::ModifyNetworkInterfaceAttribute => "ModifyNetworkInterfaceAttribute",
            Self::GetServiceQuota => "GetServiceQuota",
        }
    }

    /// The name in IAM policies, such as `ec2:CreateRoute`.
    pub fn permission(self) -> String {
        let service = match self {
            Self::GetServiceQuota => "servicequotas",
            _ => "ec2",
        };
        format!("{service}:{}", self.name())
    }

    /// Whether it changes something.
    pub const fn writes(self) -> bool {
        match self {
            Self::CreateRoute
            | Self::ReplaceRoute
            | Self::DeleteRoute
            | Self::ModifyNetworkInterfaceAttribute => true,
            Self::DescribeRouteTables
            | Self::DescribeInstances
            | Self::DescribeNetworkInterfaces
            | Self::DescribeManagedPrefixLists
            | Self::GetServiceQuota => false,
        }
    }

    /// What is called at most, unless configured: the bucket that AWS gives an account in a region
    /// for this action, less a tenth of its burst.
    ///
    /// AWS publishes ("Request throttling for the Amazon EC2 API") 100 and 20 a second for filtered
    /// and paged describes, 50 and 5 for the route actions. Requests arrive closer together or
    /// farther apart than they were sent, so who takes all of it is refused some. Service Quotas
    /// publishes nothing.
    pub const fn default_rate(self) -> Rate {
        let (burst, per_second) = match self {
            Self::DescribeRouteTables
            | Self::DescribeInstances
            | Self::DescribeNetworkInterfaces
            | Self::DescribeManagedPrefixLists => (90, 20),
            Self::CreateRoute | Self::ReplaceRoute | Self::DeleteRoute => (45, 5),
            Self::ModifyNetworkInterfaceAttribute => (90, 5),
            Self::GetServiceQuota => (5, 1),
        };
        Rate { burst, per_second }
    }
}

/// The rates that differ from the defaults.
pub type Rates = BTreeMap<Action, Rate>;
