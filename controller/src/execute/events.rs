//! Kubernetes events, at a bounded rate.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use signpost_api::NAME;
use signpost_core::action::{Notice, Reason, Subject};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use crate::{
    api::{KubeApi, Purpose},
    watching::Trouble,
};

/// Events that may be published at once.
const BURST: u32 = 25;
/// Time after which one more may be published.
const REFILL: Duration = Duration::from_millis(500);

/// Publishes notices one after the other.
pub(super) struct Publisher {
    api: KubeApi,
    recorder: Recorder,
    network: ObjectReference,
    bucket: Bucket,
    trouble: Trouble,
}

impl Publisher {
    pub(super) fn new(api: KubeApi, network_uid: &str) -> Self {
        let recorder = Recorder::new(api.client(), Reporter::from("signpost-controller"));
        let network = ObjectReference {
            api_version: Some("signpost.dev/v1alpha1".to_owned()),
            kind: Some("PodNetwork".to_owned()),
            name: Some(NAME.to_owned()),
            uid: Some(network_uid.to_owned()),
            ..ObjectReference::default()
        };
        Self {
            api,
            recorder,
            network,
            bucket: Bucket::new(Instant::now()),
            trouble: Trouble::default(),
        }
    }

    pub(super) async fn run(mut self, mut notices: mpsc::Receiver<Notice>) {
        while let Some(notice) = notices.recv().await {
            sleep(self.bucket.take(Instant::now())).await;
            let regarding = self.regarding(&notice.subject);
            let event = event(notice);
            let publish = self.recorder.publish(&event, &regarding);
            match self.api.fenced(PUBLISH, publish).await {
                Ok(()) => self.trouble.over("events can be published"),
                Err(failure) => self.trouble.tell(&failure.message),
            }
        }
    }

    fn regarding(&self, subject: &Subject) -> ObjectReference {
        match subject {
            Subject::Node(node) => ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Node".to_owned()),
                name: Some(node.name.to_string()),
                uid: Some(node.uid.to_string()),
                ..ObjectReference::default()
            },
            Subject::Network | Subject::Part(_) => self.network.clone(),
        }
    }
}

/// Says in the log what the event says.
pub(super) fn log(notice: &Notice) {
    let Notice {
        subject,
        reason,
        message,
    } = notice;
    let reason = reason.as_str();
    match (subject, is_good(notice.reason)) {
        (Subject::Node(node), true) => tracing::debug!(%node, reason, "{message}"),
        (Subject::Node(node), false) => tracing::warn!(%node, reason, "{message}"),
        (Subject::Part(part), _) => tracing::warn!(part = &**part, reason, "{message}"),
        (Subject::Network, true) => tracing::debug!(reason, "{message}"),
        (Subject::Network, false) => tracing::warn!(reason, "{message}"),
    }
}

fn is_good(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::RouteCreated | Reason::PodCIDRAssigned | Reason::RoutePending
    )
}

fn event(notice: Notice) -> Event {
    let type_ = if is_good(notice.reason) {
        EventType::Normal
    } else {
        EventType::Warning
    };
    Event {
        type_,
        reason: notice.reason.as_str().to_owned(),
        note: Some(shortened(notice.message)),
        action: "Reconcile".to_owned(),
        secondary: part(&notice.subject),
    }
}

/// What an event about the `PodNetwork` is also about. Without it the recorder would take those about two
/// tables for one that happened twice, and nobody would see what the second says.
fn part(subject: &Subject) -> Option<ObjectReference> {
    let Subject::Part(part) = subject else {
        return None;
    };
    Some(ObjectReference {
        name: Some(part.to_string()),
        ..ObjectReference::default()
    })
}

/// The API server refuses notes of more than 1024 bytes.
fn shortened(mut text: String) -> String {
    const LONGEST: usize = 1024;
    const MARK: &str = "…";
    if text.len() > LONGEST {
        let mut end = LONGEST - MARK.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(MARK);
    }
    text
}

/// A token bucket.
struct Bucket {
    /// When it was, or will be, empty.
    empty_at: Instant,
}

impl Bucket {
    fn new(now: Instant) -> Self {
        Self {
            empty_at: now.checked_sub(REFILL * BURST).unwrap_or(now),
        }
    }

    /// Takes one token; says how long to wait for it.
    fn take(&mut self, now: Instant) -> Duration {
        let full = now.checked_sub(REFILL * BURST).unwrap_or(now);
        self.empty_at = self.empty_at.max(full) + REFILL;
        self.empty_at.saturating_duration_since(now)
    }
}

const PUBLISH: Purpose = Purpose {
    action: "publish_event",
    verb: "create",
    resource: "events.events.k8s.io",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_what_follows_is_spread() {
        // An instant that lies well after the machine's start.
        let now = Instant::now() + REFILL * BURST * 2;
        let mut bucket = Bucket::new(now);
        for _ in 0..BURST {
            assert_eq!(bucket.take(now), Duration::ZERO);
        }
        assert_eq!(bucket.take(now), REFILL);
        assert_eq!(bucket.take(now), REFILL * 2);
        assert_eq!(bucket.take(now + REFILL * 3), Duration::ZERO);
    }

    #[test]
    fn events_of_two_tables_are_two() {
        let about = |table: &str| {
            event(Notice {
                subject: Subject::Part(table.into()),
                reason: Reason::QuotaExceeded,
                message: String::new(),
            })
            .secondary
        };
        assert_ne!(about("rtb-1"), about("rtb-2"));
        assert_eq!(about("rtb-1"), about("rtb-1"));
    }

    #[test]
    fn long_notes_are_cut_at_a_character() {
        let cut = shortened("ä".repeat(1000));
        assert!(cut.len() <= 1024, "{}", cut.len());
        assert!(cut.ends_with("ä…"));
    }
}
