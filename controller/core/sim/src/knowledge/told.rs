//! What an engine told people, and what it has reason to tell.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use ipnet::IpNet;
use signpost_core::{
    Config, NodeKey,
    action::{Notice, Reason, Subject},
    cloud::{CloudError, CloudErrorKind, RouteChange, TableId},
    event::{ApiError, ApiErrorKind},
};

/// Notices of one leadership and refusals that last.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// When each was given last.
    pub(crate) notices: HashMap<(Subject, Reason), Vec<u64>>,
    /// Since when each node's pod CIDRs are refused, by UID.
    refused: BTreeMap<Arc<str>, u64>,
    /// Since when each deletion is denied.
    denied: BTreeMap<(TableId, IpNet), u64>,
}

impl Said {
    pub(super) fn notified(&mut self, notice: &Notice, now: u64) {
        let about = (notice.subject.clone(), notice.reason);
        self.notices.entry(about).or_default().push(now);
    }

    pub(super) fn api_answered(&mut self, node: &NodeKey, result: &Result<(), ApiError>, now: u64) {
        match result {
            Err(error) if error.kind == ApiErrorKind::Invalid => {
                self.refused.entry(node.uid.clone()).or_insert(now);
            }
            _ => {
                self.refused.remove(&node.uid);
            }
        }
    }

    pub(super) fn route_answered(
        &mut self,
        change: &RouteChange,
        result: &Result<(), CloudError>,
        now: u64,
    ) {
        let place = (change.table().clone(), change.destination());
        let deletion = matches!(change, RouteChange::Delete { .. });
        match result {
            Err(error) if deletion && error.kind == CloudErrorKind::Denied => {
                self.denied.entry(place).or_insert(now);
            }
            _ => {
                self.denied.remove(&place);
            }
        }
    }

    /// After a teardown, or a time without a configuration, nobody is refused anything yet.
    pub(super) fn reconfigured(&mut self, before: Option<&Config>) {
        if before.is_none_or(|config| config.teardown) {
            self.refused.clear();
        }
    }

    /// Since when pod CIDRs of a node are refused.
    pub(crate) fn refused_since(&self, node: &NodeKey) -> Option<u64> {
        self.refused.get(&node.uid).copied()
    }

    /// Since when a deletion is denied.
    pub(crate) fn denied_since(&self) -> Option<u64> {
        self.denied.values().min().copied()
    }

    /// Somebody was told so, whatever it was about.
    pub(crate) fn was_told(&self, reason: Reason) -> bool {
        self.notices.keys().any(|(_, told)| *told == reason)
    }
}
