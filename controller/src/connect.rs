//! The connection to the Kubernetes API: as kube makes one, but that each write looks at the fence
//! once more when its body is handed to the connection.
//!
//! Between the decision to write and that moment lie a turn in the runtime, perhaps a new connection
//! with its handshakes, perhaps a fresh token. A process that was stopped there (SIGSTOP, a virtual
//! machine that moves) would go on long after its lease ended, and send what it had decided before.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Request;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper_timeout::TimeoutConnector;
use hyper_util::{client::legacy, rt::TokioExecutor};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, ConfigExt},
};
use tower::{BoxError, ServiceBuilder};

use crate::fence::Fence;

/// A client whose requests look at the [`Fence`] that is among their extensions, if there is one.
///
/// # Errors
/// If the configuration cannot be used.
pub fn client(config: Config) -> kube::Result<Client> {
    if config.proxy_url.is_some() {
        // It is kube's to say that this build knows no proxies.
        return Client::try_from(config);
    }
    let mut connector = TimeoutConnector::new(config.rustls_https_connector()?);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    connector.set_reset_reader_on_write(config.reset_reader_on_write);
    let client = legacy::Client::builder(TokioExecutor::new()).build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_request(fenced)
        .map_err(BoxError::from)
        .service(client);
    Ok(ClientBuilder::new(service, config.default_namespace).build())
}

fn fenced(request: Request<Body>) -> Request<FencedBody> {
    let fence = request.extensions().get().cloned();
    request.map(|body| FencedBody { body, fence })
}

/// The lease ended before the request was handed to the connection.
#[derive(Debug, Clone, Copy)]
pub struct Fenced;

impl fmt::Display for Fenced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lease is not held any more")
    }
}

impl Error for Fenced {}

/// A body that is not given out behind the fence. Its length was announced, so that the server waits for
/// all of it before it does anything.
struct FencedBody {
    body: Body,
    fence: Option<Fence>,
}

impl HttpBody for FencedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.fence.as_ref().is_some_and(|fence| !fence.may_write()) {
            return Poll::Ready(Some(Err(Fenced.into())));
        }
        let frame = Pin::new(&mut self.body).poll_frame(context);
        frame.map_err(BoxError::from)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt;

    use super::*;
    use crate::clock;

    #[tokio::test]
    async fn a_body_is_given_out_only_before_the_fence() {
        let fence = Fence::default();
        let request = |fence: Option<&Fence>| {
            let mut request = Request::new(Body::from(vec![1, 2, 3]));
            if let Some(fence) = fence {
                request.extensions_mut().insert(fence.clone());
            }
            fenced(request).into_body()
        };
        fence.set(Some(clock::now().after(Duration::from_secs(60))));
        let body = request(Some(&fence));
        assert_eq!(body.size_hint().exact(), Some(3));
        assert_eq!(body.collect().await.unwrap().to_bytes().len(), 3);
        // Decided before, sent after.
        let body = request(Some(&fence));
        fence.set(None);
        let error = body.collect().await.unwrap_err();
        assert!(error.is::<Fenced>());
        let read = request(None).collect().await.unwrap();
        assert_eq!(read.to_bytes().len(), 3, "what is not fenced passes");
    }
}
