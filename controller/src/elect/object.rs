//! The `Lease` object as it is read and written.

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::Lease, apimachinery::pkg::apis::meta::v1::MicroTime, jiff::Timestamp,
};
use kube::core::ObjectList;
use signpost_core::lease::{Past, Record};

use super::Candidate;

/// Says, on a lease given back, that every write of its last holder had ended and settled. The value is
/// `spec.leaseTransitions` at that time: whoever takes the lease without knowing of this makes it void.
pub(super) const SETTLED: &str = "signpost.dev/settled";

/// The object as it was found by a list of at most one.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) lease: Option<Lease>,
    /// The version of the store.
    store: Option<u64>,
}

impl Found {
    /// What was read.
    pub(super) fn read(list: ObjectList<Lease>) -> Self {
        let store = list.metadata.resource_version;
        Self {
            lease: list.items.into_iter().next(),
            store: store.and_then(|version| version.parse().ok()),
        }
    }

    /// What our own write left.
    pub(super) fn written(lease: Lease) -> Self {
        Self {
            lease: Some(lease),
            store: None,
        }
    }

    /// Whether nobody ever held the object that is there.
    pub(super) fn is_unused(&self) -> bool {
        let spec = self.lease.as_ref().map(|lease| lease.spec.as_ref());
        spec.is_some_and(|spec| {
            spec.is_none_or(|spec| {
                spec.holder_identity.as_ref().is_none_or(String::is_empty)
                    && spec.acquire_time.is_none()
                    && spec.renew_time.is_none()
                    && spec.lease_transitions.is_none()
            })
        })
    }

    /// What decides of the object, if there is one. `led`: something else says that somebody led
    /// before; looked for only where nobody ever held the object.
    pub(super) fn record(&self, led: bool) -> Option<Record> {
        let lease = self.lease.as_ref()?;
        let spec = lease.spec.as_ref();
        let seconds = spec
            .and_then(|spec| spec.lease_duration_seconds)
            .and_then(|seconds| u64::try_from(seconds).ok())
            .unwrap_or_default();
        let text = |text: Option<&String>| text.map(String::as_str).unwrap_or_default().into();
        Some(Record {
            uid: text(lease.metadata.uid.as_ref()),
            holder: spec
                .and_then(|spec| spec.holder_identity.as_deref())
                .map(Into::into),
            duration: Duration::from_secs(seconds),
            version: text(lease.metadata.resource_version.as_ref()),
            store: self.store,
            past: match (self.is_unused(), led) {
                (true, false) => Past::Unused,
                (true, true) => Past::Replaced,
                (false, _) if is_settled(lease) => Past::Settled,
                (false, _) => Past::Unsettled,
            },
        })
    }
}

fn transitions(lease: &Lease) -> i32 {
    let spec = lease.spec.as_ref();
    spec.and_then(|spec| spec.lease_transitions)
        .unwrap_or_default()
}

fn is_settled(lease: &Lease) -> bool {
    let annotations = lease.metadata.annotations.as_ref();
    let said = annotations.and_then(|annotations| annotations.get(SETTLED));
    said.is_some_and(|said| *said == transitions(lease).to_string())
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
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(SETTLED);
    }
    Lease {
        metadata,
        spec: Some(spec),
    }
}

/// The object given back: held by nobody. `settled`: whoever leads next has nothing to wait for.
pub(super) fn released(mut lease: Lease, settled: bool) -> Lease {
    lease.metadata.managed_fields = None;
    let transitions = transitions(&lease).to_string();
    let spec = lease.spec.get_or_insert_default();
    spec.holder_identity = Some(String::new());
    spec.renew_time = Some(MicroTime(Timestamp::now()));
    if settled {
        let annotations = lease.metadata.annotations.get_or_insert_default();
        annotations.insert(SETTLED.to_owned(), transitions);
    }
    lease
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};
    use signpost_core::lease::Terms;

    use super::*;

    fn found(lease: &serde_json::Value) -> Found {
        let list = json!({"metadata": {"resourceVersion": "70"}, "items": [lease]});
        Found::read(from_value(list).unwrap())
    }

    fn candidate() -> Candidate {
        Candidate {
            namespace: "n".to_owned(),
            name: "l".to_owned(),
            identity: "a".into(),
            terms: Terms::default(),
        }
    }

    #[test]
    fn an_object_that_nobody_ever_held_is_free_unless_somebody_led() {
        let found = found(&json!({"metadata": {"resourceVersion": "5", "uid": "u"}}));
        let record = found.record(false).unwrap();
        assert_eq!(record.holder, None);
        assert_eq!(record.duration, Duration::ZERO);
        assert_eq!((&*record.version, &*record.uid), ("5", "u"));
        assert_eq!(record.store, Some(70));
        assert_eq!(record.past, Past::Unused);
        assert_eq!(found.record(true).unwrap().past, Past::Replaced);
    }

    #[test]
    fn an_object_that_somebody_held_is_not_unused() {
        for spec in [
            json!({"holderIdentity": "a"}),
            json!({"holderIdentity": "", "leaseTransitions": 0}),
            json!({"renewTime": "2020-01-01T00:00:00.000000Z"}),
        ] {
            let found = found(&json!({"metadata": {}, "spec": spec}));
            assert_eq!(found.record(false).unwrap().past, Past::Unsettled);
        }
        assert!(found(&json!({"metadata": {}, "spec": {"holderIdentity": ""}})).is_unused());
    }

    #[test]
    fn what_the_last_holder_said_ends_when_somebody_takes_the_lease() {
        let lease = from_value(json!({"metadata": {"annotations": {"x": "y"}}})).unwrap();
        let candidate = candidate();
        let first = held(&candidate, lease, true);
        let past = |lease: &Lease| Found::written(lease.clone()).record(false).unwrap().past;
        assert_eq!(past(&released(first.clone(), false)), Past::Unsettled);
        let back = released(first, true);
        assert_eq!(past(&back), Past::Settled);
        let again = held(&candidate, back.clone(), true);
        assert_eq!(past(&released(again, false)), Past::Unsettled);
        // Somebody took it who does not know of the annotation.
        let mut other = back;
        other.spec.as_mut().unwrap().lease_transitions = Some(1);
        assert_eq!(past(&other), Past::Unsettled);
        let annotations = other.metadata.annotations.unwrap();
        assert_eq!(annotations["x"], "y");
    }
}
