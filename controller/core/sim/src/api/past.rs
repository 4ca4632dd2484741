//! What etcd is restored to.

use super::{Api, Nodes, lease::Lease};

/// How often something else is written in the cluster, in milliseconds.
const WRITTEN_EVERY: u64 = 500;

/// By how much revisions are bumped, as `etcdutl snapshot restore --bump-revision` is told.
const BUMP: u64 = 1_000_000_000;

/// How things were stored once.
#[derive(Debug)]
pub(super) struct Snapshot {
    at: u64,
    nodes: Nodes,
    lease: Option<Lease>,
    version: u64,
}

/// What becomes of the revisions when etcd is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Revisions {
    /// They begin where the snapshot was taken.
    SetBack,
    /// They go on above all that ever were.
    Bumped,
}

impl Api {
    /// Time passes, in which other objects are written.
    pub(crate) fn pass(&mut self, now: u64) {
        let (since, base) = self.counted_from;
        self.version = self.version.max(base + (now - since) / WRITTEN_EVERY);
    }

    /// Notes how things stand, for a later restoration.
    pub(crate) fn snapshot(&mut self, now: u64) {
        self.past.push(Snapshot {
            at: now,
            nodes: self.nodes.clone(),
            lease: self.lease.clone(),
            version: self.version,
        });
    }

    /// Back to how things stood then. What watches have seen no longer counts.
    pub(crate) fn restore(&mut self, then: u64, revisions: Revisions, now: u64) {
        let Some(last) = self.past.iter().rposition(|past| past.at <= then) else {
            return;
        };
        // What came later never was.
        self.past.truncate(last + 1);
        let past = &self.past[last];
        self.nodes = past.nodes.clone();
        self.lease = past.lease.clone();
        self.lease_put_back = true;
        self.version = match revisions {
            Revisions::SetBack => past.version,
            Revisions::Bumped => self.version + BUMP,
        };
        self.counted_from = (now, self.version);
    }

    /// How things stood then, if a leader had the lease.
    pub(crate) fn was_led(&self, then: u64) -> bool {
        let past = self.past.iter().rfind(|past| past.at <= then);
        let lease = past.and_then(|past| past.lease.as_ref());
        lease.is_some_and(|lease| !lease.holder.is_empty())
    }
}
