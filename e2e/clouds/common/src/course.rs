//! The course of one call: into the log, through its delays and faults, and to its answer or none.

use crate::calls::Call;
use crate::core::{Core, World};
use crate::faults::{Course, Kind, Subject};
use crate::settings::seconds;

/// How a call was decided.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The error's code or reason, if it was refused.
    pub error: Option<&'a str>,
    /// The answer's body.
    pub body: &'a str,
}

/// Logs a call and waits until it is its turn to be decided. Gives its number and the fault that it
/// meets; nothing if its connection is to end before that. `call` says what is known of it beyond its
/// times, `latency` is in seconds of the emulator's clock.
pub async fn begin<W: World, K: Kind>(
    core: &Core<W, K>,
    call: Call,
    latency: f64,
) -> Option<(u64, Option<K>)> {
    let subject = Subject {
        action: &call.action,
        caller: &call.caller,
        parameters: &call.parameters,
    };
    let fault = core.faults().strike(subject);
    let course = fault.as_ref().map_or(Course::Undisturbed, Kind::course);
    let id = {
        let mut calls = core.calls();
        let request_body = call.request_body.filter(|_| calls.bodies);
        calls.begin(Call {
            received: core.clock.now().as_secs_f64(),
            received_real: core.clock.real().as_secs_f64(),
            fault: fault.as_ref().map(|fault| fault.name().to_owned()),
            request_body,
            ..call
        })
    };
    let before = match course {
        Course::ResetBefore => {
            decided(core, id, None);
            return None;
        }
        Course::Slow(seconds) => latency + seconds,
        _ => latency,
    };
    core.clock.until(core.clock.now() + seconds(before)).await;
    Some((id, fault))
}

/// Logs how a call was decided and waits as long as its fault wants. False if its answer is lost.
pub async fn end<W: World, K: Kind>(
    core: &Core<W, K>,
    id: u64,
    fault: Option<&K>,
    outcome: Outcome<'_>,
) -> bool {
    decided(core, id, Some(outcome));
    match fault.map_or(Course::Undisturbed, Kind::course) {
        Course::LostAfterCommit => return false,
        Course::SlowAnswer(delay) => core.clock.until(core.clock.now() + seconds(delay)).await,
        _ => {}
    }
    true
}

fn decided<W: World, K: Kind>(core: &Core<W, K>, id: u64, outcome: Option<Outcome<'_>>) {
    let mut calls = core.calls();
    let bodies = calls.bodies;
    // The log may have been emptied meanwhile.
    let Some(call) = calls.get_mut(id) else {
        return;
    };
    call.decided = Some(core.clock.now().as_secs_f64());
    call.decided_real = Some(core.clock.real().as_secs_f64());
    if let Some(outcome) = outcome {
        call.status = Some(outcome.status);
        call.error = outcome.error.map(str::to_owned);
        call.response_body = Some(outcome.body.to_owned()).filter(|_| bodies);
    }
}
