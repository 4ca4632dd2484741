//! What leaders leave elsewhere than in the lease.

use std::time::Duration;

use kube::core::ObjectMeta;
use serde::Deserialize;
use serde_json::Value;
use signpost_core::event::ApiErrorKind;

use crate::{
    api::{KubeApi, Purpose},
    errors::ApiFailure,
    execute::network_path,
    network::FINALIZER,
};

/// As much of the `PodNetwork` as a leader leaves its mark on.
#[derive(Debug, Default, Deserialize)]
struct Marks {
    #[serde(default)]
    metadata: ObjectMeta,
    #[serde(default)]
    status: Value,
}

impl Marks {
    fn are_there(&self) -> bool {
        let finalizers = self.metadata.finalizers.iter().flatten();
        let kept = finalizers.into_iter().any(|name| name == FINALIZER);
        let conditions = self.status["conditions"].as_array();
        let judged = conditions.is_some_and(|conditions| !conditions.is_empty());
        kept || judged || !self.status["observedGeneration"].is_null()
    }
}

/// Whether somebody led before, whatever the lease says.
pub(super) async fn somebody_led(api: &KubeApi, wait: Duration) -> Result<bool, ApiFailure> {
    let path = network_path();
    match api.get::<Marks>(READ, &path, wait).await {
        Ok(marks) => Ok(marks.are_there()),
        Err(failure) if failure.kind == ApiErrorKind::NotFound => Ok(false),
        Err(failure) => Err(failure),
    }
}

const READ: Purpose = Purpose {
    action: "read_network",
    verb: "get",
    resource: "podnetworks.signpost.dev",
};

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn a_leader_leaves_its_finalizer_or_a_status() {
        let marks = |object| from_value::<Marks>(object).unwrap().are_there();
        assert!(!marks(
            json!({"metadata": {"finalizers": ["other"]}, "spec": {}})
        ));
        assert!(!marks(
            json!({"metadata": {}, "status": {"conditions": []}})
        ));
        assert!(marks(json!({"metadata": {"finalizers": [FINALIZER]}})));
        assert!(marks(
            json!({"metadata": {}, "status": {"observedGeneration": 1}})
        ));
        assert!(marks(
            json!({"metadata": {}, "status": {"conditions": [{"type": "Ready"}]}})
        ));
    }
}
