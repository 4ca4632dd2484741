//! What is held back.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What is held back until somebody has looked at it.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Safety {
    /// The share of Signpost's routes, in percent, that may be removed within a minute, from 0 to 100.
    /// If more would go, as when many nodes vanish together, removals are held back and reported
    /// with the reason DeletionsHeld; routes are still added. 0 means none: only routes that provably
    /// lead nowhere are removed. Any other value lets at least two go, but never all that there are
    /// unless it is 100, which means no limit: of two routes one may go, and an only one may not. In
    /// the first minute after a change of leadership at most two go. Raise the value to let more go.
    /// Deleting the PodNetwork removes all routes whatever the value. Default: 30.
    #[serde(default = "default_max_deletion_percent")]
    #[schemars(range(min = 0, max = 100))]
    pub max_deletion_percent: u8,
}

impl Default for Safety {
    fn default() -> Self {
        Self {
            max_deletion_percent: default_max_deletion_percent(),
        }
    }
}

fn default_max_deletion_percent() -> u8 {
    30
}
