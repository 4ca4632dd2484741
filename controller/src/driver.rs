//! Decides when there is something to lead: the lease is held and the `PodNetwork` can be used.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

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
            () = other_cloud(&mut self.inputs.wishes, &valid) => return Some(Ended::Replaced),
        };
        // What else changed meanwhile the session is to begin with.
        let valid = match &*self.inputs.wishes.borrow() {
            Wish::Valid(now) => Arc::clone(now),
            _ => valid,
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
        let mut writer = status::Writer::new(self.api.clone(), object);
        let before = writer.last();
        let status = status::invalid(reason, problem, object.generation, before);
        writer.put(&status);
        writer.finish().await;
    }
}

/// Waits until a provider that is made for `valid` would be of no use any more.
async fn other_cloud(wishes: &mut watch::Receiver<Wish>, valid: &Valid) {
    let serves = |wish: &Wish| matches!(wish, Wish::Valid(now) if now.same_cloud(valid));
    // Without a sender the program ends.
    let _ = wishes.wait_for(|wish| !serves(wish)).await;
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;
    use crate::network;

    fn wish(period: &str, provider: &str) -> Wish {
        let object = json!({
            "apiVersion": "signpost.dev/v1alpha1", "kind": "PodNetwork",
            "metadata": {"name": "default", "uid": "u"},
            "spec": {
                "pools": [{"name": "main", "cidr": "10.244.0.0/16", "nodePrefixLength": 24}],
                "cloud": {"provider": provider, "checkPeriod": period},
            },
        });
        network::read(&from_value(object).unwrap())
    }

    #[tokio::test]
    async fn only_another_cloud_ends_the_making_of_a_provider() {
        let Wish::Valid(valid) = wish("5s", "none") else {
            panic!("the object is valid");
        };
        let (sender, mut wishes) = watch::channel(Wish::Valid(Arc::clone(&valid)));
        let waited = tokio::spawn(async move {
            other_cloud(&mut wishes, &valid).await;
        });
        sender.send_replace(wish("9s", "none"));
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!waited.is_finished());
        sender.send_replace(wish("9s", "linux"));
        waited.await.unwrap();
    }
}
