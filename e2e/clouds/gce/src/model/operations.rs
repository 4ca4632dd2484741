//! Operations: what was accepted and takes effect later.

use serde_json::{Value, json};
use signpost_emulator::Time;

use super::World;
use crate::error::Refusal;
use crate::links;

/// How far an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pending,
    Running,
    Done,
}

/// An operation.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// What does not change about it.
    fixed: Value,
    begins: Time,
    ends: Time,
    /// What happens in the end; nothing once that has happened.
    effect: Option<Effect>,
    failure: Option<Failure>,
}

/// What an operation does in the end.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    /// Resources are there, or there in another form.
    Put(Vec<(String, Value)>),
    /// Resources are gone.
    Remove(Vec<String>),
    /// An instance has another status.
    Status(&'static str),
}

/// Why an operation fails: code, message and HTTP status, and a quota's metric and limit.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) status: u16,
    pub(crate) limit: Option<(&'static str, usize)>,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self {
            code: refusal.code(),
            status: refusal.status.as_u16(),
            limit: refusal.limit,
            message: refusal.message,
        }
    }
}

impl Failure {
    /// The member of an operation's `error.errors`. Quotas have details: "metric name =
    /// compute.googleapis.com/networks, limit name = NETWORKS-per-project"
    /// (fortinet/fortigate-tutorial-gcp 9).
    fn show(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some((metric, limit)) = self.limit {
            error["errorDetails"] = json!([{"quotaInfo": {
                "metricName": format!("compute.googleapis.com/{}", metric.to_lowercase()),
                "limitName": format!("{}-per-project", metric.replace('_', "-")),
                "limit": limit,
                "dimensions": {"global": "global"},
            }}]);
        }
        error
    }
}

/// What is going on with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pending {
    Insert,
    Update,
    Delete,
}

/// An operation that begins.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    /// As the API writes it: `insert`, `delete`, `update`, `stop`, `start`.
    pub(crate) kind: &'static str,
    /// The path of the resource that is concerned, and its number.
    pub(crate) target: String,
    pub(crate) id: String,
    pub(crate) effect: Effect,
    pub(crate) failure: Option<Failure>,
    /// Seconds that it takes, instead of those that are set.
    pub(crate) takes: Option<f64>,
    /// Who asked for it, and the moment as a date.
    pub(crate) user: String,
    pub(crate) request: Option<String>,
}

impl Operation {
    fn state(&self, now: Time) -> State {
        if self.effect.is_none() {
            State::Done
        } else if now >= self.begins {
            State::Running
        } else {
            State::Pending
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.effect.is_none()
    }

    /// The path of the resource that is concerned.
    pub(crate) fn target(&self) -> &str {
        self.fixed["targetLink"].as_str().unwrap_or_default()
    }

    /// As it is shown.
    pub(crate) fn show(&self, now: Time, date: impl Fn(Time) -> String) -> Value {
        let mut value = self.fixed.clone();
        let inserted = value["insertTime"].as_f64().unwrap_or_default();
        value["insertTime"] = date(Time::from_secs_f64(inserted)).into();
        let state = self.state(now);
        value["status"] = match state {
            State::Pending => "PENDING",
            State::Running => "RUNNING",
            State::Done => "DONE",
        }
        .into();
        value["progress"] = if state == State::Done { 100 } else { 0 }.into();
        if state != State::Pending {
            value["startTime"] = date(self.begins.min(now)).into();
        }
        if state == State::Done {
            value["endTime"] = date(self.ends).into();
            if let Some(failure) = &self.failure {
                value["error"] = json!({"errors": [failure.show()]});
                value["httpErrorStatusCode"] = failure.status.into();
                let status = hyper::StatusCode::from_u16(failure.status).ok();
                let reason = status.and_then(|status| status.canonical_reason());
                value["httpErrorMessage"] = reason.unwrap_or("Error").to_uppercase().into();
            }
        }
        value
    }
}

impl World {
    /// Begins an operation, which takes effect later, and gives its path.
    pub(crate) fn begin(&mut self, begun: Begun) -> String {
        let [least, most] = self.settings.operations;
        let takes = begun
            .takes
            .unwrap_or_else(|| least + (most - least) * self.random.f64());
        let ends = self.now + signpost_emulator::seconds(takes);
        let begins = self.now + self.part(takes / 4.0);
        let project = links::project(&begun.target).to_owned();
        let scope = links::scope(&begun.target);
        let name = format!(
            "operation-{}-{}-{}-{}",
            1_700_000_000_000 + self.now.as_millis(),
            self.hex(13),
            self.hex(8),
            self.hex(8)
        );
        let path = format!("projects/{project}/{scope}/operations/{name}");
        let mut fixed = json!({
            "kind": "compute#operation",
            "id": self.number(),
            "name": name,
            "operationType": begun.kind,
            "targetLink": begun.target,
            "targetId": begun.id,
            "user": begun.user,
            "insertTime": self.now.as_secs_f64(),
            "selfLink": path,
        });
        if let Some((kind, _)) = scope.split_once('/') {
            let kind = kind.trim_end_matches('s');
            fixed[kind] = format!("projects/{project}/{scope}").into();
        }
        if let Some(request) = &begun.request {
            fixed["clientOperationId"] = request.as_str().into();
        }
        let pending = match begun.kind {
            "insert" => Pending::Insert,
            "delete" => Pending::Delete,
            _ => Pending::Update,
        };
        self.pending.insert(begun.target, pending);
        let operation = Operation {
            fixed,
            begins,
            ends,
            effect: Some(begun.effect),
            failure: begun.failure,
        };
        self.operations.insert(path.clone(), operation);
        self.events += 1;
        self.due.insert((ends, self.events), path.clone());
        self.changes += 1;
        path
    }

    /// Lets everything happen that is due until `now`.
    pub(crate) fn advance(&mut self, now: Time) {
        while let Some(entry) = self.due.first_entry() {
            let at = entry.key().0;
            if at > now {
                break;
            }
            let path = entry.remove();
            self.now = self.now.max(at);
            self.finish(&path);
        }
        self.now = self.now.max(now);
    }

    /// When something happens by itself.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    fn finish(&mut self, path: &str) {
        let Some(operation) = self.operations.get_mut(path) else {
            return;
        };
        let (effect, failed) = (operation.effect.take(), operation.failure.is_some());
        let target = operation.target().to_owned();
        let was = self.pending.remove(&target);
        self.changes += 1;
        match effect {
            // An instance is there from the beginning, and goes if it cannot be made after all.
            _ if failed && was == Some(Pending::Insert) => self.remove(&target),
            _ if failed => {}
            Some(Effect::Put(resources)) => {
                for (path, value) in resources {
                    self.put(&path, value);
                }
            }
            Some(Effect::Remove(paths)) => {
                for path in paths {
                    self.remove(&path);
                }
            }
            Some(Effect::Status(status)) => self.set(&target, "status", status.into()),
            None => {}
        }
    }

    /// The resources of a collection, such as `routes`, that are being created.
    pub(crate) fn creating<'a>(
        &'a self,
        collection: &'a str,
    ) -> impl Iterator<Item = &'a (String, Value)> {
        let open = self.operations.values().filter(|of| of.failure.is_none());
        open.filter_map(|operation| match &operation.effect {
            Some(Effect::Put(resources)) => Some(resources),
            _ => None,
        })
        .flatten()
        .filter(move |(path, _)| links::is_of(path, collection) && self.get(path).is_none())
    }

    /// Forgets an operation that is done.
    pub(crate) fn forget(&mut self, path: &str) {
        self.operations.remove(path);
        self.changes += 1;
    }
}
