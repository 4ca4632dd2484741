//! The control path: settings, faults, the log of calls and the state, as JSON below `/_control`.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::{Method, Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::actions;
use crate::core::Core;
use crate::faults::Fault;
use crate::policy::Policy;
use crate::snapshot::Snapshot;

/// How long a request for a newer state is kept waiting unless it says otherwise.
const WAIT: Duration = Duration::from_secs(30);

type Answer = Result<Value, (StatusCode, String)>;

/// Answers a request; `path` is what comes after `/_control`.
pub(crate) async fn answer(
    core: &Core,
    method: &Method,
    path: &str,
    query: &str,
    body: &[u8],
) -> Response<String> {
    let query: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let answer = match (method.as_str(), path.trim_matches('/')) {
        ("GET", "") => Ok(index()),
        ("GET", "state") => state(core, &query).await,
        (method, path) => act(core, method, path, &query, body),
    };
    let (status, value) = match answer {
        Ok(value) => (StatusCode::OK, value),
        Err((status, error)) => (status, json!({"error": error})),
    };
    let mut response = Response::new(format!("{value}\n"));
    *response.status_mut() = status;
    let kind = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", kind);
    response
}

fn index() -> Value {
    json!({
        "GET /_control/state?since=VERSION&wait=SECONDS": "the true state; waits for one newer than VERSION",
        "GET /_control/calls?after=ID&action=NAME": "the log of calls",
        "DELETE /_control/calls": "empties the log",
        "GET|POST|DELETE /_control/faults": "faults in force; a new one; none any more",
        "DELETE /_control/faults/NUMBER": "ends one fault",
        "GET /_control/actions": "the actions that there are",
        "GET|PATCH /_control/settings": "rates, quotas, propagation, latency, speed and the rest",
        "POST /_control/buckets/fill": "fills all buckets",
        "GET|PUT /_control/policies": "IAM policies by access key or role; callers without one may do everything",
        "GET|PUT /_control/imds": "whose metadata are served",
    })
}

fn to_value(value: &impl Serialize) -> Answer {
    serde_json::to_value(value)
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands errors over")]
fn bad(error: impl ToString) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, error.to_string())
}

fn act(
    core: &Core,
    method: &str,
    path: &str,
    query: &BTreeMap<String, String>,
    body: &[u8],
) -> Answer {
    match (method, path) {
        ("GET", "calls") => calls(core, query),
        ("DELETE", "calls") => {
            core.calls().clear();
            Ok(json!({}))
        }
        ("GET", "faults") => {
            let faults = core.faults();
            let list = faults
                .list()
                .iter()
                .map(|(number, fault)| json!({"number": number, "fault": fault}));
            Ok(list.collect())
        }
        ("POST", "faults") => {
            let fault: Fault = serde_json::from_slice(body).map_err(bad)?;
            fault.check().map_err(bad)?;
            Ok(json!({"number": core.faults().add(fault)}))
        }
        ("DELETE", "faults") => {
            core.faults().clear();
            Ok(json!({}))
        }
        ("GET", "actions") => Ok(actions::names().collect()),
        ("GET", "settings") => to_value(&core.with(|state| state.settings.clone())),
        ("PATCH", "settings") => {
            let change: Value = serde_json::from_slice(body).map_err(bad)?;
            let settings = core.with(|state| state.settings.clone());
            let settings = settings.merged(&change).map_err(bad)?;
            core.apply(settings.clone());
            to_value(&settings)
        }
        ("POST", "buckets/fill") => {
            core.with(|state| state.buckets.fill());
            Ok(json!({}))
        }
        ("GET", "policies") => to_value(&core.with(|state| state.policies.clone())),
        ("PUT", "policies") => {
            let policies: BTreeMap<String, Policy> = serde_json::from_slice(body).map_err(bad)?;
            policies.values().try_for_each(Policy::check).map_err(bad)?;
            core.with(|state| state.policies = policies);
            Ok(json!({}))
        }
        ("GET", "imds") => to_value(&core.with(|state| state.metadata.identity.clone())),
        ("PUT", "imds") => {
            let identity = serde_json::from_slice(body).map_err(bad)?;
            core.with(|state| state.metadata.set(identity));
            Ok(json!({}))
        }
        ("DELETE", path) => match path.strip_prefix("faults/").map(str::parse) {
            Some(Ok(number)) if core.faults().remove(number) => Ok(json!({})),
            _ => Err((StatusCode::NOT_FOUND, "no such fault".to_owned())),
        },
        _ => Err((StatusCode::NOT_FOUND, "see GET /_control".to_owned())),
    }
}

fn number<T: std::str::FromStr>(
    query: &BTreeMap<String, String>,
    name: &str,
) -> Result<Option<T>, (StatusCode, String)> {
    let parse = |text: &String| {
        text.parse()
            .map_err(|_| bad(format!("{name}={text}: not a number")))
    };
    query.get(name).map(parse).transpose()
}

fn calls(core: &Core, query: &BTreeMap<String, String>) -> Answer {
    let after = number(query, "after")?.unwrap_or(0);
    let action = query.get("action");
    let calls = core.calls();
    let wanted = calls
        .after(after)
        .iter()
        .filter(|call| action.is_none_or(|of| *of == call.action));
    to_value(&wanted.collect::<Vec<_>>())
}

async fn state(core: &Core, query: &BTreeMap<String, String>) -> Answer {
    if let Some(since) = number::<u64>(query, "since")? {
        let wait = number::<f64>(query, "wait")?;
        let wait = wait
            .map(Duration::try_from_secs_f64)
            .transpose()
            .map_err(bad)?;
        let mut version = core.version();
        let newer = version.wait_for(|version| *version > since);
        // Without a newer one the old state is answered.
        let _ = tokio::time::timeout(wait.unwrap_or(WAIT), newer).await;
    }
    to_value(&core.with(|state| Snapshot::of(&state.world)))
}
