//! What can be set at the start, and what can be changed while the emulator runs.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use signpost_emulator::{changed, check_durations, seconds};

use crate::buckets::Rate;
use crate::model::Habits;
use crate::participants::Participant;
use crate::quotas::Quotas;

/// How an emulator is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the API and the control path listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where an instance metadata service listens, if there is to be one.
    pub imds: Option<SocketAddr>,
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// The account's number, of twelve digits.
    pub account: String,
    /// Repeats identifiers, propagation delays and the luck of faults.
    pub seed: u64,
    /// What can be changed later.
    pub settings: Settings,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            imds: None,
            region: "eu-central-1".to_owned(),
            account: "123456789012".to_owned(),
            seed: 1,
            settings: Settings::default(),
        }
    }
}

/// What can be changed while the emulator runs. Durations are seconds of its clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own"
)]
pub struct Settings {
    /// Whether calls that come too fast are refused.
    pub rates: bool,
    /// Rates for single actions instead of EC2's.
    pub rate_overrides: BTreeMap<String, Rate>,
    /// The longest time until readers see a write; each write takes a random part of it.
    pub propagation: f64,
    /// How far a listing can be behind what others see, up to 600; each is by a random part of it, so
    /// that what one shows can be missing from the next.
    pub staleness: f64,
    /// How long every call takes at least.
    pub latency: f64,
    /// How long instances take to start, stop and terminate, and interfaces to be attached and detached.
    pub transition: f64,
    /// How many times as fast as the machine's clock this one runs; 0 freezes it.
    pub speed: f64,
    /// Whether routes to stopped instances are shown as blackholes, which reports differ about.
    pub stopped_is_blackhole: bool,
    /// Whether creating a route again, with the same target, is no error. It is one by all reports;
    /// no document of AWS says so.
    pub repeated_creation: bool,
    /// Zones that are disrupted: descriptions of instances fail there, and those that name none (the
    /// note of `DescribeInstances` in the service model). With which error is not documented.
    pub impaired_zones: Vec<String>,
    /// Instances that a service of AWS manages and that are hidden, with their interfaces, from whoever
    /// does not set `IncludeManagedResources` (the member's note in the service model). Whether calls
    /// that name them find them all the same is not documented; here they do not.
    pub hidden_instances: Vec<String>,
    /// Whether listings come in pages of at most half the size that was asked for, the first of them
    /// empty: "the call may return fewer or no results, with a token" (Query API, pagination).
    pub short_pages: bool,
    /// Whether writes, too, see a new interface or table only when readers do ("Eventual consistency"
    /// in the developer guide: a command can fail for a resource that was just created).
    pub late_writes: bool,
    /// Other accounts, with which subnets are shared; a change replaces them all.
    pub participants: Vec<Participant>,
    /// Whether the log of calls has the bodies of requests and answers.
    pub record_bodies: bool,
    /// How much of everything the account may have.
    pub quotas: Quotas,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rates: false,
            rate_overrides: BTreeMap::new(),
            propagation: 0.0,
            staleness: 0.0,
            latency: 0.0,
            transition: 0.0,
            speed: 1.0,
            stopped_is_blackhole: true,
            repeated_creation: false,
            impaired_zones: Vec::new(),
            hidden_instances: Vec::new(),
            short_pages: false,
            late_writes: false,
            participants: Vec::new(),
            record_bodies: false,
            quotas: Quotas::default(),
        }
    }
}

impl Settings {
    /// These settings with some replaced by those of a JSON object of the same form.
    ///
    /// # Errors
    ///
    /// If the object has members that are not settings, or impossible ones.
    pub fn merged(&self, change: &Value) -> Result<Self, String> {
        let settings = changed(self, change, &["rateOverrides"])?;
        settings.check()?;
        Ok(settings)
    }

    /// Says which setting cannot be, if one cannot.
    pub(crate) fn check(&self) -> Result<(), String> {
        check_durations([
            ("propagation", self.propagation),
            ("staleness", self.staleness),
            ("latency", self.latency),
            ("transition", self.transition),
            ("speed", self.speed),
        ])
    }

    pub(crate) fn habits(&self) -> Habits {
        Habits {
            propagation: seconds(self.propagation),
            staleness: seconds(self.staleness),
            transition: seconds(self.transition),
            stopped_is_blackhole: self.stopped_is_blackhole,
            repeated_creation: self.repeated_creation,
            impaired_zones: self.impaired_zones.clone(),
            hidden_instances: self.hidden_instances.clone(),
            short_pages: self.short_pages,
            late_writes: self.late_writes,
            participants: self.participants.clone(),
            quotas: self.quotas.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_leaves_the_rest_alone() {
        let change = json!({"propagation": 2, "quotas": {"routesPerTable": 50}});
        let settings = Settings {
            rates: true,
            ..Settings::default()
        }
        .merged(&change)
        .unwrap();
        assert!(settings.rates);
        assert_eq!(
            (settings.propagation, settings.quotas.routes_per_table),
            (2.0, 50)
        );
        assert_eq!(settings.quotas.subnets_per_vpc, 200);
    }

    #[test]
    fn unknown_and_impossible_settings_are_refused() {
        let settings = Settings::default();
        assert!(settings.merged(&json!({"propagation": -1})).is_err());
        assert!(
            settings
                .merged(&json!({"quotas": {"routes": 1}}))
                .unwrap_err()
                .contains("routes")
        );
    }
}
