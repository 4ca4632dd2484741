//! The lease among contenders.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
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
use signpost_core::{
    Handover, Limits,
    lease::Terms,
    shell::{Effect, Place},
};
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
    ledger: Ledger,
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
        let ledger = Ledger::default();
        let (elector, term) = Elector::new(api, candidate, fence.clone(), health, ledger.clone());
        let stop = CancellationToken::new();
        Self {
            identity: name.into(),
            fence,
            ledger,
            term,
            task: tokio::spawn(elector.run(stop.clone())),
            stop,
        }
    }

    fn leads(&self) -> bool {
        self.term.borrow().is_some()
    }
}

/// As `kubectl replace --force` does with the object in the manifests.
async fn replace_lease(world: &World) {
    let (leases, name) = (world.leases(), "signpost-controller");
    leases.delete(name, &DeleteParams::default()).await.unwrap();
    let mut lease = Lease::default();
    lease.metadata.name = Some(name.to_owned());
    leases.create(&PostParams::default(), &lease).await.unwrap();
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

#[tokio::test]
async fn a_replaced_lease_has_no_two_holders() {
    let world = world().await;
    let contenders = [
        Contender::start(&world, "a").await,
        Contender::start(&world, "b").await,
    ];
    let leads = || {
        contenders
            .iter()
            .filter(|one| one.fence.may_write())
            .count()
    };
    eventually("one leads", 4, async || leads() == 1).await;
    tokio::time::sleep(TERMS.look_every * 2).await;
    replace_lease(&world).await;
    let replaced = now();
    eventually("the leader stops", 2, async || leads() == 0).await;
    eventually("one leads again", 6, async || {
        assert!(leads() < 2, "two lead");
        leads() == 1
    })
    .await;
    let took = now().since(replaced);
    assert!(took >= TERMS.duration, "{took:?}");
    tokio::time::sleep(TERMS.duration).await;
    assert_eq!(leads(), 1);
    for contender in contenders {
        contender.stop.cancel();
        contender.task.await.unwrap();
    }
}

#[tokio::test]
async fn a_lease_that_nobody_held_is_taken_at_once_only_if_nobody_led() {
    let world = world().await;
    for led in [false, true] {
        if led {
            world
                .create_network(json!({
                    "pools": [{"name": "main", "cidr": "10.244.0.0/16", "nodePrefixLength": 24}],
                    "cloud": {"provider": "none"},
                }))
                .await;
            let status = Patch::Merge(json!({"status": {"observedGeneration": 1}}));
            let none = PatchParams::default();
            let patch = world.networks.patch_status("default", &none, &status);
            patch.await.unwrap();
        }
        replace_lease(&world).await;
        let begun = now();
        let contender = Contender::start(&world, "c").await;
        eventually("it leads", 6, async || contender.leads()).await;
        let took = now().since(begun);
        assert_eq!(took >= TERMS.duration, led, "{took:?}");
        assert_eq!(contender.ledger.settled(), !led);
        contender.stop.cancel();
        contender.task.await.unwrap();
    }
}

#[tokio::test]
async fn a_lease_given_back_says_whether_all_writes_had_settled() {
    let world = world().await;
    let limits = Limits {
        settle: Duration::from_secs(60),
        ..Limits::LOCAL
    };
    replace_lease(&world).await;
    for (name, handover) in [
        ("a", Handover::Clean),
        ("b", Handover::Clean),
        ("c", Handover::Unclean),
    ] {
        let contender = Contender::start(&world, name).await;
        eventually("it leads", 2, async || contender.leads()).await;
        assert_eq!(contender.ledger.lead(limits), handover, "{name}");
        if name == "b" {
            let write = Effect::Write(Place::Routes);
            contender.ledger.begin(write, limits).end(false);
        }
        contender.stop.cancel();
        contender.task.await.unwrap();
        let lease = world.leases().get("signpost-controller").await.unwrap();
        let said = lease.metadata.annotations.unwrap_or_default();
        assert_eq!(said.contains_key("signpost.dev/settled"), name == "a");
    }
}
