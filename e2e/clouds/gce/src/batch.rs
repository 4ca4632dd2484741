//! Several calls in one request: `multipart/mixed`, as
//! [batch requests](https://docs.cloud.google.com/compute/docs/api/how-tos/batch) describe it and gcloud
//! sends it.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::{HeaderMap, Method, StatusCode};
use signpost_emulator::{Arrival, Response};

use crate::api;
use crate::core::Core;
use crate::error::Refusal;

/// How many calls one request may have.
const MOST: usize = 1000;

/// Answers each part with one that refers to it; nothing if the answer of a part is lost.
pub(crate) async fn answer(core: Arc<Core>, arrival: Arrival) -> Option<Response> {
    let text = String::from_utf8_lossy(&arrival.body).replace("\r\n", "\n");
    let boundary = boundary(arrival.header("content-type"));
    let Some(parts) = boundary.map(|boundary| split(&text, boundary)) else {
        return refused("Failed to parse batch request, no boundary.");
    };
    if parts.is_empty() || parts.len() > MOST {
        return refused("The batch request has no calls, or too many.");
    }
    let mut body = String::new();
    for part in parts {
        let Some((id, call)) = part_of(part, &arrival.headers) else {
            return refused("Failed to parse batch request, a part is no HTTP request.");
        };
        let response = api::answer(Arc::clone(&core), call).await?;
        let (status, text) = (response.status(), response.body());
        let reason = status.canonical_reason().unwrap_or("");
        body.push_str("--batch_signpost\r\nContent-Type: application/http\r\n");
        if !id.is_empty() {
            let id = id.trim_start_matches('<').trim_end_matches('>');
            body.push_str(&format_args!("Content-ID: <response-{id}>\r\n").to_string());
        }
        let length = text.len();
        let head = format!(
            "\r\nHTTP/1.1 {} {reason}\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: {length}\r\n\r\n{text}\r\n",
            status.as_u16()
        );
        body.push_str(&head);
    }
    body.push_str("--batch_signpost--\r\n");
    hyper::Response::builder()
        .header("content-type", "multipart/mixed; boundary=batch_signpost")
        .body(body)
        .ok()
}

fn refused(why: &str) -> Option<Response> {
    hyper::Response::builder()
        .status(StatusCode::BAD_REQUEST)
        .header("content-type", "application/json; charset=UTF-8")
        .body(Refusal::bad(why).body(false).to_string())
        .ok()
}

fn boundary(kind: &str) -> Option<&str> {
    let (_, rest) = kind.split_once("boundary=")?;
    let rest = rest.split(';').next()?.trim().trim_matches('"');
    (!rest.is_empty()).then_some(rest)
}

fn split<'t>(text: &'t str, boundary: &str) -> Vec<&'t str> {
    let mark = format!("--{boundary}");
    let parts = text.split(mark.as_str()).skip(1);
    parts.take_while(|part| !part.starts_with("--")).collect()
}

/// The Content-ID of a part, and its call. Headers of the whole request count for it too.
fn part_of(part: &str, outer: &HeaderMap) -> Option<(String, Arrival)> {
    let (head, request) = part.trim_start_matches('\n').split_once("\n\n")?;
    let header = |lines: &str, wanted: &str| {
        let mut lines = lines.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.trim().to_owned())
    };
    let id = header(head, "content-id").unwrap_or_default();
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let (first, lines) = head.split_once('\n').unwrap_or((head, ""));
    let mut words = first.split(' ');
    let method = Method::from_bytes(words.next()?.as_bytes()).ok()?;
    let target = words.next()?;
    let target = match target.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/')?..],
        None => target,
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = outer.clone();
    if let Some(token) = header(lines, "authorization") {
        headers.insert("authorization", token.parse().ok()?);
    }
    let call = Arrival {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Bytes::from(body.trim().to_owned()),
    };
    Some((id, call))
}
