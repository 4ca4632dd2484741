//! What Signpost's programs asked of the API server, from its audit log.

use std::collections::BTreeSet;

use anyhow::Result;
use signpost_testing::audit::{AuditEvent, AuditLog};

use crate::cluster::Cluster;
use crate::identity::NAMESPACE;

/// A kind of request: what a rule of a role grants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, …
    pub verb: String,
    /// API group; empty for the core group.
    pub group: String,
    /// Resource, with its subresource after a slash: `nodes/status`.
    pub resource: String,
    /// Whether the API server refused it for want of rights.
    pub denied: bool,
}

impl Cluster {
    /// Every kind of request that a service account of Signpost's has made so far.
    ///
    /// `account` is [`CONTROLLER`](crate::identity::CONTROLLER) or [`AGENT`](crate::identity::AGENT).
    pub fn audited(&self, account: &str) -> Result<BTreeSet<Access>> {
        let events = AuditLog::new(self.router().log("audit")).read()?;
        let user = format!("system:serviceaccount:{NAMESPACE}:{account}");
        Ok(accesses(events, &user))
    }
}

fn accesses(events: Vec<AuditEvent>, user: &str) -> BTreeSet<Access> {
    let own = events
        .into_iter()
        .filter(|event| event.user.username == user);
    own.filter_map(|event| {
        let object = event.object_ref?;
        Some(Access {
            verb: event.verb,
            resource: object.path(),
            group: object.api_group,
            denied: event.response_status.code == 403,
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use signpost_testing::audit;

    use super::*;

    #[test]
    fn accesses_are_those_of_the_account() {
        let line = |event: &str| {
            let time = "2026-01-01T00:00:00.000000Z";
            format!(r#"{{{event},"requestReceivedTimestamp":"{time}","stageTimestamp":"{time}"}}"#)
        };
        let log = [
            line(
                r#""verb":"patch","user":{"username":"a"},"objectRef":{"resource":"nodes","subresource":"status"},"responseStatus":{"code":403}"#,
            ),
            line(r#""verb":"get","user":{"username":"b"},"objectRef":{"resource":"nodes"}"#),
            // Half written.
            line(
                r#""verb":"get","user":{"username":"a"},"objectRef":{"resource":"leases","apiGroup":"coordination.k8s.io"}"#,
            ),
        ];
        let events = audit::parse(&log.join("\n")).unwrap();
        let expected = Access {
            verb: "patch".into(),
            group: String::new(),
            resource: "nodes/status".into(),
            denied: true,
        };
        assert_eq!(accesses(events, "a"), BTreeSet::from([expected]));
    }
}
