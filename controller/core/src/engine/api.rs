//! Writes to the Kubernetes API: one queue for pod CIDRs, which come first, and one for status.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ipnet::IpNet;

use super::{Engine, nodes::NodeId};
use crate::{
    Time,
    backoff::{Backoff, Pace, hash},
    node::NodeKey,
};

/// Writes that wait and writes that are in flight.
#[derive(Debug, Clone, Default)]
pub(super) struct ApiWrites {
    pub(super) pod_cidrs: VecDeque<NodeId>,
    pub(super) status: VecDeque<NodeId>,
    pub(super) setting: BTreeMap<NodeKey, Vec<IpNet>>,
    pub(super) reporting: BTreeSet<NodeKey>,
}

/// One kind of write to one node.
#[derive(Debug, Clone, Default)]
pub(super) struct ApiWrite {
    pub(super) step: ApiStep,
    pub(super) not_before: Time,
    failures: u8,
}

/// How far a write is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ApiStep {
    #[default]
    Idle,
    Queued,
    Sent,
}

impl ApiWrites {
    fn in_flight(&self) -> usize {
        self.setting.len() + self.reporting.len()
    }
}

impl ApiWrite {
    pub(super) fn failed(&mut self, backoff: Backoff, key: &NodeKey, pace: Pace, now: Time) {
        self.failures = self.failures.saturating_add(1);
        let wait = backoff.delay(node_hash(key), self.failures, pace);
        self.not_before = now.after(wait);
    }
}

/// What a node's jitter depends on.
pub(super) fn node_hash(key: &NodeKey) -> u64 {
    hash(key.uid.bytes())
}

impl Engine {
    pub(super) fn begin_api_writes(&mut self) {
        while self.api.in_flight() < self.limits.api_writes {
            if let Some(id) = self.api.pod_cidrs.pop_front() {
                self.send_pod_cidrs(id);
            } else if let Some(id) = self.api.status.pop_front() {
                self.send_status(id);
            } else {
                // What was queued and is no longer wanted may want something else instead.
                self.judge_marked();
                if self.api.pod_cidrs.is_empty() && self.api.status.is_empty() {
                    return;
                }
            }
        }
    }
}
