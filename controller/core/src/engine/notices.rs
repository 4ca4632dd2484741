//! What people are told, once for each cause.

use std::{collections::BTreeMap, time::Duration};

use ipnet::IpNet;

use super::{Engine, nodes::NodeId};
use crate::{
    Action, Time,
    action::{Notice, Reason, Subject},
    cloud::TableId,
    event::ApiErrorKind,
    routes::Trouble,
    summary::Phase,
};

/// The same is not said again within this span.
const SILENCE: Duration = Duration::from_secs(600);

/// Drift of one table is not told more often.
const DRIFT_SILENCE: Duration = Duration::from_secs(60);

/// What was said.
#[derive(Debug, Clone, Default)]
pub(super) struct Notices {
    /// Nodes that have a lasting trouble, by cause.
    pub(super) troubled: BTreeMap<Reason, usize>,
    told: BTreeMap<Reason, Time>,
    drift: BTreeMap<TableId, Time>,
}

impl Notices {
    fn count(&mut self, trouble: Option<&Trouble>, more: bool) {
        let Some(reason) = trouble.filter(|it| it.lasting).map(|it| it.reason) else {
            return;
        };
        let count = self.troubled.entry(reason).or_default();
        if more {
            *count += 1;
        } else {
            *count -= 1;
        }
        if *count == 0 {
            self.troubled.remove(&reason);
        }
    }
}

/// The cause lies not with one node: it is told once for all of them.
fn common(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::PoolExhausted
            | Reason::QuotaExceeded
            | Reason::CloudDenied
            | Reason::CloudUnavailable
            | Reason::WriteRefused
    )
}

impl Engine {
    pub(super) fn set_trouble(&mut self, id: NodeId, trouble: Option<Trouble>) {
        let Some(state) = self.nodes.get_mut(id) else {
            return;
        };
        if state.trouble.as_deref() == trouble.as_ref() {
            if state.phase == Phase::Routed {
                state.told = None;
            }
            return;
        }
        let before = state.trouble.take();
        self.notices.count(before.as_deref(), false);
        self.notices.count(trouble.as_ref(), true);
        state.trouble = trouble.clone().map(Box::new);
        if state.phase == Phase::Routed {
            state.told = None;
        }
        let Some(trouble) = trouble.filter(|it| it.lasting) else {
            return;
        };
        if state.told.replace(trouble.reason) == Some(trouble.reason) {
            return;
        }
        if common(trouble.reason) {
            self.tell_network(trouble.reason, trouble.message);
        } else {
            let subject = Subject::Node(state.node.key.clone());
            self.actions.push(Action::Notify(Notice {
                subject,
                reason: trouble.reason,
                message: trouble.message,
            }));
        }
    }

    fn tell_network(&mut self, reason: Reason, message: String) {
        let now = self.now.at;
        let told = self.notices.told.get(&reason);
        if told.is_some_and(|at| now.since(*at) < SILENCE) {
            return;
        }
        self.notices.told.insert(reason, now);
        self.actions.push(Action::Notify(Notice {
            subject: Subject::Network,
            reason,
            message,
        }));
    }

    pub(super) fn notice_refused_status(&mut self, error: ApiErrorKind) {
        let message = format!(
            "writing the condition NetworkUnavailable failed: {error}; grant the controller the \
             verb patch on nodes/status"
        );
        self.tell_network(Reason::WriteRefused, message);
    }

    /// Somebody changed or removed routes of ours.
    pub(super) fn notice_drift(&mut self, table: &TableId, drifted: &[IpNet]) {
        let Some(first) = drifted.first() else { return };
        let now = self.now.at;
        let told = self.notices.drift.get(table);
        if told.is_some_and(|at| now.since(*at) < DRIFT_SILENCE) {
            return;
        }
        self.notices.drift.insert(table.clone(), now);
        let count = drifted.len();
        self.actions.push(Action::Notify(Notice {
            subject: Subject::Part(table.0.clone()),
            reason: Reason::DriftMended,
            message: format!(
                "somebody else changed or removed {count} of our routes in table {table} (the \
                 first for {first}); they are put back"
            ),
        }));
    }
}
