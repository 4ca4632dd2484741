//! Plain HTTP requests, for what is no call of the API: part of the tests of each emulator.

use std::time::Duration;

use hyper::{HeaderMap, Request, StatusCode};

/// One request and its answer's status, headers and body.
pub(crate) async fn send(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (StatusCode, HeaderMap, String) {
    let uri: hyper::Uri = url.parse().unwrap();
    let authority = uri.authority().unwrap().as_str();
    let mut request = Request::builder()
        .method(method)
        .uri(uri.path_and_query().unwrap().as_str())
        .header("host", authority);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.to_owned()).unwrap();
    let reply = signpost_emulator::send(authority, request, Duration::from_secs(60));
    let reply = reply.await.unwrap();
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    (reply.status, reply.headers, text)
}
