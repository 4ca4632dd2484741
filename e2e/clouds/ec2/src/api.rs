//! One call of the API, from its bytes to its answer or the lack of one.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::{Method, StatusCode};
use signpost_emulator::{Arrival, Call, Outcome, Response, Subject, begin, end, seconds};

use crate::actions::{self, Request};
use crate::core::{Core, State};
use crate::error::Refusal;
use crate::faults::FaultKind;
use crate::protocol::Params;
use crate::xml::{self, Fields};
use crate::{auth, service_quotas};

const VERSION: &str = "2016-11-15";

/// The parameters of the Query protocol: those of the body, or of the URL.
fn parameters(arrival: &Arrival) -> BTreeMap<String, String> {
    let bytes: &[u8] = if arrival.method == Method::GET {
        arrival.query.as_bytes()
    } else {
        &arrival.body
    };
    form_urlencoded::parse(bytes).into_owned().collect()
}

/// Answers a call; nothing if its connection is to end instead.
pub(crate) async fn answer(core: Arc<Core>, arrival: Arrival) -> Option<Response> {
    let quotas = service_quotas::action(arrival.header("x-amz-target"));
    let parameters = match quotas {
        Some(_) => service_quotas::parameters(&arrival.body),
        None => parameters(&arrival),
    };
    let action = match quotas {
        Some(action) => action.to_owned(),
        None => parameters.get("Action").cloned().unwrap_or_default(),
    };
    let caller = auth::caller(&arrival.headers).unwrap_or_default();
    let call = Call {
        action: action.clone(),
        parameters: parameters.clone(),
        caller: caller.access_key.clone(),
        user_agent: arrival.header("user-agent").to_owned(),
        invocation: arrival.header("amz-sdk-invocation-id").to_owned(),
        request_body: Some(String::from_utf8_lossy(&arrival.body).into_owned()),
        ..Call::default()
    };
    let latency = core.with(|state| state.settings.latency);
    let (id, fault) = begin(&core, call, latency).await?;
    let subject = Subject {
        action: &action,
        caller: &caller.access_key,
        parameters: &parameters,
    };

    let request_id = format!("{id:08x}-0000-4000-8000-{id:012x}");
    let decision = core.with(|state| {
        decide(state, &core, &arrival, subject, fault.as_ref()).and_then(|()| {
            state.world.read_behind(match fault {
                Some(FaultKind::Stale { seconds: behind }) => Some(seconds(behind)),
                _ => None,
            });
            if quotas.is_some() {
                service_quotas::get(&state.world, &parameters).map(Decision::Quota)
            } else {
                act(state, &core, &action, &parameters).map(Decision::Fields)
            }
        })
    });
    let refusal = decision.as_ref().err();
    let status = refusal.map_or(StatusCode::OK, |refusal| refusal.status);
    let body = match &decision {
        Ok(Decision::Fields(fields)) => xml::answer(&action, &request_id, fields),
        Ok(Decision::Quota(body)) => body.clone(),
        Err(refusal) if quotas.is_some() => service_quotas::refusal(refusal),
        Err(refusal) => xml::refusal(&request_id, &refusal.code, &refusal.message),
    };
    let outcome = Outcome {
        status: status.as_u16(),
        error: refusal.map(|refusal| refusal.code.as_str()),
        body: &body,
    };
    if !end(&core, id, fault.as_ref(), outcome).await {
        return None;
    }
    let kind = match quotas {
        Some(_) => "application/x-amz-json-1.1",
        None => "text/xml;charset=UTF-8",
    };
    hyper::Response::builder()
        .status(status)
        .header("content-type", kind)
        .header("x-amzn-requestid", request_id)
        .body(body)
        .ok()
}

enum Decision {
    Fields(Fields),
    Quota(String),
}

/// Whether a call may be done at all.
fn decide(
    state: &mut State,
    core: &Core,
    arrival: &Arrival,
    subject: Subject<'_>,
    fault: Option<&FaultKind>,
) -> Result<(), Refusal> {
    auth::check(&arrival.headers, &state.world.region)?;
    let session_token = arrival.header("x-amz-security-token");
    state.metadata.check(subject.caller, session_token)?;
    let role = state.metadata.role_of(subject.caller);
    let account = state.world.account_of(role.unwrap_or(subject.caller));
    state.world.caller = account.to_owned();
    let policy = role
        .and_then(|role| state.policies.get(role))
        .or_else(|| state.policies.get(subject.caller));
    if policy.is_some_and(|of| !of.allows(&state.world, subject.action, subject.parameters)) {
        return Err(actions::unauthorized());
    }
    if let Some(refusal) = fault.and_then(refusal) {
        return Err(refusal);
    }
    // Apart from the action itself nothing narrows such a listing.
    let sweeping = subject.action.starts_with("Describe")
        && subject
            .parameters
            .keys()
            .all(|name| matches!(name.as_str(), "Action" | "Version"));
    if state
        .buckets
        .take(subject.action, sweeping, core.clock.now())
    {
        Ok(())
    } else {
        Err(throttled())
    }
}

fn throttled() -> Refusal {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Refusal::with_status(status, "RequestLimitExceeded", "Request limit exceeded.")
}

/// The refusal of a fault, if it is one that refuses.
fn refusal(fault: &FaultKind) -> Option<Refusal> {
    Some(match fault {
        FaultKind::Throttle => throttled(),
        FaultKind::Error500 => Refusal::with_status(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            "An internal error has occurred",
        ),
        FaultKind::Error { status, code } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_REQUEST);
            Refusal::with_status(status, code, "This was asked for.")
        }
        FaultKind::Unauthorized => actions::unauthorized(),
        FaultKind::Expired => auth::expired(),
        _ => return None,
    })
}

fn act(
    state: &mut State,
    core: &Core,
    name: &str,
    parameters: &BTreeMap<String, String>,
) -> Result<Fields, Refusal> {
    if name.is_empty() {
        let why = "The request is missing an Action parameter";
        return Err(Refusal::client("MissingAction", why));
    }
    let action = actions::find(name).ok_or_else(|| {
        let why = format!("The action {name} is not valid for this web service.");
        Refusal::client("InvalidAction", why)
    })?;
    if parameters.get("Version").map(String::as_str) != Some(VERSION) {
        let why = format!("The action {name} is valid for version {VERSION} of this web service.");
        return Err(Refusal::client("InvalidAction", why));
    }
    let token = parameters
        .get("ClientToken")
        .filter(|token| !token.is_empty());
    let token = token.map(|token| (state.world.caller.clone(), name.to_owned(), token.clone()));
    if let Some((before, fields)) = token.as_ref().and_then(|token| state.tokens.get(token)) {
        if before == parameters {
            return Ok(fields.clone());
        }
        let why = "The parameters differ from those of the request that used this client token.";
        return Err(Refusal::client("IdempotentParameterMismatch", why));
    }
    actions::check_sharing(&state.world, name, parameters)?;
    let params = Params::new(parameters.clone());
    let fields = action(&mut Request {
        params,
        world: &mut state.world,
        clock: &core.clock,
    })?;
    if let Some(token) = token {
        state
            .tokens
            .insert(token, (parameters.clone(), fields.clone()));
    }
    Ok(fields)
}
