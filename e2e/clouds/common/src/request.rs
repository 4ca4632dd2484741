//! One request over a connection of its own, for clients of tests.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands errors over")]
fn text(error: impl ToString) -> String {
    error.to_string()
}

/// Sends a request to `authority`, such as `127.0.0.1:4000`, once, and waits for its answer.
///
/// # Errors
///
/// If there is no answer within the time.
pub async fn send(
    authority: &str,
    request: Request<String>,
    patience: Duration,
) -> Result<Reply, String> {
    tokio::time::timeout(patience, attempt(authority, request))
        .await
        .map_err(text)?
}

async fn attempt(authority: &str, request: Request<String>) -> Result<Reply, String> {
    let stream = TcpStream::connect(authority).await.map_err(text)?;
    let io = TokioIo::new(stream);
    let (mut sender, connection) = http1::handshake(io).await.map_err(text)?;
    let driver = tokio::spawn(connection);
    let request = request.map(|body| Full::new(Bytes::from(body)));
    let result = match sender.send_request(request).await {
        Ok(response) => {
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(text);
            body.map(|body| Reply {
                status: parts.status,
                headers: parts.headers,
                body: body.to_bytes(),
            })
        }
        Err(error) => Err(text(error)),
    };
    driver.abort();
    result
}
