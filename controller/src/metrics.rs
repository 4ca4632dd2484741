//! The figures at `/metrics`.

use std::{collections::HashSet, sync::Mutex};

use prometheus::{
    CounterVec, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder, process_collector::ProcessCollector,
};

use crate::errors::Category;

/// Every metric of the controller; labels take their values from fixed lists, from the pools and
/// from the route tables.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// 1 while this process holds the lease.
    pub leader: IntGauge,
    /// When all route tables were last read, in seconds since 1970.
    pub last_sync: Gauge,
    /// From a node's first sight to the read-back of its routes.
    pub node_routing: Histogram,
    /// Route deletions that wait for somebody to look.
    pub deletions_held: IntGauge,
    /// Kubernetes events that were not published because there were too many.
    pub events_dropped: IntCounter,
    /// Seconds that requests waited for their rate limit.
    pub throttle_wait: CounterVec,
    pool_blocks: Labelled,
    routes: Labelled,
    quota_used: Labelled,
    quota_limit: Labelled,
    nodes: Labelled,
    node_problems: Labelled,
    errors: IntCounterVec,
    api: Requests,
    cloud: Requests,
}

/// Calls of one kind, by action and outcome.
#[derive(Debug)]
struct Requests {
    total: IntCounterVec,
    duration: HistogramVec,
}

/// A gauge whose label values come and go.
#[derive(Debug)]
struct Labelled {
    gauge: IntGaugeVec,
    shown: Mutex<HashSet<[String; 2]>>,
    labels: usize,
}

/// One value of a gauge with up to two labels.
pub type Sample<'a> = ([&'a str; 2], usize);

impl Metrics {
    /// Fresh metrics in a registry of their own.
    ///
    /// # Errors
    /// If two metrics had one name.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let add = Adder(&registry);
        let build = add.gauge(
            "signpost_build_info",
            "1; the labels say what is running.",
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(Self {
            leader: add.one("signpost_leader", "1 while this process holds the lease.")?,
            last_sync: add.register(Gauge::new(
                "signpost_last_sync_timestamp_seconds",
                "When all route tables were last read; 0 before that.",
            )?)?,
            node_routing: add.register(Histogram::with_opts(
                HistogramOpts::new(
                    "signpost_node_routing_duration_seconds",
                    "From a node's first sight to the read-back of its routes from every table.",
                )
                .buckets(vec![
                    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0,
                ]),
            )?)?,
            deletions_held: add.one(
                "signpost_deletions_held",
                "Route deletions held back by safety.maxDeletionPercent.",
            )?,
            events_dropped: add.register(IntCounter::new(
                "signpost_events_dropped_total",
                "Kubernetes events not published because there were too many.",
            )?)?,
            throttle_wait: add.register(CounterVec::new(
                Opts::new(
                    "signpost_cloud_throttle_wait_seconds_total",
                    "Time that requests to the cloud waited for their rate limit.",
                ),
                &["action"],
            )?)?,
            pool_blocks: add.labelled(
                "signpost_pool_blocks",
                "Blocks of a pool by state: allocated, quarantined, blocked, reserved, free.",
                &["pool", "state"],
            )?,
            routes: add.labelled(
                "signpost_routes",
                "Routes of a table by state: programmed, missing, stale, foreign.",
                &["table", "state"],
            )?,
            quota_used: add.labelled(
                "signpost_route_quota_used",
                "Routes that count against the quota of a table, by family.",
                &["table", "family"],
            )?,
            quota_limit: add.labelled(
                "signpost_route_quota_limit",
                "Routes that the quota of a table allows, by family, where that is known.",
                &["table", "family"],
            )?,
            nodes: add.labelled(
                "signpost_nodes",
                "Nodes by phase: pending, allocated, routing, routed, draining; without those that are left alone.",
                &["phase"],
            )?,
            node_problems: add.labelled(
                "signpost_node_problems",
                "Nodes that wait for something only people can change, by reason.",
                &["reason"],
            )?,
            errors: add.register(IntCounterVec::new(
                Opts::new("signpost_errors_total", "Errors by category."),
                &["category"],
            )?)?,
            api: add.requests("signpost_api", "the Kubernetes API")?,
            cloud: add.requests("signpost_cloud", "the cloud")?,
            registry,
        })
    }

    /// Counts an error.
    pub fn error(&self, category: Category) {
        self.errors.with_label_values(&[category.as_str()]).inc();
    }

    /// Counts a request to the Kubernetes API.
    pub fn api_request(&self, action: &str, outcome: &str, seconds: f64) {
        self.api.count(action, outcome, seconds);
    }

    /// Counts a call to the cloud.
    pub fn cloud_request(&self, action: &str, outcome: &str, seconds: f64) {
        self.cloud.count(action, outcome, seconds);
    }

    /// Replaces the blocks by pool and state.
    pub fn set_pool_blocks(&self, samples: &[Sample<'_>]) {
        self.pool_blocks.replace(samples);
    }

    /// Replaces the routes by table and state.
    pub fn set_routes(&self, samples: &[Sample<'_>]) {
        self.routes.replace(samples);
    }

    /// Replaces use and limit of the quotas by table and family.
    pub fn set_quotas(&self, used: &[Sample<'_>], limits: &[Sample<'_>]) {
        self.quota_used.replace(used);
        self.quota_limit.replace(limits);
    }

    /// Replaces the nodes by phase; the second label is ignored.
    pub fn set_nodes(&self, samples: &[Sample<'_>]) {
        self.nodes.replace(samples);
    }

    /// Replaces the problems by reason; the second label is ignored.
    pub fn set_node_problems(&self, samples: &[Sample<'_>]) {
        self.node_problems.replace(samples);
    }

    /// Everything that only a leader knows disappears.
    pub fn forget_state(&self) {
        for gauge in [
            &self.pool_blocks,
            &self.routes,
            &self.quota_used,
            &self.quota_limit,
            &self.nodes,
            &self.node_problems,
        ] {
            gauge.replace(&[]);
        }
        self.deletions_held.set(0);
    }

    /// All metrics in the text format.
    ///
    /// # Errors
    /// If a metric cannot be written as text.
    pub fn text(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

impl Requests {
    fn count(&self, action: &str, outcome: &str, seconds: f64) {
        self.total.with_label_values(&[action, outcome]).inc();
        self.duration.with_label_values(&[action]).observe(seconds);
    }
}

impl Labelled {
    /// Sets these and removes all others, so that a scrape never meets a gap.
    fn replace(&self, samples: &[Sample<'_>]) {
        let mut shown = self
            .shown
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut gone = std::mem::take(&mut *shown);
        for (labels, value) in samples {
            let value = i64::try_from(*value).unwrap_or(i64::MAX);
            self.gauge
                .with_label_values(&labels[..self.labels])
                .set(value);
            let labels = labels.map(str::to_owned);
            gone.remove(&labels);
            shown.insert(labels);
        }
        for labels in gone {
            // It fails only for what is not there.
            let _ = self.gauge.remove_label_values(&labels[..self.labels]);
        }
    }
}

struct Adder<'a>(&'a Registry);

impl Adder<'_> {
    fn register<C>(&self, collector: C) -> prometheus::Result<C>
    where
        C: prometheus::core::Collector + Clone + 'static,
    {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    fn one(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.register(IntGauge::new(name, help)?)
    }

    fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn labelled(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Labelled> {
        Ok(Labelled {
            gauge: self.gauge(name, help, labels)?,
            shown: Mutex::default(),
            labels: labels.len(),
        })
    }

    fn requests(&self, prefix: &str, of: &str) -> prometheus::Result<Requests> {
        let total = Opts::new(
            format!("{prefix}_requests_total"),
            format!(
                "Requests to {of} by action and outcome (ok, dry_run or the error's category)."
            ),
        );
        let duration = HistogramOpts::new(
            format!("{prefix}_request_duration_seconds"),
            format!("Duration of requests to {of}."),
        );
        Ok(Requests {
            total: self.register(IntCounterVec::new(total, &["action", "outcome"])?)?,
            duration: self.register(HistogramVec::new(duration, &["action"])?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_that_are_no_longer_true_disappear() {
        let metrics = Metrics::new().unwrap();
        metrics.set_routes(&[(["main", "missing"], 2), (["old", "missing"], 1)]);
        metrics.set_routes(&[(["main", "missing"], 3)]);
        let text = metrics.text().unwrap();
        assert!(
            text.contains(r#"signpost_routes{state="missing",table="main"} 3"#),
            "{text}"
        );
        assert!(!text.contains(r#"table="old""#), "{text}");
        metrics.forget_state();
        assert!(!metrics.text().unwrap().contains("signpost_routes{"));
    }

    #[test]
    fn one_label_is_enough() {
        let metrics = Metrics::new().unwrap();
        metrics.set_nodes(&[(["routed", ""], 7)]);
        let text = metrics.text().unwrap();
        assert!(
            text.contains(r#"signpost_nodes{phase="routed"} 7"#),
            "{text}"
        );
    }
}
