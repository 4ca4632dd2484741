//! The lease: I/O around [`Election`], in a task of its own.

mod object;
mod signs;

use std::{sync::Arc, time::Duration};

use http::Method;
use k8s_openapi::api::coordination::v1::Lease;
use signpost_core::{
    Handover, Time,
    event::ApiErrorKind,
    lease::{Doubt, Election, Step, Terms},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::object::Found;
use crate::{
    api::{KubeApi, Purpose},
    clock::{now, sleep_until},
    errors::{ApiFailure, INSTALL},
    fence::Fence,
    health::{Health, Role},
    ledger::Ledger,
    watching::Trouble,
};

/// How soon a request that failed is tried again while the lease is held.
const RETRY: Duration = Duration::from_secs(1);

/// Which leadership of this process it is; `None` while it does not lead. Two leaderships never
/// have the same number.
pub type Term = Option<u64>;

/// Where the lease is and who we are.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// `metadata.namespace` of the lease.
    pub namespace: String,
    /// `metadata.name` of the lease.
    pub name: String,
    /// `spec.holderIdentity` while we hold it; unique to this process.
    pub identity: Arc<str>,
    /// The spans of the election.
    pub terms: Terms,
}

impl Candidate {
    /// An identity that no other process has: a name (of the pod; else of host and process) and chance.
    pub fn identity(name: Option<&str>) -> Arc<str> {
        let chance = fastrand::u32(..);
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            return format!("{name}_{chance:08x}").into();
        }
        let system = rustix::system::uname();
        let host = system.nodename().to_string_lossy();
        format!("{host}_{}_{chance:08x}", std::process::id()).into()
    }

    fn collection(&self) -> String {
        format!(
            "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
            self.namespace
        )
    }

    fn path(&self) -> String {
        format!("{}/{}", self.collection(), self.name)
    }

    /// A list of this one object, which also says the version of the store.
    fn look(&self) -> String {
        format!(
            "{}?fieldSelector=metadata.name%3D{}",
            self.collection(),
            self.name
        )
    }
}

/// Takes part in the election and says who leads.
#[derive(Debug)]
pub struct Elector {
    api: KubeApi,
    candidate: Candidate,
    election: Election,
    fence: Fence,
    health: Arc<Health>,
    ledger: Ledger,
    term: watch::Sender<Term>,
    terms_led: u64,
    /// The object as our last successful write left it.
    written: Option<Lease>,
    trouble: Trouble,
}

/// How one round ended.
enum Round {
    Held,
    Waiting(Time),
    Failed(ApiFailure),
}

impl Elector {
    /// A candidate that has not asked yet. `fence` follows its leadership.
    pub fn new(
        api: KubeApi,
        candidate: Candidate,
        fence: Fence,
        health: Arc<Health>,
        ledger: Ledger,
    ) -> (Self, watch::Receiver<Term>) {
        let (term, receiver) = watch::channel(None);
        let election = Election::new(Arc::clone(&candidate.identity), candidate.terms);
        let elector = Self {
            api,
            candidate,
            election,
            fence,
            health,
            ledger,
            term,
            terms_led: 0,
            written: None,
            trouble: Trouble::default(),
        };
        (elector, receiver)
    }

    /// Takes part until `stop`, then gives the lease back if it is held. The caller has ended all
    /// writes by then.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let next = self.round().await;
            tokio::select! {
                () = stop.cancelled() => break,
                () = sleep_until(next) => {}
            }
        }
        self.release().await;
    }

    /// Reads or writes the lease once; says when to do so again.
    async fn round(&mut self) -> Time {
        let begun = now();
        if self.election.fence().is_some_and(|fence| fence <= begun) {
            self.deposed("it could not be renewed in time");
        }
        let terms = self.candidate.terms;
        match self.step().await {
            Round::Held => {
                self.health.lease_seen();
                self.trouble.over("the lease can be renewed");
                begun.after(terms.renew_every)
            }
            Round::Waiting(until) => {
                self.health.lease_seen();
                self.trouble.over("the lease can be read");
                if self.election.fence().is_some() {
                    self.deposed(match self.election.doubted() {
                        Some(Doubt::SetBack) => {
                            "the API server's objects were set back to an earlier state"
                        }
                        Some(Doubt::Replaced) => "the object was replaced by another one",
                        None => "somebody else holds it",
                    });
                }
                if self.health.role() == Role::Starting {
                    self.health.set_role(Role::Standby);
                    tracing::info!("standing by: somebody else holds the lease, or may hold it");
                }
                until
            }
            Round::Failed(failure) => {
                self.written = None;
                // Somebody else wrote first: what the record says now decides.
                if failure.kind == ApiErrorKind::Conflict {
                    return now();
                }
                self.trouble.tell(&failure.message);
                let retry = if self.election.fence().is_some() {
                    RETRY
                } else {
                    terms.look_every
                };
                let jitter = Duration::from_millis(fastrand::u64(..250));
                let next = now().after(retry + jitter);
                self.election.fence().map_or(next, |fence| next.min(fence))
            }
        }
    }

    async fn step(&mut self) -> Round {
        let found = match self.written.clone() {
            Some(lease) => Found::written(lease),
            None => match self.read().await {
                Ok(found) => found,
                Err(failure) => return Round::Failed(failure),
            },
        };
        let led = found
            .is_unused()
            .then(|| signs::somebody_led(&self.api, self.patience(now())));
        let led = match futures::future::OptionFuture::from(led).await.transpose() {
            Ok(led) => led.unwrap_or_default(),
            Err(failure) => return Round::Failed(failure),
        };
        let begun = now();
        let step = self.election.decide(found.record(led), begun);
        let lease = found.lease.unwrap_or_default();
        let (purpose, method, path, lease, handover) = match step {
            Step::Wait(until) => return Round::Waiting(until),
            Step::Create => {
                let lease = object::held(&self.candidate, Lease::default(), true);
                let path = self.candidate.collection();
                (CREATE, Method::POST, path, lease, Handover::Unclean)
            }
            Step::Take {
                transition,
                handover,
                ..
            } => {
                let lease = object::held(&self.candidate, lease, transition);
                (UPDATE, Method::PUT, self.candidate.path(), lease, handover)
            }
        };
        let wait = self.patience(begun);
        match self
            .api
            .unfenced(purpose, method, &path, &lease, wait)
            .await
        {
            Ok(lease) => {
                self.written = Some(lease);
                self.election.renewed(begun);
                self.elected(handover);
                Round::Held
            }
            Err(mut failure) => {
                if purpose == CREATE && failure.kind == ApiErrorKind::NotFound {
                    failure.message = format!("{}: create it with `{INSTALL}`", failure.message);
                }
                Round::Failed(failure)
            }
        }
    }

    async fn read(&self) -> Result<Found, ApiFailure> {
        let wait = self.patience(now());
        let list = self.api.get(READ, &self.candidate.look(), wait).await?;
        Ok(Found::read(list))
    }

    /// A request is not waited for beyond the moment at which leadership ends.
    fn patience(&self, begun: Time) -> Duration {
        let longest = self.candidate.terms.renew_every;
        match self.election.fence() {
            Some(fence) => longest.min(fence.since(begun)),
            None => longest,
        }
    }

    fn elected(&mut self, handover: Handover) {
        self.fence.set(self.election.fence());
        if self.term.borrow().is_some() {
            return;
        }
        self.terms_led += 1;
        self.ledger.elected(handover);
        tracing::info!(identity = %self.candidate.identity, ?handover, "leading");
        self.api.metrics().leader.set(1);
        self.health.set_role(Role::Recovering);
        self.term.send_replace(Some(self.terms_led));
    }

    fn deposed(&mut self, why: &str) {
        self.fence.set(None);
        self.election.lost();
        self.written = None;
        tracing::warn!("leading no more: the lease is lost, since {why}");
        self.resigned();
    }

    fn resigned(&self) {
        self.api.metrics().leader.set(0);
        self.health.set_role(Role::Standby);
        self.term.send_replace(None);
    }

    /// Gives the lease back, so that the next leader need not wait for its end.
    async fn release(mut self) {
        self.fence.set(None);
        let Some(lease) = self.written.take() else {
            return;
        };
        self.election.lost();
        self.resigned();
        // A write without an answer may take effect yet, and must not under another leader.
        sleep_until(self.ledger.landed()).await;
        let settled = self.ledger.settled();
        let lease = object::released(lease, settled);
        let wait = self.candidate.terms.renew_every;
        let path = self.candidate.path();
        let released = self
            .api
            .unfenced::<_, serde::de::IgnoredAny>(UPDATE, Method::PUT, &path, &lease, wait)
            .await;
        match released {
            Ok(_) => tracing::info!(settled, "the lease is given back"),
            Err(failure) => tracing::warn!("the lease is left to expire: {failure}"),
        }
    }
}

const READ: Purpose = Purpose {
    action: "read_lease",
    verb: "list",
    resource: "leases.coordination.k8s.io",
};
const CREATE: Purpose = Purpose {
    action: "create_lease",
    verb: "create",
    resource: "leases.coordination.k8s.io",
};
const UPDATE: Purpose = Purpose {
    action: "write_lease",
    verb: "update",
    resource: "leases.coordination.k8s.io",
};
