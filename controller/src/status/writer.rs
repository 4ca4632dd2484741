//! Writes the status when it changed, and when somebody else changed it.

use std::time::Duration;

use serde_json::json;
use signpost_api::{ConditionType, NAME, PodNetworkStatus};
use signpost_core::{Time, event::ApiErrorKind};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    api::{KubeApi, PatchKind, Purpose},
    clock::now,
    errors::ApiFailure,
    execute::network_path,
    network::Object,
    watching::Trouble,
};

/// Shortest time between two writes that change nothing but figures.
const FIGURES_EVERY: Duration = Duration::from_secs(10);
/// Shortest time between two repairs of what somebody else wrote.
const REPAIR_EVERY: Duration = Duration::from_secs(60);

/// Keeps our part of the object's status at what it is told, with one write under way at a time.
///
/// It is applied on the server's side: conditions of others stay, and what we do not say any more goes.
#[derive(Debug)]
pub struct Writer {
    api: KubeApi,
    /// `metadata.uid` of the object: another one of that name is left alone.
    uid: String,
    /// As far as we know what the object says.
    written: PodNetworkStatus,
    /// In which version of the object our last write ended.
    version: Option<u64>,
    /// Whether `written` is what the object says; otherwise the next one is written anyway.
    certain: bool,
    /// When the last write was begun.
    begun: Option<Time>,
    repaired: Option<Time>,
    under_way: Option<Write>,
    trouble: Trouble,
}

#[derive(Debug)]
struct Write {
    status: PodNetworkStatus,
    result: oneshot::Receiver<Result<Option<u64>, ApiFailure>>,
    task: JoinHandle<()>,
}

/// What became of something that was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The object says so.
    Done,
    /// To be put again soon: a write is under way, or the last one failed.
    Soon,
    /// It can wait: to be put again then.
    At(Time),
}

impl Writer {
    /// Begins with what the object said when it was read.
    pub fn new(api: KubeApi, read: &Object) -> Self {
        Self {
            api,
            uid: read.uid.clone(),
            written: ours(&read.status),
            version: None,
            certain: true,
            begun: None,
            repaired: None,
            under_way: None,
            trouble: Trouble::default(),
        }
    }

    /// The status that was written last, for what is carried over.
    pub fn last(&self) -> &PodNetworkStatus {
        self.under_way
            .as_ref()
            .map_or(&self.written, |write| &write.status)
    }

    /// Takes note of what the object says: if somebody else wrote our part of it after us, the next
    /// status is written even if it is the same.
    pub fn saw(&mut self, object: &Object) {
        self.settle();
        let newer = object.uid == self.uid && object.number() >= self.version;
        if self.under_way.is_some() || !self.certain || !newer {
            return;
        }
        let due = |at: Time| now() >= at.after(REPAIR_EVERY);
        if ours(&object.status) != self.written && self.repaired.is_none_or(due) {
            self.repaired = Some(now());
            self.certain = false;
        }
    }

    /// Begins to write `status` if the object says something else.
    pub fn put(&mut self, status: &PodNetworkStatus) -> Put {
        let settled = self.settle();
        if self.under_way.is_some() {
            return Put::Soon;
        }
        let status = ours(status);
        if self.certain && self.written == status {
            return if settled { Put::Done } else { Put::Soon };
        }
        let due = self.begun.map(|begun| begun.after(FIGURES_EVERY));
        if self.certain
            && said(&self.written) == said(&status)
            && let Some(due) = due.filter(|due| now() < *due)
        {
            return Put::At(due);
        }
        self.begin(status);
        Put::Soon
    }

    fn begin(&mut self, status: PodNetworkStatus) {
        let (sender, result) = oneshot::channel();
        let api = self.api.clone();
        let body = json!({
            "apiVersion": "signpost.dev/v1alpha1",
            "kind": "PodNetwork",
            "metadata": {"name": NAME, "uid": &self.uid},
            "status": &status,
        });
        let task = tokio::spawn(async move {
            let path = format!("{}/status", network_path());
            let result = api.patch(PATCH, &path, PatchKind::Apply, &body).await;
            // Nobody waits for it after the end of the leadership.
            let _ = sender.send(result);
        });
        self.begun = Some(now());
        self.under_way = Some(Write {
            status,
            result,
            task,
        });
    }

    /// Takes note of a write that ended. False if it failed.
    fn settle(&mut self) -> bool {
        let Some(mut write) = self.under_way.take() else {
            return true;
        };
        match write.result.try_recv() {
            Ok(Ok(version)) => {
                self.trouble.over("the status can be written");
                self.written = write.status;
                self.version = version;
                self.certain = true;
                true
            }
            Ok(Err(failure)) => {
                // An object that is gone, or another one by now, has no status; the watch says so too.
                let gone = [ApiErrorKind::NotFound, ApiErrorKind::Conflict];
                if !gone.contains(&failure.kind) {
                    self.trouble.tell(&failure.message);
                }
                self.certain = false;
                false
            }
            Err(oneshot::error::TryRecvError::Empty) => {
                self.under_way = Some(write);
                true
            }
            Err(oneshot::error::TryRecvError::Closed) => {
                self.certain = false;
                false
            }
        }
    }

    /// Waits until the write under way has ended; it is bounded in time.
    pub async fn finish(self) {
        if let Some(write) = self.under_way {
            // It panics only with the whole program.
            let _ = write.task.await;
        }
    }
}

/// The part of a status that is ours, in an order of its own.
fn ours(status: &PodNetworkStatus) -> PodNetworkStatus {
    let mut status = status.clone();
    let place = |type_: &str| {
        ConditionType::ALL
            .iter()
            .position(|our| our.as_str() == type_)
    };
    status
        .conditions
        .retain(|condition| place(&condition.type_).is_some());
    status
        .conditions
        .sort_by_key(|condition| place(&condition.type_));
    status
}

/// What people are to hear of at once; the rest are figures.
fn said(status: &PodNetworkStatus) -> impl PartialEq + use<> {
    let conditions = status.conditions.iter().map(|condition| {
        let (type_, status, reason) = (&condition.type_, &condition.status, &condition.reason);
        (type_.clone(), status.clone(), reason.clone())
    });
    (status.observed_generation, conditions.collect::<Vec<_>>())
}

const PATCH: Purpose = Purpose {
    action: "write_status",
    verb: "patch",
    resource: "podnetworks/status.signpost.dev",
};

#[cfg(test)]
mod tests {
    use serde_json::from_value;

    use super::*;

    fn status(reason: &str, message: &str, total: u64) -> PodNetworkStatus {
        let condition = |type_: &str| {
            json!({
                "type": type_, "status": "False", "reason": reason, "message": message,
                "lastTransitionTime": "2026-01-02T03:04:05Z",
            })
        };
        from_value(json!({
            "observedGeneration": 1,
            "conditions": [condition("Other"), condition("RoutesSynced"), condition("Ready")],
            "nodes": {"total": total, "routed": 0},
        }))
        .unwrap()
    }

    #[test]
    fn conditions_of_others_are_none_of_ours() {
        let types = |status: &PodNetworkStatus| -> Vec<String> {
            let conditions = status.conditions.iter();
            conditions
                .map(|condition| condition.type_.clone())
                .collect()
        };
        let status = status("A", "", 1);
        assert_eq!(types(&ours(&status)), ["Ready", "RoutesSynced"]);
    }

    #[test]
    fn a_figure_can_wait_and_a_reason_cannot() {
        let first = status("RoutePending", "1 of 3", 3);
        assert!(said(&first) == said(&status("RoutePending", "2 of 3", 4)));
        assert!(said(&first) != said(&status("QuotaExceeded", "1 of 3", 3)));
        let mut changed = first.clone();
        changed.observed_generation = Some(2);
        assert!(said(&first) != said(&changed));
    }
}
