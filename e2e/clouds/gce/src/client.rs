//! A small client of the API, for tests and scenes that want no SDK.

use std::fmt;
use std::time::Duration;

use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};
use signpost_emulator::send;

use crate::error::Refusal;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(150);

/// Calls methods of one endpoint, each once: it retries nothing.
#[derive(Clone, Debug)]
pub struct Client {
    authority: String,
    token: Option<String>,
}

/// Why a call has no answer that says success.
#[derive(Debug)]
pub enum CallError {
    /// The service refused, or its operation failed: then the reason is the error's code.
    Refused(Refusal),
    /// There was no answer, or none that could be understood.
    NoAnswer(String),
}

impl CallError {
    /// Google's reason, or nothing if there was no answer.
    pub fn reason(&self) -> &str {
        match self {
            Self::Refused(refusal) => &refusal.reason,
            Self::NoAnswer(_) => "",
        }
    }

    /// The HTTP status, or 0 if there was no answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Refused(refusal) => refusal.status.as_u16(),
            Self::NoAnswer(_) => 0,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(Refusal {
                status,
                reason,
                message,
                ..
            }) => write!(f, "{} {reason}: {message}", status.as_u16()),
            Self::NoAnswer(why) => write!(f, "no answer: {why}"),
        }
    }
}

impl std::error::Error for CallError {}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands errors over")]
fn no_answer(error: impl ToString) -> CallError {
    CallError::NoAnswer(error.to_string())
}

impl Client {
    /// A client of the root `url`, such as `http://127.0.0.1:4000`.
    pub fn new(url: &str) -> Self {
        let authority = url.trim_start_matches("http://").trim_end_matches('/');
        Self {
            authority: authority.to_owned(),
            token: None,
        }
    }

    /// The same client with a bearer token.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self
        }
    }

    /// Gets what a path below `/compute/v1/` names, such as `projects/P/global/routes?maxResults=5`.
    ///
    /// # Errors
    ///
    /// If the service refuses, or there is no answer.
    pub async fn get(&self, path: &str) -> Result<Value, CallError> {
        self.call(Method::GET, path, None).await
    }

    /// Posts a body to a path below `/compute/v1/`.
    ///
    /// # Errors
    ///
    /// If the service refuses, or there is no answer.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, CallError> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Replaces what a path below `/compute/v1/` names.
    ///
    /// # Errors
    ///
    /// If the service refuses, or there is no answer.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, CallError> {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// Deletes what a path below `/compute/v1/` names.
    ///
    /// # Errors
    ///
    /// If the service refuses, or there is no answer.
    pub async fn delete(&self, path: &str) -> Result<Value, CallError> {
        self.call(Method::DELETE, path, None).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, CallError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/compute/v1/{path}"))
            .header("host", &self.authority)
            .header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = body.filter(|body| !body.is_null());
        let body = body.map_or_else(String::new, Value::to_string);
        let request = request.body(body).map_err(no_answer)?;
        let reply = send(&self.authority, request, PATIENCE)
            .await
            .map_err(no_answer)?;
        if reply.body.is_empty() && reply.status.is_success() {
            return Ok(Value::Null);
        }
        let value: Value = serde_json::from_slice(&reply.body).map_err(no_answer)?;
        if reply.status.is_success() {
            return Ok(value);
        }
        let error = &value["error"];
        let reason = error["errors"][0]["reason"].as_str().unwrap_or_default();
        let message = error["message"].as_str().unwrap_or_default();
        Err(CallError::Refused(Refusal::new(
            reply.status,
            reason,
            message,
        )))
    }

    /// Waits until an operation is done, and gives it as it is then.
    ///
    /// # Errors
    ///
    /// If it failed, or cannot be waited for.
    pub async fn finish(&self, operation: &Value) -> Result<Value, CallError> {
        let link = operation["selfLink"].as_str().unwrap_or_default();
        let path = link.find("projects/").map(|at| &link[at..]);
        let path = path.ok_or_else(|| no_answer(format!("{operation} is no operation")))?;
        let mut operation = operation.clone();
        while operation["status"] != "DONE" {
            operation = self.post(&format!("{path}/wait"), &Value::Null).await?;
        }
        let error = &operation["error"]["errors"][0];
        let Some(code) = error["code"].as_str() else {
            return Ok(operation);
        };
        let status = operation["httpErrorStatusCode"].as_u64();
        let status = status.and_then(|status| u16::try_from(status).ok());
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        let message = error["message"].as_str().unwrap_or_default();
        Err(CallError::Refused(Refusal::new(
            status.unwrap_or(StatusCode::BAD_REQUEST),
            code,
            message,
        )))
    }

    /// Posts a body and waits until the operation is done.
    ///
    /// # Errors
    ///
    /// If the service refuses or the operation fails.
    pub async fn make(&self, path: &str, body: &Value) -> Result<Value, CallError> {
        let operation = self.post(path, body).await?;
        self.finish(&operation).await
    }

    /// Deletes something and waits until it is gone.
    ///
    /// # Errors
    ///
    /// If the service refuses or the operation fails.
    pub async fn end(&self, path: &str) -> Result<Value, CallError> {
        let operation = self.delete(path).await?;
        self.finish(&operation).await
    }

    /// Makes a network without subnetworks. Gives its path.
    ///
    /// # Errors
    ///
    /// As [`Self::make`].
    pub async fn network(&self, project: &str, name: &str) -> Result<String, CallError> {
        let body = json!({"name": name, "autoCreateSubnetworks": false});
        let collection = format!("projects/{project}/global/networks");
        self.make(&collection, &body).await?;
        Ok(format!("{collection}/{name}"))
    }

    /// Makes a subnetwork of a network, in the network's project. Gives its path.
    ///
    /// # Errors
    ///
    /// As [`Self::make`].
    pub async fn subnetwork(
        &self,
        network: &str,
        region: &str,
        name: &str,
        range: &str,
    ) -> Result<String, CallError> {
        let project = network.split('/').nth(1).unwrap_or_default();
        let body = json!({"name": name, "network": network, "ipCidrRange": range});
        let collection = format!("projects/{project}/regions/{region}/subnetworks");
        self.make(&collection, &body).await?;
        Ok(format!("{collection}/{name}"))
    }

    /// Makes an instance with one interface that may forward packets. Gives its path.
    ///
    /// # Errors
    ///
    /// As [`Self::make`].
    pub async fn instance(
        &self,
        project: &str,
        zone: &str,
        name: &str,
        subnetwork: &str,
    ) -> Result<String, CallError> {
        let body = json!({
            "name": name,
            "machineType": format!("zones/{zone}/machineTypes/e2-medium"),
            "canIpForward": true,
            "networkInterfaces": [{"subnetwork": subnetwork}],
        });
        let collection = format!("projects/{project}/zones/{zone}/instances");
        self.make(&collection, &body).await?;
        Ok(format!("{collection}/{name}"))
    }

    /// Makes a route of a network to an instance. Gives its path.
    ///
    /// # Errors
    ///
    /// As [`Self::make`].
    pub async fn route(
        &self,
        network: &str,
        name: &str,
        destination: &str,
        instance: &str,
    ) -> Result<String, CallError> {
        let project = network.split('/').nth(1).unwrap_or_default();
        let body = json!({
            "name": name,
            "network": network,
            "destRange": destination,
            "priority": 1000,
            "nextHopInstance": instance,
        });
        let collection = format!("projects/{project}/global/routes");
        self.make(&collection, &body).await?;
        Ok(format!("{collection}/{name}"))
    }
}
