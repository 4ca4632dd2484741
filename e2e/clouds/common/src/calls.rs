//! The log of all calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One call, as it came and as it ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// Numbers calls in the order of their arrival, from 1.
    pub id: u64,
    /// When it arrived, in seconds of the emulator's clock since the start.
    pub received: f64,
    /// The same in seconds of the machine's clock.
    pub received_real: f64,
    /// When it was done or refused, in seconds of the emulator's clock; absent while it is under way.
    pub decided: Option<f64>,
    /// The same in seconds of the machine's clock.
    pub decided_real: Option<f64>,
    /// The action, such as EC2's `CreateRoute` or Compute Engine's `routes.insert`.
    pub action: String,
    /// All parameters, by the names that the API has for them.
    pub parameters: BTreeMap<String, String>,
    /// Who made it: an access key, or a bearer token.
    pub caller: String,
    /// What the client says it is.
    pub user_agent: String,
    /// The client's identifier of what it wants, which its own retries share.
    pub invocation: String,
    /// The HTTP status that was answered, or would have been if the answer was lost.
    pub status: Option<u16>,
    /// The error's code or reason, if it was refused.
    pub error: Option<String>,
    /// The kind of fault that it met.
    pub fault: Option<String>,
    /// The request's body, if bodies are recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_body: Option<String>,
    /// The answer's body, if bodies are recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_body: Option<String>,
}

impl Call {
    /// It only asked whether it would be permitted, which EC2 knows.
    pub fn is_dry_run(&self) -> bool {
        self.parameters.contains_key("DryRun")
    }
}

/// All calls since the start or the last time that the log was emptied.
#[derive(Debug, Default)]
pub struct Calls {
    list: Vec<Call>,
    last: u64,
    /// Whether bodies are recorded.
    pub bodies: bool,
}

impl Calls {
    /// Adds a call, whose number is given to it here and returned.
    pub fn begin(&mut self, call: Call) -> u64 {
        self.last += 1;
        self.list.push(Call {
            id: self.last,
            ..call
        });
        self.last
    }

    /// The call of a number, if the log still has it.
    pub fn get_mut(&mut self, id: u64) -> Option<&mut Call> {
        let index = self.list.binary_search_by_key(&id, |call| call.id).ok()?;
        self.list.get_mut(index)
    }

    /// The calls after the one with this number.
    pub fn after(&self, id: u64) -> &[Call] {
        &self.list[self.list.partition_point(|call| call.id <= id)..]
    }

    /// Empties the log; numbers go on.
    pub fn clear(&mut self) {
        self.list.clear();
    }
}
