//! Requests to change something, put together before they are sent, so that several can be sent at once.

use netlink_packet_route::RouteNetlinkMessage;

use crate::error::Result;
use crate::socket::Socket;

/// A request to change something. What it asks for stands in the file of its subject.
#[derive(Clone, Debug)]
pub struct Request {
    message: RouteNetlinkMessage,
    flags: u16,
    operation: String,
}

impl Request {
    /// A message with the flags that it takes beside `NLM_F_REQUEST`, and what it does, as errors call it.
    pub(crate) fn new(
        message: RouteNetlinkMessage,
        flags: u16,
        operation: impl Into<String>,
    ) -> Self {
        Self {
            message,
            flags,
            operation: operation.into(),
        }
    }

    pub(crate) fn during(mut self, operation: impl Into<String>) -> Self {
        self.operation = operation.into();
        self
    }
}

impl Socket {
    /// Sends one request and waits for its answer.
    pub fn make(&mut self, request: Request) -> Result<()> {
        let Request {
            message,
            flags,
            operation,
        } = request;
        self.execute(message, flags)
            .map_err(|error| error.during(operation))
    }

    /// Sends requests together and tells the outcome of each, in their order. The kernel works them off in
    /// that order, whatever becomes of those before: none may do harm where one before it was refused.
    ///
    /// # Errors
    ///
    /// If an answer is lost. Then any of them may have been worked off.
    pub fn make_all(&mut self, requests: Vec<Request>) -> Result<Vec<Result<()>>> {
        let (messages, operations): (Vec<_>, Vec<_>) = requests
            .into_iter()
            .map(|it| ((it.message, it.flags), it.operation))
            .unzip();
        let outcomes = self.channel.requests(messages);
        let outcomes = outcomes.map_err(|error| error.during(operations.join(", ")))?;
        let told = outcomes
            .into_iter()
            .zip(operations)
            .map(|(outcome, operation)| outcome.map_err(|error| error.during(operation)));
        Ok(told.collect())
    }
}
