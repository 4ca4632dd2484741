//! Requests to the Kubernetes API: bounded in time, counted, and fenced if they write.
//!
//! They are built here and not by `kube::Api`, which cannot send the parameter `timeout`: it makes
//! the API server give up a write that this process has given up.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use http::{Method, Request, header};
use kube::{Client, core::ObjectMeta};
use serde::{Serialize, de::DeserializeOwned};
use signpost_core::lease::Terms;
use tokio::time::{Instant, timeout};

use crate::{
    errors::{ApiFailure, Category},
    fence::Fence,
    metrics::Metrics,
};

/// How long requests may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How long this process waits for the answer.
    pub wait: Duration,
    /// How long the API server may work on the request once it has it. Whole seconds.
    pub serve: Duration,
}

impl Bounds {
    /// A write that was begun at the last moment reaches the server at the latest when this
    /// process stops waiting for it, and ends when the server's own time is over: both together
    /// are no longer than the lease allows.
    pub fn of(terms: Terms) -> Self {
        let longest = terms.longest_write();
        let serve = Duration::from_secs((longest.as_secs() / 2).max(1));
        Self {
            wait: longest.saturating_sub(serve),
            serve,
        }
    }
}

/// What a request is for: its name in metrics, its verb and resource as in RBAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purpose {
    /// Value of the label `action`.
    pub action: &'static str,
    /// Verb that must be allowed.
    pub verb: &'static str,
    /// Resource, with its subresource.
    pub resource: &'static str,
}

/// How a body changes an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchKind {
    /// RFC 7386; lists are replaced.
    Merge,
    /// Lists are merged by their key.
    Strategic,
    /// The server merges by the schema, and knows which fields are ours: those that the body lacks
    /// are removed, those of others stay.
    Apply,
}

impl PatchKind {
    fn content_type(self) -> &'static str {
        match self {
            Self::Merge => "application/merge-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
            // JSON is YAML.
            Self::Apply => "application/apply-patch+yaml",
        }
    }
}

/// As much of the answer to a write as is of use.
#[derive(serde::Deserialize)]
struct Written {
    metadata: ObjectMeta,
}

/// The Kubernetes API as this controller uses it.
#[derive(Clone)]
pub struct KubeApi {
    client: Client,
    bounds: Bounds,
    fence: Fence,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for KubeApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubeApi")
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}

impl KubeApi {
    /// Writes pass `fence`, except those of the lease itself.
    pub fn new(client: Client, bounds: Bounds, fence: Fence, metrics: Arc<Metrics>) -> Self {
        Self {
            client,
            bounds,
            fence,
            metrics,
        }
    }

    /// The client, for watches.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// How long writes may take.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Whether a write may begin now.
    pub fn may_write(&self) -> bool {
        self.fence.may_write()
    }

    /// Counters of everything that is sent.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Reads an object.
    pub async fn get<T: DeserializeOwned>(
        &self,
        purpose: Purpose,
        path: &str,
        wait: Duration,
    ) -> Result<T, ApiFailure> {
        let request = self.request(Method::GET, path, None, Vec::new());
        self.send(purpose, request, wait).await
    }

    /// Changes an object; says which version it has then.
    ///
    /// Not begun if the lease is not held any more.
    pub async fn patch<B: Serialize + Sync>(
        &self,
        purpose: Purpose,
        path: &str,
        kind: PatchKind,
        body: &B,
    ) -> Result<Option<u64>, ApiFailure> {
        let mut path = path.to_owned();
        if kind == PatchKind::Apply {
            // Nobody else has a claim to what we say.
            path.push_str("?force=true");
        }
        let body = serialize(purpose, body)?;
        let request = self.request(Method::PATCH, &path, Some(kind.content_type()), body);
        self.write(purpose, request).await
    }

    /// Creates an object in the collection at `path`; says which version it has then.
    ///
    /// Not begun if the lease is not held any more.
    pub async fn create<B: Serialize + Sync>(
        &self,
        purpose: Purpose,
        path: &str,
        body: &B,
    ) -> Result<Option<u64>, ApiFailure> {
        let body = serialize(purpose, body)?;
        let request = self.request(Method::POST, path, Some("application/json"), body);
        self.write(purpose, request).await
    }

    /// Sends a write behind the fence. The server is asked to keep the answer short.
    async fn write(
        &self,
        purpose: Purpose,
        request: http::Result<Request<Vec<u8>>>,
    ) -> Result<Option<u64>, ApiFailure> {
        let request = request.map(|mut request| {
            let metadata = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
            let metadata = header::HeaderValue::from_static(metadata);
            request.headers_mut().insert(header::ACCEPT, metadata);
            // It is looked at once more when the body is handed to the connection.
            request.extensions_mut().insert(self.fence.clone());
            request
        });
        self.check_fence(purpose)?;
        let written: Written = self.send(purpose, request, self.bounds.wait).await?;
        let version = written.metadata.resource_version;
        Ok(version.and_then(|version| version.parse().ok()))
    }

    /// Runs a write that another library sends. Not begun if the lease is not held any more.
    pub async fn fenced<T>(
        &self,
        purpose: Purpose,
        write: impl Future<Output = kube::Result<T>> + Send,
    ) -> Result<T, ApiFailure> {
        self.check_fence(purpose)?;
        self.count(purpose, self.bounds.wait, write).await
    }

    /// Creates or replaces an object without looking at the fence: for the lease, which moves it.
    pub async fn unfenced<B, T>(
        &self,
        purpose: Purpose,
        method: Method,
        path: &str,
        body: &B,
        wait: Duration,
    ) -> Result<T, ApiFailure>
    where
        B: Serialize + Sync,
        T: DeserializeOwned,
    {
        let body = serialize(purpose, body)?;
        let request = self.request(method, path, Some("application/json"), body);
        self.send(purpose, request, wait).await
    }

    fn check_fence(&self, purpose: Purpose) -> Result<(), ApiFailure> {
        if self.fence.may_write() {
            return Ok(());
        }
        self.metrics.error(Category::Fenced);
        Err(ApiFailure::fenced(purpose.verb, purpose.resource))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&'static str>,
        body: Vec<u8>,
    ) -> http::Result<Request<Vec<u8>>> {
        let join = if path.contains('?') { '&' } else { '?' };
        let mut uri = format!("{path}{join}timeout={}s", self.bounds.serve.as_secs());
        if method != Method::GET {
            // Unknown fields, of which our bodies have none, are not looked for: that saves the API
            // server some work for each patch of a node. Writing to a string cannot fail.
            let _ = write!(
                uri,
                "&fieldManager=signpost-controller&fieldValidation=Ignore"
            );
        }
        let builder = Request::builder().method(method).uri(uri);
        match content_type {
            Some(content_type) => builder.header(header::CONTENT_TYPE, content_type),
            None => builder,
        }
        .body(body)
    }

    async fn send<T: DeserializeOwned>(
        &self,
        purpose: Purpose,
        request: http::Result<Request<Vec<u8>>>,
        wait: Duration,
    ) -> Result<T, ApiFailure> {
        let request = request.map_err(|error| {
            ApiFailure::new(
                &kube::Error::HttpError(error),
                purpose.verb,
                purpose.resource,
            )
        })?;
        self.count(purpose, wait, self.client.request(request))
            .await
    }

    async fn count<T>(
        &self,
        purpose: Purpose,
        wait: Duration,
        request: impl Future<Output = kube::Result<T>> + Send,
    ) -> Result<T, ApiFailure> {
        let begun = Instant::now();
        let result = match timeout(wait, request).await {
            Ok(result) => {
                result.map_err(|error| ApiFailure::new(&error, purpose.verb, purpose.resource))
            }
            Err(_) => Err(ApiFailure::timeout(purpose.verb, purpose.resource)),
        };
        let outcome = match &result {
            Ok(_) => "ok",
            Err(failure) => {
                self.metrics.error(Category::Api(failure.kind));
                failure.kind.category()
            }
        };
        let seconds = begun.elapsed().as_secs_f64();
        self.metrics.api_request(purpose.action, outcome, seconds);
        result
    }
}

fn serialize<B: Serialize>(purpose: Purpose, body: &B) -> Result<Vec<u8>, ApiFailure> {
    serde_json::to_vec(body).map_err(|error| {
        ApiFailure::new(
            &kube::Error::SerdeError(error),
            purpose.verb,
            purpose.resource,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_and_serving_together_end_before_the_lease_does() {
        for seconds in 6..=300_u64 {
            let duration = Duration::from_secs(seconds);
            let terms = Terms {
                duration,
                deadline: duration * 2 / 3,
                ..Terms::default()
            };
            let bounds = Bounds::of(terms);
            assert!(
                bounds.wait + bounds.serve <= terms.longest_write(),
                "{bounds:?}"
            );
            assert!(bounds.wait >= Duration::from_secs(1), "{bounds:?}");
        }
    }
}
