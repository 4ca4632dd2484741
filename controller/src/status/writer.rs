//! Writes the status when it changed.

use serde_json::{Value, json};
use signpost_api::PodNetworkStatus;
use signpost_core::event::ApiErrorKind;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    api::{KubeApi, PatchKind, Purpose},
    errors::ApiFailure,
    execute::network_path,
    watching::Trouble,
};

/// Keeps the object's status at what it is told, with one write under way at a time.
#[derive(Debug)]
pub struct Writer {
    api: KubeApi,
    /// As far as we know what the object says.
    written: PodNetworkStatus,
    /// Whether `written` is what the object says; otherwise the next one is written anyway.
    certain: bool,
    under_way: Option<Write>,
    trouble: Trouble,
}

#[derive(Debug)]
struct Write {
    status: PodNetworkStatus,
    result: oneshot::Receiver<Result<(), ApiFailure>>,
    task: JoinHandle<()>,
}

impl Writer {
    /// Begins with what the object said when it was read.
    pub fn new(api: KubeApi, read: PodNetworkStatus) -> Self {
        Self {
            api,
            written: read,
            certain: true,
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

    /// Begins to write `status` if the object says something else. False: a write is still under
    /// way, or the last one failed, so this is to be called again with what is true then.
    pub fn put(&mut self, status: PodNetworkStatus) -> bool {
        let settled = self.settle();
        if self.under_way.is_some() {
            return false;
        }
        if self.certain && self.written == status {
            return settled;
        }
        let (sender, result) = oneshot::channel();
        let api = self.api.clone();
        let mut body = json!({"status": &status});
        if status.routes.is_none() {
            // In a merge patch only a null removes what an earlier provider left.
            body["status"]["routes"] = Value::Null;
        }
        let task = tokio::spawn(async move {
            let path = format!("{}/status", network_path());
            let result = api.patch(PATCH, &path, PatchKind::Merge, &body).await;
            // Nobody waits for it after the end of the leadership.
            let _ = sender.send(result);
        });
        self.under_way = Some(Write {
            status,
            result,
            task,
        });
        false
    }

    /// Takes note of a write that ended. False if it failed.
    fn settle(&mut self) -> bool {
        let Some(mut write) = self.under_way.take() else {
            return true;
        };
        match write.result.try_recv() {
            Ok(Ok(())) => {
                self.trouble.over("the status can be written");
                self.written = write.status;
                self.certain = true;
                true
            }
            Ok(Err(failure)) => {
                // An object that is gone has no status; the watch says so too.
                if failure.kind != ApiErrorKind::NotFound {
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

const PATCH: Purpose = Purpose {
    action: "write_status",
    verb: "patch",
    resource: "podnetworks/status.signpost.dev",
};
