//! One call of a method: who asks, for what, with which body.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::Refusal;
use crate::faults::FaultKind;
use crate::links;
use crate::methods::Method;
use crate::model::{Begun, Effect, Failure, World};
use crate::permissions::Permissions;

/// What a method has to work with.
pub(crate) struct Request<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) permissions: &'a Permissions,
    pub(crate) method: &'static Method,
    /// Parameters of path and query.
    pub(crate) parameters: &'a BTreeMap<String, String>,
    /// The project's id, also where it was named by its number.
    pub(crate) project: String,
    pub(crate) body: Value,
    /// The token, and the account that it belongs to.
    pub(crate) callers: [&'a str; 2],
    pub(crate) fault: Option<&'a FaultKind>,
    /// What links in answers begin with.
    pub(crate) base: &'a str,
    /// Moments as dates.
    pub(crate) date: &'a dyn Fn(signpost_emulator::Time) -> String,
}

/// The answer of a method, or its refusal.
pub(crate) type Result<T> = std::result::Result<T, Refusal>;

impl Request<'_> {
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// The path of a collection in the scope that the request names.
    pub(crate) fn collection(&self, name: &str) -> String {
        let project = &self.project;
        if let Some(zone) = self.parameters.get("zone") {
            return format!("projects/{project}/zones/{zone}/{name}");
        }
        if let Some(region) = self.parameters.get("region") {
            return format!("projects/{project}/regions/{region}/{name}");
        }
        format!("projects/{project}/global/{name}")
    }

    pub(crate) fn now(&self) -> String {
        (self.date)(self.world.now)
    }

    /// Refuses who may not do this.
    pub(crate) fn permit(&self, permission: &str, path: &str) -> Result<()> {
        let project = links::project(path);
        self.permissions
            .check(self.callers, project, permission, path)
    }

    /// A text of the body; empty if it is not there.
    pub(crate) fn text(&self, member: &str) -> &str {
        self.body[member].as_str().unwrap_or("")
    }

    /// A text of the body that has to be there.
    pub(crate) fn required(&self, member: &str) -> Result<String> {
        match self.text(member) {
            "" => Err(Refusal::required(&format!("resource.{member}"))),
            text => Ok(text.to_owned()),
        }
    }

    /// The path of a resource that is to be created: its name is right and not taken.
    pub(crate) fn fresh(&self, collection: &str) -> Result<String> {
        let name = self.required("name")?;
        if !is_name(&name) {
            let why = "Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'";
            return Err(Refusal::invalid("resource.name", &name, why));
        }
        let path = format!("{}/{name}", self.collection(collection));
        if self.world.get(&path).is_some() || self.world.pending.contains_key(&path) {
            return Err(Refusal::exists(&path));
        }
        Ok(path)
    }

    /// A resource that a path names and that is ready to be used.
    pub(crate) fn ready(&self, path: &str) -> Result<&Value> {
        match (self.world.get(path), self.world.pending.get(path)) {
            (None, Some(_)) => Err(Refusal::not_ready(path)),
            (None, None) => Err(Refusal::not_found(path)),
            (Some(value), _) => Ok(value),
        }
    }

    /// Whether the operation of this request fails on demand.
    pub(crate) fn fails(&self) -> bool {
        matches!(self.fault, Some(FaultKind::OperationFails { .. }))
    }

    /// Begins an operation and shows it.
    pub(crate) fn begin(&mut self, kind: &'static str, target: &str, effect: Effect) -> Value {
        let failure = match self.fault {
            Some(FaultKind::OperationFails { code }) => Some(Failure {
                code: code.clone(),
                message: format!("{code} was asked for."),
                status: status_of(code),
                limit: None,
            }),
            _ => None,
        };
        self.begin_with(kind, target, effect, failure)
    }

    /// Begins an operation that will fail, and shows it.
    pub(crate) fn begin_failing(
        &mut self,
        kind: &'static str,
        target: &str,
        effect: Effect,
        failure: Failure,
    ) -> Value {
        self.begin_with(kind, target, effect, Some(failure))
    }

    fn begin_with(
        &mut self,
        kind: &'static str,
        target: &str,
        effect: Effect,
        failure: Option<Failure>,
    ) -> Value {
        let value = match &effect {
            Effect::Put(resources) => {
                let mut resources = resources.iter();
                resources
                    .find(|(path, _)| path == target)
                    .map(|(_, value)| value)
            }
            _ => self.world.get(target),
        };
        let id = value.and_then(|value| value["id"].as_str());
        let id = id.unwrap_or_default().to_owned();
        let takes = match self.fault {
            Some(FaultKind::OperationTakes { seconds }) => Some(*seconds),
            _ => None,
        };
        let request = self.parameters.get("requestId").cloned();
        let path = self.world.begin(Begun {
            kind,
            target: target.to_owned(),
            id,
            effect,
            failure,
            takes,
            user: self.callers[1].to_owned(),
            request: request.clone(),
        });
        if let Some(request) = request {
            let key = (self.project.clone(), request);
            let asked = self.asked();
            self.world.requests.insert(key, (asked, path.clone()));
        }
        self.show(&path)
    }

    /// An operation as it is now.
    pub(crate) fn show(&self, path: &str) -> Value {
        let operation = self.world.operations.get(path);
        operation.map_or(Value::Null, |operation| {
            operation.show(self.world.now, self.date)
        })
    }

    /// What a request with a `requestId` asks for.
    fn asked(&self) -> String {
        let mut parameters = self.parameters.clone();
        parameters
            .retain(|name, _| !name.starts_with('$') && name != "alt" && name != "prettyPrint");
        format!("{} {parameters:?} {}", self.method.id, self.body)
    }

    /// The operation that an earlier request with the same `requestId` began. "The request ID must be a
    /// valid UUID with the exception that zero UUID is not supported" (discovery document). What another
    /// request with the same id is answered is assumed.
    pub(crate) fn repeated(&self) -> Result<Option<Value>> {
        let Some(id) = self.parameters.get("requestId") else {
            return Ok(None);
        };
        if !is_uuid(id) {
            let why = "Must be a UUID, and not the zero UUID.";
            return Err(Refusal::invalid("requestId", id, why));
        }
        let key = (self.project.clone(), id.clone());
        match self.world.requests.get(&key) {
            Some((asked, path)) if *asked == self.asked() => Ok(Some(self.show(path))),
            Some(_) => {
                let why = "The ID was used by another request.";
                Err(Refusal::invalid("requestId", id, why))
            }
            None => Ok(None),
        }
    }
}

/// The HTTP status of an operation's error.
pub(crate) fn status_of(code: &str) -> u16 {
    match code {
        "QUOTA_EXCEEDED" | "PERMISSIONS_ERROR" => 403,
        "RESOURCE_NOT_FOUND" => 404,
        "RESOURCE_ALREADY_EXISTS" => 409,
        "INTERNAL_ERROR" => 500,
        "ZONE_RESOURCE_POOL_EXHAUSTED" => 503,
        _ => 400,
    }
}

/// `[a-z]([-a-z0-9]{0,61}[a-z0-9])?` (discovery document).
pub(crate) fn is_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.last().is_some_and(|last| letter(*last))
        && bytes.iter().all(|byte| letter(*byte) || *byte == b'-')
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12]
        && text
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
        && text.bytes().any(|byte| byte != b'-' && byte != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_uuids_have_their_form() {
        for name in ["a", "a-b", "a0", &"a".repeat(63)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "A", "0a", "a-", "a_b", "a.b", &"a".repeat(64)] {
            assert!(!is_name(name), "{name}");
        }
        assert!(is_uuid("6f8a9c1e-0000-4000-8000-00000000000a"));
        assert!(!is_uuid("00000000-0000-0000-0000-000000000000"));
        assert!(!is_uuid("6f8a9c1e000040008000-00000000000a"));
    }
}
