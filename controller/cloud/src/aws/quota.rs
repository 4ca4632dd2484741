//! How many routes a table may have.

use std::{collections::HashMap, sync::Arc};

use ipnet::IpNet;
use signpost_core::cloud::{TableUsage, Usage};

use super::tables::Used;

/// What is known of the quota "routes per route table", which holds for each family apart.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    /// As Service Quotas says.
    granted: Option<u32>,
    tables: HashMap<Arc<str>, [Learned; 2]>,
}

/// What refusals have taught of one family of one table.
#[derive(Debug, Clone, Copy, Default)]
struct Learned {
    /// A route was refused, and no listing has told since how many there are.
    refused: bool,
    limit: Option<u32>,
}

impl Learned {
    fn listed(&mut self, used: u32) -> Option<u32> {
        if std::mem::take(&mut self.refused) {
            self.limit = Some(used);
        }
        // More than that fit, so it was raised.
        self.limit = self.limit.filter(|limit| used <= *limit);
        self.limit
    }
}

impl Quotas {
    /// Service code of Amazon VPC.
    pub(super) const SERVICE: &str = "vpc";
    /// Quota code of "Routes per route table".
    pub(super) const CODE: &str = "L-93826ACB";

    /// Service Quotas says so.
    pub(super) fn grant(&mut self, limit: u32) {
        self.granted = Some(limit);
    }

    /// The table had no room for this destination.
    pub(super) fn refused(&mut self, table: &Arc<str>, destination: IpNet) {
        let learned = self.tables.entry(Arc::clone(table)).or_default();
        learned[family(destination)].refused = true;
    }

    /// A listing showed so many routes. Says how many there may be, as far as is known.
    pub(super) fn listed(&mut self, table: &str, used: Used) -> TableUsage {
        let granted = self.granted;
        let usage = |learned: Option<&mut Learned>, used: u32| {
            let learned = learned.and_then(|learned| learned.listed(used));
            Some(Usage {
                used,
                limit: granted.into_iter().chain(learned).min(),
            })
        };
        let [v4, v6] = match self.tables.get_mut(table) {
            Some([v4, v6]) => [Some(v4), Some(v6)],
            None => [None, None],
        };
        TableUsage {
            v4: usage(v4, used.v4),
            v6: usage(v6, used.v6),
            common: false,
        }
    }
}

fn family(destination: IpNet) -> usize {
    match destination {
        IpNet::V4(_) => 0,
        IpNet::V6(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(quotas: &mut Quotas, table: &str, v4: u32) -> [Option<u32>; 2] {
        let usage = quotas.listed(table, Used { v4, v6: 7 });
        let (v4_usage, v6_usage) = (usage.v4.unwrap(), usage.v6.unwrap());
        assert_eq!((v4_usage.used, v6_usage.used), (v4, 7));
        [v4_usage.limit, v6_usage.limit]
    }

    #[test]
    fn the_limit_is_what_service_quotas_says() {
        let mut quotas = Quotas::default();
        assert_eq!(limits(&mut quotas, "rtb", 3), [None, None]);
        quotas.grant(500);
        assert_eq!(limits(&mut quotas, "rtb", 3), [Some(500), Some(500)]);
    }

    #[test]
    fn a_refusal_teaches_the_limit_of_its_family_and_table() {
        let mut quotas = Quotas::default();
        quotas.grant(500);
        quotas.refused(&"rtb".into(), "10.0.0.0/24".parse().unwrap());
        assert_eq!(limits(&mut quotas, "rtb", 50), [Some(50), Some(500)]);
        assert_eq!(limits(&mut quotas, "other", 60), [Some(500), Some(500)]);
        // Fewer routes do not lower it.
        assert_eq!(limits(&mut quotas, "rtb", 40), [Some(50), Some(500)]);
    }

    #[test]
    fn a_raised_limit_is_noticed() {
        let mut quotas = Quotas::default();
        quotas.refused(&"rtb".into(), "10.0.0.0/24".parse().unwrap());
        assert_eq!(limits(&mut quotas, "rtb", 50)[0], Some(50));
        assert_eq!(limits(&mut quotas, "rtb", 51)[0], None);
    }
}
