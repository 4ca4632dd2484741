//! Request rates: so many calls for each project, quota group and minute.
//!
//! Groups and numbers are those of [rate quotas](https://docs.cloud.google.com/compute/api-quota) as
//! most projects have them: 1,500 a minute in each group. That regional and zonal methods have as much in
//! each region is assumed. "If a
//! project reaches a quota limit at 10:00:15, the quota refills at the start of the next synchronized
//! interval, such as 10:01:00". Newer projects have fewer and larger groups.

use std::collections::BTreeMap;

use signpost_emulator::Time;

/// Calls a minute in each group.
const DEFAULT: u64 = 1500;

/// The quota group of a method: `Queries`, `Read requests`, `List requests` or
/// `Operation read requests`. That `wait` counts as a query is assumed from its being a POST.
pub(crate) fn group(method: &str) -> &'static str {
    let (collection, verb) = method.split_once('.').unwrap_or((method, ""));
    match verb {
        "get" if collection.ends_with("Operations") => "Operation read requests",
        "get" => "Read requests",
        "list" | "aggregatedList" => "List requests",
        _ => "Queries",
    }
}

/// How much of each group is used up in the current minute.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    minute: u64,
    used: BTreeMap<(String, String, &'static str), u64>,
}

impl Rates {
    /// Takes one call of a group from its minute, if there is one left. `place` is the region, or empty.
    pub(crate) fn take(
        &mut self,
        project: &str,
        place: &str,
        group: &'static str,
        limits: &BTreeMap<String, u64>,
        now: Time,
    ) -> bool {
        let minute = now.as_secs() / 60;
        if minute != self.minute {
            self.minute = minute;
            self.used.clear();
        }
        let limit = limits.get(group).copied().unwrap_or(DEFAULT);
        let key = (project.to_owned(), place.to_owned(), group);
        let used = self.used.entry(key).or_default();
        *used += 1;
        *used <= limit
    }

    /// Begins a minute anew, for instance after a scene was built.
    pub(crate) fn fill(&mut self) {
        self.used.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_full_again_when_the_minute_begins() {
        let mut rates = Rates::default();
        let limits = BTreeMap::from([("Queries".to_owned(), 2)]);
        let mut take = |seconds| {
            let now = Time::from_secs(seconds);
            rates.take("p", "", group("routes.insert"), &limits, now)
        };
        assert_eq!([15, 16, 59, 60].map(&mut take), [true, true, false, true]);
        assert_eq!(group("globalOperations.get"), "Operation read requests");
        assert_eq!(group("routes.get"), "Read requests");
        assert_eq!(group("instances.aggregatedList"), "List requests");
        assert_eq!(group("globalOperations.wait"), "Queries");
    }
}
