//! What a request says about its sender: the fields of a signature, version 4.
//!
//! Signatures are not verified, since everybody here may know every secret. Their scope and date
//! are, because clients get those wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use hyper::{HeaderMap, StatusCode};

use crate::error::Refusal;

/// How far the date of a signature may be from the machine's clock.
const SKEW: Duration = Duration::from_secs(300);

/// Who calls, and which service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) access_key: String,
    pub(crate) service: String,
}

/// Reads the `Authorization` header, without judging it; nothing if there is none of the right form.
pub(crate) fn caller(headers: &HeaderMap) -> Option<Caller> {
    let fields = Fields::read(headers)?;
    let [access_key, _, _, service, _] = fields.scope;
    Some(Caller {
        access_key: access_key.to_owned(),
        service: service.to_owned(),
    })
}

/// Refuses requests that are not signed, or signed for something or some time else.
pub(crate) fn check(headers: &HeaderMap, region: &str) -> Result<(), Refusal> {
    let fields = Fields::read(headers).ok_or_else(unknown_credentials)?;
    let [_, day, scope_region, service, end] = fields.scope;
    if end != "aws4_request" || !matches!(service, "ec2" | "servicequotas") {
        return Err(signature(format!(
            "Credential should be scoped to correct service: '{service}'"
        )));
    }
    if scope_region != region {
        return Err(signature(format!(
            "Credential should be scoped to a valid region: '{region}'"
        )));
    }
    let signed: BTreeSet<&str> = fields.signed.split(';').collect();
    for header in ["host", "x-amz-date"] {
        if !signed.contains(header) {
            return Err(signature(format!("'{header}' must be a signed header")));
        }
    }
    let date = headers
        .get("x-amz-date")
        .and_then(|date| date.to_str().ok())
        .unwrap_or("");
    let time = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", date)
        .and_then(|parsed| parsed.to_datetime()?.to_zoned(jiff::tz::TimeZone::UTC))
        .map_err(|_| signature(format!("Date '{date}' must be in ISO-8601 'basic format'")))?
        .timestamp();
    if !date.starts_with(day) {
        return Err(signature(format!(
            "Date in Credential scope does not match '{date}'"
        )));
    }
    if time.duration_since(jiff::Timestamp::now()).unsigned_abs() > SKEW {
        return Err(expired());
    }
    Ok(())
}

/// The refusal of requests without credentials, or with unknown ones.
pub(crate) fn unknown_credentials() -> Refusal {
    let why = "AWS was not able to validate the provided access credentials";
    Refusal::with_status(StatusCode::UNAUTHORIZED, "AuthFailure", why)
}

/// The refusal of requests that are too old or whose token is.
pub(crate) fn expired() -> Refusal {
    Refusal::client("RequestExpired", "Request has expired.")
}

fn signature(message: String) -> Refusal {
    Refusal::with_status(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message)
}

struct Fields<'a> {
    /// Access key, day, region, service and the fixed end.
    scope: [&'a str; 5],
    signed: &'a str,
}

impl<'a> Fields<'a> {
    fn read(headers: &'a HeaderMap) -> Option<Self> {
        let header = headers.get("authorization")?.to_str().ok()?;
        let fields = header.strip_prefix("AWS4-HMAC-SHA256")?;
        let field = |name: &str| {
            fields
                .split(',')
                .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
        };
        field("Signature")?;
        let scope: Vec<&str> = field("Credential")?.split('/').collect();
        Some(Self {
            scope: scope.try_into().ok()?,
            signed: field("SignedHeaders")?,
        })
    }
}

/// The `Authorization` header of a client that has no secret.
pub(crate) fn unsigned_header(access_key: &str, region: &str, date: &str) -> String {
    let day = &date[..8.min(date.len())];
    format!(
        "AWS4-HMAC-SHA256 Credential={access_key}/{day}/{region}/ec2/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature=none"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(date: &str, authorization: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-date", date.parse().unwrap());
        headers.insert("authorization", authorization.parse().unwrap());
        headers
    }

    fn now() -> String {
        jiff::Timestamp::now()
            .strftime("%Y%m%dT%H%M%SZ")
            .to_string()
    }

    #[test]
    fn a_request_of_now_for_here_passes() {
        let date = now();
        let headers = headers(&date, &unsigned_header("AKID", "eu-central-1", &date));
        assert_eq!(check(&headers, "eu-central-1"), Ok(()));
        assert_eq!(caller(&headers).unwrap().access_key, "AKID");
    }

    #[test]
    fn other_regions_old_dates_and_no_signature_are_refused() {
        let date = now();
        let elsewhere = headers(&date, &unsigned_header("AKID", "us-east-1", &date));
        assert_eq!(
            check(&elsewhere, "eu-central-1").unwrap_err().code,
            "SignatureDoesNotMatch"
        );
        let date = "20200101T000000Z";
        let old = headers(date, &unsigned_header("AKID", "eu-central-1", date));
        assert_eq!(
            check(&old, "eu-central-1").unwrap_err().code,
            "RequestExpired"
        );
        assert_eq!(
            check(&HeaderMap::new(), "eu-central-1").unwrap_err().code,
            "AuthFailure"
        );
    }
}
