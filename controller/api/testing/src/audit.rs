//! The API server's audit log: one JSON object a line, as `audit.k8s.io/v1` names its parts.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde::Deserialize;
use serde_json::Value;

/// One stage of one request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// `ResponseStarted` (long-running requests alone have it), `ResponseComplete`, …
    #[serde(default)]
    pub stage: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, …
    pub verb: String,
    /// Who sent it.
    pub user: AuditUser,
    /// Where it came from, the client itself first.
    #[serde(rename = "sourceIPs", default)]
    pub sources: Vec<String>,
    /// What it was about; none for what is about no resource.
    #[serde(default)]
    pub object_ref: Option<AuditObject>,
    /// How it was answered.
    #[serde(default)]
    pub response_status: AuditStatus,
    /// What was sent, where the policy keeps it.
    #[serde(default)]
    pub request_object: Value,
    /// When it came in.
    pub request_received_timestamp: MicroTime,
    /// When it was at this stage.
    pub stage_timestamp: MicroTime,
}

/// Who sent a request.
#[derive(Clone, Debug, Deserialize)]
pub struct AuditUser {
    /// As RBAC knows it.
    pub username: String,
}

/// What a request was about. What it does not have is empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuditObject {
    /// API group; empty for the core group.
    pub api_group: String,
    /// Plural, such as `nodes`.
    pub resource: String,
    /// Such as `status`.
    pub subresource: String,
    /// Empty for listings.
    pub name: String,
}

impl AuditObject {
    /// The resource as in a role's rule, its subresource after a slash: `nodes/status`.
    pub fn path(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.clone()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }
}

/// How a request was answered.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AuditStatus {
    /// The HTTP status code; 0 if it was not answered.
    pub code: u16,
}

/// Reads an audit log from where it was left.
#[derive(Clone, Debug)]
pub struct AuditLog {
    path: PathBuf,
    offset: u64,
}

impl AuditLog {
    /// Everything that is and will be in the file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { path, offset: 0 }
    }

    /// What is written from now on.
    pub fn from_now(path: &Path) -> Result<Self> {
        let mut log = Self::new(path);
        log.text()?;
        Ok(log)
    }

    /// What has been written since the last time.
    pub fn read(&mut self) -> Result<Vec<AuditEvent>> {
        parse(&self.text()?)
    }

    fn text(&mut self) -> Result<String> {
        let reading = || format!("reading {}", self.path.display());
        let mut file = File::open(&self.path).with_context(reading)?;
        file.seek(SeekFrom::Start(self.offset))
            .with_context(reading)?;
        let mut text = String::new();
        file.read_to_string(&mut text).with_context(reading)?;
        text.truncate(whole_lines(&text).len());
        self.offset += text.len() as u64;
        Ok(text)
    }
}

/// The events in the text of a log.
pub fn parse(text: &str) -> Result<Vec<AuditEvent>> {
    let event =
        |line| serde_json::from_str(line).with_context(|| format!("reading the audit log: {line}"));
    whole_lines(text).lines().map(event).collect()
}

/// The last line may be half written.
fn whole_lines(text: &str) -> &str {
    &text[..text.rfind('\n').map_or(0, |end| end + 1)]
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const TIMES: &str = r#""requestReceivedTimestamp":"2026-01-01T00:00:00.000000Z","stageTimestamp":"2026-01-01T00:00:00.000000Z""#;

    #[test]
    fn lines_are_read_once_and_only_when_they_are_whole() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let line = format!(r#"{{"verb":"get","user":{{"username":"u"}},{TIMES}}}"#);
        let (half, rest) = line.split_at(20);
        write!(file, "{line}\n{line}\n{half}").unwrap();
        let mut log = AuditLog::new(file.path());
        let mut new = AuditLog::from_now(file.path()).unwrap();
        assert_eq!(log.read().unwrap().len(), 2);
        assert!(log.read().unwrap().is_empty());
        writeln!(file, "{rest}").unwrap();
        assert_eq!(log.read().unwrap().len(), 1);
        assert_eq!(new.read().unwrap().len(), 1);
    }

    #[test]
    fn an_object_is_named_as_in_a_rule() {
        let object = |object: &str| {
            let line = format!(
                r#"{{"verb":"get","user":{{"username":"u"}},"objectRef":{object},{TIMES}}}"#
            );
            parse(&format!("{line}\n")).unwrap().remove(0).object_ref
        };
        let status = object(r#"{"resource":"nodes","subresource":"status"}"#).unwrap();
        assert_eq!(status.path(), "nodes/status");
        assert_eq!(object(r#"{"resource":"nodes"}"#).unwrap().path(), "nodes");
        assert!(object("null").is_none());
    }
}
