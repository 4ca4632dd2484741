//! What can be set at the start, and what can be changed while the emulator runs.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use signpost_emulator::{changed, check_durations};

/// How an emulator is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the API and the control path listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where a metadata server listens, if there is to be one.
    pub metadata: Option<SocketAddr>,
    /// The projects that there are, by their ids.
    pub projects: Vec<String>,
    /// Which of them are service projects in a Shared VPC: host projects by service projects.
    pub hosts: BTreeMap<String, String>,
    /// Repeats identifiers, delays and the luck of faults.
    pub seed: u64,
    /// What can be changed later.
    pub settings: Settings,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            metadata: None,
            projects: vec!["example".to_owned()],
            hosts: BTreeMap::new(),
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
    /// Calls a minute, by quota group, instead of Google's; groups are named in `rates.rs`.
    pub rate_overrides: BTreeMap<String, u64>,
    /// The shortest and the longest time that an operation takes. Realistic are 2 to 30 s (assumed).
    pub operations: [f64; 2],
    /// How long `wait` waits at most: two minutes, but it "might return before the default deadline is
    /// reached, or might return after zero seconds" (discovery document).
    pub wait: f64,
    /// The longest time until readers see a write; each write takes a random part of it.
    pub propagation: f64,
    /// How far a listing can be behind what others see, up to 600; each is by a random part of it.
    pub staleness: f64,
    /// By how much the warnings of routes are late, up to 600.
    pub warning_lag: f64,
    /// How long every call takes at least.
    pub latency: f64,
    /// How many times as fast as the machine's clock this one runs; 0 freezes it.
    pub speed: f64,
    /// Whether listings come in pages of at most half the size that was asked for, the first of them
    /// empty.
    pub short_pages: bool,
    /// Whether errors also come in the newer form, with `google.rpc.ErrorInfo`.
    pub error_info: bool,
    /// Whether calls without a bearer token are refused.
    pub tokens: bool,
    /// Whether deleting what is being deleted is accepted with a further operation. No document says
    /// so; otherwise it is refused as `resourceNotReady`, which is what a resource in change is called.
    pub repeated_deletion: bool,
    /// Whether a quota is refused by the operation, as networks were in 2024
    /// (fortinet/fortigate-tutorial-gcp 9), rather than by the call, as before.
    pub late_quotas: bool,
    /// Whether the log of calls has the bodies of requests and answers.
    pub record_bodies: bool,
    /// How much of everything a project or network may have.
    pub quotas: Quotas,
}

/// How much there may be of everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Quotas {
    /// Static routes of both families in a network (`STATIC_ROUTES_PER_NETWORK`).
    pub static_routes_per_network: usize,
    /// Static routes in a project (`ROUTES`).
    pub routes: usize,
    /// Networks in a project (`NETWORKS`).
    pub networks: usize,
    /// Subnetworks in a project (`SUBNETWORKS`).
    pub subnetworks: usize,
}

// What projects commonly have; each project's own numbers differ, so no test should rely on these.
impl Default for Quotas {
    fn default() -> Self {
        Self {
            static_routes_per_network: 200,
            routes: 1000,
            networks: 15,
            subnetworks: 275,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rates: false,
            rate_overrides: BTreeMap::new(),
            operations: [0.0, 0.0],
            wait: 120.0,
            propagation: 0.0,
            staleness: 0.0,
            warning_lag: 0.0,
            latency: 0.0,
            speed: 1.0,
            short_pages: false,
            error_info: false,
            tokens: false,
            repeated_deletion: false,
            late_quotas: true,
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
            ("operations", self.operations[0]),
            ("operations", self.operations[1]),
            ("wait", self.wait),
            ("propagation", self.propagation),
            ("staleness", self.staleness),
            ("warningLag", self.warning_lag),
            ("latency", self.latency),
            ("speed", self.speed),
        ])?;
        if self.operations[0] > self.operations[1] {
            return Err("operations: the shortest time is longer than the longest".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_leaves_the_rest_alone_and_nonsense_is_refused() {
        let change = json!({"operations": [2, 30], "quotas": {"routes": 50}});
        let settings = Settings::default().merged(&change).unwrap();
        assert_eq!(
            (settings.operations, settings.quotas.routes),
            ([2.0, 30.0], 50)
        );
        assert_eq!(settings.quotas.static_routes_per_network, 200);
        assert!(settings.merged(&json!({"operations": [3, 2]})).is_err());
        assert!(settings.merged(&json!({"speed": -1})).is_err());
        assert!(settings.merged(&json!({"quotes": {}})).is_err());
    }
}
