//! Connections, and what comes over them.

use std::fmt;
use std::future::Future;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// An answer with its body.
pub type Response = hyper::Response<String>;

/// Ends a connection without an answer.
#[derive(Debug)]
struct Reset;

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was to be reset")
    }
}

impl std::error::Error for Reset {}

/// What arrived, before it is understood.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The method.
    pub method: Method,
    /// The path, as it came.
    pub path: String,
    /// The query, as it came, without the question mark.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Arrival {
    /// A header's value; empty if there is none that is text.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
    }
}

/// Serves until it is dropped, with all its connections. What `answer` gives is sent; if it gives
/// nothing, the connection ends.
pub async fn serve<A, F>(listener: TcpListener, answer: A)
where
    A: Fn(Arrival) -> F + Clone + Send + 'static,
    F: Future<Output = Option<Response>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, answer.clone()));
                }
                // Out of descriptors, most likely: others end soon.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection<A, F>(stream: TcpStream, answer: A)
where
    A: Fn(Arrival) -> F + Clone + Send + 'static,
    F: Future<Output = Option<Response>> + Send + 'static,
{
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(|_| Reset)?.to_bytes();
            let arrival = Arrival {
                method: parts.method,
                path: parts.uri.path().to_owned(),
                query: parts.uri.query().unwrap_or("").to_owned(),
                headers: parts.headers,
                body,
            };
            // A task of its own: what arrived is done even if the client does not wait for it.
            let call = tokio::spawn(answer(arrival));
            let response = call.await.ok().flatten().ok_or(Reset)?;
            Ok::<_, Reset>(response.map(|body| Full::new(Bytes::from(body))))
        }
    });
    // A connection that ends early is the client's wish, or a fault.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
