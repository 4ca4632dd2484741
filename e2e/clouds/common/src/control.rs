//! The control path: settings, faults, the log of calls and the state, as JSON below `/_control`.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::core::{Core, World};
use crate::faults::{Fault, Kind};
use crate::server::{Arrival, Response};

/// How long a request for a newer state is kept waiting unless it says otherwise.
const WAIT: Duration = Duration::from_secs(30);

/// What is answered, or the status and the reason of a refusal.
pub type Answer = Result<Value, (StatusCode, String)>;

/// What the control path of one emulator has of its own.
pub trait Controlled {
    /// Its world.
    type World: World;
    /// Its kinds of faults.
    type Kind: Kind + Serialize + DeserializeOwned;

    /// What all parts share.
    fn core(&self) -> &Core<Self::World, Self::Kind>;

    /// The true state.
    fn state(&self) -> Answer;

    /// The names of all actions.
    fn actions(&self) -> Vec<&'static str>;

    /// The settings in force.
    fn settings(&self) -> Answer;

    /// Changes settings, and gives those in force then.
    fn change(&self, change: &Value) -> Answer;

    /// What else there is: requests and what they do.
    fn others(&self) -> Vec<(&'static str, &'static str)>;

    /// Answers one of those; nothing if there is none such.
    fn other(&self, method: &str, path: &str, body: &[u8]) -> Option<Answer>;
}

/// Answers a request; `path` is what comes after `/_control`.
pub async fn answer<C: Controlled + Sync>(emulator: &C, path: &str, arrival: &Arrival) -> Response {
    let query: BTreeMap<String, String> = form_urlencoded::parse(arrival.query.as_bytes())
        .into_owned()
        .collect();
    let answer = match (arrival.method.as_str(), path.trim_matches('/')) {
        ("GET", "") => Ok(index(emulator)),
        ("GET", "state") => state(emulator, &query).await,
        (method, path) => act(emulator, method, path, &query, &arrival.body),
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

fn index<C: Controlled>(emulator: &C) -> Value {
    let common = [
        (
            "GET /_control/state?since=VERSION&wait=SECONDS",
            "the true state; waits for one newer than VERSION",
        ),
        (
            "GET /_control/calls?after=ID&action=NAME",
            "the log of calls",
        ),
        ("DELETE /_control/calls", "empties the log"),
        (
            "GET|POST|DELETE /_control/faults",
            "faults in force; a new one; none any more",
        ),
        ("DELETE /_control/faults/NUMBER", "ends one fault"),
        ("GET /_control/actions", "the actions that there are"),
        (
            "GET|PATCH /_control/settings",
            "rates, quotas, latency, speed and the rest",
        ),
    ];
    let all = common.into_iter().chain(emulator.others());
    Value::Object(
        all.map(|(request, what)| (request.to_owned(), what.into()))
            .collect(),
    )
}

/// A value as JSON.
pub fn to_value(value: &impl Serialize) -> Answer {
    serde_json::to_value(value)
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

/// The refusal of what a client asked for.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands errors over")]
pub fn bad(error: impl ToString) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, error.to_string())
}

/// What a body says.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, (StatusCode, String)> {
    serde_json::from_slice(body).map_err(bad)
}

fn act<C: Controlled>(
    emulator: &C,
    method: &str,
    path: &str,
    query: &BTreeMap<String, String>,
    body: &[u8],
) -> Answer {
    let core = emulator.core();
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
            let fault: Fault<C::Kind> = parse(body)?;
            fault.check().map_err(bad)?;
            Ok(json!({"number": core.faults().add(fault)}))
        }
        ("DELETE", "faults") => {
            core.faults().clear();
            Ok(json!({}))
        }
        ("GET", "actions") => Ok(emulator.actions().into_iter().collect()),
        ("GET", "settings") => emulator.settings(),
        ("PATCH", "settings") => emulator.change(&parse(body)?),
        (method, path) => {
            if let Some(answer) = emulator.other(method, path, body) {
                return answer;
            }
            match path.strip_prefix("faults/").map(str::parse) {
                Some(number) if method == "DELETE" => match number {
                    Ok(number) if core.faults().remove(number) => Ok(json!({})),
                    _ => Err((StatusCode::NOT_FOUND, "no such fault".to_owned())),
                },
                _ => Err((StatusCode::NOT_FOUND, "see GET /_control".to_owned())),
            }
        }
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

fn calls<W: World, K: Kind>(core: &Core<W, K>, query: &BTreeMap<String, String>) -> Answer {
    let after = number(query, "after")?.unwrap_or(0);
    let action = query.get("action");
    let calls = core.calls();
    let wanted = calls
        .after(after)
        .iter()
        .filter(|call| action.is_none_or(|of| *of == call.action));
    to_value(&wanted.collect::<Vec<_>>())
}

async fn state<C: Controlled>(emulator: &C, query: &BTreeMap<String, String>) -> Answer {
    if let Some(since) = number::<u64>(query, "since")? {
        let wait = number::<f64>(query, "wait")?;
        let wait = wait
            .map(Duration::try_from_secs_f64)
            .transpose()
            .map_err(bad)?;
        let newer = emulator.core().changed(since);
        // Without a newer one the old state is answered.
        let _ = tokio::time::timeout(wait.unwrap_or(WAIT), newer).await;
    }
    emulator.state()
}
