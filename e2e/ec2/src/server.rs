//! Connections, and which part of the emulator answers what comes over them.

use std::fmt;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::api::Arrival;
use crate::core::Core;
use crate::{api, control, imds};

/// Ends a connection without an answer.
#[derive(Debug)]
struct Reset;

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was to be reset")
    }
}

impl std::error::Error for Reset {}

/// Which of the two services a listener belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Service {
    Api,
    Metadata,
}

/// Serves until it is dropped, with all its connections.
pub(crate) async fn serve(core: Arc<Core>, listener: TcpListener, service: Service) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(Arc::clone(&core), stream, service));
                }
                // Out of descriptors, most likely: others end soon.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(core: Arc<Core>, stream: TcpStream, service: Service) {
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |request| {
        let core = Arc::clone(&core);
        async move {
            let response = match service {
                Service::Api => answer(core, request).await?,
                Service::Metadata => imds::answer(
                    &core,
                    request.method(),
                    request.uri().path(),
                    request.headers(),
                ),
            };
            Ok::<_, Reset>(response.map(|body| Full::new(Bytes::from(body))))
        }
    });
    // A connection that ends early is the client's wish, or a fault.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

async fn answer(core: Arc<Core>, request: Request<Incoming>) -> Result<Response<String>, Reset> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Reset)?.to_bytes();
    let query = parts.uri.query().unwrap_or("").to_owned();
    if let Some(path) = parts.uri.path().strip_prefix("/_control") {
        return Ok(control::answer(&core, &parts.method, path, &query, &body).await);
    }
    let arrival = Arrival {
        method: parts.method,
        query,
        headers: parts.headers,
        body,
    };
    // A task of its own: what arrived is done even if the client does not wait for it.
    let call = tokio::spawn(api::answer(core, arrival));
    call.await.ok().flatten().ok_or(Reset)
}
