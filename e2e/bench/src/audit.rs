//! What the API server saw, from its audit log: the same witness for everybody, with its own clock.
//!
//! A watch would not be: its events are encoded for each encoding that somebody asks for, so one in
//! JSON would cost a program that reads protobuf more than one that reads JSON.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde::Deserialize;

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
    /// Whether this gave a node its pod CIDR (or wrote something else of the node that is no status).
    pub(crate) fn sets_pod_cidr(&self) -> bool {
        self.verb == "patch" && self.resource == "nodes" && self.code == 200
    }
}

/// Reads an audit log from where it was left.
#[derive(Debug)]
pub(crate) struct AuditLog {
    path: PathBuf,
    read: u64,
}

impl AuditLog {
    /// What is written from now on.
    pub(crate) fn from_now(path: &Path) -> Result<Self> {
        let mut log = Self {
            path: path.to_owned(),
            read: 0,
        };
        log.next()?;
        Ok(log)
    }

    /// What has been written since the last time.
    pub(crate) fn next(&mut self) -> Result<Vec<Request>> {
        let reading = || format!("reading {}", self.path.display());
        let mut file = File::open(&self.path).with_context(reading)?;
        file.seek(SeekFrom::Start(self.read))
            .with_context(reading)?;
        let mut text = String::new();
        file.read_to_string(&mut text).with_context(reading)?;
        // The last line may be half written.
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        self.read += text.len() as u64;
        text.lines()
            .filter_map(|line| request(line).transpose())
            .collect()
    }
}

/// `None` for what is about no resource, and for the end of a watch, whose beginning counts.
fn request(line: &str) -> Result<Option<Request>> {
    let event: Event = serde_json::from_str(line).context("reading the audit log")?;
    let Some(object) = event.object_ref else {
        return Ok(None);
    };
    if event.verb == "watch" && event.stage == "ResponseComplete" {
        return Ok(None);
    }
    let mut resource = object.resource;
    if !object.subresource.is_empty() {
        resource = format!("{resource}/{}", object.subresource);
    }
    Ok(Some(Request {
        user: event.user.username,
        verb: event.verb,
        resource,
        name: object.name,
        code: event.response_status.code,
        received: event.request_received_timestamp.0.into(),
        answered: event.stage_timestamp.0.into(),
    }))
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    verb: String,
    user: User,
    #[serde(default)]
    object_ref: Option<ObjectRef>,
    #[serde(default)]
    response_status: Status,
    request_received_timestamp: MicroTime,
    stage_timestamp: MicroTime,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ObjectRef {
    resource: String,
    subresource: String,
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: u16,
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
        let requests: Vec<Request> = lines
            .iter()
            .filter_map(|line| request(line).unwrap())
            .collect();
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
