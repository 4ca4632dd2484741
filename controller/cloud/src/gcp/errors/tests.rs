use google_cloud_compute_v1::model::operation;

use super::*;

/// A refusal as the crate reads it from its JSON.
fn refusal(status: u16, body: &str) -> CloudError {
    let body = bytes::Bytes::from(body.to_owned());
    let read = google_cloud_gax::error::rpc::Status::try_from(&body).unwrap();
    let reason = reason(&read.details).unwrap_or("");
    refused(Action::InsertRoute, status, reason, &read.message)
}

#[test]
fn both_spellings_of_a_reason_mean_the_same() {
    let old = |code: u16, reason: &str| refused(Action::InsertRoute, code, reason, "said").kind;
    for (status, spellings, expected) in [
        (
            409,
            ["alreadyExists", "RESOURCE_ALREADY_EXISTS"],
            Kind::AlreadyExists,
        ),
        (404, ["notFound", "RESOURCE_NOT_FOUND"], Kind::NotFound),
        (
            403,
            ["rateLimitExceeded", "RATE_LIMIT_EXCEEDED"],
            Kind::Throttled,
        ),
        (
            403,
            ["quotaExceeded", "QUOTA_EXCEEDED"],
            Kind::QuotaExceeded,
        ),
        (
            400,
            ["resourceNotReady", "RESOURCE_NOT_READY"],
            Kind::Transient,
        ),
        (403, ["forbidden", "IAM_PERMISSION_DENIED"], Kind::Denied),
        (400, ["invalid", "INVALID_FIELD_VALUE"], Kind::Invalid),
        (503, ["backendError", "INTERNAL_ERROR"], Kind::Unknown),
    ] {
        for spelling in spellings {
            assert_eq!(old(status, spelling), expected, "{status} {spelling}");
        }
    }
    let peers =
        "There is a route operation in progress on the local or peer network. Try again later.";
    assert_eq!(
        refused(Action::InsertRoute, 400, "badRequest", peers).kind,
        Kind::Transient
    );
}

#[test]
fn a_missing_permission_is_named_with_its_resource_and_role() {
    let said = "Required 'compute.routes.create' permission for 'projects/p/global/routes/r'";
    let error = refused(Action::InsertRoute, 403, "forbidden", said);
    assert_eq!(error.kind, Kind::Denied);
    for part in [
        "permission compute.routes.create on projects/p/global/routes/r",
        "role-network",
    ] {
        assert!(error.detail.contains(part), "{error}");
    }
    let said = "Required 'compute.instances.use' permission for 'projects/q/zones/z/instances/i'";
    let error = refused(Action::InsertRoute, 403, "forbidden", said);
    assert!(error.detail.contains("role-nodes"), "{error}");
    let error = refused(
        Action::GetInstance,
        403,
        "accessNotConfigured",
        "not used before",
    );
    assert!(error.detail.contains("gcloud services enable"), "{error}");
    let error = refused(Action::GetInstance, 401, "authError", "Invalid Credentials");
    assert!(error.detail.contains("workload identity"), "{error}");
}

#[test]
fn a_rate_limit_holds_until_the_next_minute() {
    let at = |seconds: f64| next_minute(Duration::from_secs_f64(seconds)).as_secs_f64();
    assert!((at(600.0) - 61.0).abs() < 0.01);
    assert!((at(659.5) - 1.5).abs() < 0.01);
    let error = refused(
        Action::InsertRoute,
        403,
        "rateLimitExceeded",
        "Quota exceeded",
    );
    let pause = error.retry_after.unwrap();
    assert!(pause <= Duration::from_secs(61) && pause >= Duration::from_secs(1));
}

#[test]
fn an_operation_says_in_two_places_why_it_failed() {
    assert_eq!(of_operation(Action::InsertRoute, &Operation::new()), None);
    let said = operation::error::Errors::new()
        .set_code("QUOTA_EXCEEDED")
        .set_message("Quota 'STATIC_ROUTES_PER_NETWORK' exceeded. Limit: 200.0 globally.");
    let failed = Operation::new()
        .set_http_error_status_code(403)
        .set_error(operation::Error::new().set_errors([said]));
    let error = of_operation(Action::InsertRoute, &failed).unwrap();
    assert_eq!(error.kind, Kind::QuotaExceeded);
    assert!(
        error.detail.contains("STATIC_ROUTES_PER_NETWORK"),
        "{error}"
    );
    let failed = Operation::new()
        .set_http_error_status_code(500)
        .set_http_error_message("INTERNAL SERVER ERROR");
    let error = of_operation(Action::InsertRoute, &failed).unwrap();
    assert_eq!(error.kind, Kind::Transient);
}

#[test]
fn the_crate_reads_both_forms_of_an_answer() {
    let old = r#"{"error": {"code": 403, "message": "Quota exceeded", "errors":
        [{"message": "Quota exceeded", "domain": "usageLimits", "reason": "rateLimitExceeded"}]}}"#;
    assert_eq!(refusal(403, old).kind, Kind::Throttled);
    let new = r#"{"error": {"code": 403, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED",
        "errors": [{"message": "m", "domain": "global", "reason": "forbidden"}], "details": [{
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED",
        "domain": "googleapis.com", "metadata": {}}]}}"#;
    assert_eq!(refusal(403, new).kind, Kind::Throttled);
}
