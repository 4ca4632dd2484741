//! What answers of the API server mean.

use kube::core::response::{StatusCause, StatusDetails};

use super::*;

fn answer(code: u16) -> Error {
    Error::Api(Status::failure("why", "Reason").with_code(code).boxed())
}

#[test]
fn a_refusal_is_told_from_an_answer_that_says_nothing_about_the_outcome() {
    let expected = [
        (400, ApiErrorKind::Invalid),
        (403, ApiErrorKind::Denied),
        (404, ApiErrorKind::NotFound),
        (409, ApiErrorKind::Conflict),
        (422, ApiErrorKind::Invalid),
        (429, ApiErrorKind::Transient),
        (500, ApiErrorKind::Unknown),
        (503, ApiErrorKind::Unknown),
        (504, ApiErrorKind::Unknown),
    ];
    for (code, kind) in expected {
        let failure = ApiFailure::new(&answer(code), "patch", "nodes");
        assert_eq!(failure.kind, kind, "{code}");
    }
}

#[test]
fn the_servers_own_503_comes_before_the_write_and_a_proxys_may_come_after_it() {
    let answer = |reason| Error::Api(Status::failure("why", reason).with_code(503).boxed());
    // As kube reads an answer that is no `Status`.
    let text = answer("Failed to parse error data");
    assert_eq!(kind(&text), ApiErrorKind::Unknown);
    assert_eq!(kind(&answer("ServiceUnavailable")), ApiErrorKind::Transient);
}

fn refused(field: &str, reason: &str) -> ApiErrorKind {
    let cause = StatusCause {
        field: field.to_owned(),
        reason: reason.to_owned(),
        message: String::new(),
    };
    let details = StatusDetails {
        name: "a".to_owned(),
        group: String::new(),
        kind: "nodes".to_owned(),
        uid: String::new(),
        causes: vec![cause],
        retry_after_seconds: 0,
    };
    let status = Status::failure("why", "Invalid").with_code(422);
    let error = Error::Api(status.with_details(details).boxed());
    ApiFailure::new(&error, "patch", "nodes").or_conflict().kind
}

#[test]
fn only_other_pod_cidrs_and_another_uid_are_a_conflict() {
    let conflict = ApiErrorKind::Conflict;
    assert_eq!(refused("spec.podCIDRs", "FieldValueForbidden"), conflict);
    assert_eq!(refused("metadata.uid", "FieldValueInvalid"), conflict);
    let invalid = ApiErrorKind::Invalid;
    assert_eq!(refused("spec.podCIDRs", "FieldValueInvalid"), invalid);
    assert_eq!(refused("spec.providerID", "FieldValueForbidden"), invalid);
    for code in [400, 422] {
        let failure = ApiFailure::new(&answer(code), "patch", "nodes").or_conflict();
        assert_eq!(failure.kind, invalid, "as from a webhook");
    }
}

#[test]
fn a_refused_connection_had_no_effect_and_a_lost_one_may_have() {
    let io = |kind| Error::Service(Box::new(std::io::Error::from(kind)));
    let wrapped = |kind| Error::ReadEvents(std::io::Error::from(kind));
    assert_eq!(
        kind(&wrapped(ErrorKind::ConnectionRefused)),
        ApiErrorKind::Transient
    );
    assert_eq!(kind(&io(ErrorKind::ConnectionReset)), ApiErrorKind::Unknown);
}

#[test]
fn a_missing_permission_is_named_with_its_remedy() {
    let failure = ApiFailure::new(&answer(403), "patch", "nodes/status");
    assert!(failure.message.contains("patch nodes/status"), "{failure}");
    assert!(failure.message.contains(INSTALL), "{failure}");
}

#[test]
fn a_cause_that_its_context_repeats_is_said_once() {
    let error = anyhow::anyhow!("no such file")
        .context("cannot read: no such file")
        .context("--kubeconfig x");
    assert_eq!(chain(&error), "--kubeconfig x: cannot read: no such file");
}
