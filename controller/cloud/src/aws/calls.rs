//! How requests are sent: through the bucket of their action, bounded in time, counted.

use std::{collections::BTreeMap, error::Error, sync::Arc};

use aws_sdk_ec2::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use signpost_core::cloud::{CloudError, CloudErrorKind};
use tokio::time::Instant;

use super::{
    action::{Action, Rates},
    changes::Mode,
    errors,
};
use crate::{
    Meter,
    buckets::{Turnstile, shared},
    reads::attempts,
};

/// The buckets of one account and region, shared by everything that calls it.
pub(super) struct Calls {
    turnstiles: BTreeMap<Action, Arc<Turnstile>>,
    meter: Arc<dyn Meter>,
    /// The tag that the policy in the manifests asks for.
    tag: String,
}

impl Calls {
    /// `place` names account and region as far as they are known.
    pub(super) fn new(place: &str, rates: &Rates, tag: String, meter: Arc<dyn Meter>) -> Self {
        let rate = |action| rates.get(&action).copied();
        let turnstiles = Action::ALL
            .into_iter()
            .map(|action| {
                let rate = rate(action).unwrap_or(action.default_rate());
                (action, shared(place, action.name(), rate))
            })
            .collect();
        Self {
            turnstiles,
            meter,
            tag,
        }
    }

    /// Waits until a request may be sent.
    pub(super) async fn pass(&self, action: Action) {
        let Some(turnstile) = self.turnstiles.get(&action) else {
            return;
        };
        let wait = turnstile.pass().await;
        if !wait.is_zero() {
            self.meter.waited(action.name(), wait);
        }
    }

    /// Sends a request that only reads, when it may be sent, and some more times if that can help.
    pub(super) async fn read<T, E, F>(
        &self,
        action: Action,
        send: impl Fn() -> F + Send + Sync,
    ) -> Result<T, CloudError>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    {
        attempts(|| async {
            self.pass(action).await;
            let begun = Instant::now();
            let result = send().await;
            self.ended(action, None, begun, ("ok", result))
        })
        .await
    }

    /// Sends a request that changes something, or says whether it would be permitted, once. `about` is
    /// what it changes.
    pub(super) async fn write<T, E>(
        &self,
        mode: Mode,
        action: Action,
        about: &str,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    ) -> Result<(), CloudError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let dry = mode == Mode::DryRun;
        if dry {
            self.pass(action).await;
        }
        let begun = Instant::now();
        let result = match request.await {
            Err(refusal) if dry && refusal.code() == Some("DryRunOperation") => Ok(()),
            result => result.map(drop),
        };
        let success = if dry { "dry_run" } else { "ok" };
        self.ended(action, Some(about), begun, (success, result))
    }

    /// Takes note of how a request ended, which is called so if it succeeded.
    fn ended<T, E>(
        &self,
        action: Action,
        about: Option<&str>,
        begun: Instant,
        (success, result): (&'static str, Result<T, SdkError<E, HttpResponse>>),
    ) -> Result<T, CloudError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let about = about.map(|resource| errors::About {
            resource,
            tag: &self.tag,
        });
        let result = result.map_err(|error| errors::of(action, about, &error));
        let outcome = match &result {
            Ok(_) => success,
            Err(error) => {
                if error.kind == CloudErrorKind::Throttled
                    && let Some(turnstile) = self.turnstiles.get(&action)
                {
                    turnstile.throttled(error.retry_after);
                }
                error.kind.category()
            }
        };
        self.meter.request(action.name(), outcome, begun.elapsed());
        result
    }
}
