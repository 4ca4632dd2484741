//! The `Lease` object as it is read and written.

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::Lease, apimachinery::pkg::apis::meta::v1::MicroTime, jiff::Timestamp,
};
use signpost_core::lease::Record;

use super::Candidate;

/// What decides of the object.
pub(super) fn record(lease: &Lease) -> Record {
    let spec = lease.spec.as_ref();
    let seconds = spec
        .and_then(|spec| spec.lease_duration_seconds)
        .and_then(|seconds| u64::try_from(seconds).ok())
        .unwrap_or_default();
    let version = lease.metadata.resource_version.as_deref();
    Record {
        holder: spec
            .and_then(|spec| spec.holder_identity.as_deref())
            .map(Into::into),
        duration: Duration::from_secs(seconds),
        version: version.unwrap_or_default().into(),
    }
}

/// The object with the candidate as holder. Its resource version, if it has one, makes the write a
/// compare-and-swap. `transition`: the holder was somebody else.
pub(super) fn held(candidate: &Candidate, lease: Lease, transition: bool) -> Lease {
    let time = MicroTime(Timestamp::now());
    let mut spec = lease.spec.unwrap_or_default();
    if transition {
        spec.acquire_time = Some(time.clone());
        let transitions = spec
            .lease_transitions
            .map_or(0, |count| count.saturating_add(1));
        spec.lease_transitions = Some(transitions);
    }
    spec.renew_time = Some(time);
    spec.holder_identity = Some(candidate.identity.to_string());
    let seconds = i32::try_from(candidate.terms.duration.as_secs()).unwrap_or(i32::MAX);
    spec.lease_duration_seconds = Some(seconds);
    let mut metadata = lease.metadata;
    metadata.managed_fields = None;
    metadata.name = Some(candidate.name.clone());
    metadata.namespace = Some(candidate.namespace.clone());
    Lease {
        metadata,
        spec: Some(spec),
    }
}

/// The object given back: held by nobody.
pub(super) fn released(mut lease: Lease) -> Lease {
    lease.metadata.managed_fields = None;
    let spec = lease.spec.get_or_insert_default();
    spec.holder_identity = Some(String::new());
    spec.renew_time = Some(MicroTime(Timestamp::now()));
    lease
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn an_object_that_nobody_ever_held_is_free() {
        let lease = from_value(json!({"metadata": {"resourceVersion": "5"}})).unwrap();
        let record = record(&lease);
        assert_eq!(record.holder, None);
        assert_eq!(record.duration, Duration::ZERO);
        assert_eq!(&*record.version, "5");
    }
}
