//! What Signpost's programs asked of the API server, from its audit log.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};
use serde::Deserialize;

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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    verb: String,
    user: User,
    #[serde(default)]
    object_ref: Option<ObjectRef>,
    #[serde(default)]
    response_status: Status,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct ObjectRef {
    resource: String,
    api_group: String,
    subresource: String,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    code: u16,
}

impl Cluster {
    /// Every kind of request that a service account of Signpost's has made so far.
    ///
    /// `account` is [`CONTROLLER`](crate::identity::CONTROLLER) or [`AGENT`](crate::identity::AGENT).
    pub fn audited(&self, account: &str) -> Result<BTreeSet<Access>> {
        let path = self.router().log("audit");
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        accesses(
            &text,
            &format!("system:serviceaccount:{NAMESPACE}:{account}"),
        )
    }
}

fn accesses(log: &str, user: &str) -> Result<BTreeSet<Access>> {
    let mut found = BTreeSet::new();
    // The last line may be half written.
    for line in log
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
    {
        let event: Event = serde_json::from_str(line).context("reading the audit log")?;
        let Some(object) = event.object_ref.filter(|_| event.user.username == user) else {
            continue;
        };
        let subresource = Some(object.subresource).filter(|name| !name.is_empty());
        let parts = std::iter::once(object.resource).chain(subresource);
        found.insert(Access {
            verb: event.verb,
            group: object.api_group,
            resource: parts.collect::<Vec<_>>().join("/"),
            denied: event.response_status.code == 403,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accesses_are_those_of_the_account() {
        let log = concat!(
            r#"{"verb":"patch","user":{"username":"a"},"objectRef":{"resource":"nodes","subresource":"status"},"responseStatus":{"code":403}}"#,
            "\n",
            r#"{"verb":"get","user":{"username":"b"},"objectRef":{"resource":"nodes"}}"#,
            "\n",
            r#"{"verb":"get","user":{"username":"a"},"objectRef":{"resource":"leases","apiGroup":"coordination.k8s.io"}}"#,
        );
        let expected = Access {
            verb: "patch".into(),
            group: String::new(),
            resource: "nodes/status".into(),
            denied: true,
        };
        assert_eq!(accesses(log, "a").unwrap(), BTreeSet::from([expected]));
    }
}
