//! One call of the API, from its bytes to its answer or the lack of one.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::StatusCode;
use serde_json::Value;
use signpost_emulator::{Arrival, Call, Outcome, Response, Time, begin, end, seconds};

use crate::actions::operations;
use crate::core::{Core, State, date};
use crate::error::Refusal;
use crate::faults::FaultKind;
use crate::links;
use crate::mask;
use crate::methods::{self, Method, Run};
use crate::rates;
use crate::request::{Request, Result};

/// Where the methods are.
pub(crate) const BASE: &str = "/compute/v1/";

/// A call that was understood so far.
struct Asked {
    method: Option<&'static Method>,
    /// Parameters of path and query, and the name in the body.
    parameters: BTreeMap<String, String>,
    /// The names of those in the query.
    queried: Vec<String>,
    /// What the body says, or that it is no JSON.
    body: std::result::Result<Value, ()>,
    token: String,
    base: String,
}

impl Asked {
    fn read(arrival: &Arrival) -> Self {
        let query: BTreeMap<String, String> = form_urlencoded::parse(arrival.query.as_bytes())
            .into_owned()
            .collect();
        let bearer = arrival.header("authorization");
        let token = bearer
            .strip_prefix("Bearer ")
            .or(query.get("access_token").map(String::as_str));
        let token = token.unwrap_or_default().to_owned();
        let body = if arrival.body.is_empty() {
            Ok(Value::Null)
        } else {
            serde_json::from_slice(&arrival.body).map_err(|_| ())
        };
        let rest = arrival.path.strip_prefix(BASE).unwrap_or_default();
        let rest = rest.strip_prefix("projects/").unwrap_or_default();
        let (project, path) = rest.split_once('/').unwrap_or((rest, ""));
        let found = methods::find(arrival.method.as_str(), path).filter(|_| !project.is_empty());
        let (method, mut parameters) = found.map_or((None, BTreeMap::new()), |(method, path)| {
            (Some(method), path)
        });
        let queried = query.keys().cloned().collect();
        parameters.extend(query);
        parameters.insert("project".to_owned(), project.to_owned());
        if let Some(name) = body.as_ref().ok().and_then(|body| body["name"].as_str()) {
            parameters
                .entry("name".to_owned())
                .or_insert(name.to_owned());
        }
        Self {
            method,
            parameters,
            queried,
            body,
            token,
            base: format!("http://{}{BASE}", arrival.header("host")),
        }
    }

    fn method(&self) -> Result<&'static Method> {
        let method = self
            .method
            .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "notFound", "Not Found"))?;
        if let Some(name) = self.queried.iter().find(|name| !method.takes(name)) {
            let message = format!(
                "Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query parameter. Field '{name}' could not be found in request message."
            );
            return Err(Refusal::bad(message));
        }
        for name in ["alt", "$alt"] {
            if let Some(text) = self.parameters.get(name).filter(|alt| *alt != "json") {
                return Err(Refusal::invalid(name, text, "Only json is answered here."));
            }
        }
        Ok(method)
    }

    /// Where the quota of a call lies: in a region, or nowhere for global methods.
    fn place(&self) -> &str {
        let zone = self
            .parameters
            .get("zone")
            .map(|zone| links::region_of(zone));
        let region = self.parameters.get("region").map(String::as_str);
        zone.or(region).unwrap_or_default()
    }

    /// Whether a call may be done at all, and the project that it is about.
    fn admit(&self, state: &mut State, fault: Option<&FaultKind>) -> Result<String> {
        if self.token.is_empty() && state.world.settings.tokens {
            return Err(Refusal::unauthenticated());
        }
        state.tokens.check(&self.token)?;
        let method = self.method()?;
        if let Some(refusal) = fault.and_then(|fault| refused(fault, method, &self.parameters)) {
            return Err(refusal);
        }
        let name = &self.parameters["project"];
        let project = state.world.project(name).map(str::to_owned);
        let project = project.ok_or_else(|| Refusal::not_found(&format!("projects/{name}")))?;
        let group = rates::group(method.id);
        let limits = &state.world.settings.rate_overrides;
        let fits = state
            .rates
            .take(&project, self.place(), group, limits, state.world.now);
        if !fits && state.world.settings.rates {
            let number = state.world.projects[&project];
            return Err(Refusal::rate(group, number));
        }
        if self.body.is_err() {
            let message = "Parse Error";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "parseError", message));
        }
        Ok(project)
    }

    /// Does a part of a call under the lock.
    fn on<T>(
        &self,
        state: &mut State,
        core: &Core,
        project: String,
        fault: Option<&FaultKind>,
        work: impl FnOnce(&mut Request<'_>) -> Result<T>,
    ) -> Result<T> {
        let method = self.method()?;
        state.world.read_behind(match fault {
            Some(FaultKind::Stale { seconds: behind }) => Some(seconds(*behind)),
            _ => None,
        });
        let account = state.tokens.account(&self.token);
        let date = |time: Time| date(core, time);
        work(&mut Request {
            world: &mut state.world,
            permissions: &state.permissions,
            method,
            parameters: &self.parameters,
            project,
            body: self.body.clone().unwrap_or_default(),
            callers: [&self.token, &account],
            fault,
            base: &self.base,
            date: &date,
        })
    }

    async fn decide(&self, core: &Core, fault: Option<&FaultKind>) -> Result<Value> {
        let project = core.with(|state| self.admit(state, fault))?;
        if let Run::Now(run) = self.method()?.run {
            return core.with(|state| self.on(state, core, project, fault, run));
        }
        let (path, wait) = core.with(|state| {
            let wait = seconds(state.world.settings.wait);
            let path = self.on(state, core, project.clone(), fault, |request| {
                operations::find(request)
            });
            path.map(|path| (path, wait))
        })?;
        let deadline = core.clock.now() + wait;
        let mut version = core.version();
        loop {
            version.borrow_and_update();
            let waiting = core.with(|state| {
                let operation = state.world.operations.get(&path);
                operation.is_some_and(|operation| !operation.is_done())
            });
            if !waiting || core.clock.now() >= deadline {
                break;
            }
            tokio::select! {
                () = core.clock.until(deadline) => {}
                changed = version.changed() => if changed.is_err() { break },
            }
        }
        core.with(|state| self.on(state, core, project, fault, operations::get))
    }
}

/// The refusal of a fault, if it is one that refuses.
fn refused(
    fault: &FaultKind,
    method: &Method,
    parameters: &BTreeMap<String, String>,
) -> Option<Refusal> {
    Some(match fault {
        FaultKind::Throttle => Refusal::rate(rates::group(method.id), 100_000_000_001),
        FaultKind::Error500 => Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "backendError",
            "Internal error. Please try again or contact Google Support.",
        ),
        FaultKind::Error503 => Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "backendError",
            "The service is currently unavailable.",
        ),
        FaultKind::Error { status, reason } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_REQUEST);
            Refusal::new(status, reason, "This was asked for.")
        }
        FaultKind::Forbidden => {
            let project = parameters.get("project").map_or("", String::as_str);
            let permission = format!("compute.{}", method.id);
            Refusal::forbidden(&permission, &format!("projects/{project}"))
        }
        FaultKind::Unauthenticated => Refusal::unauthenticated(),
        FaultKind::Busy => Refusal::bad(
            "There is a peering operation in progress on the local or peer network. Try again later.",
        ),
        _ => return None,
    })
}

/// Answers a call; nothing if its connection is to end instead.
pub(crate) async fn answer(core: Arc<Core>, arrival: Arrival) -> Option<Response> {
    let asked = Asked::read(&arrival);
    let call = Call {
        action: asked.method.map_or("", |method| method.id).to_owned(),
        parameters: asked.parameters.clone(),
        caller: asked.token.clone(),
        user_agent: arrival.header("user-agent").to_owned(),
        invocation: asked
            .parameters
            .get("requestId")
            .cloned()
            .unwrap_or_default(),
        request_body: Some(String::from_utf8_lossy(&arrival.body).into_owned()),
        ..Call::default()
    };
    let latency = core.with(|state| state.world.settings.latency);
    let (id, fault) = begin(&core, call, latency).await?;
    let decision = asked.decide(&core, fault.as_ref()).await;
    let status = match &decision {
        Ok(Value::Null) => StatusCode::NO_CONTENT,
        Ok(_) => StatusCode::OK,
        Err(refusal) => refusal.status,
    };
    let mut error = None;
    let body = match decision {
        Ok(Value::Null) => String::new(),
        Ok(mut value) => {
            links::render(&mut value, &asked.base);
            if let Some(fields) = asked.parameters.get("fields") {
                value = mask::apply(fields, value);
            }
            value.to_string()
        }
        Err(refusal) => {
            let details = core.with(|state| state.world.settings.error_info);
            let body = refusal.body(details).to_string();
            error = Some(refusal.reason);
            body
        }
    };
    let outcome = Outcome {
        status: status.as_u16(),
        error: error.as_deref(),
        body: &body,
    };
    if !end(&core, id, fault.as_ref(), outcome).await {
        return None;
    }
    hyper::Response::builder()
        .status(status)
        .header("content-type", "application/json; charset=UTF-8")
        .body(body)
        .ok()
}
