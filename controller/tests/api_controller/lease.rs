//! The lease among contenders.

use std::{sync::Arc, time::Duration};

use kube::api::DeleteParams;
use serde_json::json;
use signpost_controller::{
    api::{Bounds, KubeApi},
    clock::now,
    elect::{Candidate, Elector, Term},
    fence::Fence,
    health::Health,
    ledger::Ledger,
    metrics::Metrics,
};
use signpost_core::lease::Terms;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::support::{CONTROLLER, World, eventually, world};

const TERMS: Terms = Terms {
    duration: Duration::from_secs(3),
    deadline: Duration::from_secs(2),
    renew_every: Duration::from_millis(500),
    look_every: Duration::from_millis(200),
};

struct Contender {
    identity: Arc<str>,
    fence: Fence,
    term: watch::Receiver<Term>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Contender {
    async fn start(world: &World, name: &str) -> Self {
        let client = world.control_plane.client_for(CONTROLLER).await.unwrap();
        let fence = Fence::default();
        let metrics = Arc::new(Metrics::new().unwrap());
        let api = KubeApi::new(client, Bounds::of(TERMS), fence.clone(), metrics);
        let candidate = Candidate {
            namespace: "signpost-system".to_owned(),
            name: "signpost-controller".to_owned(),
            identity: name.into(),
            terms: TERMS,
        };
        let health = Arc::new(Health::new(TERMS.duration));
        let (elector, term) =
            Elector::new(api, candidate, fence.clone(), health, Ledger::default());
        let stop = CancellationToken::new();
        Self {
            identity: name.into(),
            fence,
            term,
            task: tokio::spawn(elector.run(stop.clone())),
            stop,
        }
    }

    fn leads(&self) -> bool {
        self.term.borrow().is_some()
    }
}

async fn holder(world: &World) -> String {
    let lease = world.leases().get("signpost-controller").await.unwrap();
    lease.spec.unwrap().holder_identity.unwrap_or_default()
}

#[tokio::test]
async fn one_of_two_leads_and_the_other_follows_at_once_when_it_is_given_back() {
    let world = world().await;
    let mut contenders = vec![
        Contender::start(&world, "a").await,
        Contender::start(&world, "b").await,
    ];
    eventually("one leads", 2, async || {
        contenders.iter().any(Contender::leads)
    })
    .await;
    tokio::time::sleep(TERMS.duration + TERMS.look_every).await;
    let leading = contenders.iter().position(Contender::leads).unwrap();
    let first = contenders.remove(leading);
    let second = contenders.remove(0);
    assert!(!second.leads(), "two lead");
    assert_eq!(holder(&world).await, *first.identity);
    assert!(first.fence.may_write() && !second.fence.may_write());

    first.stop.cancel();
    first.task.await.unwrap();
    assert!(!first.fence.may_write());
    let given_back = now();
    eventually("the other leads", 2, async || second.leads()).await;
    let took = now().since(given_back);
    assert!(took < Duration::from_secs(1), "{took:?}");
    second.stop.cancel();
    second.task.await.unwrap();
    assert_eq!(holder(&world).await, "");
    let lease = world.leases().get("signpost-controller").await.unwrap();
    assert!(lease.spec.unwrap().lease_transitions.unwrap() >= 1);
}

#[tokio::test]
async fn a_dead_holder_is_followed_only_after_its_lease_stood_still() {
    let world = world().await;
    world
        .set_lease(json!({
            "holderIdentity": "dead", "leaseDurationSeconds": 2,
            "renewTime": "2020-01-01T00:00:00.000000Z",
        }))
        .await;
    let begun = now();
    let contender = Contender::start(&world, "a").await;
    eventually("it leads", 10, async || contender.leads()).await;
    let took = now().since(begun);
    assert!(took >= Duration::from_secs(2), "{took:?}");
    contender.stop.cancel();
    contender.task.await.unwrap();
}

#[tokio::test]
async fn a_leader_whose_lease_is_taken_stops_at_once() {
    let world = world().await;
    let contender = Contender::start(&world, "a").await;
    eventually("it leads", 2, async || contender.leads()).await;
    world
        .set_lease(json!({"holderIdentity": "thief", "leaseDurationSeconds": 60}))
        .await;
    eventually("it stops", 2, async || !contender.leads()).await;
    assert!(!contender.fence.may_write());
    contender.stop.cancel();
    contender.task.await.unwrap();
    assert_eq!(holder(&world).await, "thief");
}

#[tokio::test]
async fn a_leader_creates_a_deleted_lease_anew() {
    let world = world().await;
    let contender = Contender::start(&world, "a").await;
    eventually("it leads", 2, async || contender.leads()).await;
    world
        .leases()
        .delete("signpost-controller", &DeleteParams::default())
        .await
        .unwrap();
    eventually("the lease is back", 3, async || {
        world
            .leases()
            .get_opt("signpost-controller")
            .await
            .unwrap()
            .is_some()
    })
    .await;
    assert_eq!(holder(&world).await, "a");
    assert_eq!(*contender.term.borrow(), Some(1));
    contender.stop.cancel();
    contender.task.await.unwrap();
}
