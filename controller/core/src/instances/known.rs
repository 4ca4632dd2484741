//! What is known of one instance.

use crate::{
    action::Reason,
    cloud::{CloudError, CloudErrorKind, Instance, InstanceState},
    ids::Stamp,
    node::NodeKey,
    nodes::item,
    retry::{Pace, Retry},
    turn::{Trouble, Turn},
};

/// One node's instance.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) state: Option<InstanceState>,
    /// The read or switch that failed last.
    pub(super) trouble: Option<Box<Trouble>>,
    /// Asked for in this batch.
    pub(super) batch: Option<std::num::NonZeroU64>,
    /// When that was begun.
    pub(super) asked: Stamp,
    /// When the reading was begun that told of the state.
    pub(super) told: Stamp,
    /// Somebody waits for the next answer, whatever it is.
    pub(super) awaited: bool,
    /// It is to be read again after that.
    pub(super) again: bool,
    /// It was asked for by what identified it before: the answer will tell of another one.
    pub(super) outdated: bool,
    pub(super) read: Retry,
    pub(super) switch: Retry,
}

impl Known {
    pub(super) fn found(&self) -> Option<&Instance> {
        match &self.state {
            Some(InstanceState::Found(instance)) => Some(instance),
            _ => None,
        }
    }

    /// A call about the instance failed.
    pub(super) fn failed(
        retry: &mut Retry,
        turn: &Turn,
        key: &NodeKey,
        verb: &str,
        error: &CloudError,
    ) -> Trouble {
        let wait = turn.backoff.cloud(item(key), error.kind);
        let asked = error.retry_after.unwrap_or_default();
        retry.failed(wait, asked, turn.now.at);
        let lasting = Pace::of_cloud(error.kind) == Pace::Slow || retry.lasts();
        Trouble {
            reason: if error.kind == CloudErrorKind::Denied {
                Reason::CloudDenied
            } else {
                Reason::CloudUnavailable
            },
            message: format!("{verb} the instance of node {key} failed: {error}"),
            lasting,
        }
    }
}
