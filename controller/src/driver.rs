//! Decides when there is something to lead: the lease is held and the `PodNetwork` can be used.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::{
    api::KubeApi,
    clouds,
    errors::Category,
    health::{Health, Role},
    network::{Object, Valid, Wish},
    session::{Ended, Inputs, Session},
    status,
    watching::Trouble,
};

/// Longest silence of the loop, and how soon a provider that could not be made is tried again.
const BEAT: Duration = Duration::from_secs(5);

/// Runs one session after the other.
pub struct Driver {
    api: KubeApi,
    health: Arc<Health>,
    inputs: Inputs,
    provider: Trouble,
}

impl Driver {
    /// Nothing runs yet.
    pub fn new(api: KubeApi, health: Arc<Health>, inputs: Inputs) -> Self {
        Self {
            api,
            health,
            inputs,
            provider: Trouble::default(),
        }
    }

    /// Works until it is told to stop. All writes have ended by then.
    pub async fn run(mut self) {
        while !self.inputs.stop.is_cancelled() {
            self.health.beat();
            let leads = self.inputs.term.borrow_and_update().is_some();
            let wish = self.inputs.wishes.borrow_and_update().clone();
            match (leads, wish) {
                (false, _) => self.stand_by(),
                (true, Wish::Unread | Wish::Absent) => self.health.set_role(Role::Idle),
                (true, Wish::Invalid(object, problem)) => {
                    self.refuse("Invalid", &problem, &object).await;
                }
                (true, Wish::Valid(valid)) => {
                    if let Some(ended) = self.lead(valid).await {
                        tracing::debug!(?ended, "session over");
                        continue;
                    }
                }
            }
            tokio::select! {
                () = self.inputs.stop.cancelled() => {}
                _ = self.inputs.term.changed() => {}
                _ = self.inputs.wishes.changed() => {}
                () = sleep(BEAT) => {}
            }
        }
    }

    fn stand_by(&self) {
        if self.health.role() != Role::Starting {
            self.health.set_role(Role::Standby);
        }
    }

    /// `None`: the provider could not be made.
    async fn lead(&mut self, valid: Arc<Valid>) -> Option<Ended> {
        let bounds = self.api.bounds();
        let longest_write = bounds.wait + bounds.serve;
        // It may ask the machine where it is, and wait for the answer.
        let provider = tokio::select! {
            provider = clouds::build(&valid.cloud, self.api.metrics(), longest_write) => provider,
            () = self.inputs.stop.cancelled() => return Some(Ended::Stopped),
            _ = self.inputs.term.changed() => return Some(Ended::Deposed),
            _ = self.inputs.wishes.changed() => return Some(Ended::Replaced),
        };
        match provider {
            Ok(cloud) => {
                self.provider.over("the provider can be set up");
                self.health.set_role(Role::Recovering);
                let (api, health) = (self.api.clone(), Arc::clone(&self.health));
                Some(Session::lead(api, health, valid, cloud, &mut self.inputs).await)
            }
            Err(problem) => {
                self.api.metrics().error(Category::Provider);
                self.provider.tell(&format!("spec.cloud: {problem}"));
                self.refuse("ProviderUnavailable", &problem, &valid.object)
                    .await;
                None
            }
        }
    }

    /// Says in the object's status why nothing is done for it.
    async fn refuse(&self, reason: &'static str, problem: &str, object: &Object) {
        self.health.set_role(Role::Idle);
        let mut writer = status::Writer::new(self.api.clone(), object.status.clone());
        writer.put(status::invalid(
            reason,
            problem,
            object.generation,
            &object.status,
        ));
        writer.finish().await;
    }
}
