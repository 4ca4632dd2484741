//! How requests are sent: within the quota of their group, bounded in time, counted.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use google_cloud_compute_v1::Error;
use signpost_core::cloud::{CloudError, CloudErrorKind};
use tokio::time::Instant;

use super::{
    action::{Action, Group},
    config::GcpConfig,
    errors, lock,
};
use crate::{
    Meter, Rate,
    buckets::{Turnstile, shared},
    reads::attempts,
};

/// The buckets of the quota groups, by project: Google counts them where the resource is.
pub(super) struct Calls {
    /// Where the API is, unless where it always is.
    endpoint: String,
    rate: Rate,
    turnstiles: Mutex<HashMap<Arc<str>, Turnstiles>>,
    meter: Arc<dyn Meter>,
}

type Turnstiles = BTreeMap<Group, Arc<Turnstile>>;

/// About half of the requests of a minute at once, the others evenly; at least one a second, which is why
/// there must be 120 at least.
fn rate(requests_per_minute: u32) -> Rate {
    let per_second = (requests_per_minute / 120).max(1);
    Rate {
        burst: requests_per_minute.saturating_sub(60 * per_second).max(1),
        per_second,
    }
}

impl Calls {
    pub(super) fn new(config: &GcpConfig, meter: Arc<dyn Meter>) -> Self {
        Self {
            endpoint: config.endpoint.clone().unwrap_or_default(),
            rate: rate(config.requests_per_minute),
            turnstiles: Mutex::default(),
            meter,
        }
    }

    fn turnstile(&self, project: &str, group: Group) -> Arc<Turnstile> {
        let mut turnstiles = lock(&self.turnstiles);
        let of_project = turnstiles.entry(project.into()).or_default();
        let turnstile = of_project.entry(group).or_insert_with(|| {
            let place = format!("gcp {} {project}", self.endpoint);
            shared(&place, group.name(), self.rate)
        });
        Arc::clone(turnstile)
    }

    /// Waits until a request to a project may be sent.
    pub(super) async fn pass(&self, project: &str, action: Action) {
        let wait = self.turnstile(project, action.group()).pass().await;
        if !wait.is_zero() {
            self.meter.waited(action.name(), wait);
        }
    }

    /// Sends a request that only reads, when it may be sent, and some more times if that can help.
    pub(super) async fn read<T, F>(
        &self,
        project: &str,
        action: Action,
        send: impl Fn() -> F + Send + Sync,
    ) -> Result<T, CloudError>
    where
        F: Future<Output = Result<T, Error>> + Send,
    {
        attempts(|| async {
            self.pass(project, action).await;
            let begun = Instant::now();
            let result = send().await;
            self.ended(project, action, begun, result)
        })
        .await
    }

    /// Sends a request that changes something, once and at once: it has [passed](Self::pass).
    pub(super) async fn write<T>(
        &self,
        project: &str,
        action: Action,
        request: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, CloudError> {
        let begun = Instant::now();
        let result = request.await;
        self.ended(project, action, begun, result)
    }

    fn ended<T>(
        &self,
        project: &str,
        action: Action,
        begun: Instant,
        result: Result<T, Error>,
    ) -> Result<T, CloudError> {
        let result = result.map_err(|error| errors::of(action, &error));
        let outcome = match &result {
            Ok(_) => "ok",
            Err(error) => {
                if error.kind == CloudErrorKind::Throttled {
                    let turnstile = self.turnstile(project, action.group());
                    turnstile.throttled(error.retry_after);
                }
                error.kind.category()
            }
        };
        self.meter.request(action.name(), outcome, begun.elapsed());
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_has_more_requests_than_it_may() {
        for most in [120, 121, 239, 750, 1500, 100_000] {
            let rate = rate(most);
            // A bucket that is full, and what flows into it for a minute.
            assert_eq!(rate.burst + 60 * rate.per_second, most);
        }
    }
}
