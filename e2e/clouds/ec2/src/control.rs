//! What the control path has for EC2: policies, buckets and whose metadata are served.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use signpost_emulator::{Answer, Controlled, bad, parse, to_value};

use crate::actions;
use crate::core::{self, Core, State};
use crate::faults::FaultKind;
use crate::policy::Policy;
use crate::snapshot::Snapshot;

/// An emulator as the control path sees it.
pub(crate) struct Control(pub(crate) Arc<Core>);

impl Controlled for Control {
    type World = State;
    type Kind = FaultKind;

    fn core(&self) -> &Core {
        &self.0
    }

    fn state(&self) -> Answer {
        to_value(&self.0.with(|state| Snapshot::of(&state.world)))
    }

    fn actions(&self) -> Vec<&'static str> {
        actions::names().collect()
    }

    fn settings(&self) -> Answer {
        to_value(&self.0.with(|state| state.settings.clone()))
    }

    fn change(&self, change: &Value) -> Answer {
        let settings = self.0.with(|state| state.settings.clone());
        let settings = settings.merged(change).map_err(bad)?;
        core::apply(&self.0, settings.clone());
        to_value(&settings)
    }

    fn others(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            ("POST /_control/buckets/fill", "fills all buckets"),
            (
                "GET|PUT /_control/policies",
                "IAM policies by access key or role; callers without one may do everything",
            ),
            ("GET|PUT /_control/imds", "whose metadata are served"),
        ]
    }

    fn other(&self, method: &str, path: &str, body: &[u8]) -> Option<Answer> {
        Some(match (method, path) {
            ("POST", "buckets/fill") => {
                self.0.with(|state| state.buckets.fill());
                Ok(json!({}))
            }
            ("GET", "policies") => to_value(&self.0.with(|state| state.policies.clone())),
            ("PUT", "policies") => self.put_policies(body),
            ("GET", "imds") => to_value(&self.0.with(|state| state.metadata.identity.clone())),
            ("PUT", "imds") => parse(body).map(|identity| {
                self.0.with(|state| state.metadata.set(identity));
                json!({})
            }),
            _ => return None,
        })
    }
}

impl Control {
    fn put_policies(&self, body: &[u8]) -> Answer {
        let policies: BTreeMap<String, Policy> = parse(body)?;
        policies.values().try_for_each(Policy::check).map_err(bad)?;
        self.0.with(|state| state.policies = policies);
        Ok(json!({}))
    }
}
