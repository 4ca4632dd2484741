//! Who wrote what while holding the lease, or without: from the API server's audit log.

use std::time::Duration;

use anyhow::{Result, bail};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;
use signpost_testing::audit::{AuditEvent, AuditLog};

use super::replicas::LEASE;
use crate::cluster::Cluster;
use crate::identity::{CONTROLLER, NAMESPACE};

const MICROSECONDS: i64 = 1_000_000;
/// How long after it was held up the API server may still read what was sent meanwhile.
const LATE: i64 = 2 * MICROSECONDS;

/// Reads the audit log from where it stood, and judges what it finds.
pub(super) struct Writes {
    /// Everything that was read of it is judged.
    log: AuditLog,
    /// Lease writes that succeeded, in the order in which they ended.
    tenures: Vec<Tenure>,
    /// Spans, from and to, in which the API server read nothing: what it read right after them may have
    /// been sent at any time in them.
    held_up: Vec<(i64, i64)>,
}

/// A successful write of the lease.
#[derive(Clone, Debug)]
struct Tenure {
    /// When the API server began with it, in microseconds.
    begun: i64,
    /// When it had ended.
    done: i64,
    /// The address of the replica that holds the lease since; none if it gave the lease back.
    holder: Option<String>,
}

/// A request of the controller's, as the log tells it.
struct Sent(AuditEvent);

impl Sent {
    fn begun(&self) -> i64 {
        self.0.request_received_timestamp.0.as_microsecond()
    }

    fn done(&self) -> i64 {
        self.0.stage_timestamp.0.as_microsecond()
    }

    fn source(&self) -> &str {
        self.0.sources.first().map_or("", String::as_str)
    }

    fn succeeded(&self) -> bool {
        (200..300).contains(&self.0.response_status.code)
    }

    fn writes(&self) -> bool {
        ["create", "update", "patch", "delete", "deletecollection"].contains(&&*self.0.verb)
    }

    fn object(&self) -> String {
        let object = self.0.object_ref.as_ref();
        object.map_or_else(String::new, |object| {
            let parts = [&*object.resource, &object.subresource, &object.name];
            let parts = parts.into_iter().filter(|part| !part.is_empty());
            parts.collect::<Vec<_>>().join("/")
        })
    }

    fn is_lease(&self) -> bool {
        let object = self.0.object_ref.as_ref();
        object.is_some_and(|object| object.resource == "leases")
    }
}

impl Writes {
    /// Judges what is written from now on.
    pub(super) fn from_now(cluster: &Cluster) -> Result<Self> {
        Ok(Self {
            log: AuditLog::from_now(&cluster.router().log("audit"))?,
            tenures: Vec::new(),
            held_up: Vec::new(),
        })
    }

    /// The API server has read nothing for this long, up to now.
    pub(super) fn were_held_up(&mut self, span: Duration) {
        let now = Timestamp::now().as_microsecond();
        let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        self.held_up.push((now - span, now));
    }

    /// Reads what was added to the log. Fails if a replica wrote while another one held the lease, or
    /// after its own had run out.
    pub(super) fn judge(&mut self) -> Result<()> {
        let events = self.log.read()?;
        self.judge_events(events)
    }

    fn judge_events(&mut self, events: Vec<AuditEvent>) -> Result<()> {
        let account = format!("system:serviceaccount:{NAMESPACE}:{CONTROLLER}");
        let own = events
            .into_iter()
            .filter(|event| event.user.username == account);
        let writes: Vec<Sent> = own.map(Sent).filter(Sent::writes).collect();
        let leases = writes.iter().filter(|event| event.is_lease());
        for event in leases.filter(|event| event.succeeded()) {
            let holder = event.0.request_object.pointer("/spec/holderIdentity");
            let held = holder.and_then(Value::as_str).unwrap_or_default() != "";
            self.tenures.push(Tenure {
                begun: event.begun(),
                done: event.done(),
                holder: held.then(|| event.source().to_owned()),
            });
        }
        self.tenures.sort_by_key(|tenure| tenure.done);
        for event in writes.iter().filter(|event| !event.is_lease()) {
            let at = event.begun();
            let late = self
                .held_up
                .iter()
                .find(|(_, to)| (*to..to + LATE).contains(&at));
            match late {
                Some((from, _)) if self.allowed(event, *from).is_ok() => {}
                _ => self.allowed(event, at)?,
            }
        }
        // Enough to judge what comes late.
        let old = self.tenures.len().saturating_sub(100);
        self.tenures.drain(..old);
        Ok(())
    }

    /// Fails if who sent it may not have done so at this time.
    fn allowed(&self, event: &Sent, at: i64) -> Result<()> {
        let last = self.tenures.iter().rfind(|tenure| tenure.done <= at);
        let who = format!("{} by {}", event.0.verb, event.source());
        let Some(tenure) = last else {
            bail!("{who} of {} before anybody held the lease", event.object());
        };
        let after = |since: i64| (at - since) / 1000;
        if tenure.holder.as_deref() != Some(event.source()) {
            bail!(
                "{who} of {}, answered with {}, {} ms after {:?} had become the lease's holder",
                event.object(),
                event.0.response_status.code,
                after(tenure.done),
                tenure.holder
            );
        }
        if at - tenure.begun > MICROSECONDS * i64::try_from(LEASE)? {
            bail!(
                "{who} of {}, {} ms after it had renewed the lease for {LEASE} s",
                event.object(),
                after(tenure.begun)
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use signpost_testing::audit;

    use super::*;

    fn event(from: &str, second: u32, resource: &str, holder: Option<&str>) -> String {
        let time = format!("2026-01-01T00:00:{second:02}.000000Z");
        let user = format!("system:serviceaccount:{NAMESPACE}:{CONTROLLER}");
        let event = json!({
            "verb": "patch", "user": {"username": user}, "sourceIPs": [from],
            "objectRef": {"resource": resource}, "responseStatus": {"code": 200},
            "requestReceivedTimestamp": time, "stageTimestamp": time,
            "requestObject": {"spec": {"holderIdentity": holder}},
        });
        format!("{event}\n")
    }

    fn judge(events: &[String]) -> Result<()> {
        let mut writes = Writes {
            log: AuditLog::new(""),
            tenures: Vec::new(),
            held_up: Vec::new(),
        };
        writes.judge_events(audit::parse(&events.concat())?)
    }

    #[test]
    fn the_holder_writes() {
        let lease = event("a", 1, "leases", Some("x"));
        judge(&[lease, event("a", 5, "nodes", None)]).unwrap();
    }

    #[test]
    fn others_do_not() {
        let leases = [
            event("a", 1, "leases", Some("x")),
            event("b", 3, "leases", Some("y")),
        ];
        let error = judge(&[leases.concat(), event("a", 4, "nodes", None)]).unwrap_err();
        assert!(error.to_string().contains("patch by a of nodes"), "{error}");
    }

    #[test]
    fn nobody_does_after_the_lease_ran_out_or_was_given_back() {
        let lease = event("a", 1, "leases", Some("x"));
        let late = event("a", 8, "nodes", None);
        assert!(judge(&[lease.clone(), late.clone()]).is_err());
        let back = event("a", 2, "leases", Some(""));
        assert!(judge(&[lease, back, event("a", 3, "nodes", None)]).is_err());
        assert!(judge(&[late]).is_err());
    }
}
