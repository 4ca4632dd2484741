//! What the control path has for Compute Engine: permissions, rates and whose metadata are served.

use std::sync::Arc;

use serde_json::{Value, json};
use signpost_emulator::{Answer, Controlled, bad, parse, to_value};

use crate::core::{self, Core, State};
use crate::faults::FaultKind;
use crate::methods;
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
        methods::ids().collect()
    }

    fn settings(&self) -> Answer {
        to_value(&self.0.with(|state| state.world.settings.clone()))
    }

    fn change(&self, change: &Value) -> Answer {
        let settings = self.0.with(|state| state.world.settings.clone());
        let settings = settings.merged(change).map_err(bad)?;
        core::apply(&self.0, settings.clone());
        to_value(&settings)
    }

    fn others(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            ("POST /_control/rates/fill", "begins a minute anew"),
            (
                "GET|PUT /_control/permissions",
                "permissions by token and project; tokens without any may do everything",
            ),
            ("GET|PUT /_control/identity", "whose metadata are served"),
        ]
    }

    fn other(&self, method: &str, path: &str, body: &[u8]) -> Option<Answer> {
        Some(match (method, path) {
            ("POST", "rates/fill") => {
                self.0.with(|state| state.rates.fill());
                Ok(json!({}))
            }
            ("GET", "permissions") => self.0.with(|state| to_value(state.permissions.all())),
            ("PUT", "permissions") => parse(body).map(|permissions| {
                self.0.with(|state| state.permissions.replace(permissions));
                json!({})
            }),
            ("GET", "identity") => self.0.with(|state| to_value(&state.tokens.identity)),
            ("PUT", "identity") => parse(body).map(|identity| {
                self.0.with(|state| state.tokens.set(identity));
                json!({})
            }),
            _ => return None,
        })
    }
}
