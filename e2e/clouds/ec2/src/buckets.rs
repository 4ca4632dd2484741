//! Request rates: one token bucket for each action, shared by everybody in the account.
//!
//! Sizes and rates are those of
//! [request throttling](https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use signpost_emulator::Time;

/// A bucket's size, and how many tokens come back in a second of the emulator's clock.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    /// How many calls can be made at once after a pause.
    pub burst: f64,
    /// How many calls a second can go on.
    pub per_second: f64,
}

impl Rate {
    const fn new(burst: f64, per_second: f64) -> Self {
        Self { burst, per_second }
    }
}

const LISTING: Rate = Rate::new(100.0, 20.0);
/// Describing calls with neither filters nor identifiers nor pages have a bucket of their own.
const SWEEPING: Rate = Rate::new(50.0, 10.0);
const CHANGING: Rate = Rate::new(50.0, 5.0);

/// Actions whose rates differ from those of their kind.
const OWN: [(&str, Rate); 6] = [
    ("ModifyNetworkInterfaceAttribute", Rate::new(100.0, 5.0)),
    ("TerminateInstances", Rate::new(100.0, 5.0)),
    ("CreateTags", Rate::new(100.0, 10.0)),
    ("DeleteTags", Rate::new(100.0, 10.0)),
    ("RunInstances", Rate::new(5.0, 2.0)),
    ("StartInstances", Rate::new(5.0, 2.0)),
];

/// Whether calls are refused when they come too fast, and how far each bucket is emptied.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    pub(crate) enforced: bool,
    /// Rates that were set for single actions.
    pub(crate) overrides: BTreeMap<String, Rate>,
    levels: BTreeMap<(String, bool), (f64, Time)>,
}

impl Buckets {
    /// Takes a token for one call, if there is one. `sweeping` tells an unfiltered and unpaged listing.
    pub(crate) fn take(&mut self, action: &str, sweeping: bool, now: Time) -> bool {
        if !self.enforced {
            return true;
        }
        let rate = self.rate(action, sweeping);
        let (level, at) = self
            .levels
            .entry((action.to_owned(), sweeping))
            .or_insert((rate.burst, now));
        let refilled = now.saturating_sub(*at).as_secs_f64() * rate.per_second;
        *level = (*level + refilled).min(rate.burst);
        *at = now;
        if *level < 1.0 {
            return false;
        }
        *level -= 1.0;
        true
    }

    fn rate(&self, action: &str, sweeping: bool) -> Rate {
        if let Some(rate) = self.overrides.get(action) {
            return *rate;
        }
        if let Some((_, rate)) = OWN.iter().find(|(of, _)| *of == action) {
            return *rate;
        }
        match (action.starts_with("Describe"), sweeping) {
            (true, true) => SWEEPING,
            (true, false) => LISTING,
            (false, _) => CHANGING,
        }
    }

    /// Fills all buckets, for instance after a scene was built.
    pub(crate) fn fill(&mut self) {
        self.levels.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn burst(buckets: &mut Buckets, action: &str, sweeping: bool, now: Time) -> usize {
        (0..1000)
            .take_while(|_| buckets.take(action, sweeping, now))
            .count()
    }

    #[test]
    fn each_action_has_a_bucket_that_refills() {
        let mut buckets = Buckets {
            enforced: true,
            ..Buckets::default()
        };
        let start = Time::from_secs(7);
        for (action, sweeping, size, rate) in [
            ("CreateRoute", false, 50, 5),
            ("ReplaceRoute", false, 50, 5),
            ("DeleteRoute", false, 50, 5),
            ("ModifyInstanceAttribute", false, 50, 5),
            ("ModifyNetworkInterfaceAttribute", false, 100, 5),
            ("DescribeRouteTables", false, 100, 20),
            ("DescribeRouteTables", true, 50, 10),
        ] {
            assert_eq!(
                burst(&mut buckets, action, sweeping, start),
                size,
                "{action} {sweeping}"
            );
            let later = start + Duration::from_secs(1);
            assert_eq!(
                burst(&mut buckets, action, sweeping, later),
                rate,
                "{action} {sweeping}"
            );
            let later = start + Duration::from_secs(3600);
            assert_eq!(
                burst(&mut buckets, action, sweeping, later),
                size,
                "{action} {sweeping}"
            );
        }
    }
}
