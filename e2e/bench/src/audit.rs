//! What the API server saw, from its audit log: the same witness for everybody, with its own clock.
//!
//! A watch would not be: its events are encoded for each encoding that somebody asks for, so one in
//! JSON would cost a program that reads protobuf more than one that reads JSON.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use signpost_testing::audit::{self, AuditEvent};

/// Requests of the programs that are measured, and creations of nodes; each when it has been
/// answered.
pub(crate) fn policy(users: &[&str]) -> String {
    serde_json::json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "Panic"],
        "rules": [
            {"level": "Metadata", "users": users},
            {
                "level": "Metadata",
                "verbs": ["create"],
                "resources": [{"group": "", "resources": ["nodes"]}],
            },
            {"level": "None"},
        ],
    })
    .to_string()
}

/// One answered request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Who sent it.
    pub(crate) user: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    pub(crate) verb: String,
    /// Resource, with its subresource after a slash.
    pub(crate) resource: String,
    /// Name of the object; empty for listings.
    pub(crate) name: String,
    /// Status code of the answer.
    pub(crate) code: u16,
    /// When it came in.
    pub(crate) received: SystemTime,
    /// When it was answered; for a watch, when it began or ended.
    pub(crate) answered: SystemTime,
}

impl Request {
    /// Whether this was to give a node its pod CIDR (or to write something else of it that is no
    /// status).
    pub(crate) fn patches_node(&self) -> bool {
        self.verb == "patch" && self.resource == "nodes"
    }

    /// Whether this gave a node its pod CIDR.
    pub(crate) fn sets_pod_cidr(&self) -> bool {
        self.patches_node() && self.code == 200
    }
}

/// Reads an audit log from where it was left.
#[derive(Debug)]
pub(crate) struct AuditLog(audit::AuditLog);

impl AuditLog {
    /// What is written from now on.
    pub(crate) fn from_now(path: &Path) -> Result<Self> {
        audit::AuditLog::from_now(path).map(Self)
    }

    /// What has been written since the last time.
    pub(crate) fn next(&mut self) -> Result<Vec<Request>> {
        Ok(self.0.read()?.into_iter().filter_map(request).collect())
    }
}

/// `None` for what is about no resource, and for the end of a watch, whose beginning counts.
fn request(event: AuditEvent) -> Option<Request> {
    let object = event.object_ref?;
    if event.verb == "watch" && event.stage == "ResponseComplete" {
        return None;
    }
    Some(Request {
        user: event.user.username,
        verb: event.verb,
        resource: object.path(),
        name: object.name,
        code: event.response_status.code,
        received: event.request_received_timestamp.0.into(),
        answered: event.stage_timestamp.0.into(),
    })
}

/// How often something was asked, such as `update leases`.
pub(crate) type Calls = BTreeMap<String, u32>;

/// Counts a request.
pub(crate) fn count(calls: &mut Calls, request: &Request) {
    let call = format!("{} {}", request.verb, request.resource);
    *calls.entry(call).or_default() += 1;
}

/// For people.
pub(crate) fn list(calls: &Calls) -> String {
    let calls: Vec<String> = calls
        .iter()
        .map(|(call, n)| format!("{n} {call}"))
        .collect();
    calls.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_counts_once_and_times_are_kept() {
        let line = |verb: &str, stage: &str| {
            format!(
                r#"{{"stage":"{stage}","verb":"{verb}","user":{{"username":"u"}},"objectRef":{{"resource":"nodes"}},"responseStatus":{{"code":200}},"requestReceivedTimestamp":"2026-01-01T00:00:00.000001Z","stageTimestamp":"2026-01-01T00:00:00.000251Z"}}"#
            )
        };
        let lines = [
            line("watch", "ResponseStarted"),
            line("watch", "ResponseComplete"),
            line("patch", "ResponseComplete"),
        ];
        let events = audit::parse(&(lines.join("\n") + "\n")).unwrap();
        let requests: Vec<Request> = events.into_iter().filter_map(request).collect();
        let expected = [("patch nodes".to_owned(), 1), ("watch nodes".to_owned(), 1)];
        let mut calls = Calls::new();
        for request in &requests {
            count(&mut calls, request);
        }
        assert_eq!(calls, Calls::from(expected));
        assert_eq!(list(&calls), "1 patch nodes, 1 watch nodes");
        assert!(requests[1].sets_pod_cidr());
        let took = requests[1].answered.duration_since(requests[1].received);
        assert_eq!(took.unwrap().as_micros(), 250);
    }
}
